"""Laguerre cells cut with a triangle mesh: exact masses, moments and facets.

Every seed that can be nearest in a piece (:mod:`wassflow.laguerre.candidates`) clips it by its bisectors.
Half-planes always come from the pair of seeds, never from the direction of a computed edge, so that
co-circular seeds (zero-length edges) lose no area.
"""

import math

import numpy as np
from numba import njit

from wassflow.laguerre.candidates import short_lists
from wassflow.laguerre.pieces import with_room_for_facet, worst_gap

# Longest list that is clipped without bisecting (12 to 24 do equally well at 1e5 seeds).
LONGEST_LIST = 20
_PLANE = (0.0, 0.0)


@njit(cache=True, error_model="numpy", nogil=True)
def integrate(triangles, density, boxes, root, sites, psi, owner, size, tol, certify, collect):
    """Integrate over the pieces (cell of a site) x (triangle).

    ``triangles`` (ns, 3, 2) are in the order of the leaves of ``boxes`` (2P, 4), a heap of (centre, half
    width), half width negative for an empty node, and those below the node ``root`` count; ``sites`` (M, 2),
    ``psi`` (M,) hold all images, ``owner`` (M,) the site of each.
    Returns mass (size,), first (size, 2) = int (x - y), second (size,) = int |x - y|^2, facets (rows,
    columns, int density / (2 |y_i - y_j|)), (tiling defect, excess) as masses and mass x squared length,
    and, if ``collect``, the polygons (vertices, offsets, site, triangle).
    """
    mass, first, second = np.zeros(size), np.zeros((size, 2)), np.zeros(size)
    rows, cols = np.empty(4 * size + 64, np.int32), np.empty(4 * size + 64, np.int32)
    weights = np.empty(4 * size + 64)
    num_facets, defect, excess = 0, 0.0, 0.0
    pieces = 1024 if collect else 1
    vertices, offsets = np.empty((4 * pieces, 2)), np.zeros(pieces + 1, np.int64)
    piece_site, piece_triangle = np.empty(pieces, np.int32), np.empty(pieces, np.int32)
    num_pieces, num_vertices = 0, 0
    room = 0
    for tri, centre, corners, near, power in short_lists(
        triangles, boxes, root, sites, psi, tol, LONGEST_LIST, _PLANE
    ):
        rho, n = density[tri], near.size
        if n > room:
            room = max(2 * n, 4 * LONGEST_LIST)
            seeds = np.empty((room, 2))
            polygon, label = np.empty((2, room + 8, 2)), np.empty((2, room + 8), np.int32)
            height = np.empty(room + 8)
        for k in range(n):
            seeds[k, 0], seeds[k, 1] = sites[near[k], 0], sites[near[k], 1]
        covered = 0.0
        for a in range(n):
            row, nv = _clip(corners, seeds, power, a, n, polygon, label, height)
            if nv < 3:
                continue
            piece, behind = polygon[row], label[row]
            i = owner[near[a]]
            twice, mx, my, m2 = _moments(piece, nv, centre[0] - seeds[a, 0], centre[1] - seeds[a, 1])
            covered += twice
            mass[i] += 0.5 * rho * twice
            first[i, 0] += rho * mx / 6.0
            first[i, 1] += rho * my / 6.0
            second[i] += rho * m2 / 24.0
            if certify:
                excess += 0.5 * rho * twice * worst_gap(piece, nv, seeds, power, a, n, _PLANE)
            for k in range(nv):
                b = behind[k]
                if b < 0 or owner[near[b]] <= i:
                    continue
                after = k + 1 if k + 1 < nv else 0
                length = math.hypot(piece[after, 0] - piece[k, 0], piece[after, 1] - piece[k, 1])
                if length > 0.0:
                    rows, cols, weights = with_room_for_facet(rows, cols, weights, num_facets)
                    apart = math.hypot(seeds[b, 0] - seeds[a, 0], seeds[b, 1] - seeds[a, 1])
                    rows[num_facets], cols[num_facets] = i, owner[near[b]]
                    weights[num_facets] = 0.5 * rho * length / apart
                    num_facets += 1
            if collect:
                if num_pieces + 1 >= offsets.size:
                    offsets = np.concatenate((offsets, np.zeros(num_pieces + 1, np.int64)))
                    piece_site = np.concatenate((piece_site, np.empty(num_pieces + 1, np.int32)))
                    piece_triangle = np.concatenate((piece_triangle, np.empty(num_pieces + 1, np.int32)))
                if num_vertices + nv > vertices.shape[0]:
                    vertices = np.concatenate((vertices, np.empty((num_vertices + nv, 2))))
                for k in range(nv):
                    vertices[num_vertices, 0] = piece[k, 0] + centre[0]
                    vertices[num_vertices, 1] = piece[k, 1] + centre[1]
                    num_vertices += 1
                piece_site[num_pieces], piece_triangle[num_pieces] = i, tri
                num_pieces += 1
                offsets[num_pieces] = num_vertices
        defect += 0.5 * rho * abs(covered - _twice_area(corners, 0, 1, 2))
    return (
        mass,
        first,
        second,
        rows[:num_facets],
        cols[:num_facets],
        weights[:num_facets],
        defect,
        excess,
        vertices[:num_vertices],
        offsets[: num_pieces + 1],
        piece_site[:num_pieces],
        piece_triangle[:num_pieces],
    )


@njit(cache=True, error_model="numpy")
def _clip(corners, seeds, power, a, n, polygon, label, height):
    """Clip a triangle to the cell of seed ``a``; return the row of ``polygon`` and its number of vertices.

    ``label[row, k]`` is the seed behind the edge from vertex k to the next, -1 on the edges of the triangle.
    """
    row, nv = 0, 3
    for k in range(3):
        polygon[0, k, 0], polygon[0, k, 1] = corners[k, 0], corners[k, 1]
        label[0, k] = -1
    for b in range(n):
        if b != a:
            ax, ay = 2.0 * (seeds[b, 0] - seeds[a, 0]), 2.0 * (seeds[b, 1] - seeds[a, 1])
            row, nv = _cut(polygon, label, row, nv, ax, ay, power[a] - power[b], b, height)
            if nv == 0:
                break
    return row, nv


@njit(cache=True, error_model="numpy")
def _cut(polygon, label, row, nv, ax, ay, b, new, height):
    """Cut the polygon in row ``row`` by a.z + b <= 0; return the row of the rest, its number of vertices."""
    out = 0
    for k in range(nv):
        height[k] = ax * polygon[row, k, 0] + ay * polygon[row, k, 1] + b
        if height[k] > 0.0:
            out += 1
    if out == 0:
        return row, nv
    if out == nv:
        return row, 0
    rest, q = 1 - row, 0
    for k in range(nv):
        after = k + 1 if k + 1 < nv else 0
        if height[k] <= 0.0:
            polygon[rest, q, 0], polygon[rest, q, 1] = polygon[row, k, 0], polygon[row, k, 1]
            label[rest, q] = label[row, k]
            q += 1
            if height[after] > 0.0:
                _crossing(polygon, row, k, after, height, rest, q)
                label[rest, q] = new
                q += 1
        elif height[after] <= 0.0:
            _crossing(polygon, row, after, k, height, rest, q)
            label[rest, q] = label[row, k]
            q += 1
    return rest, q


@njit(cache=True, error_model="numpy")
def _crossing(polygon, row, kept, gone, height, rest, q):
    """Write the vertex of the rest where the edge from a vertex that is kept to one that is not is cut."""
    t = height[kept] / (height[kept] - height[gone])
    for c in range(2):
        start = polygon[row, kept, c]
        polygon[rest, q, c] = start + t * (polygon[row, gone, c] - start)


@njit(cache=True, error_model="numpy")
def _moments(piece, nv, ox, oy):
    """Return int 2, int 6 (x, y) and int 24 (x^2 + y^2) over a polygon, moved by (ox, oy)."""
    u0, v0 = piece[0, 0] + ox, piece[0, 1] + oy
    total, mx, my, m2 = 0.0, 0.0, 0.0, 0.0
    for k in range(1, nv - 1):
        twice = _twice_area(piece, 0, k, k + 1)
        u1, v1 = piece[k, 0] + ox, piece[k, 1] + oy
        u2, v2 = piece[k + 1, 0] + ox, piece[k + 1, 1] + oy
        su, sv = u0 + u1 + u2, v0 + v1 + v2
        total += twice
        mx += twice * su
        my += twice * sv
        m2 += twice * (u0 * u0 + u1 * u1 + u2 * u2 + v0 * v0 + v1 * v1 + v2 * v2 + su * su + sv * sv)
    return total, mx, my, m2


@njit(cache=True, error_model="numpy")
def _twice_area(vertices, p, q, r):
    """Return twice the area of the triangle of three of the vertices."""
    ax, ay = vertices[q, 0] - vertices[p, 0], vertices[q, 1] - vertices[p, 1]
    bx, by = vertices[r, 0] - vertices[p, 0], vertices[r, 1] - vertices[p, 1]
    return abs(ax * by - ay * bx)
