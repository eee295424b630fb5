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
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.study import tables
from wassflow.study.densities import containing_cells, density_distance
from wassflow.study.rates import observed_orders
from wassflow.study.runs import at_time, comparison_times, resolution_of
from wassflow.study.tables import number, range_text, text_table, wrapped
from wassflow.transport import wasserstein2

Array = NDArray[np.float64]
Record = dict[str, Any]

QUANTITIES = ("moment_error", "energy_error", "l1_error", "w2")
# Errors below are rounding: moments, energies and distances are of order one.
_ROUNDING = 1e-12
_NAMES = {"moment_error": "|f_h - f|", "energy_error": "|F_h - F|", "l1_error": "L1", "w2": "W2"}


@dataclass(eq=False)
class MeshRefinement:
    """Result of :func:`mesh_refinement`.

    Attributes:
        case: the case.
        dim: d.
        cell: cell type.
        reference: ``"exact"`` or ``"finest"``.
        times: times at which errors were taken.
        records: one dictionary per (level, time): level, time, cells (per axis), num_cells, h (largest cell
            diameter), steps, seconds (of the whole run), moment_error, energy_error, l1_error (None when the
            exact law has atoms), w2_lower, w2_upper, w2, w2_method. The finest mesh has none when it is the
            reference.
        finest_h: size of the mesh that is the reference, 0 when the exact solution is.
        orders: per (time, quantity) the pairwise orders, one per refinement.
        order: per (time, quantity) the least-squares order over all levels.
        densities: the density flow on the finest mesh.
    """

    case: Case
    dim: int
    cell: str
    reference: str
    times: tuple[float, ...]
    records: list[Record]
    finest_h: float
    orders: dict[tuple[float, str], list[float]]
    order: dict[tuple[float, str], float]
    finest: Trajectory

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
                    if (time, quantity) in self.orders
                }
                rows.append({"case": self.case.name, "cell": self.cell, **record, **orders})
        return rows

    def table(self) -> str:
        """Plain text: errors and orders per time and level."""
        against = (
            "the exact solution"
            if self.reference == "exact"
            else f"the finest mesh (h = {self.finest_h:.3g})"
        )
        parts = [f"{self.case.name}: density flow against {against}, d = {self.dim}, {self.cell} cells"]
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
                    row += [
                        number(record[quantity]),
                        number(self.orders[time, quantity][i - 1]) if i else "",
                    ]
                rows.append([*row, range_text(record["w2_lower"], record["w2_upper"])])
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
class _Reference:
    """What a level is compared with at one time."""

    energy: float
    moment: Array
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

    Against the finest mesh, when there is no exact solution: the same quantities, and orders that take the
    finest mesh's own error into account (:func:`wassflow.study.rates.observed_orders`).

    Args:
        case: what to solve.
        levels: how many meshes, each twice as fine as the one before and the last as fine as the case's own;
            or the cells of each mesh (one number for all axes, or one per axis), coarse to fine.
        times: when to compare; default the end.
        cell: cell type; default the case's.
        reference: ``"exact"`` or ``"finest"``; default exact where the case has an exact solution.
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
    default = "finest" if case.exact is None else "exact"
    reference = one_of("reference", default if reference is None else reference, ("exact", "finest"))
    if reference == "exact" and case.exact is None:
        raise ValueError(
            f"reference must be 'finest' for {case.name!r}, which has no exact solution; found 'exact'"
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
    shown = len(ladder) if reference == "exact" else len(ladder) - 1
    for level in range(shown):
        for t in compared:
            density = flows[level].at(t)
            if reference == "exact":
                fine = tuple(lattice * n for n in ladder[level])
                target = _exact_reference(case, density, t, fine, kind)
            else:
                target = _finest_reference(finest, density, t)
            record = {
                "level": level,
                "time": t,
                "cells": "x".join(map(str, ladder[level])),
                "num_cells": density.mesh.num_cells_global,
                "h": density.mesh.h,
                "steps": flows[level].steps,
                "seconds": seconds[level],
            }
            records.append(record | _errors(case, flows[level], density, t, target))
    finest_h = finest.final.mesh.h if reference == "finest" else 0.0
    orders, order = {}, {}
    for t in compared:
        rows = [record for record in records if record["time"] == t]
        for quantity in QUANTITIES:
            if all(row[quantity] is not None for row in rows):
                sizes = [row["h"] for row in rows]
                # what is rounding has no order
                errors = [row[quantity] if row[quantity] > _ROUNDING else 0.0 for row in rows]
                orders[t, quantity], order[t, quantity] = observed_orders(sizes, errors, finest_h)
    return MeshRefinement(
        case, case.domain.dim, kind, reference, compared, records, finest_h, orders, order, finest
    )


def _errors(case: Case, flow: Trajectory, density: MeshDensity, t: float, target: _Reference) -> Record:
    energy, moment = at_time(flow, t)
    if isinstance(target.measure, MeshDensity):
        distance = density_distance(target.measure, density, case.domain)
    else:
        distance = wasserstein2(density, target.measure, domain=case.domain)
    l1 = None
    if target.density is not None:
        l1 = float(np.abs(density.masses - target.density.masses).sum())
    return {
        "moment_error": float(np.linalg.norm(moment - target.moment)),
        "energy_error": abs(energy - target.energy),
        "l1_error": l1,
        "w2_lower": max(distance.lower - target.radius, 0.0),
        "w2_upper": distance.upper + target.radius,
        "w2": distance.value,
        "w2_method": distance.method,
    }


def _exact_reference(
    case: Case, density: MeshDensity, t: float, lattice: tuple[int, ...], kind: str
) -> _Reference:
    exact = case.exact
    assert exact is not None
    energy, moment = exact.energy(t), exact.moment(t)
    if exact.singular_mass(t) == 0.0:
        projected = MeshDensity.from_function(density.mesh, lambda u: exact.density(t, u), mass=case.mass)
        return _Reference(energy, moment, projected, projected, 0.0)
    start = case.start(case.mesh(lattice, kind, comm=MPI.COMM_SELF))
    points, weights = start.quadrature()
    held = weights > 0.0
    cloud = ParticleCloud(exact.flow_map(t, points[held]), weights[held])
    return _Reference(energy, moment, cloud, None, start.quantization_radius)


def _finest_reference(finest: Trajectory, density: MeshDensity, t: float) -> _Reference:
    fine = finest.at(t)
    energy, moment = at_time(finest, t)
    parents = containing_cells(density.mesh, fine.mesh)
    masses = np.bincount(parents, weights=fine.masses, minlength=density.mesh.num_owned)
    return _Reference(energy, moment, fine, MeshDensity(density.mesh, masses), 0.0)


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
