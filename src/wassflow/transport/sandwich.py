"""Bounds for densities from atoms: cells contracted to their centroids, or expanded to their vertices.

With C(mu, nu) the largest value of int x.y over all plans, W2^2 = int |x|^2 dmu + int |y|^2 dnu - 2 C. C
grows in the convex order of either measure, because C(mu, nu) = min over convex u of int u dmu + int u*
dnu. In that order the masses at the centroids are below the density, and the masses shared equally among
the vertices of each simplex are above it (Jensen, on each simplex, for a uniform density). With mu_c, mu_v
these two discrete measures,

    W2^2(mu_v, nu_v) - v(mu)^2 - v(nu)^2  <=  W2^2(mu, nu)  <=  W2^2(mu_c, nu_c) + r(mu)^2 + r(nu)^2,

    r^2 = int |x|^2 d(mu - mu_c) = sum_K m_K I_K,     v^2 = int |x|^2 d(mu_v - mu) = sum_K m_K (d + 1) I_K,

since the mean square distance of the vertices of a simplex to its centroid is (d + 2) I_K. Either side may
be a cloud (r = v = 0). The gap is of second order in the size of the cells.

On a flat torus both hold as well. Above: move x to the centroid c of its cell by a straight line, then
along the best image; the cross term vanishes. Below: if first and second are feasible between the
vertices, for each image of them, then |x|^2 + the linear interpolation of (first - |v|^2) on each simplex,
and the same for second, are feasible everywhere: on the product of two simplices the slack |x - y|^2 -
first(x) - second(y) is affine in x and in y, and nonnegative at the corners.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre.coarsening import barycentres, clusters, spread
from wassflow.measure.simplex_quadrature import bisected
from wassflow.transport.marginals import Atoms, Cells, merged


@dataclass(frozen=True)
class Discretized:
    """Atoms in place of a measure: below or above it in the convex order.

    ``square`` is the absolute difference of the second moments; ``owner`` is the simplex or atom that each of
    the atoms stands for (centroids that are not clustered only).
    """

    points: Array
    masses: Array
    square: float
    owner: NDArray[np.int64]


def subdivided(side: Cells, count: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return the simplices with mass, split into 2^d up to ``count``, their masses and origins."""
    owner = np.flatnonzero(side.masses > 0.0)
    simplices, masses = side.simplices[owner], side.masses[owner]
    dim = simplices.shape[2]
    while len(simplices) << dim <= count:
        for _ in range(dim):
            simplices = bisected(simplices)
        masses = np.repeat(masses, 1 << dim) / (1 << dim)
        owner = np.repeat(owner, 1 << dim)
    return simplices, masses, owner


def contracted(side: Atoms | Cells, count: int = 0) -> Discretized:
    """Return the masses at the centroids of the cells, split up to ``count`` simplices; a cloud as it is."""
    if isinstance(side, Atoms):
        return Discretized(side.points, side.masses, 0.0, np.arange(len(side.points)))
    simplices, masses, owner = subdivided(side, count)
    parts = Cells(simplices, masses, owner, 0)
    return Discretized(parts.centroids, masses, float(masses @ parts.inertia), owner)


def clustered(atoms: Discretized, most: int) -> tuple[Discretized, NDArray[np.int64]]:
    """Return at most ``most`` barycentres of clusters, still below in the convex order, and the clusters."""
    if len(atoms.masses) <= most:
        return atoms, np.arange(len(atoms.masses))
    label = clusters(atoms.points, atoms.masses, most)
    centres, sums = barycentres(atoms.points, atoms.masses, label)
    square = atoms.square + spread(atoms.points, atoms.masses, label, centres)
    return Discretized(centres, sums, square, np.zeros(len(sums), dtype=np.int64)), label


def expanded(side: Atoms | Cells, count: int = 0) -> Discretized:
    """Return the masses at the vertices of the cells, split up to ``count`` simplices; a cloud as it is."""
    if isinstance(side, Atoms):
        return contracted(side)
    simplices, masses, owner = subdivided(side, count)
    corners = simplices.shape[1]
    parts = Cells(simplices, masses, owner, 0)
    atoms = merged(simplices.reshape(-1, simplices.shape[2]), np.repeat(masses / corners, corners))
    square = corners * float(masses @ parts.inertia)
    return Discretized(atoms.points, atoms.masses, square, np.zeros(len(atoms.points), dtype=np.int64))
