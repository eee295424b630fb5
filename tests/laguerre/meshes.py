"""Plain-array meshes and an independent bracket of W2 by linear programming, for the tests of this room."""

import itertools

import numpy as np
import ot


def square(n):
    """Return 2 n^2 triangles (., 3, 2) of the unit square."""
    x = np.linspace(0.0, 1.0, n + 1)
    p = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    a, b, c, d = p[:-1, :-1], p[1:, :-1], p[1:, 1:], p[:-1, 1:]
    return np.concatenate(
        [np.stack([a, b, c], 2).reshape(-1, 3, 2), np.stack([a, c, d], 2).reshape(-1, 3, 2)]
    )


def cube(n):
    """Return 6 n^3 tetrahedra (., 4, 3) of the unit cube (Kuhn)."""
    x = np.linspace(0.0, 1.0, n + 1)
    p = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1)
    out = []
    for axes in itertools.permutations(range(3)):
        corner = [0, 0, 0]
        corners = [tuple(corner)]
        for axis in axes:
            corner[axis] = 1
            corners.append(tuple(corner))
        out.append(np.stack([p[i : n + i, j : n + j, k : n + k] for i, j, k in corners], 3).reshape(-1, 4, 3))
    return np.concatenate(out)


def mesh(dim, n):
    return square(n) if dim == 2 else cube(n)


def grid(k, dim):
    """Return the k^dim centres of a grid on the unit cube."""
    axis = (np.arange(k) + 0.5) / k
    return np.stack(np.meshgrid(*[axis] * dim), axis=-1).reshape(-1, dim)


def refine(simplices, masses, levels):
    """Bisect every simplex ``levels`` times at its longest edge."""
    for _ in range(levels):
        k = simplices.shape[1]
        pairs = list(itertools.combinations(range(k), 2))
        lengths = np.stack([np.sum((simplices[:, a] - simplices[:, b]) ** 2, axis=1) for a, b in pairs])
        ends = np.array(pairs)[lengths.argmax(axis=0)]
        row = np.arange(len(simplices))
        middle = 0.5 * (simplices[row, ends[:, 0]] + simplices[row, ends[:, 1]])
        left, right = simplices.copy(), simplices.copy()
        left[row, ends[:, 0]] = middle
        right[row, ends[:, 1]] = middle
        simplices, masses = np.concatenate([left, right]), np.concatenate([masses, masses]) / 2
    return simplices, masses


def squared_distances(points, sites, period=None):
    delta = points[:, None] - sites[None]
    if period is not None:
        wraps = np.isfinite(period)
        delta[..., wraps] -= period[wraps] * np.rint(delta[..., wraps] / period[wraps])
    return np.einsum("nmd,nmd->nm", delta, delta)


def linear_program_bracket(simplices, masses, sites, weights, period=None):
    """Return bounds of W2^2 (masses one) from POT's exact plan between cell centroids and sites.

    Upper: the plan of the centroids, each spread over its simplex (gluing). Lower, for the dual psi of the
    program: min_i(|x - y_i|^2 - psi_i) - |x|^2 is concave, so its mean over a simplex is at least that over
    the vertices.
    """
    keep = masses > 0.0
    simplices, masses = simplices[keep], masses[keep] / masses[keep].sum()
    weights = weights / weights.sum()
    ns, k, d = simplices.shape
    centroid = simplices.mean(axis=1)
    spread = np.sum((simplices - centroid[:, None]) ** 2, axis=(1, 2)) / ((d + 1) * (d + 2))
    cost = squared_distances(centroid, sites, period)
    unit = max(cost.max(), 1e-300)
    value, log = ot.emd2(masses, weights, cost / unit, numItermax=10**6, return_matrix=True)
    psi = log["v"] * unit
    corners = simplices.reshape(ns * k, d)
    least = (squared_distances(corners, sites, period) - psi).min(axis=1) - np.sum(corners**2, axis=1)
    inside = least.reshape(ns, k).mean(axis=1) + np.sum(centroid**2, axis=1) + spread
    return masses @ inside + weights @ psi, value * unit + masses @ spread
