"""Laguerre cells cut with a mesh of tetrahedra: the recursion of :mod:`wassflow.laguerre.cells2d` in 3D.

A piece is a simple polyhedron (three edges at every vertex) held as half-edges 4 v + slot; a cut relinks it
by walking its faces (Powell and Abel, J. Comput. Phys. 297, 2015). Which vertices go is decided by the sign
of the difference of two power distances, so that the links stay those of a polyhedron whatever rounding
does, and a face knows the seed behind it.
"""

import math

import numpy as np
from numba import njit

# As in 2D; 40 to 100 do equally well at 1e5 seeds, the longer ones leave fewer pieces.
LONGEST_LIST = 50
PATIENCE = 6
DEEPEST = 60


@njit(cache=True, error_model="numpy")
def _clip(pos, twin, face, nv, ax, ay, az, b, new, h):
    """Cut the polyhedron by a.z + b <= 0 in place; return its number of vertices.

    ``face[4 v + k]`` is the label of the face between the edges k and k + 1 of vertex v, k = 0, 1, 2.
    """
    out = 0
    for v in range(nv):
        h[v] = ax * pos[v, 0] + ay * pos[v, 1] + az * pos[v, 2] + b
        if h[v] > 0.0:
            out += 1
    if out == 0:
        return nv
    if out == nv:
        return 0
    total = nv
    for v in range(nv):
        if h[v] > 0.0:
            continue
        for k in range(3):
            w = twin[4 * v + k] >> 2
            if w < nv and h[w] > 0.0:
                t = h[v] / (h[v] - h[w])
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
        if h[v] > 0.0:
            while last < nv and h[last] > 0.0:
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
def _nearest(sites, psi, arena, power, s, e, cx, cy, cz):
    """Fill ``power`` with the power distances from a point to the list; return the nearest and its."""
    best = np.inf
    near = arena[s]
    for k in range(s, e):
        i = arena[k]
        dx = sites[i, 0] - cx
        dy = sites[i, 1] - cy
        dz = sites[i, 2] - cz
        p = dx * dx + dy * dy + dz * dz - psi[i]
        power[k] = p
        if p < best:
            best = p
            near = i
    return near, best


@njit(cache=True, error_model="numpy", nogil=True)
def integrate(tetrahedra, density, boxes, root, sites, psi, owner, size, tol, certify):
    """Integrate over the pieces (cell of a site) x (tetrahedron); see
    :func:`wassflow.laguerre.cells2d.integrate`.

    Returns mass (size,), first (size, 3), second (size,), facets (rows, columns, weights), tiling defect,
    excess.
    """
    count = sites.shape[0]
    leaves = boxes.shape[0] // 2
    mass = np.zeros(size)
    first = np.zeros((size, 3))
    second = np.zeros(size)
    rows = np.empty(16 * size + 64, np.int32)
    cols = np.empty(16 * size + 64, np.int32)
    weights = np.empty(16 * size + 64)
    nf = 0
    defect = 0.0
    excess = 0.0

    arena = np.empty(3 * count + 4096, np.int32)
    power = np.empty(3 * count + 4096)
    for i in range(count):
        arena[i] = i
    node_stack = np.empty(128, np.int64)
    start_stack = np.empty(128, np.int64)
    end_stack = np.empty(128, np.int64)
    tet_stack = np.empty((DEEPEST + 8, 4, 3))
    tet_start = np.empty(DEEPEST + 8, np.int64)
    tet_end = np.empty(DEEPEST + 8, np.int64)
    tet_depth = np.empty(DEEPEST + 8, np.int64)
    tet_shorter = np.empty(DEEPEST + 8, np.int64)
    tet_patience = np.empty(DEEPEST + 8, np.int64)

    room = 4 * LONGEST_LIST
    value = np.empty((4 * LONGEST_LIST + 1, 4))
    seed = np.empty((room, 3))
    beta = np.empty(room)
    lid = np.empty(room, np.int32)
    pos = np.empty((4 * room + 64, 3))
    twin = np.empty(16 * room + 256, np.int32)
    face = np.empty(16 * room + 256, np.int32)
    h = np.empty(4 * room + 64)
    seen = np.empty(16 * room + 256, np.bool_)
    z = np.empty((4, 3))
    o = np.empty(3)
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
    # a consistent orientation of the half-edges of a tetrahedron
    start_twin = np.array([6, 14, 8, -1, 10, 12, 0, -1, 2, 13, 4, -1, 5, 9, 1, -1], dtype=np.int32)

    node_stack[0] = root
    start_stack[0] = 0
    end_stack[0] = count
    top = 1
    while top > 0:
        top -= 1
        node = node_stack[top]
        s = start_stack[top]
        e = end_stack[top]
        if boxes[node, 3] < 0.0:
            continue
        if 2 * e - s + 8 > arena.size:
            grown = np.empty(4 * e + 8, np.int32)
            grown[:e] = arena[:e]
            arena = grown
            power = np.empty(arena.size)
        if node < leaves:
            near, best = _nearest(
                sites, psi, arena, power, s, e, boxes[node, 0], boxes[node, 1], boxes[node, 2]
            )
            bx = sites[near, 0]
            by = sites[near, 1]
            bz = sites[near, 2]
            hx = boxes[node, 3]
            hy = boxes[node, 4]
            hz = boxes[node, 5]
            t = e
            for k in range(s, e):
                i = arena[k]
                reach = abs(sites[i, 0] - bx) * hx + abs(sites[i, 1] - by) * hy + abs(sites[i, 2] - bz) * hz
                if power[k] - best <= 2.0 * reach + tol:
                    arena[t] = i
                    t += 1
            node_stack[top] = 2 * node + 1
            start_stack[top] = e
            end_stack[top] = t
            top += 1
            node_stack[top] = 2 * node
            start_stack[top] = e
            end_stack[top] = t
            top += 1
            continue

        tet = node - leaves
        rho = density[tet]
        tet_stack[0] = tetrahedra[tet]
        tet_start[0] = s
        tet_end[0] = e
        tet_depth[0] = 0
        tet_shorter[0] = e - s
        tet_patience[0] = PATIENCE
        ttop = 1
        while ttop > 0:
            ttop -= 1
            s = tet_start[ttop]
            e = tet_end[ttop]
            depth = tet_depth[ttop]
            shorter = tet_shorter[ttop]
            patience = tet_patience[ttop] - 1
            if 2 * e - s + 8 > arena.size:
                grown = np.empty(4 * e + 8, np.int32)
                grown[:e] = arena[:e]
                arena = grown
                power = np.empty(arena.size)
            for c in range(3):
                o[c] = 0.25 * (
                    tet_stack[ttop, 0, c]
                    + tet_stack[ttop, 1, c]
                    + tet_stack[ttop, 2, c]
                    + tet_stack[ttop, 3, c]
                )
                for k in range(4):
                    z[k, c] = tet_stack[ttop, k, c] - o[c]
            near, best = _nearest(sites, psi, arena, power, s, e, o[0], o[1], o[2])
            t = e
            for k in range(s, e):
                i = arena[k]
                dx = sites[i, 0] - sites[near, 0]
                dy = sites[i, 1] - sites[near, 1]
                dz = sites[i, 2] - sites[near, 2]
                reach = max(
                    max(
                        dx * z[0, 0] + dy * z[0, 1] + dz * z[0, 2], dx * z[1, 0] + dy * z[1, 1] + dz * z[1, 2]
                    ),
                    max(
                        dx * z[2, 0] + dy * z[2, 1] + dz * z[2, 2], dx * z[3, 0] + dy * z[3, 1] + dz * z[3, 2]
                    ),
                )
                if power[k] - best <= 2.0 * reach + tol or i == near:
                    arena[t] = i
                    power[t] = power[k]
                    t += 1
            n = t - e
            if n <= 4 * LONGEST_LIST:
                # nearest at the centroid first, and away with a seed that one before it beats on all of the
                # piece
                n = 0
                for k in range(e, t):
                    p_k = power[k]
                    i = arena[k]
                    r = k
                    while r > e and power[r - 1] > p_k:
                        power[r] = power[r - 1]
                        arena[r] = arena[r - 1]
                        r -= 1
                    power[r] = p_k
                    arena[r] = i
                for k in range(e, t):
                    i = arena[k]
                    dx = sites[i, 0] - sites[near, 0]
                    dy = sites[i, 1] - sites[near, 1]
                    dz = sites[i, 2] - sites[near, 2]
                    beaten = False
                    for v in range(4):
                        value[n, v] = power[k] - best - 2.0 * (dx * z[v, 0] + dy * z[v, 1] + dz * z[v, 2])
                    for b in range(n):
                        if (
                            value[b, 0] <= value[n, 0]
                            and value[b, 1] <= value[n, 1]
                            and value[b, 2] <= value[n, 2]
                            and value[b, 3] <= value[n, 3]
                        ):
                            beaten = True
                            break
                    if not beaten:
                        arena[e + n] = i
                        power[e + n] = power[k]
                        n += 1
                t = e + n
            if n <= shorter:
                shorter = 3 * n // 4
                patience = PATIENCE
            if n > LONGEST_LIST and patience > 0 and depth < DEEPEST:
                longest = -1.0
                p = 0
                q = 1
                for r in range(6):
                    a = pairs[r, 0]
                    b = pairs[r, 1]
                    square = 0.0
                    for c in range(3):
                        square += (z[a, c] - z[b, c]) ** 2
                    if square > longest:
                        longest = square
                        p = a
                        q = b
                for c in range(3):
                    middle = 0.5 * (z[p, c] + z[q, c]) + o[c]
                    for k in range(4):
                        tet_stack[ttop, k, c] = z[k, c] + o[c]
                        tet_stack[ttop + 1, k, c] = z[k, c] + o[c]
                    tet_stack[ttop, p, c] = middle
                    tet_stack[ttop + 1, q, c] = middle
                for _ in range(2):
                    tet_start[ttop] = e
                    tet_end[ttop] = t
                    tet_depth[ttop] = depth + 1
                    tet_shorter[ttop] = shorter
                    tet_patience[ttop] = patience
                    ttop += 1
                continue

            if n > room:
                room = 2 * n
                seed = np.empty((room, 3))
                beta = np.empty(room)
                lid = np.empty(room, np.int32)
                pos = np.empty((4 * room + 64, 3))
                twin = np.empty(16 * room + 256, np.int32)
                face = np.empty(16 * room + 256, np.int32)
                h = np.empty(4 * room + 64)
                seen = np.empty(16 * room + 256, np.bool_)
            for k in range(n):
                lid[k] = arena[e + k]
                beta[k] = power[e + k]
            for k in range(n):
                for c in range(3):
                    seed[k, c] = sites[lid[k], c]
            volume = abs(
                (z[1, 0] - z[0, 0])
                * ((z[2, 1] - z[0, 1]) * (z[3, 2] - z[0, 2]) - (z[2, 2] - z[0, 2]) * (z[3, 1] - z[0, 1]))
                - (z[1, 1] - z[0, 1])
                * ((z[2, 0] - z[0, 0]) * (z[3, 2] - z[0, 2]) - (z[2, 2] - z[0, 2]) * (z[3, 0] - z[0, 0]))
                + (z[1, 2] - z[0, 2])
                * ((z[2, 0] - z[0, 0]) * (z[3, 1] - z[0, 1]) - (z[2, 1] - z[0, 1]) * (z[3, 0] - z[0, 0]))
            )
            covered = 0.0
            for a in range(n):
                for k in range(4):
                    for c in range(3):
                        pos[k, c] = z[k, c]
                for k in range(16):
                    twin[k] = start_twin[k]
                    face[k] = -1
                nv = 4
                for b in range(n):
                    if b != a:
                        nv = _clip(
                            pos, twin, face, nv,
                            2.0 * (seed[b, 0] - seed[a, 0]), 2.0 * (seed[b, 1] - seed[a, 1]),
                            2.0 * (seed[b, 2] - seed[a, 2]), beta[a] - beta[b], b, h,
                        )  # fmt: skip
                        if nv == 0:
                            break
                if nv < 4:
                    continue
                i = owner[lid[a]]
                # coordinates relative to the seed, so that second moments have no cancellation
                sx = o[0] - seed[a, 0]
                sy = o[1] - seed[a, 1]
                sz = o[2] - seed[a, 2]
                x0 = pos[0, 0]
                y0 = pos[0, 1]
                z0 = pos[0, 2]
                u0 = x0 + sx
                v0 = y0 + sy
                w0 = z0 + sz
                total = 0.0
                mx = 0.0
                my = 0.0
                mz = 0.0
                m2 = 0.0
                for k in range(4 * nv):
                    seen[k] = (k & 3) == 3
                for begin in range(4 * nv):
                    if seen[begin]:
                        continue
                    f0 = begin >> 2
                    k = begin & 3
                    behind = face[begin - k + (k - 1 if k > 0 else 2)]
                    area = 0.0
                    edge = begin
                    steps = 0
                    fx = 0.0
                    fy = 0.0
                    fz = 0.0
                    gx = 0.0
                    gy = 0.0
                    gz = 0.0
                    while not seen[edge]:
                        seen[edge] = True
                        back = twin[edge]
                        f = back >> 2
                        k = back & 3
                        edge = back - k + (k + 1 if k < 2 else 0)
                        if f == f0:
                            break
                        gx = pos[f, 0] - pos[f0, 0]
                        gy = pos[f, 1] - pos[f0, 1]
                        gz = pos[f, 2] - pos[f0, 2]
                        if steps > 0:
                            nx = fy * gz - fz * gy
                            ny = fz * gx - fx * gz
                            nz = fx * gy - fy * gx
                            six = abs(
                                nx * (pos[f0, 0] - x0) + ny * (pos[f0, 1] - y0) + nz * (pos[f0, 2] - z0)
                            )
                            if behind >= 0:
                                area += math.sqrt(nx * nx + ny * ny + nz * nz)
                            if six > 0.0:
                                u1 = pos[f0, 0] + sx
                                v1 = pos[f0, 1] + sy
                                w1 = pos[f0, 2] + sz
                                u2 = u1 + fx
                                v2 = v1 + fy
                                w2 = w1 + fz
                                u3 = u1 + gx
                                v3 = v1 + gy
                                w3 = w1 + gz
                                su = u0 + u1 + u2 + u3
                                sv = v0 + v1 + v2 + v3
                                sw = w0 + w1 + w2 + w3
                                total += six
                                mx += six * su
                                my += six * sv
                                mz += six * sw
                                m2 += six * (
                                    u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3 + su * su
                                    + v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3 + sv * sv
                                    + w0 * w0 + w1 * w1 + w2 * w2 + w3 * w3 + sw * sw
                                )  # fmt: skip
                        fx = gx
                        fy = gy
                        fz = gz
                        steps += 1
                    if behind >= 0 and area > 0.0:
                        j = owner[lid[behind]]
                        if j > i:
                            if nf == rows.size:
                                rows = np.concatenate((rows, np.empty(nf, np.int32)))
                                cols = np.concatenate((cols, np.empty(nf, np.int32)))
                                weights = np.concatenate((weights, np.empty(nf)))
                            distance = math.sqrt(
                                (seed[behind, 0] - seed[a, 0]) ** 2
                                + (seed[behind, 1] - seed[a, 1]) ** 2
                                + (seed[behind, 2] - seed[a, 2]) ** 2
                            )
                            rows[nf] = i
                            cols[nf] = j
                            weights[nf] = 0.25 * rho * area / distance
                            nf += 1
                covered += total
                mass[i] += rho * total / 6.0
                first[i, 0] += rho * mx / 24.0
                first[i, 1] += rho * my / 24.0
                first[i, 2] += rho * mz / 24.0
                second[i] += rho * m2 / 120.0
                if certify:
                    worst = 0.0
                    for k in range(nv):
                        for b in range(n):
                            g = beta[a] - beta[b]
                            for c in range(3):
                                g += 2.0 * (seed[b, c] - seed[a, c]) * pos[k, c]
                            worst = max(worst, g)
                    excess += rho * total / 6.0 * worst
            defect += rho * abs(covered - volume) / 6.0
    return mass, first, second, rows[:nf], cols[:nf], weights[:nf], defect, excess
