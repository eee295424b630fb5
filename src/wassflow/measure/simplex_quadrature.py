"""Quadrature on triangles and tetrahedra, in blocks, refined only where the integrand is rough.

The rules are symmetric, so that an integral does not depend on the order in which a mesh lists the vertices
of a cell (that order may change with the partition), and have positive weights, so that the mass of a
nonnegative density is nonnegative.
"""

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from wassflow.arguments import Array

#: points evaluated at a time: bounds the memory of a user function at a few tens of MiB
BLOCK = 1 << 18


def _orbit(*barycentric: float) -> list[tuple[float, ...]]:
    """Return the distinct permutations of barycentric coordinates."""
    return sorted(set(permutations(barycentric)))


def rule(dim: int) -> tuple[Array, Array]:
    """Return barycentric nodes ``(q, d+1)`` and weights ``(q,)`` (sum 1) of a rule of degree 5.

    d = 1: Gauss, 3 nodes. d = 2: Radon, 7 nodes. d = 3: Stroud T3:5-1, 15 nodes. (Stroud, Approximate
    Calculation of Multiple Integrals, 1971, chapter 8.)

    >>> nodes, weights = rule(2)
    >>> nodes.shape, float(weights.sum().round(15))
    ((7, 3), 1.0)
    """
    root = np.sqrt(15.0)
    if dim == 1:
        a = 0.5 * (1.0 - np.sqrt(0.6))
        groups = [(_orbit(0.5, 0.5), 4.0 / 9.0), (_orbit(a, 1.0 - a), 5.0 / 18.0)]
    elif dim == 2:
        groups = [(_orbit(1 / 3, 1 / 3, 1 / 3), 9.0 / 40.0)]
        for sign in (-1.0, 1.0):
            a = (6.0 + sign * root) / 21.0
            groups.append((_orbit(a, a, 1.0 - 2.0 * a), (155.0 + sign * root) / 1200.0))
    elif dim == 3:
        groups = [(_orbit(0.25, 0.25, 0.25, 0.25), 16.0 / 135.0)]
        for sign in (-1.0, 1.0):
            a = (7.0 + sign * root) / 34.0
            groups.append((_orbit(a, a, a, 1.0 - 3.0 * a), (2665.0 - sign * 14.0 * root) / 37800.0))
        c = (5.0 - root) / 20.0
        groups.append((_orbit(c, c, 0.5 - c, 0.5 - c), 10.0 / 189.0))
    else:
        raise ValueError(f"dim must be 1, 2 or 3, found {dim}")
    nodes = np.array([node for orbit, _ in groups for node in orbit])
    weights = np.array([weight for orbit, weight in groups for _ in orbit])
    return nodes, weights / weights.sum()


def simplex_volumes(simplices: Array) -> Array:
    """Return the volumes ``(n,)`` of simplices ``(n, d+1, d)``."""
    dim = simplices.shape[2]
    edges = simplices[:, 1:, :] - simplices[:, :1, :]
    factorial = float(np.prod(np.arange(1, dim + 1)))
    return np.abs(np.linalg.det(edges)) / factorial


def simplex_inertia(simplices: Array) -> Array:
    """Return the mean squared distance ``(n,)`` of a uniform point to the centroid of its simplex.

    It is the sum of the squared edges over (d+1)^2 (d+2) (validation targets 2.7: /36 and /80).
    """
    corners = simplices.shape[1]
    offsets = simplices - simplices.mean(axis=1, keepdims=True)
    # sum of squared edges = (d+1) * sum of squared distances of the vertices to the centroid
    return np.einsum("nkd,nkd->n", offsets, offsets) / (corners * (corners + 1))


def bisected(simplices: Array) -> Array:
    """Return the simplices ``(2n, d+1, d)`` halved across their longest edge; halves of i are 2i and 2i+1."""
    n, corners, _ = simplices.shape
    pairs = [(i, j) for i in range(corners) for j in range(i + 1, corners)]
    lengths = np.stack([np.sum((simplices[:, i] - simplices[:, j]) ** 2, axis=1) for i, j in pairs])
    longest = np.asarray(pairs)[np.argmax(lengths, axis=0)]
    rows = np.arange(n)
    middle = 0.5 * (simplices[rows, longest[:, 0]] + simplices[rows, longest[:, 1]])
    halves = np.repeat(simplices, 2, axis=0)
    halves[2 * rows, longest[:, 1]] = middle
    halves[2 * rows + 1, longest[:, 0]] = middle
    return halves


def quadrature_blocks(simplices: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Yield ``(which, nodes (n*q, d), weights (q,))`` for blocks of simplices."""
    nodes, weights = rule(simplices.shape[2])
    step = max(1, BLOCK // len(weights))
    for start in range(0, len(simplices), step):
        which = slice(start, min(start + step, len(simplices)))
        points = np.matmul(nodes, simplices[which]).reshape(-1, simplices.shape[2])
        yield which, points, weights


def cell_means(simplices: Array, function: Callable[[Array], Array]) -> Array:
    """Return the means ``(n,)`` or ``(n, k)`` of a function over each simplex by the rule of degree 5."""
    parts = []
    for _, points, weights in quadrature_blocks(simplices):
        values = function(points)
        parts.append(np.tensordot(values.reshape(-1, len(weights), *values.shape[1:]), weights, axes=(1, 0)))
    return np.concatenate(parts) if parts else np.zeros(0)


def adaptive_integrals(
    simplices: Array, function: Callable[[Array], Array], levels: int, tolerance: Callable[[Array], float]
) -> Array:
    """Return the integrals ``(n,)`` of a scalar function over each simplex.

    A simplex is split (into 2^d by bisection) while its integral changes by more than ``tolerance`` (called
    with the first estimate of all the integrals), at most ``levels`` times.
    """
    integrals = simplex_volumes(simplices) * cell_means(simplices, function)
    allowed = tolerance(integrals)
    # one block after another: all of them, split into 2^d at once, need a multiple of the memory of a mesh
    step = max(1, BLOCK >> simplices.shape[2])
    for start in range(0, len(simplices), step):
        block = slice(start, start + step)
        _correct(integrals[block], simplices[block], function, levels, allowed)
    return integrals


def _correct(
    integrals: Array, simplices: Array, function: Callable[[Array], Array], levels: int, allowed: float
) -> None:
    """Add to the integrals what splitting changes, until no piece changes by more than ``allowed``."""
    dim = simplices.shape[2]
    parents, pieces, coarse = np.arange(len(simplices)), simplices, integrals.copy()
    for _ in range(levels):
        parts = pieces
        for _ in range(dim):
            parts = bisected(parts)
        fine = simplex_volumes(parts) * (cell_means(parts, function) if len(parts) else np.zeros(0))
        change = fine.reshape(-1, 1 << dim).sum(axis=1) - coarse
        np.add.at(integrals, parents, change)
        rough = np.abs(change) > allowed
        if not rough.any():
            break
        keep = np.repeat(rough, 1 << dim)
        parents, pieces, coarse = np.repeat(parents, 1 << dim)[keep], parts[keep], fine[keep]
