"""Studies: the many-particle limit, mesh refinement, and a case solved both ways, with honest rates."""

from wassflow.study.atoms import SingularPart, singular_part
from wassflow.study.comparison import Comparison, run
from wassflow.study.many_particle_limit import ManyParticleLimit, many_particle_limit
from wassflow.study.many_particle_limits import ManyParticleLimits, many_particle_limits
from wassflow.study.mesh_refinement import MeshRefinement, mesh_refinement
from wassflow.study.minimal_norm import MinimalNorm, minimal_norm
from wassflow.study.rates import RateFit, fit_rate, observed_orders
from wassflow.study.stability import StabilityBound, stability_bound

__all__ = [
    "Comparison",
    "ManyParticleLimit",
    "ManyParticleLimits",
    "MeshRefinement",
    "MinimalNorm",
    "RateFit",
    "SingularPart",
    "StabilityBound",
    "fit_rate",
    "many_particle_limit",
    "many_particle_limits",
    "mesh_refinement",
    "minimal_norm",
    "observed_orders",
    "run",
    "singular_part",
    "stability_bound",
]
