"""wassflow: the many-particle limit of Wasserstein gradient flows, seen and measured.

For F(mu) = R(int Phi dmu) + int V dmu on measures over a convex domain (Chizat and Bach, 2018), the gradient
flow is solved as a density, by upwind finite volumes, and as particles; W2 between the two is bracketed by
certified bounds.

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d")
    >>> mesh = case.mesh(cells=(12, 12))
    >>> start = case.start(mesh)
    >>> density = case.density_flow(mesh).run(start, 0.5).final
    >>> cloud = wf.ParticleCloud.sample(start, 64, method="quantized")
    >>> particles = case.particle_flow().run(cloud, 0.5).final
    >>> distance = wf.wasserstein2(particles, density)
    >>> distance.lower <= distance.value <= distance.upper
    True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from wassflow import cases, mesh, plot, study
    from wassflow.cases import reference
    from wassflow.domain import Box, Domain, Polytope
    from wassflow.errors import WassflowError
    from wassflow.flow import DensityFlow, ParticleFlow, Trajectory
    from wassflow.functional import (
        CallableFeatures,
        Functional,
        LogisticLoss,
        NeuronFeatures,
        SpikeFeatures,
        SquaredLoss,
        TabulatedFeatures,
        regularizer,
    )
    from wassflow.measure import MeshDensity, ParticleCloud, sphere_projection
    from wassflow.optimality import Certificate, OptimalMeasure, certificate, minimize_over_measures
    from wassflow.transport import (
        Bracket,
        bounded_lipschitz,
        sinkhorn_divergence,
        sliced_wasserstein2,
        wasserstein2,
    )

# Where each public name lives. Names are looked up on first use, so that `import wassflow` costs nothing and
# the command line answers `--help` at once: dolfinx, numba and matplotlib take seconds to load.
_HOMES = {
    "cases": "wassflow.cases",
    "reference": "wassflow.cases",
    "mesh": "wassflow.mesh",
    "plot": "wassflow.plot",
    "study": "wassflow.study",
    "regularizer": "wassflow.functional.regularizer",
    "Box": "wassflow.domain",
    "Domain": "wassflow.domain",
    "Polytope": "wassflow.domain",
    "WassflowError": "wassflow.errors",
    "Certificate": "wassflow.optimality",
    "OptimalMeasure": "wassflow.optimality",
    "certificate": "wassflow.optimality",
    "minimize_over_measures": "wassflow.optimality",
    "DensityFlow": "wassflow.flow",
    "ParticleFlow": "wassflow.flow",
    "Trajectory": "wassflow.flow",
    "CallableFeatures": "wassflow.functional",
    "Functional": "wassflow.functional",
    "LogisticLoss": "wassflow.functional",
    "NeuronFeatures": "wassflow.functional",
    "SpikeFeatures": "wassflow.functional",
    "SquaredLoss": "wassflow.functional",
    "TabulatedFeatures": "wassflow.functional",
    "MeshDensity": "wassflow.measure",
    "ParticleCloud": "wassflow.measure",
    "sphere_projection": "wassflow.measure",
    "Bracket": "wassflow.transport",
    "bounded_lipschitz": "wassflow.transport",
    "sinkhorn_divergence": "wassflow.transport",
    "sliced_wasserstein2": "wassflow.transport",
    "wasserstein2": "wassflow.transport",
}
_MODULES = {"cases", "mesh", "plot", "study", "regularizer"}

__all__ = [  # noqa: RUF022 (grouped by room, in the order in which data flows)
    "CallableFeatures",
    "Functional",
    "LogisticLoss",
    "NeuronFeatures",
    "SpikeFeatures",
    "SquaredLoss",
    "TabulatedFeatures",
    "regularizer",
    "Box",
    "Domain",
    "Polytope",
    "mesh",
    "MeshDensity",
    "ParticleCloud",
    "sphere_projection",
    "Certificate",
    "OptimalMeasure",
    "certificate",
    "minimize_over_measures",
    "DensityFlow",
    "ParticleFlow",
    "Trajectory",
    "Bracket",
    "wasserstein2",
    "sliced_wasserstein2",
    "sinkhorn_divergence",
    "bounded_lipschitz",
    "cases",
    "reference",
    "study",
    "plot",
    "WassflowError",
]


def __getattr__(name: str) -> Any:
    """Import the public name ``name`` from its room on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'wassflow' has no attribute {name!r}")
    module = import_module(_HOMES[name])
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted({*globals(), *__all__})
