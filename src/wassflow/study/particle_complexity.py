"""How many particles the flow needs to find the minimum (Chizat and Bach 2018, Figure 3)."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from wassflow.arguments import as_integer, as_number, one_of
from wassflow.cases.random_problems import Family, family
from wassflow.optimality import minimize_over_measures
from wassflow.study import figure_3, tables
from wassflow.study.complexity_table import complexity_table
from wassflow.study.criteria import Criterion
from wassflow.study.figure_3 import FIXED, PARTICLES
from wassflow.study.fixed_positions import minimize_magnitudes
from wassflow.study.ledger import open_ledger
from wassflow.study.progress import TaskProgress
from wassflow.study.rest import run_to_rest
from wassflow.study.workers import run_tasks

Array = NDArray[np.float64]
Record = dict[str, Any]

COMPETITORS = ("fixed grid", "none")
# A flow is at rest when F falls by less than this share of the threshold while the time doubles.
_REST = 0.05
# A flow that loses more of its excess than this in the last half of its time is still under way.
_UNDER_WAY = 0.1
# F* is wanted to this duality gap.
_GAP = 1e-7


@dataclass(frozen=True)
class Success:
    """A share of runs that succeeded, with its Clopper-Pearson interval of level 95 %.

    >>> print(Success.of(97, 100))
    97 of 100 [0.915, 0.994]
    """

    count: int
    runs: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, runs: int) -> "Success":
        """Return the share ``count / runs``."""
        interval = binomtest(count, runs).proportion_ci(0.95, method="exact")
        return cls(count, runs, float(interval.low), float(interval.high))

    @property
    def share(self) -> float:
        """``count / runs``."""
        return self.count / self.runs

    def __str__(self) -> str:
        return f"{self.count} of {self.runs} {tables.range_text(self.low, self.high)}"


@dataclass(frozen=True, eq=False)
class ParticleComplexity:
    """Result of :func:`particle_complexity`.

    Attributes:
        family: the problems.
        ms: the ladder of m.
        runs: problems per m, each with its own F*.
        optima: F* of each run as ``{"value", "gap"}``, the gap certified.
        records: ``{"m", "run", "method", "excess", "energy", "time", "steps", "dissipation", "fallen",
            "rest"}`` for every run; what only a flow has is ``None`` for the competitor.
        threshold: a run has succeeded if its excess loss is below it.
        least: the excess loss that stands for all smaller ones in geometric means and pictures: what the
            flow and F* are not known better than.
        authors: what the authors found.
    """

    family: Family
    ms: tuple[int, ...]
    runs: int
    optima: list[Record]
    records: list[Record]
    threshold: float
    least: float
    authors: figure_3.Panel = field(compare=False)

    @property
    def methods(self) -> tuple[str, ...]:
        """The particles, and the competitor if there is one."""
        return tuple(dict.fromkeys(record["method"] for record in self.records))

    def excess(self, method: str, m: int) -> Array:
        """Excess losses of all runs."""
        return np.array([r["excess"] for r in self.records if r["method"] == method and r["m"] == m])

    def success(self, method: str, m: int) -> Success:
        """How many runs came below the threshold."""
        excess = self.excess(method, m)
        return Success.of(int((excess < self.threshold).sum()), excess.size)

    def geometric_mean(self, method: str, m: int) -> float:
        """Geometric mean of the excess losses, those below ``least`` counted as it."""
        return geometric_mean(self.excess(method, m), self.least)

    def at_rest(self) -> tuple[int, int]:
        """How many flows came to rest, and how many there are."""
        flows = [record["rest"] for record in self.records if record["method"] == PARTICLES]
        return sum(flows), len(flows)

    def under_way(self) -> list[Record]:
        """Records of flows that were given up above the threshold while they were still coming nearer to F*.

        The others that were given up lose at most a tenth of their excess when the time doubles: success is
        many doublings away. Few particles can go on for ever, without a limit: two neurons that approach each
        other with weights of opposite signs that grow stand for a derivative.
        """
        return [
            record
            for record in self.records
            if record["method"] == PARTICLES
            and not record["rest"]
            and record["excess"] >= self.threshold
            and record["fallen"] > _UNDER_WAY * record["excess"]
        ]

    def table(self) -> str:
        """Success rates and geometric means beside the authors', and what is not known of their setting."""
        return complexity_table(self)

    def criteria(self) -> list[Criterion]:
        """Few particles fail, a few more than m0 succeed, magnitudes alone never do.

        Flows that were given up under way count against every claim: as failures where success is claimed, as
        successes where failure is.
        """
        name, m0 = self.family.name, self.family.m0
        ample = [m for m in self.ms if m >= 3.3 * m0]
        criteria = [
            Criterion(
                f"{name}: no loss below F*",
                bool(min(r["excess"] for r in self.records) > -self.threshold / 10.0),
                f"least excess {min(r['excess'] for r in self.records):.2g}",
            ),
        ]
        for m in ample:
            found = self.success(PARTICLES, m)
            criteria.append(
                Criterion(
                    f"{name}: at least 95 % of the runs with m = {m} succeed", found.share >= 0.95, str(found)
                )
            )
        if self.ms[0] <= m0:
            most = max(m for m in self.ms if m <= m0)
            found = self.success(PARTICLES, most)
            under_way = sum(record["m"] == most for record in self.under_way())
            criteria.append(
                Criterion(
                    f"{name}: m = {most}, m0 = {m0}, mostly fails",
                    found.count + under_way < 0.5 * found.runs,
                    f"{found} succeed, {under_way} more were under way when they were given up",
                )
            )
        if FIXED in self.methods:
            least = min(r["excess"] for r in self.records if r["method"] == FIXED)
            criteria.append(
                Criterion(
                    f"{name}: magnitudes on fixed positions never suffice up to m = {self.ms[-1]}",
                    least > self.threshold,
                    f"least excess {least:.3g} > {self.threshold:g}",
                )
            )
        return criteria

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records, one line per run and method."""
        return tables.write_csv(path, [{"problem": self.family.name, **record} for record in self.records])

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write settings, optima, records and success rates."""
        return tables.write_json(path, self.data())

    def data(self) -> Record:
        """Everything in plain data."""
        return {
            "family": repr(self.family),
            "m0": self.family.m0,
            "threshold": self.threshold,
            "optima": self.optima,
            "success": [
                {"method": method, "m": m, **vars(self.success(method, m))}
                for method in self.methods
                for m in self.ms
            ],
            "records": self.records,
        }


def geometric_mean(losses: Array, least: float) -> float:
    """Return the geometric mean of losses, those below ``least`` counted as it.

    >>> round(geometric_mean(np.array([1e-9, 1e-2]), 1e-4), 12)
    0.001
    """
    return float(np.exp(np.log(np.maximum(losses, least)).mean()))


def particle_complexity(
    case: str | Family,
    ms: Sequence[int] | None = None,
    runs: int = 5,
    competitor: str = "fixed grid",
    threshold: float | None = None,
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> ParticleComplexity:
    """Excess loss F(mu_{m,infinity}) - F* of the particle flow at rest against m, on random problems.

    Every run is a problem of its own with its own F*; the same problems are solved with all m. The flow is
    that of :class:`~wassflow.ParticleFlow`, with adaptive steps, until F falls by less than a twentieth of
    the threshold while the time doubles, or is that near to an F* that is known; nothing is polished
    afterwards. Since F never rises, a flow that was given up before is judged too severely, if at all.
    Problems that share their features
    are moved together (:func:`~wassflow.study.side_by_side.side_by_side`). The competitor starts from the
    same positions, and minimises over the magnitudes alone
    (:func:`~wassflow.study.fixed_positions.minimize_magnitudes`).

    Args:
        case: "deconvolution", "relu", "sigmoid", or a family of problems of your own.
        ms: the ladder of m; by default the one of the paper's figure.
        runs: problems per m.
        competitor: "fixed grid" (the positions from which the particles start) or "none".
        threshold: success is an excess loss below it; by default what the paper calls optimisation error.
        workers: processes.
        progress: show a progress bar on stderr when it is a terminal.
        ledger: a file in which finished runs stay, for a study that is interrupted.

    Raises:
        ValueError: an argument out of range.
        WassflowError: the ledger holds runs of other settings, or F* was not reached.

    Source: Chizat and Bach (2018), section 4 and Figure 3.

    >>> found = particle_complexity("deconvolution", ms=[2, 12], runs=2)
    >>> [found.success("particles", m).count for m in found.ms]
    [0, 2]
    """
    problems = family(case) if isinstance(case, str) else case
    if not isinstance(problems, Family):
        raise ValueError(f"case must be the name of a family of problems or a Family, found {case!r}")
    authors = figure_3.panel(problems.name)
    ladder = tuple(sorted({as_integer("ms", m, least=1) for m in (authors.ms if ms is None else ms)}))
    if not ladder:
        raise ValueError("ms must hold at least one number of particles, found none")
    runs = as_integer("runs", runs, least=1)
    one_of("competitor", competitor, COMPETITORS)
    threshold = as_number("threshold", authors.threshold if threshold is None else threshold, above=0.0)
    batches = [
        tuple(range(first, min(first + problems.together, runs)))
        for first in range(0, runs, problems.together)
    ]
    # long ones first
    tasks = [_Task(m, batch, competitor) for m in (*reversed(ladder), 0) for batch in batches]
    drop = _REST * threshold
    settings = {"family": repr(problems), "drop": drop}
    with (
        open_ledger(ledger, f"particle_complexity of {problems.name}", settings) as book,
        TaskProgress(f"{problems.name}: particles at rest", len(tasks), enabled=progress) as bar,
    ):
        results = run_tasks(
            _shared, (problems, drop), _work, tasks, workers, lambda task: bar.advance(), ledger=book
        )
    found = {
        (task.m, run): rows
        for task, batch in zip(tasks, results, strict=True)
        for run, rows in zip(task.runs, batch, strict=True)
    }
    optima = [found[0, run][0] for run in range(runs)]
    records = [
        {"m": m, "run": run, **row, "excess": row["energy"] - optima[run]["value"]}
        for m in ladder
        for run in range(runs)
        for row in found[m, run]
    ]
    return ParticleComplexity(
        family=problems,
        ms=ladder,
        runs=runs,
        optima=optima,
        records=records,
        threshold=threshold,
        least=authors.least,
        # other problems are not to be compared with theirs
        authors=authors if problems.m0 == authors.m0 else replace(authors, losses={}),
    )


@dataclass(frozen=True)
class _Task:
    """Problems with m particles each, or their F* (m = 0)."""

    m: int
    runs: tuple[int, ...]
    competitor: str


def _shared(problems: Family, drop: float) -> tuple[Family, float]:
    return problems, drop


def _work(shared: tuple[Family, float], task: _Task) -> list[list[Record]]:
    """Return for every run of the task what the particles and the competitor found."""
    problems, drop = shared
    drawn = [problems.problem(run, task.m) for run in task.runs]
    if task.m == 0:
        if problems.least is not None:
            return [[{"value": problems.least, "gap": 0.0}] for _ in drawn]
        best = [minimize_over_measures(one.functional, one.domain, tolerance=_GAP) for one in drawn]
        return [[{"value": found.value, "gap": found.gap}] for found in best]
    starts = [problems.start(run, task.m) for run in task.runs]
    rests = run_to_rest(
        drawn,
        starts,
        problems.time,
        drop,
        problems.step_error,
        problems.laps,
        problems.integrator,
        -math.inf if problems.least is None else problems.least,
    )
    rows = []
    for one, start, rest in zip(drawn, starts, rests, strict=True):
        flowed = {
            "method": PARTICLES,
            "energy": rest.energy,
            "time": rest.time,
            "steps": rest.steps,
            "dissipation": rest.dissipation,
            "fallen": rest.fallen,
            "rest": rest.reached,
        }
        rows.append([flowed])
        if task.competitor != "none":
            solved = minimize_magnitudes(one.functional, start.points[:, 1:])
            nothing = dict.fromkeys(("time", "steps", "dissipation", "fallen", "rest"))
            rows[-1].append({"method": FIXED, "energy": solved.value, **nothing})
    return rows
