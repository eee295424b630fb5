"""The limits of many particles and of long times exchanged (Lemma C.15): F(mu_{m,t}) on a grid of m and t."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wassflow import cases as named
from wassflow.arguments import Array, as_integer, as_vector
from wassflow.domain import Box
from wassflow.flow import DensityFlow, ParticleFlow
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.mesh import box
from wassflow.optimality import OptimalMeasure, minimize_over_measures
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.rank_problem import RankProblem
from wassflow.study.runs import at_time
from wassflow.study.starts import natural_domain, start_cloud
from wassflow.study.tables import number, text_table, wrapped
from wassflow.study.workers import run_study

Record = dict[str, Any]

# F* is certified to this.
TOLERANCE = 1e-6
# Two limits agree if they differ by less than this share of F(mu_0) - F*.
AGREE = 1e-3
# Steps of particles keep their positions to this. Those of the rank problem are compared with the exact F, to
# the last number.
_STEP_TOLERANCE, _RANK_STEP_TOLERANCE, ORACLE = 1e-4, 1e-7, 1e-5
# A density on a mesh against the exact F, as a share of F(mu_0): the error of the mesh, .069, .022, .0063 and
# .0023 with 14, 28, 56 and 112 cells per axis in d = 2, .045 and .013 with 10 and 20 in d = 3.
ORACLE_ON_MESH = 2e-2
# The rank problem starts from the uniform density on the ball of radius 1, in a box of this half side.
_HALF_SIDE = 2.5


@dataclass(frozen=True)
class _Task:
    """One run: F* (neither m nor cells), m particles, or a density on a mesh of ``cells`` per axis.

    ``problem`` is the name of a case, or the eigenvalues of the matrix of a rank problem.
    """

    problem: str | tuple[float, ...]
    times: tuple[float, ...]
    m: int = 0
    cells: int = 0


@dataclass(frozen=True, eq=False)
class LimitGrid:
    """F(mu_{m,t}) of one problem, and what it tends to.

    Attributes:
        name: the problem.
        times: increasing from 0; the last one stands for infinity.
        ms: increasing.
        values: F(mu_{m,t}), ``(len(ms), len(times))``.
        limit: F(mu_t), what the rows tend to, ``(len(times),)``.
        limit_name: how it was found.
        value, lower_bound: F* is between them, certified.
        rank: of a rank problem, how many particles are needed, else ``None``.
        least: of a rank problem, the least F over m particles, for every m.
        exact: of a rank problem, F(mu_{m,t}) without steps in time, as ``values``.
        density: of a rank problem, F along a density flow, as ``limit``.
    """

    name: str
    times: tuple[float, ...]
    ms: tuple[int, ...]
    values: Array
    limit: Array
    limit_name: str
    value: float
    lower_bound: float
    rank: int | None = None
    least: Array | None = None
    exact: Array | None = None
    density: Array | None = None

    @property
    def tolerance(self) -> float:
        """How near to F* counts as F*."""
        return AGREE * float(self.limit[0] - self.value)

    @property
    def reached(self) -> list[bool]:
        """For every m, whether F* is the limit of long times."""
        return [bool(last - self.value <= self.tolerance) for last in self.values[:, -1]]

    def table(self) -> str:
        """The grid, and both iterated limits."""
        shown = np.unique(np.linspace(0, len(self.times) - 1, min(7, len(self.times))).round().astype(int))
        columns = [f"t = {self.times[j]:.3g}" for j in shown]
        rows = [
            [str(m), *[number(line[j] - self.value) for j in shown]]
            for m, line in zip(self.ms, self.values, strict=True)
        ]
        limit = ["m -> oo", *[number(self.limit[j] - self.value) for j in shown]]
        inner, outer = self.limit[-1] - self.value, self.values[-1, -1] - self.value
        first = [[f"{self.times[j]:.3g}", number(self.limit[j] - self.value)] for j in shown]
        second = []
        for i, m in enumerate(self.ms):
            exact = None if self.least is None else float(self.least[i]) - self.value
            last = number(self.values[i, -1] - self.value)
            second.append([str(m), last, number(exact), "yes" if self.reached[i] else "no"])
        title = (
            f"{self.name}: F(mu_m,t) - F*, {self.lower_bound:.9f} <= F* <= {self.value:.9f}\n"
            f"m -> oo: {self.limit_name}"
        )
        return "\n".join(
            [
                title,
                text_table(["m", *columns], [*rows, limit]),
                f"first m, then t: lim_t lim_m F - F* = {number(inner)}",
                text_table(["t", "lim_m F - F*"], first),
                f"first t, then m: lim_m lim_t F - F* = {number(outer)}",
                text_table(["m", "lim_t F - F*", "least over m", "F* reached"], second),
            ]
        )

    def criteria(self) -> list[Criterion]:
        """Both iterated limits are F*; m particles of a rank problem reach it if and only if m >= rank."""
        inner, outer = float(self.limit[-1] - self.value), float(self.values[-1, -1] - self.value)
        criteria = [
            Criterion(
                f"{self.name}: F* is certified",
                self.value - self.lower_bound <= TOLERANCE,
                f"gap {self.value - self.lower_bound:.1e} <= {TOLERANCE:g}",
            ),
            Criterion(
                f"{self.name}: lim_t lim_m F = lim_m lim_t F = F*",
                max(inner, outer) <= self.tolerance,
                f"{inner:.1e} and {outer:.1e} above F*, within {self.tolerance:.1e}",
            ),
        ]
        if self.rank is None or self.least is None or self.exact is None or self.density is None:
            return criteria
        expected = [m >= self.rank for m in self.ms]
        off = float(np.abs(self.values[:, -1] - self.least).max())
        apart = float(np.abs(self.values - self.exact).max())
        on_mesh = float(np.abs(self.density - self.limit).max() / self.limit[0])
        return [
            *criteria,
            Criterion(
                f"{self.name}: the limit of long times is F* if and only if m >= {self.rank}, else the "
                "value of the best matrix of rank m",
                self.reached == expected and off <= self.tolerance,
                f"reached for m = {[m for m, yes in zip(self.ms, self.reached, strict=True) if yes]}; "
                f"at most {off:.1e} from the least F over m particles",
            ),
            Criterion(
                f"{self.name}: particles follow the exact F(mu_m,t)",
                apart <= ORACLE,
                f"at most {apart:.1e} apart (<= {ORACLE:g})",
            ),
            Criterion(
                f"{self.name}: the density flow follows the limit m -> oo",
                on_mesh <= ORACLE_ON_MESH,
                f"at most {on_mesh:.1e} of F(mu_0) apart (<= {ORACLE_ON_MESH:g})",
            ),
        ]

    def rows(self) -> list[Record]:
        """One line per m and time; without m the limit."""
        lines: list[tuple[int | None, Array]] = [*zip(self.ms, self.values, strict=True), (None, self.limit)]
        return [
            {"problem": self.name, "m": m, "time": t, "energy": float(F), "excess": float(F - self.value)}
            for m, line in lines
            for t, F in zip(self.times, line, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class ExchangeOfLimits:
    """Result of :func:`exchange_of_limits`.

    Attributes:
        grids: one per problem.
    """

    grids: tuple[LimitGrid, ...]

    def table(self) -> str:
        """The grids and their iterated limits."""
        notes = wrapped(
            "Excess over F*. Rank problem: Phi(u) = u u^T, R(f) = |f - Y|^2/2; m particles make matrices of "
            "rank m at most, so that the two orders of the limits differ below the rank of the positive part "
            "of Y if m stays fixed, and agree from there on."
        )
        return "\n\n".join([*(grid.table() for grid in self.grids), notes])

    def criteria(self) -> list[Criterion]:
        """The criteria of all problems."""
        return [criterion for grid in self.grids for criterion in grid.criteria()]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write F, one line per problem, m and time."""
        return tables.write_csv(path, [row for grid in self.grids for row in grid.rows()])

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the grids."""
        return tables.write_json(path, [vars(grid) for grid in self.grids])


def exchange_of_limits(
    problems: Sequence[Mapping[str, Any]],
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> ExchangeOfLimits:
    """Compare lim_t lim_m F(mu_{m,t}) with lim_m lim_t F(mu_{m,t}).

    Args:
        problems: for each either ``eigenvalues`` of the matrix Y of a rank problem (2 or 3 of them, see
            :class:`wassflow.study.rank_problem.RankProblem`) and ``cells``, the mesh of a density flow for
            the limit of many particles, or a ``case`` under Theorem 3.3 or 3.5, whose largest m stands for
            it; and ``ms`` and ``times`` (positive, the last one long enough to be infinity).
        workers: processes over which the runs are spread.
        progress: show a bar on stderr when it is a terminal.
        ledger: a file in which finished runs stay.

    Raises:
        ValueError: no problem, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), Lemma C.15.

    >>> study = exchange_of_limits(
    ...     [{"eigenvalues": (1.5, 0.5), "ms": (1, 2), "times": (0.1, 1.0, 8.0), "cells": 8}]
    ... )
    >>> study.grids[0].rank, study.grids[0].reached
    (2, [False, True])
    """
    plans = [_tasks(**problem) for problem in problems]
    if not plans:
        raise ValueError("problems must hold at least one problem, found none")
    tasks = [task for plan in plans for task in plan]
    order = sorted(tasks, key=lambda task: (task.cells, task.m), reverse=True)  # the longest first
    found = run_study("exchange_of_limits", _run, order, workers, progress, ledger)
    return ExchangeOfLimits(tuple(_grid(plan, [found[task] for task in plan]) for plan in plans))


def _tasks(
    ms: Sequence[int],
    times: Sequence[float],
    case: str | None = None,
    eigenvalues: Sequence[float] | None = None,
    cells: int | None = None,
) -> list[_Task]:
    if (case is None) == (eigenvalues is None):
        raise ValueError(f"a problem must be a case or eigenvalues, found {case!r} and {eigenvalues!r}")
    grid = tuple(float(t) for t in np.unique(as_vector("times", times)))
    ladder = sorted({as_integer("ms", m, least=1) for m in ms})
    if not grid or grid[0] <= 0.0 or not ladder:
        raise ValueError(f"times must be positive and ms hold a number, found {list(times)} and {list(ms)}")
    if eigenvalues is None:
        named.get(str(case))
        return [_Task(str(case), grid), *[_Task(str(case), grid, m) for m in ladder]]
    values = tuple(float(value) for value in as_vector("eigenvalues", eigenvalues))
    if len(values) not in (2, 3) or cells is None:
        raise ValueError(f"a rank problem needs 2 or 3 eigenvalues and cells, found {values} and {cells}")
    density = _Task(values, grid, cells=as_integer("cells", cells, least=2))
    return [_Task(values, grid), *[_Task(values, grid, m) for m in ladder], density]


def _run(task: _Task) -> Any:
    """Return F* and its lower bound, or F at the times, from 0 on."""
    if task.m or task.cells:
        return _energies(task)
    if isinstance(task.problem, str):
        case = named.get(task.problem)
        best = minimize_over_measures(case.functional, case.domain, mass="free", tolerance=TOLERANCE)
        return _bounds(best)
    problem = RankProblem(task.problem)
    best = minimize_over_measures(
        problem.functional,
        tolerance=TOLERANCE,
        homogeneity="joint",
        lipschitz=problem.lipschitz,
        mass_bound=problem.mass_bound,
    )
    return _bounds(best)


def _bounds(best: OptimalMeasure) -> dict[str, float]:
    return {"value": best.value, "lower_bound": best.lower_bound}


def _energies(task: _Task) -> list[float]:
    if isinstance(task.problem, str):
        case = named.get(task.problem)
        flow = ParticleFlow(case.functional, natural_domain(case), tolerance=_STEP_TOLERANCE)
        run = flow.run(start_cloud(case, "separating", task.m), task.times[-1], save=task.times)
    elif task.m:
        problem = RankProblem(task.problem)
        particles = ParticleFlow(problem.functional, tolerance=_RANK_STEP_TOLERANCE)
        run = particles.run(_ball(problem.dim, task.m), task.times[-1], save=task.times)
    else:
        problem = RankProblem(task.problem)
        mesh = box(
            Box([-_HALF_SIDE] * problem.dim, [_HALF_SIDE] * problem.dim),
            task.cells,
            "quadrilateral" if problem.dim == 2 else "hexahedron",
        )
        start = MeshDensity.from_function(mesh, lambda u: (np.linalg.norm(u, axis=1) <= 1.0).astype(float))
        run = DensityFlow(problem.functional, mesh, scheme="muscl").run(
            start, task.times[-1], save=task.times
        )
    return [at_time(run, t)[0] for t in (0.0, *task.times)]


def _ball(dim: int, m: int) -> ParticleCloud:
    """Return m independent points, uniform in the unit ball."""
    random = np.random.default_rng(m)
    directions = random.standard_normal((m, dim))
    radii = random.random(m) ** (1.0 / dim)
    return ParticleCloud(directions * (radii / np.linalg.norm(directions, axis=1))[:, None])


def _grid(plan: Sequence[_Task], results: Sequence[Any]) -> LimitGrid:
    """Put the results of the runs of one problem together."""
    first = plan[0]
    ms = tuple(task.m for task in plan if task.m)
    values = np.array([result for task, result in zip(plan, results, strict=True) if task.m])
    times = (0.0, *first.times)
    if isinstance(first.problem, str):
        return LimitGrid(
            name=first.problem,
            times=times,
            ms=ms,
            values=values,
            limit=values[-1],
            limit_name=f"m = {ms[-1]} stands for it",
            **results[0],
        )
    problem = RankProblem(first.problem)
    exact = [problem.energies(problem.second_moment(_ball(problem.dim, m)), times) for m in ms]
    # the uniform density on the unit ball has the second moments 1/(d + 2)
    limit = problem.energies(np.eye(problem.dim) / (problem.dim + 2), times)
    return LimitGrid(
        name=f"rank problem with eigenvalues {', '.join(f'{value:g}' for value in first.problem)}",
        times=times,
        ms=ms,
        values=values,
        limit=limit,
        limit_name="exact, by the equation of the second moments",
        rank=problem.rank,
        least=np.array([problem.least_value(m) for m in ms]),
        exact=np.array(exact),
        density=np.array(results[-1]),
        **results[0],
    )
