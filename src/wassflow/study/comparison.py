"""One case solved both ways: the density, the particles, and W2 between them at the saved times."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from wassflow.arguments import as_integer
from wassflow.cases import Case
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.study import tables
from wassflow.study.runs import DEFAULT_SCHEME, at_time, both_flows, comparison_times
from wassflow.study.stability import StabilityBound, stability_bound
from wassflow.study.tables import number, range_text, text_table, wrapped
from wassflow.transport import Bracket, wasserstein2

Record = dict[str, Any]


@dataclass(eq=False)
class Comparison:
    """Result of :func:`run`.

    Attributes:
        case: the case.
        dim: d.
        mesh_name: the mesh in words.
        m: number of particles.
        method: how they were placed.
        seed: the seed of the placement.
        times: the saved times.
        density: the density flow.
        particles: the particle flow.
        brackets: per time, the bracket of W2 between the two.
        stability: the bound of W2 that follows from the distance at time 0 and from what both flows recorded
            (:func:`wassflow.study.stability_bound`); ``None`` where Lip(DPhi) is infinite or not known, or
            when time 0 is not among ``times``.
    """

    case: Case
    dim: int
    mesh_name: str
    m: int
    method: str
    seed: int
    times: tuple[float, ...]
    density: Trajectory
    particles: Trajectory
    brackets: dict[float, Bracket]
    stability: StabilityBound | None = None

    def rows(self) -> list[Record]:
        """One dictionary per time: W2, energies, and the distance of the moments."""
        rows = []
        for t in self.times:
            energy, moment = at_time(self.density, t)
            particle_energy, particle_moment = at_time(self.particles, t)
            bracket = self.brackets[t]
            rows.append(
                {
                    "case": self.case.name,
                    "time": t,
                    "m": self.m,
                    "method": self.method,
                    "seed": self.seed,
                    "lower": bracket.lower,
                    "upper": bracket.upper,
                    "value": bracket.value,
                    "w2_method": bracket.method,
                    "stability_bound": None if self.stability is None else self.stability.at(t),
                    "density_energy": energy,
                    "particle_energy": particle_energy,
                    "moment_error": float(np.linalg.norm(particle_moment - moment)),
                }
            )
        return rows

    def table(self) -> str:
        """Plain text: one line per saved time."""
        title = (
            f"{self.case.name}: {self.m} particles ({self.method}, seed {self.seed}) and the PDE's density, "
            f"d = {self.dim}\nmesh {self.mesh_name}; {self.density.steps} density steps, "
            f"{self.particles.steps} particle steps"
        )
        rows = [
            [
                f"{row['time']:g}",
                number(row["value"]),
                range_text(row["lower"], row["upper"]),
                "" if row["stability_bound"] is None else number(row["stability_bound"]),
                number(row["density_energy"], 5),
                number(row["particle_energy"], 5),
                number(row["moment_error"]),
            ]
            for row in self.rows()
        ]
        header = ["t", "W2", "[lower, upper]", "stability", "F density", "F particles", "|f_m - f|"]
        note = "W2 between the particles and the density lies in [lower, upper]: both ends are certified."
        if self.stability is not None:
            note += (
                " stability: W2 at time 0 times exp(int L), which bounds W2 of the flows themselves; the "
                "error of the density's scheme comes on top."
            )
        return "\n\n".join([title, text_table(header, rows), wrapped(note)])

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows."""
        return tables.write_csv(path, self.rows())

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows, and energy and dissipation of both flows at every step."""
        series = {
            name: {"time": flow.times, "energy": flow.energy, "dissipation": flow.dissipation}
            for name, flow in (("density", self.density), ("particles", self.particles))
        }
        data = {
            "case": self.case.name,
            "dim": self.dim,
            "mesh": self.mesh_name,
            "rows": self.rows(),
            **series,
        }
        return tables.write_json(path, data)


def run(
    case: Case,
    m: int = 1000,
    method: str = "quantized",
    seed: int = 0,
    cells: int | Sequence[int] | None = None,
    times: Sequence[float] | None = None,
    scheme: str = DEFAULT_SCHEME,
    progress: bool = False,
) -> Comparison:
    """Solve a case as a density and as particles, and bracket W2 between the two at every saved time.

    Args:
        case: what to solve.
        m: number of particles.
        method: how they are placed: ``"iid"``, ``"stratified"`` or ``"quantized"``.
        seed: seed of the placement.
        cells: cells of the mesh per axis; default the case's.
        times: when to compare; default 0 and the case's own times.
        scheme: of the density, ``"muscl"`` (second order) or ``"upwind"`` (first order).
        progress: show progress bars on a terminal.

    Raises:
        ValueError: an argument is out of range.
        WassflowError: called under ``mpiexec``.

    >>> import wassflow as wf
    >>> comparison = run(wf.cases.get("cosine-2d"), m=64, cells=16, times=[0.0, 0.2])
    >>> [comparison.brackets[t].upper < 0.5 for t in comparison.times]
    [True, True]
    """
    if MPI.COMM_WORLD.size > 1:
        raise WassflowError("a comparison runs both flows in one process; run it without mpiexec")
    m = as_integer("m", m, least=1)
    compared = comparison_times(case, (0.0, *case.times, case.t_end) if times is None else times)
    if compared[-1] == 0.0:
        raise ValueError("times must hold a positive time, found only 0")
    name, density, particles = both_flows(case, compared, m, method, seed, cells, scheme, progress)
    brackets = {t: wasserstein2(particles.at(t), density.at(t), domain=case.domain) for t in compared}
    return Comparison(
        case,
        case.domain.dim,
        name,
        m,
        method,
        seed,
        compared,
        density,
        particles,
        brackets,
        _stability(case, density, particles, brackets),
    )


def _stability(
    case: Case, density: Trajectory, particles: Trajectory, brackets: dict[float, Bracket]
) -> StabilityBound | None:
    if 0.0 not in brackets:
        return None
    try:
        return stability_bound(case.functional, density, particles, brackets[0.0].upper, case.domain)
    except WassflowError:  # ReLU neurons, features of a user
        return None
