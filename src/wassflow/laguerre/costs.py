"""Squared distances, with minimal images on periodic axes, and the search for the cheapest reduced cost."""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.arguments import Array

#: pairs up to which all are looked at: beyond, a k-d tree is faster (measured, 1.3 ns per pair against 5
# us per query)
BRUTE_FORCE_PAIRS = 400_000_000


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
                slot = count - 1
                while slot > 0 and best[i, slot - 1] > total:
                    best[i, slot] = best[i, slot - 1]
                    where[i, slot] = where[i, slot - 1]
                    slot -= 1
                best[i, slot] = total
                where[i, slot] = j
                worst = best[i, count - 1]
    return where, best


def cheapest(x: Array, y: Array, v: Array, period: Array, count: int) -> tuple[NDArray[np.int64], Array]:
    """Return for every x_i the ``count`` atoms y_j of least reduced cost c(x_i, y_j) - v_j, least first.

    Large problems are searched in a k-d tree one dimension up: c(x, y) - v + max v is the squared distance
    of (x, 0) to (y, sqrt(max v - v)). Without periodic axes the part of v that is linear or a multiple of
    |y|^2 is taken out first, as a shift and a scaling of x: what is left is small, and the tree prunes well.

    Returns:
        indices ``(n, count)`` and reduced costs ``(n, count)``.
    """
    count = min(count, len(y))
    if len(x) * len(y) <= BRUTE_FORCE_PAIRS:
        return _cheapest_of_all(x, y, v, period, count)
    queries, shrink, rest = x, 1.0, v
    if not period.any():
        shrink, slope, rest = _without_quadratic(y, v)
        queries = (x + 0.5 * slope) / shrink
        rest = rest / shrink
    height = np.sqrt(np.maximum(rest.max() - rest, 0.0))
    tree = cKDTree(
        np.column_stack([_in_box(y, period), height]),
        boxsize=np.append(period, 0.0) if period.any() else None,
    )
    _, found = tree.query(np.column_stack([_in_box(queries, period), np.zeros(len(x))]), k=count)
    found = np.ascontiguousarray(np.asarray(found, dtype=np.int64).reshape(len(x), count))
    rows = np.repeat(np.arange(len(x)), count)
    values = (squared_distances(x, y, rows, found.ravel(), period) - v[found.ravel()]).reshape(len(x), count)
    order = np.argsort(values, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)


def _in_box(points: Array, period: Array) -> Array:
    """Return points with periodic coordinates in [0, period), as a periodic tree wants them."""
    if not period.any():
        return points
    inside = points.copy()
    for axis in np.flatnonzero(period):
        inside[:, axis] = np.mod(inside[:, axis], period[axis])
        inside[inside[:, axis] >= period[axis], axis] = 0.0
    return inside


def _without_quadratic(y: Array, v: Array) -> tuple[float, Array, Array]:
    """Split v = constant + slope.y + (1 - shrink) |y|^2 + rest by least squares; 0.1 <= shrink.

    Then c(x, y) - v = shrink |(x + slope/2)/shrink - y|^2 - rest + something that depends on x only.
    """
    centre = y.mean(axis=0)
    offsets = y - centre
    columns = np.column_stack([np.ones(len(y)), offsets, np.einsum("nd,nd->n", offsets, offsets)])
    fit, *_ = np.linalg.lstsq(columns, v, rcond=None)
    shrink = max(1.0 - fit[-1], 0.1)
    slope = fit[1:-1] - 2.0 * (1.0 - shrink) * centre
    rest = v - y @ slope - (1.0 - shrink) * np.einsum("nd,nd->n", y, y)
    return shrink, slope, rest
