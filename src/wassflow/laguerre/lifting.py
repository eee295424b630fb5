"""Giving mass back to cells that have none: raise their potential until they reach the source.

With b_j the barycentre of cell j and phi(x) = min_j (|x - y_j|^2 - psi_j), the cell of site i reaches b_j as
soon as psi_i = |b_j - y_i|^2 - phi(b_j). The least of these values over j is a c-transform: it lets i take a
part of one cell, up to its barycentre, and leaves all other barycentres where they are, so that no cell with
mass loses it. This holds whatever the source is, with voids or in pieces, and on a torus.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.costs import cheapest
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source

# A cell is poor when it has less than this share of its weight, and a sliver when it has less than that one.
POOR = 0.02
SLIVER = 1e-4


def lift_poor_cells(
    source: Source,
    seeds: Seeds,
    weights: Array,
    psi: Array,
    cells: Cells,
    rounds: int,
    deadline: Deadline,
) -> tuple[Array, Cells]:
    """Raise the potential of poor cells to where they reach the barycentre of a rich one.

    Several sites that reach for the same barycentre share the directions around it, and those within the
    hull of the others get little or nothing: hence some ``rounds``, from the fourth on for slivers only; none
    begins after the deadline.
    """
    for count in range(rounds):
        poor = cells.mass < (POOR if count < 3 else SLIVER) * weights
        if not poor.any() or poor.all() or deadline.passed:
            break
        touching = touched_cells(seeds, psi, cells, poor, 1)[1][:, 0]
        psi = psi.copy()
        psi[poor] = np.maximum(psi[poor], touching)
        cells = measure_cells(source, seeds, psi)
    return psi, cells


def touched_cells(
    seeds: Seeds, psi: Array, cells: Cells, poor: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.int64], Array]:
    """Return for each poor site the ``count`` other cells whose barycentres it reaches first, and its
    potential when it does.
    """
    rich = np.flatnonzero(~poor)
    displacement = cells.displacement[rich]
    least = np.einsum("nd,nd->n", displacement, displacement) - psi[rich]
    period = np.where(np.isfinite(seeds.period), seeds.period, 0.0)
    near, touching = cheapest(
        seeds.positions[poor], seeds.positions[rich] + displacement, least, period, count
    )
    return rich[near], touching
