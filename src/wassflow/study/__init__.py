"""Studies: the many-particle limit, mesh refinement, and a case solved both ways, with honest rates."""

from wassflow.study.absorption import AbsorbedMass, absorbed_mass, absorbing_sets
from wassflow.study.atoms import SingularPart, singular_part
from wassflow.study.comparison import Comparison, run
from wassflow.study.evolution import Evolution, evolution
from wassflow.study.exchange_of_limits import ExchangeOfLimits, LimitGrid, exchange_of_limits
from wassflow.study.global_convergence import GlobalConvergence, global_convergence
from wassflow.study.many_particle_limit import ManyParticleLimit, many_particle_limit
from wassflow.study.many_particle_limits import ManyParticleLimits, many_particle_limits
from wassflow.study.mesh_refinement import MeshRefinement, mesh_refinement
from wassflow.study.minimal_norm import MinimalNorm, minimal_norm
from wassflow.study.networks import Network, Networks, networks
from wassflow.study.optimality import Optimality, optimality
from wassflow.study.particle_complexities import ParticleComplexities, particle_complexities
from wassflow.study.particle_complexity import ParticleComplexity, particle_complexity
from wassflow.study.rank_problem import RankProblem
from wassflow.study.rates import RateFit, fit_rate, observed_orders
from wassflow.study.sphere_projections import SphereProjections, sphere_projections
from wassflow.study.stability import StabilityBound, stability_bound

__all__ = [
    "AbsorbedMass",
    "Comparison",
    "Evolution",
    "ExchangeOfLimits",
    "GlobalConvergence",
    "LimitGrid",
    "ManyParticleLimit",
    "ManyParticleLimits",
    "MeshRefinement",
    "MinimalNorm",
    "Network",
    "Networks",
    "Optimality",
    "ParticleComplexities",
    "ParticleComplexity",
    "RankProblem",
    "RateFit",
    "SingularPart",
    "SphereProjections",
    "StabilityBound",
    "absorbed_mass",
    "absorbing_sets",
    "evolution",
    "exchange_of_limits",
    "fit_rate",
    "global_convergence",
    "many_particle_limit",
    "many_particle_limits",
    "mesh_refinement",
    "minimal_norm",
    "networks",
    "observed_orders",
    "optimality",
    "particle_complexities",
    "particle_complexity",
    "run",
    "singular_part",
    "sphere_projections",
    "stability_bound",
]
