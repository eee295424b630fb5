"""A tree over atoms y with values v, searched for the least c(x, y) - v whatever v is like.

A node holds the box of its atoms and an affine function that is nowhere below v on them. The least of
|x - y|^2 minus an affine function over a box is found axis by axis; it is a bound as sharp as v is smooth,
which potentials are: bounds by the largest v of a node would be loose by its slope, and for two measures that
are not alike most nodes would have to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre.geometry import morton_order
from wassflow.laguerre.threads import in_threads
from wassflow.rounding import EPS

#: atoms per leaf at most; half as many at least
LEAF = 8
#: queries that a thread takes at a time
QUERIES = 4096


@dataclass(frozen=True)
class AtomTree:
    """Atoms in the order of the leaves, and a binary heap of nodes, the root at 1.

    Node i is (low (d), high (d), slope (d), offset): v <= slope.y + offset in its box. ``slack`` bounds the
    rounding of its bounds, which must not hide an atom.
    """

    order: NDArray[np.int64]
    atoms: Array
    values: Array
    nodes: Array
    slack: float
    period: Array

    @classmethod
    def over(cls, y: Array, v: Array, period: Array) -> AtomTree:
        """Build the tree over atoms (k, d) with finite values (k,); ``period`` is 0 where no axis wraps."""
        atoms = in_box(y, period)
        order = morton_order(atoms)
        atoms, values = np.ascontiguousarray(atoms[order]), np.ascontiguousarray(v[order])
        leaves = 1
        while len(order) > LEAF * leaves:
            leaves *= 2
        nodes = _nodes(atoms, values, leaves)
        low, high, slope, offset = np.split(nodes, [len(period) * k for k in (1, 2, 3)], axis=1)
        reach = np.maximum(np.abs(low), np.abs(high))
        terms = np.max(np.hstack([reach**2, np.abs(slope) * reach, np.abs(offset)]))
        return cls(order, atoms, values, nodes, 32.0 * len(period) * EPS * float(terms), period)

    def cheapest(self, x: Array, count: int) -> tuple[NDArray[np.int64], Array]:
        """Return for every x_i the ``count`` atoms of least c(x_i, y_j) - v_j, and these costs, in order."""
        queries = in_box(x, self.period)
        order = morton_order(queries)
        found = np.empty((len(x), count), dtype=np.int64)
        costs = np.empty((len(x), count))

        def search(start: int) -> None:
            # neighbours in space one after the other: each begins with what the last has found
            some = order[start : start + QUERIES]
            found[some], costs[some] = _search(
                queries[some], self.atoms, self.values, self.nodes, self.slack, self.period, count
            )

        in_threads(search, range(0, len(x), QUERIES))
        return self.order[found], costs


def in_box(points: Array, period: Array) -> Array:
    """Return points with periodic coordinates in [0, period)."""
    if not period.any():
        return points
    inside = points.copy()
    for axis in np.flatnonzero(period):
        inside[:, axis] = np.mod(inside[:, axis], period[axis])
        inside[inside[:, axis] >= period[axis], axis] = 0.0
    return inside


@njit(cache=True)
def _nodes(atoms, values, leaves):
    """Return the nodes (2 leaves, 3 d + 1): affine functions by least squares, raised above all values."""
    n, dim = atoms.shape
    nodes = np.zeros((2 * leaves, 3 * dim + 1))
    for node in range(1, 2 * leaves):
        first, last = node, node + 1
        while first < leaves:
            first, last = 2 * first, 2 * last
        s, e = (first - leaves) * n // leaves, (last - leaves) * n // leaves
        mean = np.zeros(dim)
        level = values[s:e].mean()
        for k in range(dim):
            mean[k] = atoms[s:e, k].mean()
            nodes[node, k], nodes[node, dim + k] = atoms[s:e, k].min(), atoms[s:e, k].max()
        moments, slope = np.zeros((dim, dim)), np.zeros(dim)
        for j in range(s, e):
            for k in range(dim):
                slope[k] += (atoms[j, k] - mean[k]) * (values[j] - level)
                for i in range(dim):
                    moments[k, i] += (atoms[j, k] - mean[k]) * (atoms[j, i] - mean[i])
        # any slope gives a bound: that of few atoms, or of atoms on a line, need not be determined
        trace = np.trace(moments)
        if trace > 0.0:
            for k in range(dim):
                moments[k, k] += 1e-8 * trace
            slope = np.linalg.solve(moments, slope)
        offset = -np.inf
        for j in range(s, e):
            offset = max(offset, values[j] - np.dot(slope, atoms[j]))
        nodes[node, 2 * dim : 3 * dim] = slope
        nodes[node, 3 * dim] = offset
    return nodes


@njit(cache=True)
def _least(x, nodes, node, period):
    """Return the least of c(x, y) - slope.y - offset over the box of a node."""
    dim = x.size
    total = -nodes[node, 3 * dim]
    for k in range(dim):
        low, high, slope = nodes[node, k], nodes[node, dim + k], nodes[node, 2 * dim + k]
        # x and y lie within a period of each other: the nearest image is one of three
        turns = 1 if period[k] > 0.0 else 0
        best = np.inf
        for turn in range(-turns, turns + 1):
            image = x[k] + turn * period[k]
            y = min(max(image + 0.5 * slope, low), high)
            best = min(best, (image - y) ** 2 - slope * y)
        total += best
    return total


@njit(cache=True, nogil=True)
def _search(x, atoms, values, nodes, slack, period, count):
    """Return places (n, count) in ``atoms`` and reduced costs (n, count) for queries x that are in order."""
    n, leaves = x.shape[0], nodes.shape[0] // 2
    where = np.zeros((n, count), dtype=np.int64)
    costs = np.full((n, count), np.inf)
    stack = np.empty(128, dtype=np.int64)
    bounds = np.empty(128)
    for i in range(n):
        limit = np.inf
        if i > 0:
            limit = -np.inf
            for slot in range(count):
                limit = max(limit, _reduced(x[i], atoms, values, where[i - 1, slot], period))
            limit += slack
        top = 1
        stack[0], bounds[0] = 1, -np.inf
        while top > 0:
            top -= 1
            node = stack[top]
            if bounds[top] > limit:
                continue
            if node >= leaves:
                s, e = (
                    (node - leaves) * atoms.shape[0] // leaves,
                    (node - leaves + 1) * atoms.shape[0] // leaves,
                )
                for j in range(s, e):
                    total = _reduced(x[i], atoms, values, j, period)
                    if total < costs[i, count - 1]:
                        insert(costs[i], where[i], total, j)
                limit = min(limit, costs[i, count - 1] + slack)
                continue
            left, right = 2 * node, 2 * node + 1
            one, other = _least(x[i], nodes, left, period), _least(x[i], nodes, right, period)
            if one < other:
                left, right, one, other = right, left, other, one
            stack[top], bounds[top] = left, one
            stack[top + 1], bounds[top + 1] = right, other
            top += 2
    return where, costs


@njit(cache=True)
def insert(costs, where, total, j):
    """Put atom ``j`` at its place among the cheapest (count,), in order, instead of the dearest."""
    slot = costs.size - 1
    while slot > 0 and costs[slot - 1] > total:
        costs[slot] = costs[slot - 1]
        where[slot] = where[slot - 1]
        slot -= 1
    costs[slot] = total
    where[slot] = j


@njit(cache=True)
def _reduced(x, atoms, values, j, period):
    """Return c(x, y_j) - v_j."""
    total = -values[j]
    for k in range(x.size):
        step = x[k] - atoms[j, k]
        if period[k] > 0.0:
            step -= period[k] * np.rint(step / period[k])
        total += step * step
    return total
