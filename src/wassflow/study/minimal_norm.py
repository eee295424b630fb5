"""Proposition 2.3, measured: the velocity is the element of least norm, and F falls at the rate it says."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wassflow import cases as named
from wassflow.arguments import Array, as_integer, one_of
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.energy_identity import decay, density_balance, mesh_balance, particle_balance
from wassflow.study.kinks_and_walls import domain_with_points, functional, regularizers
from wassflow.study.least_norm import least_norm, normal_cone
from wassflow.study.ledger import open_ledger
from wassflow.study.minimal_norm_table import minimal_norm_table
from wassflow.study.progress import TaskProgress
from wassflow.study.rates import observed_orders, root_mean_square
from wassflow.study.workers import run_tasks

Record = dict[str, Any]

DOMAINS = ("box", "orthant", "polytope")
PLACES = ("inside", "kink", "wall", "kink and wall")

# Differences of values resolve the least element to about 1e-4 where dV is a ball, see study.least_norm;
# velocities are of order one.
PROJECTION_TOLERANCE = 5e-4
# Orders are fitted to a few halvings.
ORDER_SLACK = {False: 0.15, True: 0.3}
# What rounding does to F, relative to its size.
RISE_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class MinimalNorm:
    """Result of :func:`minimal_norm`.

    Attributes:
        projections: one dictionary per (dim, regularizer, domain, place) with keys points (how many), error
            (largest distance between v and the least element found from values of F' alone) and speed (the
            largest |v|).
        balances: one per ladder of steps, with keys run (``"particles"``, ``"density"`` or ``"mesh"``), dim,
            what (regulariser or case), scheme, meet (whether kinks and walls are met), steps, residuals,
            order (fitted) and theory (the order of the scheme).
        decays: one per (case, m) with keys case, m, steps, repeated, first, last, rise (the largest rise of F
            in a step, relative), times, energies.
    """

    projections: list[Record]
    balances: list[Record]
    decays: list[Record]

    def table(self) -> str:
        """Plain text: the three parts, and how to read them."""
        return minimal_norm_table(self)

    def criteria(self) -> list[Criterion]:
        """v is the least element everywhere; residuals have the order of the scheme; F never rises."""
        criteria = []
        for place in PLACES:
            errors = [r["error"] for r in self.projections if r["place"] == place]
            count = sum(r["points"] for r in self.projections if r["place"] == place)
            claim = f"v is the element of least norm of -dF' - N, {count} velocities, {place}"
            largest = max(errors, default=np.inf)
            criteria.append(
                Criterion(
                    claim,
                    largest <= PROJECTION_TOLERANCE,
                    f"largest error {largest:.1e} <= {PROJECTION_TOLERANCE:g}",
                )
            )
        for run, meet in (("particles", False), ("particles", True), ("density", False), ("mesh", False)):
            ladders = [r for r in self.balances if r["run"] == run and r["meet"] == meet]
            if ladders:
                criteria.append(_order_criterion(run, meet, ladders))
        if not self.balances:
            return criteria
        rises = [r["rise"] for r in [*self.balances, *self.decays] if r["rise"] is not None]
        ms = sorted({r["m"] for r in self.decays})
        criteria.append(
            Criterion(
                f"F never rises, {len(rises)} runs of particles, m = {', '.join(map(str, ms))}",
                max(rises, default=np.inf) <= RISE_TOLERANCE,
                f"largest rise in a step {max(rises, default=np.inf):.1e} of F <= {RISE_TOLERANCE:g}",
            )
        )
        return criteria

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records of all three parts; curves are left to :meth:`write_json`."""
        parts = (("projection", self.projections), ("balance", self.balances), ("decay", self.decays))
        rows = [
            {"part": part, **{key: value for key, value in r.items() if not isinstance(value, list)}}
            for part, records in parts
            for r in records
        ]
        return tables.write_csv(path, rows)

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write everything."""
        return tables.write_json(path, vars(self))


def _order_criterion(run: str, meet: bool, ladders: list[Record]) -> Criterion:
    """Whether the residuals of these runs fall at least with the order of their scheme.

    Where kinks and walls are met, every particle adds the error of the one step in which it stops, of a sign
    of its own: single ladders scatter, and their root mean square is judged.
    """
    slack = ORDER_SLACK[meet]
    if meet:
        residuals = root_mean_square([r["residuals"] for r in ladders], axis=0)
        _, order = observed_orders([1.0 / n for n in ladders[0]["steps"]], residuals.tolist())
        return Criterion(
            f"dF/dt = -int |v|^2 dmu, {len(ladders)} ladders of steps, particles that meet kinks and walls",
            order >= 1.0 - slack,
            f"order of the root mean square {order:.2f} >= 1 - {slack:g}",
        )
    worst = min(ladders, key=lambda r: r["order"] - r["theory"])
    where = {
        "particles": "particles away from kinks and walls, order of the integrator",
        "density": "upwind densities, order of the integrator",
        "mesh": "densities on finer meshes, order of the scheme",
    }[run]
    return Criterion(
        f"dF/dt = -int |v|^2 dmu, {len(ladders)} ladders of steps, {where}",
        all(r["order"] >= r["theory"] - slack for r in ladders),
        f"least order {worst['order']:.2f} >= {worst['theory']} - {slack:g} ({worst['what']}, d = "
        f"{worst['dim']}, {worst['scheme']})",
    )


@dataclass(frozen=True)
class _Task:
    """One part of the study: which, and what it needs."""

    kind: str
    dim: int
    what: str
    scheme: str = ""
    meet: bool = False
    size: tuple[float, ...] = ()


def minimal_norm(
    dims: Sequence[int] = (2, 3),
    draws: int = 8,
    particle_steps: Sequence[int] = (16, 32, 64, 128, 256),
    shares: Sequence[float] = (0.8, 0.4, 0.2, 0.1),
    mesh_cells: Mapping[int, Sequence[int]] | None = None,
    potentials: Sequence[str] | None = None,
    cases: Sequence[str] | None = None,
    ms: Sequence[int] = (1, 2, 5, 20, 100),
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> MinimalNorm:
    """Put the velocity of least norm and the energy identity to the test, for every regulariser.

    1. v = (id - proj_{dV})(vt) on points inside, on kinks, walls, corners, and on kinks at walls, against
       the least element of -dF' - N that is found from differences of F' alone
       (:func:`wassflow.study.least_norm.least_norm`).
    2. dF/dt = -int |v|^2 dmu along runs of particles and densities: the residual of its integral falls with
       the step at the order of the scheme.
    3. F never rises along the runs of m particles, for every m, in the named cases.

    2 and 3 are run with a velocity that has passed 1: with a wrong one F rises, and steps would be made
    shorter for ever to prevent it.

    Args:
        dims: dimensions, 2 and 3.
        draws: number of slopes R'(f) for which velocities are compared at every point.
        particle_steps: numbers of steps of particle runs, increasing.
        shares: shares of the positivity bound for density runs, decreasing.
        mesh_cells: per d the cells per axis of finer and finer meshes.
        potentials: names of V for 1 and 2 (:func:`wassflow.study.kinks_and_walls.regularizers`); default all.
        cases: names of the cases for 3; default all.
        ms: numbers of particles for 3.
        workers: processes.
        progress: show a progress bar on stderr when it is a terminal.
        ledger: a file in which finished parts stay.

    Raises:
        ValueError: an argument is out of range.

    Source: Chizat and Bach (2018), Proposition 2.3; the energy identity is Theorem 11.1.3 of Ambrosio, Gigli
        and Savare, *Gradient Flows* (2008).

    >>> result = minimal_norm([2], 1, [8, 16], [0.8, 0.4], {2: [8, 16]}, ["|w|"], ["cosine-2d"], [1])
    >>> all(criterion.passed for criterion in result.criteria() if "least norm" in criterion.claim)
    True
    """
    draws = as_integer("draws", draws, least=1)
    meshes = {2: (16, 32, 64), 3: (8, 16, 32)} if mesh_cells is None else mesh_cells
    terms = list(regularizers(2)) if potentials is None else list(potentials)
    for name in terms:
        one_of("potentials", name, regularizers(2))
    balances = _balances(dims, terms, particle_steps, shares, meshes)
    projections = [
        _Task("projection", dim, what, domain, size=(draws,))
        for dim in dims
        for what in terms
        for domain in DOMAINS
    ]
    chosen = named.names() if cases is None else list(cases)
    decays = [_Task("decay", named.get(name).dim, name, size=(m,)) for name in chosen for m in ms]
    count = len(projections) + len(balances) + len(decays)
    settings = {"dims": dims, "draws": draws, "steps": particle_steps, "shares": shares}
    with (
        open_ledger(ledger, "minimal_norm", settings) as book,
        TaskProgress("minimal norm", count, enabled=progress) as bar,
    ):
        run = partial(run_tasks, _nothing, (), _work, workers=workers, ledger=book)
        found: list[list[Record]] = [[], [], []]
        for part, tasks in zip(found, (projections, balances, decays), strict=True):
            for records in run(tasks, done=lambda task: bar.advance()):
                part += records
            if max(record["error"] for record in found[0]) > PROJECTION_TOLERANCE:
                break
    return MinimalNorm(*found)


def _balances(
    dims: Sequence[int],
    terms: Sequence[str],
    particle_steps: Sequence[int],
    shares: Sequence[float],
    mesh_cells: Mapping[int, Sequence[int]],
) -> list[_Task]:
    """The ladders of steps."""
    tasks = []
    for dim in dims:
        for what in terms:
            smooth = regularizers(dim)[what].smooth
            for scheme in ("euler", "rk2", "rk4") if smooth else ("forward-backward", "forward-backward-2"):
                if what.count("|u|") and what.count("|w||theta|"):
                    continue  # no joint proximal map in closed form: densities only
                tasks += [
                    _Task("particles", dim, what, scheme, meet, tuple(particle_steps))
                    for meet in (False, True)
                ]
            tasks += [
                _Task("density", dim, what, scheme, size=tuple(shares)) for scheme in ("euler", "ssprk2")
            ]
        tasks += [
            _Task("mesh", dim, f"cosine-{dim}d", scheme, size=tuple(mesh_cells[dim]))
            for scheme in ("upwind", "muscl")
        ]
    return tasks


def _nothing() -> None:
    """What all tasks share."""


def _work(shared: None, task: _Task) -> list[Record]:
    return _KINDS[task.kind](task)


def _projections(task: _Task) -> list[Record]:
    """Compare velocities at all points of a domain; one record per kind of place."""
    F = functional(task.dim, task.what)
    domain, points = domain_with_points(task.dim, task.scheme)
    rng = np.random.default_rng(task.dim)
    found: dict[str, list[tuple[float, float]]] = {place: [] for place in PLACES}
    for slope in range(int(task.size[0])):
        # lengths below, near and far above the size of dV
        variation = F.linearize(rng.normal(size=F.features.size) * (0.3, 1.0, 3.0)[slope % 3])
        velocities = variation.velocity(points, domain)
        for u, v in zip(points, velocities, strict=True):
            normals = normal_cone(domain, u)
            error = float(np.linalg.norm(v - least_norm(variation, u, normals)))
            found[_place(u, normals)].append((error, float(np.linalg.norm(v))))
    return [
        {
            "dim": task.dim,
            "regularizer": task.what,
            "domain": task.scheme,
            "place": place,
            "points": len(pairs),
            "error": max(error for error, _ in pairs),
            "speed": max(speed for _, speed in pairs),
        }
        for place, pairs in found.items()
        if pairs
    ]


def _place(u: Array, normals: Array) -> str:
    kink = u[0] == 0.0 or not np.any(u[1:])
    if len(normals):
        return "kink and wall" if kink else "wall"
    return "kink" if kink else "inside"


def _balance(task: _Task) -> list[Record]:
    """One ladder of steps with its fitted order."""
    size = list(task.size)
    if task.kind == "mesh":
        record = mesh_balance(named.get(task.what), task.scheme, [int(n) for n in size], 0.75)
    elif task.kind == "density":
        F = functional(task.dim, task.what)
        record = density_balance(F, task.dim, task.scheme, size, {2: 12, 3: 6}[task.dim])
    else:
        F = functional(task.dim, task.what)
        # runs that meet nothing are shorter
        steps = [int(n) // (1 if task.meet else 4) for n in size]
        record = particle_balance(F, task.dim, task.scheme, steps, task.meet)
    _, order = observed_orders([1.0 / n for n in record["steps"]], record["residuals"])
    return [
        {
            "run": task.kind,
            "dim": task.dim,
            "what": task.what,
            "scheme": task.scheme,
            "meet": task.meet,
            "order": order,
            **record,
        }
    ]


def _decay(task: _Task) -> list[Record]:
    m = int(task.size[0])
    return [{"case": task.what, "dim": task.dim, "m": m, **decay(named.get(task.what), m, seed=m)}]


_KINDS: dict[str, Callable[[_Task], list[Record]]] = {
    "projection": _projections,
    "particles": _balance,
    "density": _balance,
    "mesh": _balance,
    "decay": _decay,
}
