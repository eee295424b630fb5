"""Squared distances, with minimal images on periodic axes, and the search for the cheapest reduced cost."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre.atom_tree import AtomTree, insert

#: pairs up to which all are looked at: beyond, a tree is faster (measured, 1.3 ns per pair against 5 to 15
# us per query and 2 us per atom)
BRUTE_FORCE_PAIRS = 50_000_000


@njit(cache=True)
def squared_distances(x, y, i, j, period):
    """Return c(x_i, y_j) for lists of pairs; ``period`` is 0 on axes that are not periodic."""
    out = np.empty(i.size)
    for n in range(i.size):
        total = 0.0
        for k in range(x.shape[1]):
            step = x[i[n], k] - y[j[n], k]
            if period[k] > 0.0:
                step -= period[k] * np.rint(step / period[k])
            total += step * step
        out[n] = total
    return out


@njit(cache=True)
def _cheapest_of_all(x, y, v, period, count):
    """Return the ``count`` smallest c(x_i, y_j) - v_j of every i, and their j, by looking at all pairs."""
    n, dim = x.shape
    best = np.full((n, count), np.inf)
    where = np.zeros((n, count), dtype=np.int64)
    periodic = period.max() > 0.0
    for i in range(n):
        worst = np.inf
        for j in range(y.shape[0]):
            total = -v[j]
            for k in range(dim):
                step = x[i, k] - y[j, k]
                if periodic and period[k] > 0.0:
                    step -= period[k] * np.rint(step / period[k])
                total += step * step
            if total < worst:
                insert(best[i], where[i], total, j)
                worst = best[i, count - 1]
    return where, best


def cheapest(x: Array, y: Array, v: Array, period: Array, count: int) -> tuple[NDArray[np.int64], Array]:
    """Return for every x_i the ``count`` atoms y_j of least reduced cost c(x_i, y_j) - v_j, least first.

    Returns:
        indices ``(n, count)`` and reduced costs ``(n, count)``.
    """
    count = min(count, len(y))
    if len(x) * len(y) <= BRUTE_FORCE_PAIRS:
        return _cheapest_of_all(x, y, v, period, count)
    return AtomTree.over(y, v, period).cheapest(x, count)
