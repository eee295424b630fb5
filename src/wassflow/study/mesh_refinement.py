"""Mesh refinement: errors of the density flow on finer and finer meshes, and their observed orders."""

import itertools
import os
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from wassflow.arguments import as_integer, one_of
from wassflow.cases import Case
from wassflow.cases.exact import Solution
from wassflow.cases.quadrature_reference import Reference
from wassflow.cases.quadrature_reference import reference as quadrature_reference
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.mesh import Mesh
from wassflow.study import tables
from wassflow.study.densities import containing_cells, density_distance
from wassflow.study.rates import observed_orders, without_rounding
from wassflow.study.runs import at_time, comparison_times, resolution_of
from wassflow.study.tables import number, range_text, text_table, wrapped
from wassflow.transport import wasserstein2

Array = NDArray[np.float64]
Record = dict[str, Any]

REFERENCES = ("exact", "quadrature", "finest")
QUANTITIES = ("moment_error", "energy_error", "l1_error", "w2")
# Seconds for one distance that is not cheap.
_TIME_LIMIT = 15.0
_NAMES = {"moment_error": "|f_h - f|", "energy_error": "|F_h - F|", "l1_error": "L1", "w2": "W2"}


@dataclass(eq=False)
class MeshRefinement:
    """Result of :func:`mesh_refinement`.

    Attributes:
        case: the case.
        dim: d.
        cell: cell type.
        reference: ``"exact"``, ``"quadrature"`` or ``"finest"``.
        against: what the errors are taken against, in words.
        times: times at which errors were taken.
        records: one dictionary per (level, time): level, time, cells (per axis), num_cells, h (largest cell
            diameter), steps, seconds (of the whole run), moment_error, energy_error, l1_error (None when the
            exact law has atoms), w2_lower, w2_upper, w2, w2_method. What is compared with the finest mesh is
            None on the finest mesh; it has no record at all when it is the only reference.
        finest_h: size of the mesh that is compared with, 0 when none is.
        orders: per (time, quantity) the pairwise orders, one per refinement.
        order: per (time, quantity) the least-squares order over all levels.
        flows: the density flows, coarsest mesh first.
        solution: what the errors are taken against: exact or by quadrature, None for the finest mesh.
    """

    case: Case
    dim: int
    cell: str
    reference: str
    against: str
    times: tuple[float, ...]
    records: list[Record]
    finest_h: float
    orders: dict[tuple[float, str], list[float]]
    order: dict[tuple[float, str], float]
    flows: list[Trajectory]
    solution: Solution | None

    @property
    def finest(self) -> Trajectory:
        """The density flow on the finest mesh."""
        return self.flows[-1]

    def select(self, time: float) -> list[Record]:
        """Records of one time, coarsest mesh first."""
        return [record for record in self.records if record["time"] == time]

    def rows(self) -> list[Record]:
        """The records with the order between each level and the one before it."""
        rows = []
        for time in self.times:
            for i, record in enumerate(self.select(time)):
                orders = {
                    f"{quantity}_order": self.orders[time, quantity][i - 1] if i else None
                    for quantity in QUANTITIES
                    if i <= len(self.orders.get((time, quantity), ()))
                }
                rows.append({"case": self.case.name, "cell": self.cell, **record, **orders})
        return rows

    def table(self) -> str:
        """Plain text: errors and orders per time and level."""
        title = f"{self.case.name}: density flow against {self.against}, d = {self.dim}, {self.cell} cells"
        parts = [wrapped(title, indent="")]
        for time in self.times:
            header = ["cells", "h", "steps", "s"]
            quantities = [q for q in QUANTITIES if (time, q) in self.orders]
            for quantity in quantities:
                header += [_NAMES[quantity], "order"]
            header.append("W2 bracket")
            rows = []
            for i, record in enumerate(self.select(time)):
                row = [
                    str(record["num_cells"]),
                    number(record["h"]),
                    str(record["steps"]),
                    f"{record['seconds']:.1f}",
                ]
                for quantity in quantities:
                    orders = ["", *(number(order) for order in self.orders[time, quantity])]
                    row += [number(record[quantity]), *orders[i : i + 1]] if i < len(orders) else ["-", ""]
                measured = record["w2"] is not None
                rows.append([*row, range_text(record["w2_lower"], record["w2_upper"]) if measured else ""])
            fitted = ["", "", "", "all"]
            for quantity in quantities:
                fitted += ["", number(self.order[time, quantity])]
            parts.append(f"t = {time:g}\n{text_table(header, [*rows, [*fitted, '']])}")
        parts.append(
            wrapped(
                "order: log ratio of the errors of two meshes over the log ratio of their sizes; in the last "
                "line least squares over all meshes. Theory, first-order upwind: 1 for smooth densities, 3/4 "
                "in W2 where the density jumps, 1/2 for atoms (at least 1/2: Delarue, Lagoutiere and "
                "Vauchelet, IMA J. Numer. Anal. 37 (2017) 1435). Second-order schemes: 2 for smooth "
                "densities."
            )
        )
        return "\n\n".join(parts)

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows."""
        return tables.write_csv(path, self.rows())

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write rows and fitted orders."""
        orders = [
            {"time": time, "quantity": quantity, "order": order, "pairwise": self.orders[time, quantity]}
            for (time, quantity), order in self.order.items()
        ]
        data = {
            "case": self.case.name,
            "dim": self.dim,
            "cell": self.cell,
            "reference": self.reference,
            "finest_h": self.finest_h,
            "times": self.times,
            "orders": orders,
            "rows": self.rows(),
        }
        return tables.write_json(path, data)


@dataclass
class _Law:
    """The law that a density is compared with at one time.

    Attributes:
        measure: the law, for W2.
        density: its masses in the cells of the density, for L1; None if it has atoms.
        radius: bound of W2 between ``measure`` and the law itself.
    """

    measure: MeshDensity | ParticleCloud
    density: MeshDensity | None
    radius: float


def mesh_refinement(
    case: Case,
    levels: int | Sequence[int | Sequence[int]] = 4,
    times: Sequence[float] | None = None,
    cell: str | None = None,
    reference: str | None = None,
    lattice: int = 2,
    progress: bool = False,
    **flow: Any,
) -> MeshRefinement:
    """Run the density flow on a ladder of meshes and measure its errors.

    Against the exact solution: moments, energy, the L1 distance of the densities, and the bracket of W2. The
    exact law is represented by its projection on the same mesh, which is second-order close to it in W2; when
    it has atoms (absorption, walls), by the images of a finer lattice, and the bracket is widened by
    the distance of that lattice to the start, which these flows (V convex, R = 0) do not increase.

    Against :func:`wassflow.reference`, when there is no exact solution: the same, where the flow is smooth.
    With kinks and walls it knows the moments and the energy, but no density: L1 and W2 are then those to the
    finest mesh. Against the finest mesh alone, if that is asked for. Orders of differences from the finest
    mesh take its own error into account (:func:`wassflow.study.rates.observed_orders`).

    Args:
        case: what to solve.
        levels: how many meshes, each twice as fine as the one before and the last as fine as the case's own;
            or the cells of each mesh (one number for all axes, or one per axis), coarse to fine.
        times: when to compare; default the end.
        cell: cell type; default the case's.
        reference: ``"exact"``, ``"quadrature"`` (:func:`wassflow.reference`) or ``"finest"``; default exact
            where the case has an exact solution, else quadrature.
        lattice: how many times finer than a mesh the lattice is that stands for an exact law with atoms.
        progress: show a progress bar on a terminal.
        flow: further arguments of :class:`wassflow.DensityFlow`: scheme, integrator, velocity, cfl.

    Raises:
        ValueError: an argument is out of range, or the case has no exact solution and one was asked for.
        WassflowError: called under ``mpiexec``.

    >>> import wassflow as wf
    >>> result = mesh_refinement(wf.cases.get("cosine-2d"), levels=[8, 16], cell="quadrilateral")
    >>> result.order[result.times[0], "moment_error"] > 0.8
    True
    """
    if MPI.COMM_WORLD.size > 1:
        raise WassflowError("mesh refinement compares densities on different meshes; run it without mpiexec")
    compared = comparison_times(case, (case.t_end,) if times is None else times)
    if compared[0] == 0.0 and len(compared) == 1:
        raise ValueError("times must hold a positive time, found only 0")
    ladder = _ladder(case, levels)
    lattice = as_integer("lattice", lattice, least=1)
    kind = case.cell if cell is None else cell
    default = "quadrature" if case.exact is None else "exact"
    reference = one_of("reference", default if reference is None else reference, REFERENCES)
    if reference == "exact" and case.exact is None:
        raise ValueError(
            f"reference must be 'quadrature' or 'finest' for {case.name!r}, which has no exact solution;"
            " found 'exact'"
        )
    if reference == "finest" and len(ladder) < 2:
        raise ValueError("levels must be at least 2 when the finest mesh is the reference, found 1")

    records: list[Record] = []
    flows, seconds = [], []
    for cells in ladder:
        began = clock.perf_counter()
        mesh = case.mesh(cells, kind, comm=MPI.COMM_SELF)
        density_flow = case.density_flow(mesh, **flow)
        flows.append(density_flow.run(case.start(mesh), compared[-1], save=list(compared), progress=progress))
        seconds.append(clock.perf_counter() - began)
    finest = flows[-1]
    solution = case.exact if reference == "exact" else None
    if reference == "quadrature":
        solution = quadrature_reference(case, t_end=compared[-1], progress=progress)
    known = solution is not None and solution.has_density
    finest_h = 0.0 if known else finest.final.mesh.h
    shown = len(ladder) - (solution is None)
    for level in range(shown):
        for t in compared:
            density = flows[level].at(t)
            law: _Law | None = None
            if solution is not None and known:
                fine = tuple(lattice * n for n in ladder[level])
                law = _law_of(solution, case, density, t, fine, kind)
            elif level < len(ladder) - 1:
                law = _law_on(finest.at(t), density.mesh)
            record = {
                "level": level,
                "time": t,
                "cells": "x".join(map(str, ladder[level])),
                "num_cells": density.mesh.num_cells_global,
                "h": density.mesh.h,
                "steps": flows[level].steps,
                "seconds": seconds[level],
            }
            values = at_time(finest, t) if solution is None else (solution.energy(t), solution.moment(t))
            records.append(record | _errors(case, flows[level], density, values, t, law))
    orders, order = {}, {}
    for t in compared:
        rows = [record for record in records if record["time"] == t]
        for quantity in QUANTITIES:
            measured = [row for row in rows if row[quantity] is not None]
            if len(measured) < len(ladder) - 1 or not measured:
                continue
            sizes = [row["h"] for row in measured]
            errors = without_rounding([row[quantity] for row in measured])
            own = finest_h if solution is None or quantity in ("l1_error", "w2") else 0.0
            orders[t, quantity], order[t, quantity] = observed_orders(sizes, errors, own)
    return MeshRefinement(
        case,
        case.domain.dim,
        kind,
        reference,
        _in_words(solution, known, finest_h),
        compared,
        records,
        finest_h,
        orders,
        order,
        flows,
        solution,
    )


def _errors(
    case: Case,
    flow: Trajectory,
    density: MeshDensity,
    values: tuple[float, Array],
    t: float,
    law: _Law | None,
) -> Record:
    """Errors of energy and moment against ``values``, distances to the law."""
    energy, moment = at_time(flow, t)
    record: Record = {
        "moment_error": float(np.linalg.norm(moment - values[1])),
        "energy_error": abs(energy - values[0]),
    }
    if law is None:
        return record | dict.fromkeys(("l1_error", "w2_lower", "w2_upper", "w2", "w2_method"))
    if isinstance(law.measure, MeshDensity):
        distance = density_distance(law.measure, density, case.domain, time_limit=_TIME_LIMIT)
    else:
        distance = wasserstein2(density, law.measure, domain=case.domain)
    l1 = None
    if law.density is not None:
        l1 = float(np.abs(density.masses - law.density.masses).sum())
    return record | {
        "l1_error": l1,
        "w2_lower": max(distance.lower - law.radius, 0.0),
        "w2_upper": distance.upper + law.radius,
        "w2": distance.value,
        "w2_method": distance.method,
    }


def _law_of(
    solution: Solution, case: Case, density: MeshDensity, t: float, lattice: tuple[int, ...], kind: str
) -> _Law:
    if solution.singular_mass(t) == 0.0:
        projected = MeshDensity.from_function(density.mesh, lambda u: solution.density(t, u), mass=case.mass)
        return _Law(projected, projected, 0.0)
    start = case.start(case.mesh(lattice, kind, comm=MPI.COMM_SELF))
    points, weights = start.quadrature()
    held = weights > 0.0
    cloud = ParticleCloud(solution.flow_map(t, points[held]), weights[held])
    return _Law(cloud, None, start.quantization_radius)


def _law_on(finest: MeshDensity, mesh: Mesh) -> _Law:
    parents = containing_cells(mesh, finest.mesh)
    masses = np.bincount(parents, weights=finest.masses, minlength=mesh.num_owned)
    return _Law(finest, MeshDensity(mesh, masses), 0.0)


def _in_words(solution: Solution | None, known: bool, finest_h: float) -> str:
    """What the errors are taken against."""
    mesh = f"the finest mesh (h = {finest_h:.3g})"
    if solution is None:
        return mesh
    if not isinstance(solution, Reference):
        return "the exact solution"
    nodes = f"{solution.nodes} quadrature nodes (error {solution.error:.1e})"
    return nodes if known else f"{nodes}, L1 and W2 against {mesh}"


def _ladder(case: Case, levels: int | Sequence[int | Sequence[int]]) -> list[tuple[int, ...]]:
    if isinstance(levels, int):
        count = as_integer("levels", levels, least=1)
        finest = resolution_of(case, None)
        ladder = [tuple(n // 2**k for n in finest) for k in reversed(range(count))]
        if min(ladder[0]) < 1:
            raise ValueError(f"levels must be fewer: {case.name!r} has {finest} cells, found {levels}")
        return ladder
    ladder = [resolution_of(case, cells) for cells in levels]
    if not ladder or any(np.prod(a) >= np.prod(b) for a, b in itertools.pairwise(ladder)):
        raise ValueError(f"levels must go from coarse to fine, found {list(levels)}")
    return ladder
