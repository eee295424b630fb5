"""Times, meshes and values at a time: what all studies need to say about a run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from wassflow.arguments import as_integer
from wassflow.cases import Case
from wassflow.flow import Trajectory
from wassflow.measure import ParticleCloud

Array = NDArray[np.float64]

# Of second order: with first-order upwind, the PDE's own error hides that of a few hundred particles.
DEFAULT_SCHEME = "muscl"


def comparison_times(case: Case, times: Sequence[float] | None) -> tuple[float, ...]:
    """The given times, checked and sorted; by default 0, the middle and the end of the case's own."""
    if times is None:
        later = sorted(t for t in case.times if t > 0.0) or [case.t_end]
        return tuple(sorted({0.0, float(later[(len(later) - 1) // 2]), float(later[-1])}))
    chosen = tuple(sorted({float(t) for t in times}))
    if not chosen or not np.all(np.isfinite(chosen)) or chosen[0] < 0.0:
        raise ValueError(f"times must be finite and nonnegative, at least one, found {list(times)}")
    return chosen


def resolution_of(case: Case, cells: int | Sequence[int] | None) -> tuple[int, ...]:
    """Cells per axis: the case's own, one number for every axis, or one per axis."""
    if cells is None:
        return tuple(case.cells)
    if isinstance(cells, int):
        return (as_integer("cells", cells, least=1),) * case.domain.dim
    chosen = tuple(as_integer("cells", n, least=1) for n in cells)
    if len(chosen) != case.domain.dim:
        raise ValueError(f"cells must be one number or {case.domain.dim} (one per axis), found {list(cells)}")
    return chosen


def mesh_name(mesh: Any, resolution: Sequence[int], scheme: str) -> str:
    """The mesh, and the scheme on it, in words."""
    return f"{' x '.join(map(str, resolution))}, {mesh.num_cells_global} cells ({mesh.cell_type}), {scheme}"


def both_flows(
    case: Case,
    times: Sequence[float],
    m: int,
    method: str,
    seed: int,
    cells: int | Sequence[int] | None,
    scheme: str,
    progress: bool,
) -> tuple[str, Trajectory, Trajectory]:
    """Run a case as a density and as m particles, kept at these times; and the mesh in words."""
    resolution = resolution_of(case, cells)
    mesh = case.mesh(resolution, case.cell, comm=MPI.COMM_SELF)
    start = case.start(mesh)
    count, seed = as_integer("m", m, least=1), as_integer("seed", seed, least=0)
    cloud = ParticleCloud.sample(start, count, method=method, seed=seed)
    density = case.density_flow(mesh, scheme=scheme).run(start, times[-1], save=times, progress=progress)
    particles = case.particle_flow().run(cloud, times[-1], save=times, progress=progress)
    return mesh_name(mesh, resolution, scheme), density, particles


def at_time(flow: Trajectory, t: float) -> tuple[float, Array]:
    """Energy and moment of a flow at one of its saved times."""
    step = int(np.argmin(np.abs(flow.times - t)))
    return float(flow.energy[step]), flow.moments[step]
