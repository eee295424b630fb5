"""Laguerre cells cut with a triangle mesh: exact masses, moments and facets, in one recursion.

A box hierarchy over the triangles is walked from the root with the list of seeds that can still be nearest
somewhere in the box; a seed leaves the list when the seed nearest to the centre beats it on the whole box.
The difference of two power distances is affine, so this test is exact for any potential: no model of psi and
no tree over the seeds is needed. A triangle with a long list is bisected; with a short list every seed of
the list clips it by its bisectors. Half-planes always come from the pair of seeds, never from the direction
of a computed edge, so that co-circular seeds (zero-length edges) lose no area.
"""

import math

import numpy as np
from numba import njit

# Longest list that is clipped directly (12 to 24 do equally well at 1e5 seeds), and after how many bisections
# that do not take a quarter off a longer one it is clipped all the same: that many cells really meet in one
# point, or, where seeds lie on a line, all along another, and then the pieces would double with every level.
LONGEST_LIST = 20
PATIENCE = 4
DEEPEST = 48


@njit(cache=True, error_model="numpy")
def _clip(px, py, label, cur, n, ax, ay, b, new, h):
    """Clip the polygon in row ``cur`` by a.z + b <= 0; return its row and its number of vertices."""
    out = 0
    for k in range(n):
        h[k] = ax * px[cur, k] + ay * py[cur, k] + b
        if h[k] > 0.0:
            out += 1
    if out == 0:
        return cur, n
    if out == n:
        return cur, 0
    nxt = 1 - cur
    q = 0
    for k in range(n):
        k2 = k + 1 if k + 1 < n else 0
        if h[k] <= 0.0:
            px[nxt, q] = px[cur, k]
            py[nxt, q] = py[cur, k]
            label[nxt, q] = label[cur, k]
            q += 1
            if h[k2] > 0.0:
                t = h[k] / (h[k] - h[k2])
                px[nxt, q] = px[cur, k] + t * (px[cur, k2] - px[cur, k])
                py[nxt, q] = py[cur, k] + t * (py[cur, k2] - py[cur, k])
                label[nxt, q] = new
                q += 1
        elif h[k2] <= 0.0:
            t = h[k2] / (h[k2] - h[k])
            px[nxt, q] = px[cur, k2] + t * (px[cur, k] - px[cur, k2])
            py[nxt, q] = py[cur, k2] + t * (py[cur, k] - py[cur, k2])
            label[nxt, q] = label[cur, k]
            q += 1
    return nxt, q


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
    count = sites.shape[0]
    leaves = boxes.shape[0] // 2
    mass = np.zeros(size)
    first = np.zeros((size, 2))
    second = np.zeros(size)
    rows = np.empty(4 * size + 64, np.int32)
    cols = np.empty(4 * size + 64, np.int32)
    weights = np.empty(4 * size + 64)
    nf = 0
    defect = 0.0
    excess = 0.0
    pieces = 1024 if collect else 1
    vertices = np.empty((4 * pieces, 2))
    offsets = np.zeros(pieces + 1, np.int64)
    piece_site = np.empty(pieces, np.int32)
    piece_triangle = np.empty(pieces, np.int32)
    npieces = 0
    nverts = 0

    arena = np.empty(3 * count + 4096, np.int32)
    power = np.empty(3 * count + 4096)
    for i in range(count):
        arena[i] = i
    node_stack = np.empty(128, np.int64)
    start_stack = np.empty(128, np.int64)
    end_stack = np.empty(128, np.int64)
    tri_stack = np.empty((DEEPEST + 8, 6))
    tri_start = np.empty(DEEPEST + 8, np.int64)
    tri_end = np.empty(DEEPEST + 8, np.int64)
    tri_depth = np.empty(DEEPEST + 8, np.int64)
    tri_shorter = np.empty(DEEPEST + 8, np.int64)
    tri_patience = np.empty(DEEPEST + 8, np.int64)

    room = 4 * LONGEST_LIST
    value = np.empty((4 * LONGEST_LIST + 1, 3))
    lx = np.empty(room)
    ly = np.empty(room)
    lb = np.empty(room)
    lid = np.empty(room, np.int32)
    px = np.empty((2, room + 8))
    py = np.empty((2, room + 8))
    label = np.empty((2, room + 8), np.int32)
    h = np.empty(room + 8)

    node_stack[0] = root
    start_stack[0] = 0
    end_stack[0] = count
    top = 1
    while top > 0:
        top -= 1
        node = node_stack[top]
        s = start_stack[top]
        e = end_stack[top]
        if boxes[node, 2] < 0.0:
            continue
        if 2 * e - s + 8 > arena.size:
            grown = np.empty(4 * e + 8, np.int32)
            grown[:e] = arena[:e]
            arena = grown
            power = np.empty(arena.size)
        cx = boxes[node, 0]
        cy = boxes[node, 1]
        if node < leaves:
            hx = boxes[node, 2]
            hy = boxes[node, 3]
            best = np.inf
            near = arena[s]
            for k in range(s, e):
                i = arena[k]
                dx = sites[i, 0] - cx
                dy = sites[i, 1] - cy
                p = dx * dx + dy * dy - psi[i]
                power[k] = p
                if p < best:
                    best = p
                    near = i
            bx = sites[near, 0]
            by = sites[near, 1]
            t = e
            for k in range(s, e):
                i = arena[k]
                if power[k] - best <= 2.0 * (abs(sites[i, 0] - bx) * hx + abs(sites[i, 1] - by) * hy) + tol:
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

        # a triangle: filter, then clip or bisect
        tri = node - leaves
        rho = density[tri]
        tri_stack[0, 0] = triangles[tri, 0, 0]
        tri_stack[0, 1] = triangles[tri, 0, 1]
        tri_stack[0, 2] = triangles[tri, 1, 0]
        tri_stack[0, 3] = triangles[tri, 1, 1]
        tri_stack[0, 4] = triangles[tri, 2, 0]
        tri_stack[0, 5] = triangles[tri, 2, 1]
        tri_start[0] = s
        tri_end[0] = e
        tri_depth[0] = 0
        tri_shorter[0] = e - s
        tri_patience[0] = PATIENCE
        ttop = 1
        while ttop > 0:
            ttop -= 1
            s = tri_start[ttop]
            e = tri_end[ttop]
            depth = tri_depth[ttop]
            shorter = tri_shorter[ttop]
            patience = tri_patience[ttop] - 1
            x0 = tri_stack[ttop, 0]
            y0 = tri_stack[ttop, 1]
            x1 = tri_stack[ttop, 2]
            y1 = tri_stack[ttop, 3]
            x2 = tri_stack[ttop, 4]
            y2 = tri_stack[ttop, 5]
            cx = (x0 + x1 + x2) / 3.0
            cy = (y0 + y1 + y2) / 3.0
            x0 -= cx
            y0 -= cy
            x1 -= cx
            y1 -= cy
            x2 -= cx
            y2 -= cy
            if 2 * e - s + 8 > arena.size:
                grown = np.empty(4 * e + 8, np.int32)
                grown[:e] = arena[:e]
                arena = grown
                power = np.empty(arena.size)
            best = np.inf
            near = arena[s]
            for k in range(s, e):
                i = arena[k]
                dx = sites[i, 0] - cx
                dy = sites[i, 1] - cy
                p = dx * dx + dy * dy - psi[i]
                power[k] = p
                if p < best:
                    best = p
                    near = i
            bx = sites[near, 0]
            by = sites[near, 1]
            t = e
            for k in range(s, e):
                i = arena[k]
                dx = sites[i, 0] - bx
                dy = sites[i, 1] - by
                reach = max(dx * x0 + dy * y0, dx * x1 + dy * y1, dx * x2 + dy * y2)
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
                    p = power[k]
                    i = arena[k]
                    r = k
                    while r > e and power[r - 1] > p:
                        power[r] = power[r - 1]
                        arena[r] = arena[r - 1]
                        r -= 1
                    power[r] = p
                    arena[r] = i
                for k in range(e, t):
                    i = arena[k]
                    dx = 2.0 * (sites[i, 0] - bx)
                    dy = 2.0 * (sites[i, 1] - by)
                    p = power[k] - best
                    value[n, 0] = p - (dx * x0 + dy * y0)
                    value[n, 1] = p - (dx * x1 + dy * y1)
                    value[n, 2] = p - (dx * x2 + dy * y2)
                    beaten = False
                    for b in range(n):
                        if (
                            value[b, 0] <= value[n, 0]
                            and value[b, 1] <= value[n, 1]
                            and value[b, 2] <= value[n, 2]
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
                l01 = (x1 - x0) ** 2 + (y1 - y0) ** 2
                l12 = (x2 - x1) ** 2 + (y2 - y1) ** 2
                l20 = (x0 - x2) ** 2 + (y0 - y2) ** 2
                # rotate so that the longest edge is 0-1
                if l12 >= l01 and l12 >= l20:
                    x0, y0, x1, y1, x2, y2 = x1, y1, x2, y2, x0, y0
                elif l20 >= l01 and l20 >= l12:
                    x0, y0, x1, y1, x2, y2 = x2, y2, x0, y0, x1, y1
                mx = 0.5 * (x0 + x1)
                my = 0.5 * (y0 + y1)
                for half in range(2):
                    tri_stack[ttop, 0] = (mx if half == 0 else x0) + cx
                    tri_stack[ttop, 1] = (my if half == 0 else y0) + cy
                    tri_stack[ttop, 2] = (x1 if half == 0 else mx) + cx
                    tri_stack[ttop, 3] = (y1 if half == 0 else my) + cy
                    tri_stack[ttop, 4] = x2 + cx
                    tri_stack[ttop, 5] = y2 + cy
                    tri_start[ttop] = e
                    tri_end[ttop] = t
                    tri_depth[ttop] = depth + 1
                    tri_shorter[ttop] = shorter
                    tri_patience[ttop] = patience
                    ttop += 1
                continue

            if n > room:
                room = 2 * n
                lx = np.empty(room)
                ly = np.empty(room)
                lb = np.empty(room)
                lid = np.empty(room, np.int32)
                px = np.empty((2, room + 8))
                py = np.empty((2, room + 8))
                label = np.empty((2, room + 8), np.int32)
                h = np.empty(room + 8)
            for k in range(n):
                lid[k] = arena[e + k]
                lb[k] = power[e + k]
            for k in range(n):
                lx[k] = sites[lid[k], 0]
                ly[k] = sites[lid[k], 1]
            area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
            covered = 0.0
            for a in range(n):
                cur = 0
                px[0, 0] = x0
                py[0, 0] = y0
                px[0, 1] = x1
                py[0, 1] = y1
                px[0, 2] = x2
                py[0, 2] = y2
                label[0, 0] = -1
                label[0, 1] = -1
                label[0, 2] = -1
                nv = 3
                for b in range(n):
                    if b != a:
                        cur, nv = _clip(
                            px, py, label, cur, nv,
                            2.0 * (lx[b] - lx[a]), 2.0 * (ly[b] - ly[a]), lb[a] - lb[b], b, h,
                        )  # fmt: skip
                        if nv == 0:
                            break
                if nv < 3:
                    continue
                o = owner[lid[a]]
                ox = cx - lx[a]
                oy = cy - ly[a]
                u0 = px[cur, 0] + ox
                v0 = py[cur, 0] + oy
                total = 0.0
                mx = 0.0
                my = 0.0
                m2 = 0.0
                for k in range(1, nv - 1):
                    ax = px[cur, k] - px[cur, 0]
                    ay = py[cur, k] - py[cur, 0]
                    bx = px[cur, k + 1] - px[cur, 0]
                    by = py[cur, k + 1] - py[cur, 0]
                    twice = abs(ax * by - ay * bx)
                    u1 = px[cur, k] + ox
                    v1 = py[cur, k] + oy
                    u2 = px[cur, k + 1] + ox
                    v2 = py[cur, k + 1] + oy
                    su = u0 + u1 + u2
                    sv = v0 + v1 + v2
                    total += twice
                    mx += twice * su
                    my += twice * sv
                    m2 += twice * (
                        u0 * u0 + u1 * u1 + u2 * u2 + v0 * v0 + v1 * v1 + v2 * v2 + su * su + sv * sv
                    )
                covered += total
                mass[o] += 0.5 * rho * total
                first[o, 0] += rho * mx / 6.0
                first[o, 1] += rho * my / 6.0
                second[o] += rho * m2 / 24.0
                if certify:
                    worst = 0.0
                    for k in range(nv):
                        for b in range(n):
                            g = (
                                2.0 * (lx[b] - lx[a]) * px[cur, k]
                                + 2.0 * (ly[b] - ly[a]) * py[cur, k]
                                + (lb[a] - lb[b])
                            )
                            worst = max(worst, g)
                    excess += 0.5 * rho * total * worst
                for k in range(nv):
                    b = label[cur, k]
                    if b >= 0:
                        other = owner[lid[b]]
                        if other > o:
                            k2 = k + 1 if k + 1 < nv else 0
                            length = math.hypot(px[cur, k2] - px[cur, k], py[cur, k2] - py[cur, k])
                            if length > 0.0:
                                if nf == rows.size:
                                    rows = np.concatenate((rows, np.empty(nf, np.int32)))
                                    cols = np.concatenate((cols, np.empty(nf, np.int32)))
                                    weights = np.concatenate((weights, np.empty(nf)))
                                rows[nf] = o
                                cols[nf] = other
                                weights[nf] = 0.5 * rho * length / math.hypot(lx[b] - lx[a], ly[b] - ly[a])
                                nf += 1
                if collect:
                    if npieces + 1 >= offsets.size:
                        offsets = np.concatenate((offsets, np.zeros(npieces + 1, np.int64)))
                        piece_site = np.concatenate((piece_site, np.empty(npieces + 1, np.int32)))
                        piece_triangle = np.concatenate((piece_triangle, np.empty(npieces + 1, np.int32)))
                    if nverts + nv > vertices.shape[0]:
                        vertices = np.concatenate((vertices, np.empty((nverts + nv, 2))))
                    for k in range(nv):
                        vertices[nverts, 0] = px[cur, k] + cx
                        vertices[nverts, 1] = py[cur, k] + cy
                        nverts += 1
                    piece_site[npieces] = o
                    piece_triangle[npieces] = tri
                    npieces += 1
                    offsets[npieces] = nverts
            defect += 0.5 * rho * abs(covered - area)
    return (
        mass,
        first,
        second,
        rows[:nf],
        cols[:nf],
        weights[:nf],
        defect,
        excess,
        vertices[:nverts],
        offsets[: npieces + 1],
        piece_site[:npieces],
        piece_triangle[:npieces],
    )
