"""Volumes, centroids and second moments of cells; areas, normals and midpoints of facets.

Cells are cut into simplices (:mod:`wassflow.mesh.cell_types`), for which all integrals are known in closed
form; so the results are exact for straight-sided cells. Hexahedra are taken to have planar faces, as they
must for the faces to have one normal.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def _simplex_volume(nodes, corners):
    """Volume of the simplex with the given corners (rows of nodes), |det| / d!, for d = 2, 3."""
    o = nodes[corners[0]]
    a = nodes[corners[1]]
    b = nodes[corners[2]]
    if o.size == 2:
        return 0.5 * abs((a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]))
    c = nodes[corners[3]]
    x, y, z = c[0] - o[0], c[1] - o[1], c[2] - o[2]
    ax, ay, az = a[0] - o[0], a[1] - o[1], a[2] - o[2]
    bx, by, bz = b[0] - o[0], b[1] - o[1], b[2] - o[2]
    return abs(x * (ay * bz - az * by) + y * (az * bx - ax * bz) + z * (ax * by - ay * bx)) / 6.0


@njit(cache=True)
def volumes_and_centroids(nodes, cell_nodes, simplices):
    """Return volumes (n,) and centroids (n, d) of the cells with vertices nodes[cell_nodes]."""
    count, dim = cell_nodes.shape[0], nodes.shape[1]
    volumes = np.zeros(count)
    centroids = np.zeros((count, dim))
    corners = np.empty(dim + 1, dtype=np.int32)
    for c in range(count):
        for s in range(simplices.shape[0]):
            for i in range(dim + 1):
                corners[i] = cell_nodes[c, simplices[s, i]]
            volume = _simplex_volume(nodes, corners)
            volumes[c] += volume
            for a in range(dim):
                # relative to the first vertex: no cancellation far from the origin
                offset = 0.0
                for i in range(dim + 1):
                    offset += nodes[corners[i], a] - nodes[cell_nodes[c, 0], a]
                centroids[c, a] += volume * offset / (dim + 1)
        for a in range(dim):
            centroids[c, a] = nodes[cell_nodes[c, 0], a] + centroids[c, a] / volumes[c]
    return volumes, centroids


@njit(cache=True)
def covariances(nodes, cell_nodes, simplices, volumes, centroids):
    """Return int_K (x - x_K)(x - x_K)^T dx / |K| for each cell, (n, d, d).

    A simplex of volume V with corners x_i and centre c contributes V (C + (c - x_K)(c - x_K)^T), where
    C = sum_i (x_i - c)(x_i - c)^T / ((d + 1)(d + 2)).
    """
    count, dim = cell_nodes.shape[0], nodes.shape[1]
    result = np.zeros((count, dim, dim))
    corners = np.empty(dim + 1, dtype=np.int32)
    center = np.empty(dim)
    for c in range(count):
        for s in range(simplices.shape[0]):
            for i in range(dim + 1):
                corners[i] = cell_nodes[c, simplices[s, i]]
            weight = _simplex_volume(nodes, corners) / volumes[c]
            for a in range(dim):
                center[a] = 0.0
                for i in range(dim + 1):
                    center[a] += (nodes[corners[i], a] - centroids[c, a]) / (dim + 1)
            for a in range(dim):
                for b in range(dim):
                    inner = 0.0
                    for i in range(dim + 1):
                        left = nodes[corners[i], a] - centroids[c, a] - center[a]
                        right = nodes[corners[i], b] - centroids[c, b] - center[b]
                        inner += left * right
                    result[c, a, b] += weight * (inner / ((dim + 1) * (dim + 2)) + center[a] * center[b])
    return result


@njit(cache=True)
def side_geometry(sides, nodes, cell_nodes, facets, centroids):
    """Return areas (n,), outward unit normals (n, d) and midpoints (n, d) of sides of cells.

    Side ``c * k + s`` is facet s of cell c, k facets per cell. Always computed from the vertices of that
    cell, in their order in the cell, so that the result does not depend on how the mesh is partitioned. The
    midpoint is the centroid of the facet.
    """
    count, dim, per_cell, corners = sides.size, nodes.shape[1], facets.shape[0], facets.shape[1]
    areas = np.empty(count)
    normals = np.empty((count, dim))
    midpoints = np.empty((count, dim))
    for f in range(count):
        c = sides[f] // per_cell
        facet = facets[sides[f] - c * per_cell]
        p = nodes[cell_nodes[c, facet[0]]]
        q = nodes[cell_nodes[c, facet[1]]]
        if dim == 2:
            normals[f, 0] = q[1] - p[1]
            normals[f, 1] = p[0] - q[0]
            for a in range(dim):
                midpoints[f, a] = 0.5 * (p[a] + q[a])
        elif corners == 3:
            r = nodes[cell_nodes[c, facet[2]]]
            for a in range(dim):
                b, e = (a + 1) % 3, (a + 2) % 3
                normals[f, a] = 0.5 * ((q[b] - p[b]) * (r[e] - p[e]) - (q[e] - p[e]) * (r[b] - p[b]))
                midpoints[f, a] = (p[a] + q[a] + r[a]) / 3.0
        else:
            # corners in tensor-product order: p and t are opposite, and so are q and r
            r = nodes[cell_nodes[c, facet[2]]]
            t = nodes[cell_nodes[c, facet[3]]]
            first = second = 0.0
            for a in range(dim):
                b, e = (a + 1) % 3, (a + 2) % 3
                one = 0.5 * ((q[b] - p[b]) * (t[e] - p[e]) - (q[e] - p[e]) * (t[b] - p[b]))
                two = 0.5 * ((t[b] - p[b]) * (r[e] - p[e]) - (t[e] - p[e]) * (r[b] - p[b]))
                normals[f, a] = one + two
                first += one * one
                second += two * two
            first, second = np.sqrt(first), np.sqrt(second)
            for a in range(dim):
                thirds = first * (q[a] - p[a]) + second * (r[a] - p[a])
                midpoints[f, a] = p[a] + ((t[a] - p[a]) + thirds / (first + second)) / 3.0
        area = outward = 0.0
        for a in range(dim):
            area += normals[f, a] ** 2
            outward += normals[f, a] * (midpoints[f, a] - centroids[c, a])
        areas[f] = np.sqrt(area)
        scale = (1.0 if outward > 0.0 else -1.0) / areas[f]
        for a in range(dim):
            normals[f, a] *= scale
    return areas, normals, midpoints


@njit(cache=True)
def squared_diameter(nodes, cell_nodes):
    """Return the square of the largest distance of two vertices of one cell."""
    largest = 0.0
    for c in range(cell_nodes.shape[0]):
        for i in range(cell_nodes.shape[1]):
            for j in range(i):
                square = 0.0
                for a in range(nodes.shape[1]):
                    square += (nodes[cell_nodes[c, i], a] - nodes[cell_nodes[c, j], a]) ** 2
                largest = max(largest, square)
    return largest


@njit(cache=True)
def face_distances(face_cells, normals, offsets, centroids):
    """Return the distances of the centroids of face neighbours (n,), and the largest sine of the angle
    between the line through them and the face normal.
    """
    count, dim = normals.shape
    distances = np.empty(count)
    step = np.empty(dim)
    largest = 0.0
    for f in range(count):
        square = along = across = 0.0
        for a in range(dim):
            step[a] = centroids[face_cells[f, 1], a] + offsets[f, a] - centroids[face_cells[f, 0], a]
            square += step[a] ** 2
            along += step[a] * normals[f, a]
        for a in range(dim):
            across += (step[a] - along * normals[f, a]) ** 2
        distances[f] = np.sqrt(square)
        largest = max(largest, across / square)
    return distances, np.sqrt(largest)
