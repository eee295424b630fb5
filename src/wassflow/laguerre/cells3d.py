"""Laguerre cells cut with a mesh of tetrahedra: :mod:`wassflow.laguerre.cells2d` in 3D.

A piece is a simple polyhedron (three edges at every vertex) held as half-edges 4 v + slot; a cut relinks it
by walking its faces (Powell and Abel, J. Comput. Phys. 297, 2015). Which vertices go is decided by the sign
of the difference of two power distances, so that the links stay those of a polyhedron whatever rounding
does, and a face knows the seed behind it.
"""

import math

import numpy as np
from numba import njit

from wassflow.laguerre.candidates import short_lists
from wassflow.laguerre.pieces import with_room_for_facet, worst_gap

# 40 to 100 do equally well at 1e5 seeds, the longer ones leave fewer pieces.
LONGEST_LIST = 50
_SPACE = (0.0, 0.0, 0.0)
# A consistent orientation of the half-edges of a tetrahedron.
_TETRAHEDRON = np.array([6, 14, 8, -1, 10, 12, 0, -1, 2, 13, 4, -1, 5, 9, 1, -1], dtype=np.int32)


@njit(cache=True, error_model="numpy", nogil=True)
def integrate(tetrahedra, density, boxes, root, sites, psi, owner, size, tol, certify):
    """Integrate over the pieces (cell of a site) x (tetrahedron); see
    :func:`wassflow.laguerre.cells2d.integrate`.

    Returns mass (size,), first (size, 3), second (size,), facets (rows, columns, weights), tiling defect,
    excess.
    """
    mass, first, second = np.zeros(size), np.zeros((size, 3)), np.zeros(size)
    rows, cols = np.empty(16 * size + 64, np.int32), np.empty(16 * size + 64, np.int32)
    weights = np.empty(16 * size + 64)
    num_facets, defect, excess = 0, 0.0, 0.0
    room = 0
    for tet, centre, corners, near, power in short_lists(
        tetrahedra, boxes, root, sites, psi, tol, LONGEST_LIST, _SPACE
    ):
        rho, n = density[tet], near.size
        if n > room:
            room = max(2 * n, 4 * LONGEST_LIST)
            seeds, areas = np.empty((room, 3)), np.empty(room)
            pos, height = np.empty((4 * room + 64, 3)), np.empty(4 * room + 64)
            twin, face = np.empty(16 * room + 256, np.int32), np.empty(16 * room + 256, np.int32)
            seen = np.empty(16 * room + 256, np.bool_)
        for k in range(n):
            for c in range(3):
                seeds[k, c] = sites[near[k], c]
        covered = 0.0
        for a in range(n):
            nv = _clip(corners, seeds, power, a, n, pos, twin, face, height)
            if nv < 4:
                continue
            i = owner[near[a]]
            ox, oy, oz = centre[0] - seeds[a, 0], centre[1] - seeds[a, 1], centre[2] - seeds[a, 2]
            for b in range(n):
                areas[b] = 0.0
            six, mx, my, mz, m2 = _moments(pos, twin, face, nv, ox, oy, oz, seen, areas)
            covered += six
            mass[i] += rho * six / 6.0
            first[i, 0] += rho * mx / 24.0
            first[i, 1] += rho * my / 24.0
            first[i, 2] += rho * mz / 24.0
            second[i] += rho * m2 / 120.0
            if certify:
                excess += rho * six / 6.0 * worst_gap(pos, nv, seeds, power, a, n, _SPACE)
            for b in range(n):
                if areas[b] > 0.0 and owner[near[b]] > i:
                    rows, cols, weights = with_room_for_facet(rows, cols, weights, num_facets)
                    apart = 0.0
                    for c in range(3):
                        apart += (seeds[b, c] - seeds[a, c]) ** 2
                    rows[num_facets], cols[num_facets] = i, owner[near[b]]
                    weights[num_facets] = 0.25 * rho * areas[b] / math.sqrt(apart)
                    num_facets += 1
        defect += rho * abs(covered - _six_volumes(corners)) / 6.0
    return mass, first, second, rows[:num_facets], cols[:num_facets], weights[:num_facets], defect, excess


@njit(cache=True, error_model="numpy")
def _clip(corners, seeds, power, a, n, pos, twin, face, height):
    """Clip a tetrahedron to the cell of seed ``a``; return the number of vertices of the polyhedron.

    ``face[4 v + k]`` is the seed behind the face between the edges k and k + 1 of vertex v, k = 0, 1, 2; -1
    for those of the tetrahedron.
    """
    nv = 4
    for k in range(4):
        for c in range(3):
            pos[k, c] = corners[k, c]
    for k in range(16):
        twin[k] = _TETRAHEDRON[k]
        face[k] = -1
    for b in range(n):
        if b != a:
            ax, ay = 2.0 * (seeds[b, 0] - seeds[a, 0]), 2.0 * (seeds[b, 1] - seeds[a, 1])
            az = 2.0 * (seeds[b, 2] - seeds[a, 2])
            nv = _cut(pos, twin, face, nv, ax, ay, az, power[a] - power[b], b, height)
            if nv == 0:
                break
    return nv


@njit(cache=True, error_model="numpy")
def _cut(pos, twin, face, nv, ax, ay, az, b, new, height):
    """Cut the polyhedron by a.z + b <= 0 in place; return its number of vertices."""
    out = 0
    for v in range(nv):
        height[v] = ax * pos[v, 0] + ay * pos[v, 1] + az * pos[v, 2] + b
        if height[v] > 0.0:
            out += 1
    if out == 0:
        return nv
    if out == nv:
        return 0
    total = nv
    for v in range(nv):
        if height[v] > 0.0:
            continue
        for k in range(3):
            w = twin[4 * v + k] >> 2
            if w < nv and height[w] > 0.0:
                t = height[v] / (height[v] - height[w])
                pos[total, 0] = pos[v, 0] + t * (pos[w, 0] - pos[v, 0])
                pos[total, 1] = pos[v, 1] + t * (pos[w, 1] - pos[v, 1])
                pos[total, 2] = pos[v, 2] + t * (pos[w, 2] - pos[v, 2])
                twin[4 * total] = 4 * v + k
                twin[4 * v + k] = 4 * total
                face[4 * total] = face[4 * v + (k - 1 if k > 0 else 2)]
                face[4 * total + 1] = new
                face[4 * total + 2] = face[4 * v + k]
                total += 1
    for start in range(nv, total):
        e = twin[4 * start]
        while True:
            k = e & 3
            e = twin[e - k + (k + 1 if k < 2 else 0)]
            if (e >> 2) >= nv:
                break
        e = (e >> 2 << 2) + 1
        twin[4 * start + 2] = e
        twin[e] = 4 * start + 2
    # the last vertices take the places of those cut off
    kept = total - out
    last = total - 1
    for v in range(nv):
        if v >= kept:
            break
        if height[v] > 0.0:
            while last < nv and height[last] > 0.0:
                last -= 1
            pos[v, 0] = pos[last, 0]
            pos[v, 1] = pos[last, 1]
            pos[v, 2] = pos[last, 2]
            for k in range(3):
                face[4 * v + k] = face[4 * last + k]
                e = twin[4 * last + k]
                if (e >> 2) == last:
                    e = 4 * v + (e & 3)
                twin[4 * v + k] = e
                twin[e] = 4 * v + k
            last -= 1
    return kept


@njit(cache=True, error_model="numpy")
def _moments(pos, twin, face, nv, ox, oy, oz, seen, areas):
    """Return int 6, int 24 (x, y, z) and int 120 |x|^2 over a polyhedron, moved by (ox, oy, oz).

    It is a fan of tetrahedra from vertex 0 over the triangles of its faces. Twice the areas of these are
    added to ``areas``, by the seed behind. Coordinates are relative to a seed, so that second moments have no
    cancellation.
    """
    x0, y0, z0 = pos[0, 0], pos[0, 1], pos[0, 2]
    u0, v0, w0 = x0 + ox, y0 + oy, z0 + oz
    total, mx, my, mz, m2 = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(4 * nv):
        seen[k] = (k & 3) == 3
    for begin in range(4 * nv):
        if seen[begin]:
            continue
        f0 = begin >> 2
        k = begin & 3
        behind = face[begin - k + (k - 1 if k > 0 else 2)]
        area, edge, steps = 0.0, begin, 0
        fx, fy, fz = 0.0, 0.0, 0.0
        while not seen[edge]:
            seen[edge] = True
            back = twin[edge]
            f = back >> 2
            k = back & 3
            edge = back - k + (k + 1 if k < 2 else 0)
            if f == f0:
                break
            gx, gy, gz = pos[f, 0] - pos[f0, 0], pos[f, 1] - pos[f0, 1], pos[f, 2] - pos[f0, 2]
            if steps > 0:
                nx, ny, nz = fy * gz - fz * gy, fz * gx - fx * gz, fx * gy - fy * gx
                six = abs(nx * (pos[f0, 0] - x0) + ny * (pos[f0, 1] - y0) + nz * (pos[f0, 2] - z0))
                if behind >= 0:
                    area += math.sqrt(nx * nx + ny * ny + nz * nz)
                if six > 0.0:
                    u1, v1, w1 = pos[f0, 0] + ox, pos[f0, 1] + oy, pos[f0, 2] + oz
                    u2, v2, w2 = u1 + fx, v1 + fy, w1 + fz
                    u3, v3, w3 = u1 + gx, v1 + gy, w1 + gz
                    su, sv, sw = u0 + u1 + u2 + u3, v0 + v1 + v2 + v3, w0 + w1 + w2 + w3
                    total += six
                    mx += six * su
                    my += six * sv
                    mz += six * sw
                    m2 += six * (
                        u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3 + su * su
                        + v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3 + sv * sv
                        + w0 * w0 + w1 * w1 + w2 * w2 + w3 * w3 + sw * sw
                    )  # fmt: skip
            fx, fy, fz = gx, gy, gz
            steps += 1
        if behind >= 0:
            areas[behind] += area
    return total, mx, my, mz, m2


@njit(cache=True, error_model="numpy")
def _six_volumes(z):
    """Return six times the volume of a tetrahedron."""
    ax, ay, az = z[1, 0] - z[0, 0], z[1, 1] - z[0, 1], z[1, 2] - z[0, 2]
    bx, by, bz = z[2, 0] - z[0, 0], z[2, 1] - z[0, 1], z[2, 2] - z[0, 2]
    cx, cy, cz = z[3, 0] - z[0, 0], z[3, 1] - z[0, 1], z[3, 2] - z[0, 2]
    return abs(ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx))
