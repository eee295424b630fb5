"""Global convergence (Theorems 3.3 and 3.5): F(mu_{m,t}) falls to F* from starts that separate."""

import os
import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wassflow import cases as named
from wassflow.arguments import as_integer, as_number, one_of
from wassflow.flow import ParticleFlow, Trajectory
from wassflow.flow.particle_flow import ENERGY_ROUNDING
from wassflow.measure import ParticleCloud
from wassflow.optimality import certificate, minimize_over_measures
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.starts import STARTS, natural_domain, separates, start_cloud, theorem
from wassflow.study.tables import number, text_table, wrapped
from wassflow.study.workers import run_study

Record = dict[str, Any]

# F* is certified to this.
TOLERANCE = 1e-6
# Of its excess at time 0: what a run that converges may have left, what one that is stuck has at least.
REACHED, STUCK = 1e-3, 1e-2
# A run is at rest if at its last rate it would lose less than this share of its excess in as long again.
AT_REST = 1e-2
# A bound of F* and F(mu) are sums whose rounding may differ by so much of F(mu_0).
ROUNDING = 1e-12
# A density on a mesh comes as near as the mesh lets it.
REACHED_ON_MESH = 5e-2
# Particles keep their positions to this (root mean square, step by step): it is where they end that matters.
_STEP_TOLERANCE = 1e-3
# Looks at F, evenly in the logarithm of time, and the first of them as a share of the run.
_LOOKS, _FIRST = 80, 1e-4

_HEADER = ("start", "separates", "m", "T", "t = 0", "T/100", "T/10", "T", "gap", "min F'", "steps", "s")


@dataclass(frozen=True)
class _Task:
    """One run: F* ("optimum"), a particle flow, or a density flow ("density", m counts cells per axis)."""

    case: str
    start: str
    m: int = 0
    t_end: float = 0.0


@dataclass(frozen=True, eq=False)
class GlobalConvergence:
    """Result of :func:`global_convergence`.

    Attributes:
        optima: for every case F* (``value``, ``gap``, ``lower_bound``), the ``atoms`` of its minimiser
            (points and masses), and what it cost.
        runs: one record per run: case, start, m (``None``: a density), separates (the hypothesis holds),
            times and energy (thinned), dissipation, rise (largest of F from one step to the next), gap,
            least and minimizer (certificate at the end: value of min F' that is taken, and where), steps,
            seconds.
    """

    optima: dict[str, Record]
    runs: list[Record]

    def excess(self, run: Record) -> np.ndarray:
        """Return F(mu_t) - F* at ``run["times"]``, with the least value known for F*."""
        return np.array(run["energy"]) - self.optima[run["case"]]["value"]

    def select(self, case: str, start: str | None = None) -> list[Record]:
        """Return the runs of a case, of one kind of start or of all."""
        return [run for run in self.runs if run["case"] == case and start in (None, run["start"])]

    def table(self) -> str:
        """Plain text: F* with its bracket, and what is left of the excess loss at four times, run by run."""
        parts = []
        for case, best in self.optima.items():
            title = (
                f"{case} (Theorem {best['theorem']}): "
                f"{best['lower_bound']:.9f} <= F* <= {best['value']:.9f}, {len(best['atoms'])} atoms, "
                f"{best['seconds']:.1f} s"
            )
            rows = []
            for run in self.select(case):
                excess, times = self.excess(run), np.array(run["times"])
                marks = [int(np.argmin(np.abs(times - share * times[-1]))) for share in (0.0, 0.01, 0.1, 1.0)]
                rows.append(
                    [
                        run["start"],
                        "yes" if run["separates"] else "no",
                        "density" if run["m"] is None else str(run["m"]),
                        f"{times[-1]:g}",
                        *[number(excess[mark]) for mark in marks],
                        number(run["gap"]),
                        number(run["least"]),
                        f"{run['steps']}",
                        f"{run['seconds']:.1f}",
                    ]
                )
            parts.append(f"{title}\n{text_table(_HEADER, rows)}")
        notes = (
            "Columns t = 0 to T: F(mu_t) - F*. gap: certified bound of it at the end, from min F' alone. A "
            "start that separates reaches F* as m and t grow. One that does not may come to rest above it, "
            "at a measure whose F' is negative where no particle is and none can go; the hypothesis is "
            "sufficient, not necessary: particles that slide far may find F* all the same. One sign of the "
            "weights separates under Theorem 3.5 (weights pass through 0 under a force above that of V), not "
            "under Theorem 3.3."
        )
        return "\n\n".join([*parts, wrapped(notes)])

    def criteria(self) -> list[Criterion]:
        """What the theorems demand, and where their hypothesis is seen to be needed."""
        criteria = []
        for case, best in self.optima.items():
            criteria.append(
                Criterion(
                    f"{case}: F* is certified",
                    best["gap"] <= TOLERANCE,
                    f"gap {best['gap']:.1e} <= {TOLERANCE:g}",
                )
            )
            runs = self.select(case)
            for start in dict.fromkeys(run["start"] for run in runs if run["separates"]):
                criteria.append(self._reached(case, start, self.select(case, start)))
            criteria.append(self._stuck(case))
            rise = max(run["rise"] / run["energy"][0] for run in runs if run["m"] is not None)
            below = max((best["lower_bound"] - min(run["energy"])) / run["energy"][0] for run in runs)
            criteria.append(
                Criterion(
                    f"{case}: F never rises along particles, nor falls below the certified bound of F*",
                    # the flow compares sums that are themselves rounded
                    rise <= ENERGY_ROUNDING + np.finfo(float).eps and below <= ROUNDING,
                    f"largest rise in a step {max(rise, 0.0):.1e} of F(mu_0) (<= {ENERGY_ROUNDING:g}), "
                    f"largest fall below {max(below, 0.0):.1e} of it (<= {ROUNDING:g})",
                )
            )
        return criteria

    def _reached(self, case: str, start: str, runs: list[Record]) -> Criterion:
        last = runs[-1]
        limit = REACHED if last["m"] is not None else REACHED_ON_MESH
        excess = self.excess(last)
        who = "a density" if last["m"] is None else f"m = {last['m']}"
        return Criterion(
            f"{case}, {start}: {who} reaches F*",
            bool(excess[-1] <= limit * excess[0]),
            f"F - F* = {excess[-1]:.1e} at t = {last['times'][-1]:g}, {excess[-1] / excess[0]:.1e} of its "
            f"start (<= {limit:g})",
        )

    def _stuck(self, case: str) -> Criterion:
        """Judge the run without separation that has most of its excess left."""
        runs = [run for run in self.select(case) if not run["separates"]]
        claim = f"{case}: without separation particles can come to rest above F*"
        if not runs:
            return Criterion(claim, False, "no such start was run")
        worst = max(runs, key=lambda run: float(self.excess(run)[-1] / self.excess(run)[0]))
        excess = self.excess(worst)
        left = float(excess[-1] / excess[0])
        loses = worst["dissipation"] * worst["times"][-1]
        return Criterion(
            claim,
            left >= STUCK and loses <= AT_REST * excess[-1] and worst["least"] < 0.0,
            f"{worst['start']}, m = {worst['m']}: F - F* = {excess[-1]:.1e}, {left:.1e} of its start (>= "
            f"{STUCK:g}), of which {loses:.1e} would go in as long again (<= {AT_REST:g} of it); min F' <= "
            f"{worst['least']:.1e} < 0",
        )

    def rows(self) -> list[Record]:
        """One line per run and time."""
        return [
            {key: run[key] for key in ("case", "start", "separates", "m")}
            | {"time": t, "energy": energy, "excess": float(excess)}
            for run in self.runs
            for t, energy, excess in zip(run["times"], run["energy"], self.excess(run), strict=True)
        ]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write F and its excess, one line per run and time."""
        return tables.write_csv(path, self.rows())

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write optima and runs."""
        return tables.write_json(path, {"optima": self.optima, "runs": self.runs})


def global_convergence(
    cases: Mapping[str, Mapping[str, Any]],
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> GlobalConvergence:
    """Follow F(mu_{m,t}) - F* from starts that satisfy the separation hypothesis and from others.

    F* is the minimum over all nonnegative measures, by :func:`wassflow.minimize_over_measures` to a certified
    gap of 1e-6. Particles move in all of R^d (Theorem 3.3), or in R times Theta (Theorem 3.5): the walls of a
    case in w are taken away, those in theta stay (the boundary condition of the theorem holds on them, since
    particles slide along).

    Args:
        cases: for the name of every case ``ms`` (increasing), ``starts`` (of "separating", "one sign",
            "half", "point") with the length of the runs from each, and ``density``: cells per axis of a
            density flow from the start of the case to its own t_end (implicit steps, on its own box), if
            there is to be one.
        workers: processes over which the runs are spread.
        progress: show a bar on stderr when it is a terminal.
        ledger: a file in which finished runs stay.

    Raises:
        ValueError: no case, one that neither theorem covers, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), Theorems 3.3 and 3.5.

    >>> study = global_convergence({"relu-2d": {"ms": [16], "starts": {"separating": 2.0, "half": 2.0}}})
    >>> [run["separates"] for run in study.runs], study.optima["relu-2d"]["gap"] < 1e-6
    ([True, False], True)
    """
    tasks = [task for name, options in cases.items() for task in _tasks(name, **options)]
    if not tasks:
        raise ValueError("cases must name at least one case, found none")
    # the longest first
    order = sorted(tasks, key=lambda task: task.m, reverse=True)
    found = run_study("global_convergence", _run, order, workers, progress, ledger)
    return GlobalConvergence(
        {task.case: found[task] for task in tasks if task.start == "optimum"},
        [found[task] for task in tasks if task.start != "optimum"],
    )


def _tasks(
    name: str,
    ms: Sequence[int],
    starts: Mapping[str, float],
    density: int | None = None,
) -> list[_Task]:
    functional = named.get(name).functional
    theorem(functional)
    ladder = sorted(as_integer("ms", m, least=1) for m in ms)
    if not ladder or not starts:
        raise ValueError(f"ms and starts of {name} must not be empty, found {list(ms)} and {dict(starts)}")
    tasks = [_Task(name, "optimum")]
    for start, t_end in starts.items():
        one_of("a start", start, STARTS)
        end = as_number(f"the end of {start!r}", t_end, above=0.0)
        tasks += [_Task(name, start, m, end) for m in ladder]
    if density is not None:
        tasks.append(_Task(name, "density", as_integer("density", density, least=1)))
    return tasks


def _run(task: _Task) -> Record:
    started = clock.perf_counter()
    if task.start == "optimum":
        record = _optimum(task)
    elif task.start == "density":
        record = _density(task)
    else:
        record = _particles(task)
    return record | {"seconds": clock.perf_counter() - started}


def _optimum(task: _Task) -> Record:
    case = named.get(task.case)
    best = minimize_over_measures(case.functional, case.domain, mass="free", tolerance=TOLERANCE)
    atoms = np.column_stack([best.measure.points, best.measure.weights])
    return {
        "theorem": theorem(case.functional),
        "value": best.value,
        "lower_bound": best.lower_bound,
        "gap": best.gap,
        "rounds": best.rounds,
        "atoms": atoms.tolist(),
    }


def _particles(task: _Task) -> Record:
    case = named.get(task.case)
    # direct sums: tables are right to 1e-8, and what is left of the excess may be less
    flow = ParticleFlow(case.functional, natural_domain(case), tolerance=_STEP_TOLERANCE, evaluation="direct")
    run = flow.run(start_cloud(case, task.start, task.m), task.t_end)
    separated = separates(case.functional, task.start)
    return {"case": task.case, "start": task.start, "m": task.m, "separates": separated} | _seen(case, run)


def _density(task: _Task) -> Record:
    case = named.get(task.case)
    mesh = case.mesh(cells=task.m)
    run = case.density_flow(mesh, integrator="implicit").run(case.start(mesh), case.t_end)
    return {"case": task.case, "start": "density", "m": None, "separates": True} | _seen(case, run)


def _seen(case: named.Case, run: Trajectory) -> Record:
    """Return what is kept of a run: F at some times, and the certificate at its end."""
    looks = np.append(0.0, np.geomspace(_FIRST, 1.0, _LOOKS) * run.times[-1])
    kept = np.unique(np.searchsorted(run.times, looks).clip(max=run.steps))
    final: ParticleCloud = run.final
    found = certificate(case.functional, final, case.domain, mass="free", tolerance=0.1 * TOLERANCE)
    return {
        "times": run.times[kept].tolist(),
        "energy": run.energy[kept].tolist(),
        "dissipation": float(run.dissipation[-1]),
        "rise": float(np.diff(run.energy).max(initial=0.0)),
        "gap": found.gap,
        "least": found.least_upper,
        "minimizer": found.minimizer.tolist(),
        "steps": run.steps,
    }
