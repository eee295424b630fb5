"""The many-particle limit, measured: W2 between m particles and the PDE's density, as a function of m and
time.

Both sides start from the same density mu0 on the mesh and follow the same gradient flow; the distance at time
t is bracketed by certified bounds, its rate in m is fitted, and theory's law (:mod:`wassflow.study.laws`) is
drawn beside it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import as_integer, one_of
from wassflow.cases import Case
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.flow_map import follow_starts
from wassflow.study.laws import FittedLaw, expected_law
from wassflow.study.ledger import open_ledger
from wassflow.study.limit_criteria import limit_criteria
from wassflow.study.limit_runs import (
    FloorTask,
    ParticleTask,
    Record,
    Setting,
    at_rest,
    in_input_order,
    particle_run,
    particle_start,
    portable,
    prepare,
    work,
)
from wassflow.study.limit_table import limit_table
from wassflow.study.progress import TaskProgress
from wassflow.study.rates import RateFit, fit_rate, root_mean_square
from wassflow.study.runs import DEFAULT_SCHEME, at_time, comparison_times, mesh_name, resolution_of
from wassflow.study.workers import run_tasks
from wassflow.transport import Bracket

Array = NDArray[np.float64]

METHODS = ("iid", "stratified", "quantized")
OBSERVABLES = ("moment", "energy", "coupled")
# Small enough for minutes on two cores; beyond, the errors of the cases' own meshes hide those of the
# particles.
DEFAULT_LADDER = (16, 32, 64, 128, 256, 512, 1024)
DEFAULT_SEEDS = 5

# Significant digits to which energies of one and the same density flow agree on one machine.
_SAME_ENERGY = 9

# Pictures show one cloud per kind of start, with about this many particles: enough to see the density, few
# enough to see the particles.
_EXAMPLE_SIZE = 512


@dataclass(eq=False)
class ManyParticleLimit:
    """Result of :func:`many_particle_limit`.

    Attributes:
        case: the case.
        dim: d.
        mesh_name: the mesh in words.
        methods: kinds of start, among ``METHODS``.
        ms: numbers of particles, increasing.
        seeds: the seeds of random starts (``"quantized"`` is deterministic and uses the first only).
        times: times of comparison, increasing.
        records: one dictionary per (method, m, seed, time) with keys method, m, seed, time; lower, upper,
            value, w2_method (the W2 bracket, its best estimate, how it was computed); stability (the bound of
            W2 that follows from its upper bound at time 0, :func:`wassflow.study.stability_bound`; None where
            Lip(DPhi) is infinite or not known); energy (of the particles), energy_error (|F(mu_m) - F(mu)|),
            moment_error (Euclidean norm of f_m - f), coupled (root mean square distance of the particles
            from where the PDE's own flow map takes them). Where the case has an exact solution, this is its
            flow map; where it has none, many stratified particles stand for the PDE in all three errors of
            iid starts, and other starts are compared with the density and have no coupled error (None).
        floors: per time, the bracket of W2 between the densities on this mesh and on the one coarsened by
            two: an estimate of the PDE's own error (of first order, so that error(h) ~ W2(h, 2h)).
        observable_floors: per (time, "moment"|"energy"), the same for the observables.
        density: the density flow.
        coarse: the density flow on the coarser mesh.
        clouds: per method, one example particle flow, for pictures.
        fits: per (method, time), the rate of W2.
        observable_fits: per (method, time, observable), the rate of an observable's error.
        laws: per (method, time), theory's law with its constant fitted to the m used in the fit; missing
            where these are fewer than two.
        reasons: per (method, time), why that law.
    """

    case: Case
    dim: int
    mesh_name: str
    methods: tuple[str, ...]
    ms: tuple[int, ...]
    seeds: tuple[int, ...]
    times: tuple[float, ...]
    records: list[Record]
    floors: dict[float, Bracket]
    observable_floors: dict[tuple[float, str], float]
    density: Trajectory
    coarse: Trajectory
    clouds: dict[str, Trajectory]
    fits: dict[tuple[str, float], RateFit] = field(default_factory=dict)
    observable_fits: dict[tuple[str, float, str], RateFit] = field(default_factory=dict)
    laws: dict[tuple[str, float], FittedLaw] = field(default_factory=dict)
    reasons: dict[tuple[str, float], str] = field(default_factory=dict)

    def select(self, method: str, time: float, m: int | None = None) -> list[Record]:
        """Records of one kind of start at one time, all m or one."""
        return [
            r
            for r in self.records
            if r["method"] == method and r["time"] == time and (m is None or r["m"] == m)
        ]

    def values(self, method: str, time: float, key: str = "value") -> Array:
        """Values of one key, one row per m and one column per seed."""
        return np.array([[r[key] for r in self.select(method, time, m)] for m in self.ms], dtype=np.float64)

    def mean(self, method: str, time: float, key: str = "value") -> Array:
        """Root mean square over the seeds, one per m: what the rates are fitted to."""
        return root_mean_square(self.values(method, time, key))

    def floor(self, time: float) -> float:
        """W2 below which the particles' error cannot be seen.

        It is 0 at time 0, where the particles sample the density on the mesh itself.
        """
        return 0.0 if time == 0.0 else float(self.floors[time].value)

    def observable_floor(self, method: str, time: float, observable: str) -> float:
        """What the mesh may contribute to the error of an observable."""
        if method == "iid" and self.case.exact is None and self.times[-1] > 0.0:
            return 0.0  # particles stand for the PDE there
        return self.observable_floors.get((time, observable), 0.0)

    def law(self, method: str, time: float, m: ArrayLike) -> Array | None:
        """Theory's curve for W2 (constant fitted), or None where no constant could be fitted."""
        fitted = self.laws.get((method, time))
        return None if fitted is None else fitted(m)

    def shrinks(self, method: str, time: float) -> bool:
        """Whether every bracket at the largest m lies below every bracket at the smallest."""
        first, last = (self.select(method, time, m) for m in (self.ms[0], self.ms[-1]))
        return max(r["upper"] for r in last) < min(r["lower"] for r in first)

    def rows(self) -> list[Record]:
        """One dictionary per (method, time, m), over the seeds: what the table shows."""
        rows = []
        for method in self.methods:
            for time in self.times:
                law = self.law(method, time, self.ms)
                for i, m in enumerate(self.ms):
                    records = self.select(method, time, m)
                    rows.append(
                        {
                            "case": self.case.name,
                            "method": method,
                            "time": time,
                            "m": m,
                            "seeds": len(records),
                            "mean": float(root_mean_square([r["value"] for r in records])),
                            "lower": min(r["lower"] for r in records),
                            "upper": max(r["upper"] for r in records),
                            "law": None if law is None else float(law[i]),
                            "floor": self.floor(time),
                            "floor_lower": self.floors[time].lower,
                            "floor_upper": self.floors[time].upper,
                            "used_in_fit": m in self.fits[method, time].used,
                        }
                    )
        return rows

    def table(self) -> str:
        """Plain text: W2 per time and m, the fitted rates, and theory's expectations."""
        return limit_table(self)

    def criteria(self) -> list[Criterion]:
        """What must hold: :func:`wassflow.study.limit_criteria.limit_criteria`."""
        return limit_criteria(self)

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records, one line per run and time."""
        return tables.write_csv(path, [{"case": self.case.name, **r} for r in self.records])

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write records, floors, fits and laws."""
        return tables.write_json(path, self.data())

    def data(self) -> Record:
        """Records, floors, fits and laws in plain data."""
        fits = [
            {"method": method, "time": time, "quantity": "W2", **vars(fit)}
            for (method, time), fit in self.fits.items()
        ] + [
            {"method": method, "time": time, "quantity": quantity, **vars(fit)}
            for (method, time, quantity), fit in self.observable_fits.items()
        ]
        laws = [
            {
                "method": method,
                "time": time,
                "name": fitted.law.name,
                "formula": fitted.law.formula,
                "source": fitted.law.source,
                "reason": self.reasons[method, time],
                "c": fitted.c,
                "exponent_on_used": fitted.exponent(self.fits[method, time].used),
            }
            for (method, time), fitted in self.laws.items()
        ]
        floors = [
            {"time": t, "lower": floor.lower, "upper": floor.upper, "value": floor.value}
            for t, floor in self.floors.items()
        ]
        return {
            "case": self.case.name,
            "dim": self.dim,
            "mesh": self.mesh_name,
            "methods": self.methods,
            "ms": self.ms,
            "seeds": self.seeds,
            "times": self.times,
            "fits": fits,
            "laws": laws,
            "floors": floors,
            "rows": self.rows(),
            "records": self.records,
        }


def many_particle_limit(
    case: Case,
    ms: Sequence[int] | None = None,
    seeds: int | Sequence[int] | None = None,
    times: Sequence[float] | None = None,
    method: str | Sequence[str] = ("iid", "quantized"),
    cells: int | Sequence[int] | None = None,
    scheme: str = DEFAULT_SCHEME,
    workers: int | None = None,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> ManyParticleLimit:
    """Measure how m particles approach the density that solves the PDE.

    The density flow runs once, and once more on a mesh coarsened by two, which shows how well the PDE itself
    is solved. Then for every kind of start, m and seed: m particles placed from the density at time 0, the
    particle flow, and the bracket of W2 to the density at every time.

    Every (m, seed) has its own stream of random numbers, :func:`sampling_seed`, so that the points of a
    ladder are independent.

    Args:
        case: what to solve; see :func:`wassflow.cases.get`.
        ms: numbers of particles; default 16, 32, ..., 1024.
        seeds: how many seeds (0, 1, ...) or which; default 5.
        times: times of comparison; default 0, the middle and the end of the case's times.
        method: kinds of start, ``"iid"``, ``"stratified"``, ``"quantized"``, one or several.
        cells: cells of the mesh per axis; default the case's.
        scheme: of the density, ``"muscl"`` (second order) or ``"upwind"`` (first order).
        workers: processes over which the runs are spread; default 1, which needs no ``__main__`` guard. The
            results do not depend on it.
        progress: show progress bars on stderr when it is a terminal.
        ledger: a file in which finished runs stay, so that an interrupted study goes on where it stopped, and
            so that a longer ladder or more seeds only cost the new runs; see :mod:`wassflow.study.ledger`.

    Raises:
        ValueError: an argument is out of range.
        WassflowError: called under ``mpiexec``; the study spreads over processes itself. The ledger holds
            runs of other settings.

    Source: Chizat and Bach (2018), Theorem 2.6 (convergence); rates and their sources in
        :mod:`wassflow.study.laws`.

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d")
    >>> limit = many_particle_limit(case, [16, 64], times=[0.0], method="quantized", cells=16)
    >>> limit.shrinks("quantized", 0.0)
    True
    """
    if MPI.COMM_WORLD.size > 1:
        raise WassflowError(
            "the many-particle study spreads over processes itself (workers=...); run it without mpiexec"
        )
    ladder = _ladder(ms)
    seeds = _seeds(seeds)
    compared = comparison_times(case, times)
    methods = (method,) if isinstance(method, str) else tuple(method)
    for name in methods:
        one_of("method", name, METHODS)
    if not methods or len(set(methods)) < len(methods):
        raise ValueError(f"method must name one or several different kinds of start, found {methods!r}")
    workers = 1 if workers is None else as_integer("workers", workers, least=1)

    resolution = resolution_of(case, cells)
    coarse_resolution = tuple(max(1, n // 2) for n in resolution)
    density, coarse = (
        _density_flow(case, n, compared, scheme, progress) for n in (resolution, coarse_resolution)
    )
    series, coarse_series = ([at_time(flow, t) for t in compared] for flow in (density, coarse))
    observable_floors: dict[tuple[float, str], float] = {}
    for t, (energy, moment), (coarse_energy, coarse_moment) in zip(
        compared, series, coarse_series, strict=True
    ):
        observable_floors[t, "energy"] = abs(energy - coarse_energy)
        observable_floors[t, "moment"] = float(np.linalg.norm(moment - coarse_moment))

    start = case.start(density.at(compared[0]).mesh)
    start_energy = float(case.functional.value(start))
    followed = None
    if case.exact is None and "iid" in methods and compared[-1] > 0.0:
        starts = {(m, seed): particle_start(start, "iid", m, seed).points for m in ladder for seed in seeds}
        followed = follow_starts(case, start, starts, compared)
    setting = Setting(
        case if workers == 1 else portable(case),
        resolution,
        case.cell,
        start_energy,
        compared,
        tuple(in_input_order(density.at(t)) for t in compared),
        coarse_resolution,
        tuple(in_input_order(coarse.at(t)) for t in compared),
        tuple(moment for _, moment in series),
        tuple(energy for energy, _ in series),
        density.times,
        density.moments,
        followed,
    )
    floor_tasks = [FloorTask(t) for t in compared]
    particle_tasks = [
        ParticleTask(name, m, seed, followed.size if followed is not None and name == "iid" else 0)
        for m in reversed(ladder)  # the longest first
        for name in methods
        for seed in (seeds[:1] if name == "quantized" else seeds)
    ]
    tasks: list[FloorTask | ParticleTask] = [*floor_tasks, *particle_tasks]
    common = {
        "parameters": case.parameters,
        "cells": resolution,
        "cell": case.cell,
        "scheme": scheme,
        "times": compared,
        # what tells apart two cases of a user that have the same name
        "energies": [tables.number(energy, _SAME_ENERGY) for energy in setting.energies],
    }
    with (
        open_ledger(ledger, f"many_particle_limit of {case.name}", common) as book,
        TaskProgress(f"{case.name}: particles and W2", len(tasks), enabled=progress) as bar,
    ):
        results = run_tasks(
            prepare, (setting,), work, tasks, workers, lambda task: bar.advance(), ledger=book
        )
    floors = {t: Bracket(**floor) for t, floor in zip(compared, results[: len(floor_tasks)], strict=True)}
    runs = results[len(floor_tasks) :]
    records = sorted(
        (record for task_records in runs for record in task_records),
        key=lambda r: (methods.index(r["method"]), r["time"], r["m"], seeds.index(r["seed"])),
    )
    mesh = density.at(compared[0]).mesh
    example = max((m for m in ladder if m <= _EXAMPLE_SIZE), default=ladder[0])
    limit = ManyParticleLimit(
        case=case,
        dim=case.domain.dim,
        mesh_name=mesh_name(mesh, resolution, scheme),
        methods=methods,
        ms=ladder,
        seeds=seeds,
        times=compared,
        records=records,
        floors=floors,
        observable_floors=observable_floors,
        density=density,
        coarse=coarse,
        clouds={
            name: particle_run(case, particle_start(start, name, example, seeds[0]), compared)
            for name in methods
            if compared[-1] > 0.0
        },
    )
    _fit(limit)
    return limit


def _fit(limit: ManyParticleLimit) -> None:
    """Fill in the fitted rates and laws."""
    for method in limit.methods:
        for time in limit.times:
            values = limit.values(method, time)
            fit = fit_rate(limit.ms, values, floor=limit.floor(time))
            limit.fits[method, time] = fit
            law, reason = expected_law(method, limit.density.at(time))
            limit.reasons[method, time] = reason
            use = np.isin(limit.ms, fit.used)
            if use.sum() > 1:  # a curve through one point says nothing
                squares = root_mean_square(values[use]) ** 2
                limit.laws[method, time] = law.fit(np.array(limit.ms)[use], squares)
            for observable in OBSERVABLES:
                key = "coupled" if observable == "coupled" else f"{observable}_error"
                errors = limit.values(method, time, key)
                if not np.all(np.isfinite(errors)) or (observable == "coupled" and time == 0.0):
                    continue
                floor = limit.observable_floor(method, time, observable)
                limit.observable_fits[method, time, observable] = fit_rate(limit.ms, errors, floor=floor)


def _ladder(ms: Sequence[int] | None) -> tuple[int, ...]:
    ladder = tuple(sorted({as_integer("ms", m, least=1) for m in (DEFAULT_LADDER if ms is None else ms)}))
    if not ladder:
        raise ValueError("ms must hold at least one number of particles, found none")
    return ladder


def _seeds(seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    if seeds is None:
        seeds = DEFAULT_SEEDS
    if isinstance(seeds, int):
        return tuple(range(as_integer("seeds", seeds, least=1)))
    chosen = tuple(as_integer("seeds", seed, least=0) for seed in seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"seeds must be one or several different integers, found {seeds!r}")
    return chosen


def _density_flow(
    case: Case, cells: tuple[int, ...], times: tuple[float, ...], scheme: str, progress: bool
) -> Trajectory:
    """The density flow on a mesh; a trajectory of one point when the only time is 0."""
    mesh = case.mesh(cells, case.cell, comm=MPI.COMM_SELF)
    start = case.start(mesh)
    if times[-1] > 0.0:
        flow = case.density_flow(mesh, scheme=scheme)
        return flow.run(start, times[-1], save=list(times), progress=progress)
    return at_rest(case, start)
