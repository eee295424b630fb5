"""Which seeds can be nearest somewhere in a piece of the mesh: one recursion for both dimensions.

A box hierarchy over the simplices is walked from a node with the list of seeds that can still be nearest
somewhere in the box; a seed leaves the list when the seed nearest to the centre beats it on the whole box.
The difference of two power distances is affine, so this test is exact for any potential: no model of psi and
no tree over the seeds is needed. A simplex with a long list is bisected across its longest edge; with a short
list it is handed out, for its seeds to be clipped by their bisectors.
"""

import numpy as np
from numba import njit

# Simplices are bisected so often at most, or until so many bisections in a row did not take a quarter off the
# list: that many cells really meet in one point, or, where seeds lie on a line, all along another, and then
# the pieces would double with every level.
DEEPEST = 60
PATIENCE = 6
# Room for the walk from the root of a heap, two nodes for each of its levels.
_STACK = 128


# A generator that was read from the disk cannot be compiled into a function that iterates over it: only those
# functions are cached.
@njit(error_model="numpy")
def short_lists(simplices, boxes, root, sites, psi, tol, longest, dims):
    """Yield pieces of the simplices, and the seeds that can be nearest in each.

    ``simplices`` (ns, d + 1, d) are in the order of the leaves of ``boxes`` (2 P, 2 d), a heap of centres and
    half widths, half width negative for an empty node, and those below the node ``root`` count; ``sites``
    (M, d), ``psi`` (M,). Lists have up to ``longest`` seeds, more only where bisecting does not help.
    ``dims`` is any tuple of d numbers: its length is known when this is compiled, and loops over it are
    unrolled.

    Yields the simplex, centroid (d,) and corners (d + 1, d) of the piece, relative to it, and the seeds with
    their power distances |y - centroid|^2 - psi, the nearest first. The arrays are overwritten by the next.
    """
    d, count = len(dims), sites.shape[0]
    leaves = boxes.shape[0] // 2
    arena, power = np.empty(3 * count + 4096, np.int32), np.empty(3 * count + 4096)
    for i in range(count):
        arena[i] = i
    nodes, starts, ends = (np.empty(_STACK, np.int64), np.empty(_STACK, np.int64), np.empty(_STACK, np.int64))
    pieces, lists = np.empty((DEEPEST + 2, d + 1, d)), np.empty((DEEPEST + 2, 5), np.int64)
    corners, values = np.empty((d + 1, d)), np.empty((4 * longest + 1, d + 1))

    nodes[0], starts[0], ends[0] = root, 0, count
    top = 1
    while top > 0:
        top -= 1
        node, start, end = nodes[top], starts[top], ends[top]
        if boxes[node, d] < 0.0:
            continue
        if node < leaves:
            if 2 * end - start + 8 > arena.size:
                arena, power = _grown(arena, end)
            near, best = _nearest(sites, psi, arena, power, start, end, _point(boxes, node, 0, dims))
            half = _point(boxes, node, d, dims)
            kept = _keep_in_box(sites, arena, power, start, end, near, best, half, tol)
            for child in (2 * node + 1, 2 * node):
                nodes[top], starts[top], ends[top] = child, end, kept
                top += 1
            continue
        for v in range(d + 1):
            for c in range(d):
                pieces[0, v, c] = simplices[node - leaves, v, c]
        _describe(lists, 0, start, end, 0, end - start, PATIENCE)
        waiting = 1
        while waiting > 0:
            waiting -= 1
            start, end, depth = lists[waiting, 0], lists[waiting, 1], lists[waiting, 2]
            shorter, patience = lists[waiting, 3], lists[waiting, 4] - 1
            if 2 * end - start + 8 > arena.size:
                arena, power = _grown(arena, end)
            centre = _centred(pieces, waiting, corners, dims)
            near, best = _nearest(sites, psi, arena, power, start, end, centre)
            kept = _keep_in_simplex(sites, arena, power, start, end, near, best, corners, tol, dims)
            if kept - end <= 4 * longest:
                _sort(arena, power, end, kept)
                kept = _undominated(sites, arena, power, end, kept, corners, values, dims)
            size = kept - end
            if size <= shorter:
                shorter, patience = 3 * size // 4, PATIENCE
            if size > longest and patience > 0 and depth < DEEPEST:
                _bisect(centre, corners, pieces, waiting)
                for _ in range(2):
                    _describe(lists, waiting, end, kept, depth + 1, shorter, patience)
                    waiting += 1
                continue
            yield node - leaves, centre, corners, arena[end:kept], power[end:kept]


@njit(cache=True, error_model="numpy")
def _grown(arena, end):
    """Return longer arrays, of which the first keeps what stands before ``end``."""
    grown = np.empty(4 * end + 8, np.int32)
    grown[:end] = arena[:end]
    return grown, np.empty(grown.size)


@njit(cache=True, error_model="numpy")
def _describe(lists, piece, start, end, depth, shorter, patience):
    lists[piece, 0], lists[piece, 1] = start, end
    lists[piece, 2], lists[piece, 3], lists[piece, 4] = depth, shorter, patience


@njit(cache=True, error_model="numpy")
def _point(rows, row, first, dims):
    """Return d numbers of a row as a tuple, which is quicker than an array."""
    if len(dims) == 2:
        return (rows[row, first], rows[row, first + 1])
    return (rows[row, first], rows[row, first + 1], rows[row, first + 2])


@njit(cache=True, error_model="numpy")
def _centred(pieces, at, corners, dims):
    """Write the corners of a piece relative to its centroid; return this."""
    for c in range(len(dims)):
        mean = 0.0
        for v in range(len(dims) + 1):
            mean += pieces[at, v, c]
        mean /= len(dims) + 1.0
        for v in range(len(dims) + 1):
            corners[v, c] = pieces[at, v, c] - mean
        pieces[at, 0, c] = mean
    return _point(pieces[at], 0, 0, dims)


@njit(cache=True, error_model="numpy")
def _nearest(sites, psi, arena, power, start, end, centre):
    """Fill ``power`` with the power distances from a point to a list; return the nearest seed and its."""
    best = np.inf
    near = arena[start]
    for k in range(start, end):
        i = arena[k]
        p = 0.0
        for c in range(len(centre)):
            step = sites[i, c] - centre[c]
            p += step * step
        p -= psi[i]
        power[k] = p
        if p < best:
            best = p
            near = i
    return near, best


@njit(cache=True, error_model="numpy")
def _keep_in_box(sites, arena, power, start, end, near, best, half, tol):
    """Copy the seeds behind the list that ``near`` does not beat on the whole box; return their end."""
    kept = end
    for k in range(start, end):
        i = arena[k]
        reach = 0.0
        for c in range(len(half)):
            reach += abs(sites[i, c] - sites[near, c]) * half[c]
        if power[k] - best <= 2.0 * reach + tol:
            arena[kept] = i
            kept += 1
    return kept


@njit(cache=True, error_model="numpy")
def _keep_in_simplex(sites, arena, power, start, end, near, best, corners, tol, dims):
    """Copy the seeds behind the list that ``near`` does not beat at all corners; return their end."""
    kept = end
    for k in range(start, end):
        i = arena[k]
        reach = -np.inf
        for v in range(len(dims) + 1):
            along = 0.0
            for c in range(len(dims)):
                along += (sites[i, c] - sites[near, c]) * corners[v, c]
            reach = max(reach, along)
        if power[k] - best <= 2.0 * reach + tol or i == near:
            arena[kept] = i
            power[kept] = power[k]
            kept += 1
    return kept


@njit(cache=True, error_model="numpy")
def _sort(arena, power, start, end):
    """Sort a short list by power distance."""
    for k in range(start, end):
        p, i = power[k], arena[k]
        r = k
        while r > start and power[r - 1] > p:
            power[r], arena[r] = power[r - 1], arena[r - 1]
            r -= 1
        power[r], arena[r] = p, i


@njit(cache=True, error_model="numpy")
def _undominated(sites, arena, power, start, end, corners, values, dims):
    """Drop the seeds that one before them in the list beats at all corners; return the end of the others."""
    near, best = arena[start], power[start]
    size = 0
    for k in range(start, end):
        i = arena[k]
        for v in range(len(dims) + 1):
            along = 0.0
            for c in range(len(dims)):
                along += (sites[i, c] - sites[near, c]) * corners[v, c]
            values[size, v] = power[k] - best - 2.0 * along
        beaten = False
        for b in range(size):
            beaten = True
            for v in range(len(dims) + 1):
                if values[b, v] > values[size, v]:
                    beaten = False
                    break
            if beaten:
                break
        if not beaten:
            arena[start + size] = i
            power[start + size] = power[k]
            size += 1
    return start + size


@njit(cache=True, error_model="numpy")
def _bisect(centre, corners, pieces, at):
    """Cut the simplex across its longest edge; its halves take the places ``at`` and ``at + 1``."""
    longest, p, q = -1.0, 0, 1
    for a in range(corners.shape[0]):
        for b in range(a + 1, corners.shape[0]):
            square = np.sum((corners[a] - corners[b]) ** 2)
            if square > longest:
                longest, p, q = square, a, b
    for half, gone in ((at, p), (at + 1, q)):
        for c in range(corners.shape[1]):
            for v in range(corners.shape[0]):
                pieces[half, v, c] = corners[v, c] + centre[c]
            pieces[half, gone, c] = 0.5 * (corners[p, c] + corners[q, c]) + centre[c]
