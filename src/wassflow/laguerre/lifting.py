"""Giving mass back to cells that have none: raise their potential until they reach the source.

With b_j the barycentre of cell j and phi(x) = min_j (|x - y_j|^2 - psi_j), the cell of site i reaches b_j as
soon as psi_i = |b_j - y_i|^2 - phi(b_j). The least of these values over j is a c-transform: it lets i take a
part of one cell, up to its barycentre, and leaves all other barycentres where they are, so that no cell with
mass loses it. This holds whatever the source is, with voids or in pieces, and on a torus.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.costs import cheapest
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source

# A cell is poor when it has less than this share of its weight, and a sliver when it has less than that one.
POOR = 0.02
SLIVER = 1e-4
# Sites, neighbours along the Morton curve, whose barycentres are ruled out together.
BLOCK = 256


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
    period = np.where(np.isfinite(seeds.period), seeds.period, 0.0)
    for count in range(rounds):
        poor = cells.mass < (POOR if count < 3 else SLIVER) * weights
        if not poor.any() or poor.all() or deadline.passed:
            break
        rich = ~poor
        barycentres = seeds.positions[rich] + cells.displacement[rich]
        if period.any():
            least = np.einsum("nd,nd->n", cells.displacement[rich], cells.displacement[rich]) - psi[rich]
            touching = cheapest(seeds.positions[poor], barycentres, least, period, 1)[1][:, 0]
        else:
            touching = touching_potentials(
                seeds.positions[poor], seeds.positions[rich], barycentres, psi[rich]
            )
        psi = psi.copy()
        psi[poor] = np.maximum(psi[poor], touching)
        cells = measure_cells(source, seeds, psi)
    return psi, cells


@njit(cache=True)
def touching_potentials(sites, rich, barycentres, psi):
    """Return min_j (|b_j - y_i|^2 - |b_j - y_j|^2 + psi_j) for every site y_i of ``sites`` (n, d).

    This is |y_i|^2 - 2 b_j.(y_i - Y) + q_j, q_j = 2 b_j.(y_j - Y) - |y_j|^2 + psi_j, for any Y. A block of
    rich sites y_j around Y whose barycentres are within the half widths h of B is therefore ruled out by
    |y_i|^2 - 2 B.(y_i - Y) - 2 h.|y_i - Y| + min q_j, a bound as sharp as the map is monotone.
    """
    count, dim = rich.shape
    blocks = (count + BLOCK - 1) // BLOCK
    middle = np.empty((blocks, dim))
    centre = np.empty((blocks, dim))
    width = np.empty((blocks, dim))
    least = np.full(blocks, np.inf)
    for block in range(blocks):
        s, e = block * BLOCK, min((block + 1) * BLOCK, count)
        for c in range(dim):
            middle[block, c] = rich[s:e, c].mean()
            low, high = barycentres[s:e, c].min(), barycentres[s:e, c].max()
            centre[block, c] = 0.5 * (low + high)
            width[block, c] = max(high - centre[block, c], centre[block, c] - low)
        for j in range(s, e):
            q = psi[j]
            for c in range(dim):
                q += 2.0 * barycentres[j, c] * (rich[j, c] - middle[block, c]) - rich[j, c] ** 2
            least[block] = min(least[block], q)
    result = np.empty(sites.shape[0])
    bound = np.empty(blocks)
    for i in range(sites.shape[0]):
        for block in range(blocks):
            value = least[block]
            for c in range(dim):
                step = sites[i, c] - middle[block, c]
                value += sites[i, c] ** 2 - 2.0 * (centre[block, c] * step + width[block, c] * abs(step))
            bound[block] = value
        best = np.inf
        nearest = np.argmin(bound)
        for turn in range(-1, blocks):
            chosen = nearest if turn < 0 else turn
            if bound[chosen] >= best or turn == nearest:
                continue
            for j in range(chosen * BLOCK, min((chosen + 1) * BLOCK, count)):
                value = psi[j]
                for c in range(dim):
                    value += (barycentres[j, c] - sites[i, c]) ** 2 - (barycentres[j, c] - rich[j, c]) ** 2
                best = min(best, value)
        result[i] = best
    return result
