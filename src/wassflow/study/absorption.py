"""Mass that density flows gather at kinks and walls on finer and finer meshes, against the exact atoms."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wassflow.cases.quadrature_reference import Reference
from wassflow.cases.singular_sets import Place, singular_set
from wassflow.study import tables
from wassflow.study.atoms import places_text, singular_part
from wassflow.study.mesh_refinement import MeshRefinement
from wassflow.study.rates import observed_orders, without_rounding
from wassflow.study.tables import number, text_table, wrapped

Record = dict[str, Any]


@dataclass(eq=False)
class AbsorbedMass:
    """Result of :func:`absorbed_mass`.

    Attributes:
        name: the case.
        where: the sets that absorb.
        cells: within how many layers of cells.
        times: the times, the start left out.
        accuracy: how far the exact masses may be off, 0 for solutions in closed form, nan if not known.
        records: one dictionary per (level, time, cells): level, h, and those of
            :class:`wassflow.study.SingularPart`.
        orders: per (time, cells) the pairwise orders of the error, one per refinement.
        order: per (time, cells) the least-squares order over all meshes.
    """

    name: str
    where: list[Place]
    cells: tuple[int, ...]
    times: tuple[float, ...]
    accuracy: float
    records: list[Record]
    orders: dict[tuple[float, int], list[float]]
    order: dict[tuple[float, int], float]

    def select(self, time: float, cells: int) -> list[Record]:
        """Records of one time and number of cells, coarsest mesh first."""
        return [row for row in self.records if row["time"] == time and row["cells"] == cells]

    def exact(self, time: float) -> float:
        """Mass that the exact solution has on the sets."""
        return float(self.select(time, self.cells[0])[-1]["exact"])

    def rows(self) -> list[Record]:
        """The records with the order between each level and the one before it."""
        rows = []
        for time, cells in self.orders:
            orders = [None, *self.orders[time, cells]]
            rows += [
                row | {"order": order} for row, order in zip(self.select(time, cells), orders, strict=True)
            ]
        return rows

    def table(self) -> str:
        """Plain text: per time and mesh, absorbed masses within the cells, their errors and orders."""
        parts = [f"{self.name}: absorbed mass on {places_text(self.where)}"]
        for time in self.times:
            header = ["h"]
            for cells in self.cells:
                header += [f"within {cells}", "error", "order"]
            columns = [self.select(time, cells) for cells in self.cells]
            rows = []
            for level, record in enumerate(columns[0]):
                row = [number(record["h"])]
                for cells, column in zip(self.cells, columns, strict=True):
                    order = number(self.orders[time, cells][level - 1]) if level else ""
                    row += [number(column[level]["excess"]), number(column[level]["error"]), order]
                rows.append(row)
            fitted = ["all"]
            for cells in self.cells:
                fitted += ["", "", number(self.order[time, cells])]
            exact = f"t = {time:g}, exact {number(self.exact(time))}"
            accuracy = f" (up to {number(self.accuracy)})" if self.accuracy > 0.0 else ""
            parts.append(f"{exact}{accuracy}\n{text_table(header, [*rows, fitted])}")
        parts.append(
            wrapped(
                "within k: the mass in the k layers of cells next to the sets, less their volume times the "
                "density one layer further out; error: that less the exact mass. Orders are those of its "
                "size, and mean nothing from one mesh to another where it changes its sign."
            )
        )
        return "\n\n".join(parts)

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows."""
        return tables.write_csv(path, self.rows())

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the sets, the fitted orders and the rows."""
        where = [{str(axis): value for axis, value in place.items()} for place in self.where]
        orders = [{"time": t, "cells": k, "order": order} for (t, k), order in self.order.items()]
        data = {"name": self.name, "where": where, "accuracy": self.accuracy, "orders": orders}
        return tables.write_json(path, data | {"rows": self.rows()})


def absorbing_sets(refinement: MeshRefinement) -> list[Place]:
    """Return the sets on which the solution of a mesh refinement gathers mass; none if it is not known."""
    return singular_set(refinement.solution)


def absorbed_mass(refinement: MeshRefinement, cells: Sequence[int] = (1, 2, 4)) -> AbsorbedMass:
    """Compare the mass that density flows have gathered at kinks and walls with the exact one, mesh by mesh.

    Args:
        refinement: density flows on a ladder of meshes, against an exact solution or one by quadrature.
        cells: within how many layers of cells the mass is counted.

    Raises:
        ValueError: for a refinement whose solution gathers no mass on a set that is known.

    >>> import wassflow as wf
    >>> case = wf.cases.get("deconvolution-2d", times=(0.0, 0.1))
    >>> result = wf.study.mesh_refinement(case, levels=[(10, 14), (20, 28)], cell="quadrilateral")
    >>> absorbed = absorbed_mass(result, cells=[1, 2])
    >>> absorbed.where, round(absorbed.exact(0.1), 3)
    ([{0: 0.0}], 0.002)
    """
    where, solution = absorbing_sets(refinement), refinement.solution
    if not where or solution is None:
        raise ValueError(
            f"refinement must be of a case that gathers mass on known sets, found {refinement.case.name!r} "
            f"against {refinement.against}"
        )
    records: list[Record] = []
    for level, flow in enumerate(refinement.flows):
        part = singular_part(flow, solution, cells, where)
        h = flow.final.mesh.h
        records += [{"level": level, "h": h, **record} for record in part.records if record["time"] > 0.0]
    times = tuple(t for t in refinement.times if t > 0.0)
    orders, order = {}, {}
    for time in times:
        for count in cells:
            rows = [row for row in records if row["time"] == time and row["cells"] == count]
            errors = without_rounding([row["error"] for row in rows])
            orders[time, count], order[time, count] = observed_orders([row["h"] for row in rows], errors)
    return AbsorbedMass(
        name=refinement.case.name,
        where=where,
        cells=tuple(cells),
        times=times,
        accuracy=solution.errors.get("singular_mass", math.nan) if isinstance(solution, Reference) else 0.0,
        records=records,
        orders=orders,
        order=order,
    )
