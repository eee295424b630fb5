"""Small geometry on arrays: volumes of simplices, Morton order, vertices shared by simplices."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def simplex_volumes(simplices: Array) -> Array:
    """Return the volumes (ns,) of simplices (ns, d+1, d)."""
    d = simplices.shape[2]
    edges = simplices[:, 1:] - simplices[:, :1]
    if d == 2:
        determinant = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    else:
        determinant = np.einsum("ni,ni->n", edges[:, 0], np.cross(edges[:, 1], edges[:, 2]))
    return np.asarray(np.abs(determinant) / math.factorial(d))


def barycentres(simplices: Array) -> Array:
    """Return the barycentres (ns, d) of simplices, vertex by vertex: faster than a mean of rows."""
    total = simplices[:, 0].copy()
    for vertex in range(1, simplices.shape[1]):
        total += simplices[:, vertex]
    return total / simplices.shape[1]


def bounding_box(simplices: Array) -> tuple[Array, Array]:
    """Return the least and the largest coordinates (d,) of simplices; axis by axis, again for speed."""
    axes = [simplices[:, :, axis] for axis in range(simplices.shape[2])]
    return np.array([x.min() for x in axes]), np.array([x.max() for x in axes])


def morton_order(points: Array) -> NDArray[np.int64]:
    """Return the order of points (n, d) along a Morton curve: near in space, near in memory."""
    n, d = points.shape
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    low = points.min(axis=0)
    extent = float(np.max(points.max(axis=0) - low))
    bits = 62 // d
    cells = np.minimum((points - low) / (extent if extent > 0 else 1.0) * 2.0**bits, 2.0**bits - 1)
    cells = cells.astype(np.uint64)
    code = np.zeros(n, dtype=np.uint64)
    for bit in range(bits):
        for axis in range(d):
            one = (cells[:, axis] >> np.uint64(bit)) & np.uint64(1)
            code |= one << np.uint64(bit * d + axis)
    return np.argsort(code, kind="stable")


def box_heap(simplices: Array) -> Array:
    """Return boxes (2P, 2d) = (centre, half width) over simplices in their given order, as a binary heap.

    Node 1 is the root, node P + k the k-th simplex, P a power of two; an empty node has half width -1.
    """
    n, _, d = simplices.shape
    leaves = 1 << max(0, (n - 1).bit_length())
    low = np.full((2 * leaves, d), np.inf)
    high = np.full((2 * leaves, d), -np.inf)
    low[leaves : leaves + n] = simplices.min(axis=1)
    high[leaves : leaves + n] = simplices.max(axis=1)
    level = leaves
    while level > 1:
        half = level // 2
        low[half:level] = np.minimum(low[level : 2 * level : 2], low[level + 1 : 2 * level : 2])
        high[half:level] = np.maximum(high[level : 2 * level : 2], high[level + 1 : 2 * level : 2])
        level = half
    empty = ~(low[:, 0] <= high[:, 0])
    low[empty] = 0.0
    high[empty] = 0.0
    centre = 0.5 * (low + high)
    half_width = np.maximum(high - centre, centre - low)
    half_width[empty] = -1.0
    return np.ascontiguousarray(np.hstack([centre, half_width]))


def vertex_numbers(simplices: Array, period: Array) -> NDArray[np.int64]:
    """Number the vertices of simplices (ns, d+1, d): equal numbers for points equal to 1e-9 of the extent.

    Vertices a whole ``period`` apart are the same one. Used to smooth a density, never to integrate, so
    that a rare pair of neighbours split by the rounding does no harm.
    """
    ns, k, d = simplices.shape
    points = simplices.reshape(ns * k, d)
    low = points.min(axis=0)
    extent = float(np.max(points.max(axis=0) - low))
    tick = 1e-9 * (extent if extent > 0 else 1.0)
    relative = points - low
    periodic = np.isfinite(period)
    relative[:, periodic] = np.mod(relative[:, periodic] + 0.25 * tick, period[periodic]) - 0.25 * tick
    keys = np.rint(relative / tick).astype(np.int64)
    mixed = keys @ np.array([1, 0x9E3779B97F4A7C15 >> 8, 0xC2B2AE3D27D4EB4F >> 9][:d], dtype=np.int64)
    _, inverse = np.unique(mixed, return_inverse=True)
    return inverse.reshape(ns, k)
