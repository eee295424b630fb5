"""What both kernels do with the pieces of Laguerre cells: the certificate, and room for facets."""

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def worst_gap(vertices, num_vertices, seeds, power, a, size, dims):
    """Return by how much seed ``a`` of a list is not the nearest at a vertex, at most; 0 for its cell."""
    worst = 0.0
    for k in range(num_vertices):
        for b in range(size):
            gap = power[a] - power[b]
            for c in range(len(dims)):
                gap += 2.0 * (seeds[b, c] - seeds[a, c]) * vertices[k, c]
            worst = max(worst, gap)
    return worst


@njit(cache=True, error_model="numpy")
def with_room_for_facet(rows, columns, weights, used):
    """Return the facets so far, in longer arrays if these are full."""
    if used < rows.size:
        return rows, columns, weights
    more = np.empty(used, np.int32)
    return (
        np.concatenate((rows, more)),
        np.concatenate((columns, more)),
        np.concatenate((weights, np.empty(used))),
    )
