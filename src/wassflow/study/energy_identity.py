"""dF/dt = -int |v|^2 dmu along runs, and F that never rises: what a gradient flow does to its energy."""

from typing import Any

import numpy as np

from wassflow.arguments import Array
from wassflow.cases import Case
from wassflow.domain import Box
from wassflow.flow import DensityFlow, ParticleFlow, Trajectory
from wassflow.flow.particle_integrators import INTEGRATORS
from wassflow.functional import Functional
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.mesh import box

Record = dict[str, Any]

# Length of particle runs that meet kinks and walls, and of those that do not get that far.
_LONG, _SHORT = 0.5, 0.1
# Points of F against time that pictures show.
_SHOWN = 120


def particle_balance(
    functional: Functional, dim: int, integrator: str, steps: list[int], meet: bool, m: int = 100
) -> Record:
    """Residuals of F(t) - F(0) + int int |v|^2 dmu dt for steps of fixed length, shorter and shorter.

    Without kinks and walls on the way, an integrator of order p leaves a residual of order p (the integral
    of |v|^2 by its own quadrature where it has one of that order, else by the trapezoidal rule). A particle
    that meets a kink or a wall stops within a step: |v|^2 jumps, and the trapezoidal rule is of order 1.

    Args:
        functional: F.
        dim: d.
        integrator: of :class:`wassflow.ParticleFlow`.
        steps: numbers of steps, increasing.
        meet: whether particles start everywhere in a box, so that they meet kinks and walls, or away from
            both.
        m: number of particles.
    """
    rng = np.random.default_rng(7)
    low, high, end = (-1.0, 1.0, _LONG) if meet else (0.35, 0.6, _SHORT)
    cloud = ParticleCloud(rng.uniform(low, high, size=(m, dim)))
    order = INTEGRATORS[integrator].order
    residuals, rise = [], 0.0
    for count in steps:
        flow = ParticleFlow(functional, Box([-1.0] * dim, [1.0] * dim), integrator=integrator, dt=end / count)
        run = flow.run(cloud, end)
        spent = run.diagnostics["dissipated"] if order > 2 and not meet else None
        residual = run.energy_balance() if spent is None else run.energy - run.energy[0] + spent
        residuals.append(float(np.abs(residual).max()))
        rise = max(rise, largest_rise(run))
    return {"steps": steps, "residuals": residuals, "theory": 1 if meet else order, "rise": rise}


def density_balance(
    functional: Functional, dim: int, integrator: Any, shares: list[float], cells: int
) -> Record:
    """Residuals of F_h(t) - F_h(0) + int D_h dt of upwind runs with shorter and shorter steps on one mesh.

    D_h = -DF_h.dm/dt is the dissipation of the scheme in space, so that what is left is the error in time.
    """
    cell = "quadrilateral" if dim == 2 else "hexahedron"
    mesh = box(Box([-1.0] * dim, [1.0] * dim), cells, cell)
    start = MeshDensity.from_function(mesh, lambda u: 0.1 + np.prod(np.cos(0.5 * np.pi * u) ** 2, axis=1))
    residuals = []
    for share in shares:
        run = DensityFlow(functional, mesh, integrator=integrator, cfl=share).run(start, 0.5)
        residuals.append(float(np.abs(run.energy_balance()).max()))
    theory = 1 if integrator == "euler" else 2
    return {
        "steps": [1.0 / share for share in shares],
        "residuals": residuals,
        "theory": theory,
        "rise": None,
    }


def mesh_balance(case: Case, scheme: str, cells: list[int], t_end: float) -> Record:
    """Residuals of F_h(t) - F_h(0) + int int |v|^2 dmu dt, v at the faces, on finer and finer meshes.

    Here |v|^2 is that of the flow itself, not of the scheme: the residual is of the order of the scheme.
    """
    residuals = []
    for count in cells:
        mesh = case.mesh(count, "quadrilateral" if case.dim == 2 else "hexahedron")
        run = case.density_flow(mesh, scheme=scheme).run(case.start(mesh), t_end)
        run.dissipation = run.diagnostics["velocity_dissipation"]
        residuals.append(float(np.abs(run.energy_balance()).max()))
    return {"steps": cells, "residuals": residuals, "theory": 1 if scheme == "upwind" else 2, "rise": None}


def decay(case: Case, m: int, seed: int) -> Record:
    """F along the run of m particles: at some times for pictures, and the largest rise of all steps."""
    mesh = case.mesh(tuple(max(2, n // 2) for n in case.cells))
    cloud = ParticleCloud.sample(case.start(mesh), m, method="iid", seed=seed)
    run = case.particle_flow().run(cloud, case.t_end)
    shown = np.unique(np.linspace(0, run.steps, _SHOWN).astype(int))
    return {
        "steps": run.steps,
        "repeated": run.diagnostics["rejected_steps"],
        "first": float(run.energy[0]),
        "last": float(run.energy[-1]),
        "rise": largest_rise(run),
        "times": run.times[shown].tolist(),
        "energies": run.energy[shown].tolist(),
    }


def largest_rise(run: Trajectory) -> float:
    """The largest rise of F in a step, relative to the size of F along the run."""
    rises: Array = np.diff(run.energy)
    return float(max(rises.max(initial=0.0), 0.0) / np.abs(run.energy).max())
