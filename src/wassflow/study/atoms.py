"""Mass that a density flow gathers in the cells at a kink, a wall or a point, against the exact atoms."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wassflow.arguments import as_integer
from wassflow.cases import Case
from wassflow.cases.exact import Solution
from wassflow.cases.quadrature_reference import Reference
from wassflow.cases.singular_sets import singular_set
from wassflow.flow import Trajectory
from wassflow.measure import MeshDensity, mass_near
from wassflow.study import tables
from wassflow.study.tables import number, text_table, wrapped

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class SingularPart:
    """Result of :func:`singular_part`.

    Attributes:
        name: the solution.
        where: the sets that hold the singular part.
        records: one dictionary per (time, cells): time, cells (layers), width (how far these reach), mass,
            background (what a density would account for), excess (mass - background), exact (mass of the
            singular part), error (excess - exact).
    """

    name: str
    where: list[dict[int, float]]
    records: list[Record]

    def error(self, time: float, cells: int) -> float:
        """Return the error of the excess mass at one of the times within so many cells."""
        for record in self.records:
            if record["time"] == time and record["cells"] == cells:
                return record["error"]
        raise ValueError(f"time and cells must be among the records, found {time} and {cells}")

    def table(self) -> str:
        """Plain text: a line per time and number of cells."""
        header = ["t", "cells", "within", "mass", "background", "excess", "exact", "error"]
        keys = ("width", "mass", "background", "excess", "exact", "error")
        rows = [
            [f"{record['time']:g}", str(record["cells"]), *(number(record[key]) for key in keys)]
            for record in self.records
        ]
        note = (
            "mass: in the cells along the set (1) and their next neighbours (2, ..), which reach as far "
            "as 'within'; background: their volume times the density one layer further out; excess: the "
            "difference, which converges to the exact mass on the set as the mesh is refined."
        )
        return (
            f"{self.name}: mass on {places_text(self.where)}\n{text_table(header, rows)}\n\n{wrapped(note)}"
        )

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records."""
        return tables.write_csv(path, self.records)

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the records and the sets."""
        where = [{str(axis): value for axis, value in place.items()} for place in self.where]
        return tables.write_json(path, {"name": self.name, "where": where, "records": self.records})


def places_text(places: Sequence[Mapping[int, float]]) -> str:
    """Return sets {u : u_i = value, ...} in words.

    >>> places_text([{0: 0.0}, {1: 0.0, 2: 0.0}])
    '{u_0 = 0} and {u_1 = 0, u_2 = 0}'
    """
    return " and ".join(
        "{" + ", ".join(f"u_{axis} = {value:g}" for axis, value in place.items()) + "}" for place in places
    )


def singular_part(
    flow: Trajectory,
    exact: Solution | Case,
    cells: int | Sequence[int] = (1, 2, 4),
    where: Mapping[int, float] | Sequence[Mapping[int, float]] | None = None,
) -> SingularPart:
    """Compare the mass that a density flow has gathered near a set with the exact mass on it; collective.

    Absorption at {w = 0} (V = alpha |w|), at 0 (V = alpha |u|) and at walls turns a density into one with
    atoms, which a mesh holds in a few cells: see :func:`wassflow.measure.mass_near`.

    Args:
        flow: a density flow, compared at its saved times.
        exact: the solution it approximates, a case that has one, or a :func:`wassflow.reference`, whose nodes
            on the sets are counted.
        cells: within how many layers of cells.
        where: the sets; default those of ``exact``, of a reference the kinks of V.

    Raises:
        ValueError: for a flow of particles, a case without exact solution, or a solution without atoms.

    >>> import wassflow as wf
    >>> from wassflow.cases.exact import WeightAbsorption
    >>> exact = WeightAbsorption(alpha=1.0)
    >>> mesh = wf.mesh.box(exact.domain, cells=(40, 2), cell="quadrilateral")
    >>> start = wf.MeshDensity.from_function(mesh, exact.initial)
    >>> result = singular_part(wf.DensityFlow(exact.functional, mesh).run(start, 0.5), exact, cells=1)
    >>> record, = result.records
    >>> [round(record[key], 12) for key in ("width", "mass", "background", "excess", "exact", "error")]
    [0.0625, 0.5625, 0.0625, 0.5, 0.5, 0.0]
    """
    solution = exact.exact if isinstance(exact, Case) else exact
    name = exact.name if isinstance(exact, Case) else type(exact).__name__
    if solution is None:
        raise ValueError(
            f"exact must be a case with an exact solution, found {name!r}, which has none (or a reference)"
        )
    if where is None:
        places = singular_set(solution)
    else:
        places = [dict(where)] if isinstance(where, Mapping) else [dict(place) for place in where]
    if not places:
        raise ValueError(f"exact must be a solution that gathers mass on a set, found {name}; or give where")
    counts = [cells] if isinstance(cells, int) else list(cells)
    counts = [as_integer("cells", count, least=1) for count in counts]
    records = []
    for time, mu in zip(flow.saved_times, flow.measures, strict=True):
        if not isinstance(mu, MeshDensity):
            raise ValueError(f"flow must be one of densities, found {type(mu).__name__}")
        atom = _exact_mass(solution, places, time, mu.mass)
        for count in counts:
            near = mass_near(mu, places, count)
            records.append(
                {
                    "time": time,
                    "cells": count,
                    "width": near.width,
                    "mass": near.mass,
                    "background": near.background,
                    "excess": near.excess,
                    "exact": atom,
                    "error": near.excess - atom,
                }
            )
    return SingularPart(name, places, records)


def _exact_mass(solution: Solution, places: Sequence[Mapping[int, float]], time: float, mass: float) -> float:
    """Return the mass of a solution on its sets; solutions in closed form have the mass 1."""
    if not isinstance(solution, Reference):
        return mass * solution.singular_mass(time)
    points, weights = solution.cloud(time).quadrature()
    held = np.zeros(len(points), dtype=bool)
    for place in places:
        held |= np.all(points[:, list(place)] == list(place.values()), axis=1)
    return float(weights[held].sum())
