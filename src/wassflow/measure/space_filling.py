"""Orders that keep neighbours together: a Hilbert curve over points, a Sierpinski curve inside a simplex."""

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array


def hilbert_order(points: Array) -> NDArray[np.int64]:
    """Return the order of points ``(n, d)`` along a Hilbert curve through their bounding box.

    Skilling, Programming the Hilbert curve, AIP Conf. Proc. 707 (2004) 381, on the whole array at once.

    >>> print(hilbert_order(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])))
    [0 2 3 1]
    """
    dim = points.shape[1]
    bits = min(20, 63 // dim)
    low = points.min(axis=0)
    extent = float((points.max(axis=0) - low).max())
    if extent == 0.0:
        return np.arange(len(points))
    grid = np.minimum(((points - low) / extent * 2.0**bits).astype(np.int64), (1 << bits) - 1)
    axes = [grid[:, i].copy() for i in range(dim)]
    level = 1 << (bits - 1)
    while level > 1:
        mask = level - 1
        for axis in range(dim):
            high = (axes[axis] & level) != 0
            swap = np.where(high, 0, (axes[0] ^ axes[axis]) & mask)
            axes[0] = np.where(high, axes[0] ^ mask, axes[0] ^ swap)
            if axis:
                axes[axis] ^= swap
        level >>= 1
    for axis in range(1, dim):
        axes[axis] ^= axes[axis - 1]
    flip = np.zeros_like(axes[0])
    level = 1 << (bits - 1)
    while level > 1:
        flip ^= np.where((axes[-1] & level) != 0, level - 1, 0)
        level >>= 1
    key = np.zeros_like(axes[0])
    for bit in range(bits - 1, -1, -1):
        for axis in range(dim):
            key = (key << 1) | (((axes[axis] ^ flip) >> bit) & 1)
    return np.argsort(key, kind="stable")


def descend(simplices: Array, positions: Array, levels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Follow positions in [0, 1) down a bisection of their simplices.

    Each simplex is halved ``levels`` times across its longest edge; the half is chosen by the next binary
    digit of the position, in the order of the edge's ends: near positions end in near pieces of equal volume.

    Returns:
        the pieces ``(n, d+1, d)`` and what is left of the positions ``(n,)``.
    """
    pieces, rest = simplices.copy(), positions.copy()
    corners = simplices.shape[1]
    pairs = np.array([(i, j) for i in range(corners) for j in range(i + 1, corners)])
    for level in range(int(levels.max(initial=0))):
        rows = np.flatnonzero(levels > level)
        chosen = pieces[rows]
        lengths = np.stack([np.sum((chosen[:, i] - chosen[:, j]) ** 2, axis=1) for i, j in pairs])
        longest = pairs[np.argmax(lengths, axis=0)]
        line = np.arange(len(rows))
        middle = 0.5 * (chosen[line, longest[:, 0]] + chosen[line, longest[:, 1]])
        doubled = 2.0 * rest[rows]
        upper = doubled >= 1.0
        chosen[line, np.where(upper, longest[:, 0], longest[:, 1])] = middle
        pieces[rows] = chosen
        rest[rows] = doubled - upper
    return pieces, rest
