"""Certified bounds on W2^2 from the cells of any potential.

Lower: Kantorovich duality, sum_i nu_i psi_i + int min_i (|x - y_i|^2 - psi_i) dmu <= W2^2 for every psi.
Upper: an explicit plan. Send cell i to site i, then let the share f_ij of cell i, taken evenly from all of
it, go to site j instead; this costs e_ij = |y_j - y_i|^2 - 2 (b_i - y_i).(y_j - y_i) - psi_j + psi_i >= 0
per mass above the dual value, b_i the barycentre of cell i. It is a plan as long as no cell sends more than
it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from wassflow.laguerre.cells import Cells, Seeds
from wassflow.laguerre.geometry import Array
from wassflow.rounding import EPS

Indices = NDArray[np.integer]


@dataclass(frozen=True)
class Bracket:
    """lower <= W2^2 <= upper; ``rounding`` is the part of both that stands for rounding."""

    lower: float
    upper: float
    rounding: float


def _nobody() -> Indices:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Flow:
    """How masses are to be evened out.

    ``potential`` (m,) solves (Laplacian of the facets) p = weights - masses, as a Newton step does: cell i
    sends graph_ij (p_j - p_i) to its neighbour j where this is positive. ``takers`` (k,) are cells with next
    to no facets; they get what they lack from ``givers`` (k, n) in equal parts, which the right-hand side
    there takes into account.
    """

    potential: Array
    takers: Indices = field(default_factory=_nobody)
    givers: Indices = field(default_factory=lambda: _nobody()[:, None])


def _match_along_order(excess: Array) -> tuple[Indices, Indices, Array]:
    """Match surpluses of ``excess`` (sum about 0) to deficits along the order: (from, to, amount)."""
    give = np.flatnonzero(excess > 0.0)
    take = np.flatnonzero(excess < 0.0)
    if give.size == 0 or take.size == 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0)
    given = np.cumsum(excess[give])
    taken = np.cumsum(-excess[take])
    ends = np.unique(np.concatenate([given, taken]))
    amount = np.diff(ends, prepend=0.0)
    middle = ends - 0.5 * amount
    source = give[np.minimum(np.searchsorted(given, middle), give.size - 1)]
    target = take[np.minimum(np.searchsorted(taken, middle), take.size - 1)]
    return source, target, amount


def _rerouting_cost(seeds: Seeds, cells: Cells, psi: Array, i: Indices, j: Indices) -> Array:
    """Return e_ij (n,), clipped at zero (it is nonnegative up to rounding)."""
    step = seeds.difference(i, j)
    cost = np.einsum("nd,nd->n", step, step - 2.0 * cells.displacement[i]) - (psi[j] - psi[i])
    return np.maximum(cost, 0.0)


def _by_site(index: Indices, flow: Array, size: int) -> Array:
    """Return the sums of flows by site: a float for each, also without any flow."""
    return np.asarray(np.bincount(index, flow, minlength=size), dtype=np.float64)


def admissible_shares(i: Indices, j: Indices, flow: Array, masses: Array, weights: Array) -> Array:
    """Return the share of each flow for which the rest can be matched without any cell sending more than it
    has.

    With the rest a cell sends what flows out of it, or, where that is more, its surplus masses_i - weights_i
    and what flows in: it has enough if masses_i bounds the flow out of it and weights_i the flow into it.
    """
    sent, got = (_by_site(index, flow, masses.size) for index in (i, j))
    shares = []
    for total, room in ((sent, masses), (got, weights)):
        over = total > room
        share = np.ones(masses.size)
        share[over] = (1.0 - 1e-9) * room[over] / total[over]
        shares.append(share)
    return np.minimum(shares[0][i], shares[1][j])


def bracket(
    seeds: Seeds, cells: Cells, psi: Array, weights: Array, flow: Flow | None, diameter: float
) -> Bracket:
    """Bound W2^2 between the source behind ``cells`` and sum_i weights_i delta_{y_i}, both of mass one.

    The flow is less than wanted where a cell would send more than it has or get more than its weight. What is
    left unbalanced is matched along the order of the sites.
    """
    residual = weights - cells.mass
    dual = float(np.sum(cells.second) + psi @ residual)
    extra = 0.0
    carried = np.zeros_like(residual)
    if flow is not None:
        edges = sp.coo_matrix(cells.graph)
        sent = edges.data * (flow.potential[edges.col] - flow.potential[edges.row])
        # facets of takers count for nothing
        taker = np.zeros(residual.size, dtype=bool)
        taker[flow.takers] = True
        positive = (sent > 0.0) & ~taker[edges.row] & ~taker[edges.col]
        parts = flow.givers.shape[1]
        takers = np.repeat(flow.takers, parts)
        i = np.concatenate([edges.row[positive], flow.givers.ravel()])
        j = np.concatenate([edges.col[positive], takers])
        amount = np.concatenate([sent[positive], residual[takers] / parts])
        amount *= admissible_shares(i, j, amount, cells.mass, weights)
        extra += float(amount @ _rerouting_cost(seeds, cells, psi, i, j))
        carried = _by_site(j, amount, residual.size) - _by_site(i, amount, residual.size)
    i, j, amount = _match_along_order(-(residual - carried))
    extra += float(amount @ _rerouting_cost(seeds, cells, psi, i, j))
    # a power distance is rounded relative to its own terms; areas that fail to tile by more than rounding
    # count with the largest cost there is
    rounding = (
        16.0 * EPS * float(np.abs(psi) @ np.maximum(cells.mass, weights) + np.sum(cells.second) + extra)
    )
    rounding += cells.excess + max(cells.defect - 16.0 * EPS, 0.0) * diameter**2
    return Bracket(dual - rounding, dual + extra + rounding, rounding)
