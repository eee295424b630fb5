"""Both flows of a case at many times, close to each other at the start: what trajectories and films show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from wassflow.arguments import as_integer, as_number
from wassflow.cases import Case
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.study.runs import DEFAULT_SCHEME, both_flows


@dataclass(frozen=True, eq=False)
class Evolution:
    """Result of :func:`evolution`.

    Attributes:
        case: the case.
        dim: d.
        mesh_name: the mesh in words.
        m: number of particles.
        method: how they were placed.
        times: 0, and times at equal ratios.
        density: the density flow, kept at ``times``.
        particles: the particle flow, kept at ``times``.
    """

    case: Case
    dim: int
    mesh_name: str
    m: int
    method: str
    times: tuple[float, ...]
    density: Trajectory
    particles: Trajectory


def evolution(
    case: Case,
    m: int = 200,
    method: str = "quantized",
    seed: int = 0,
    frames: int = 60,
    first: float = 1e-3,
    cells: int | Sequence[int] | None = None,
    scheme: str = DEFAULT_SCHEME,
    progress: bool = False,
) -> Evolution:
    """Run both flows of a case and keep them at 0 and at logarithmic times.

    Args:
        case: what to solve.
        m: number of particles.
        method: how they are placed: ``"iid"``, ``"stratified"`` or ``"quantized"``.
        seed: seed of the placement.
        frames: number of times, at least 3.
        first: the first time after 0, as a share of the end.
        cells: cells of the mesh per axis; default the case's.
        scheme: of the density, ``"muscl"`` or ``"upwind"``.
        progress: show progress bars on a terminal.

    Raises:
        ValueError: an argument is out of range.
        WassflowError: called under ``mpiexec``.

    >>> import wassflow as wf
    >>> result = evolution(wf.cases.get("cosine-2d"), m=16, frames=4, cells=8)
    >>> len(result.times), result.times[0], result.times[-1]
    (4, 0.0, 3.0)
    """
    if MPI.COMM_WORLD.size > 1:
        raise WassflowError("an evolution runs both flows in one process; run it without mpiexec")
    frames = as_integer("frames", frames, least=3)
    first = as_number("first", first, above=0.0, most=0.5)
    times = (0.0, *np.geomspace(first * case.t_end, case.t_end, frames - 1)[:-1].tolist(), case.t_end)
    name, density, particles = both_flows(case, times, m, method, seed, cells, scheme, progress)
    return Evolution(case, case.dim, name, m, method, times, density, particles)
