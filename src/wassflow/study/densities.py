"""W2 between densities on meshes that are the same or nested, which is what studies of the mesh compare."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.domain import Domain
from wassflow.measure import MeshDensity
from wassflow.transport import Bracket, wasserstein2
from wassflow.transport.nearby import nearby_densities

# A bracket of this relative width says enough about an error; narrower ones cost much more.
_WIDTH = 0.3
# Nested: the volumes of the fine cells in each coarse cell add up to it, relatively.
_SAME_VOLUME = 1e-9


def density_distance(fine: MeshDensity, coarse: MeshDensity, domain: Domain) -> Bracket:
    """Bracket W2 between two densities, the second on the same or a coarser mesh.

    On the same or nested meshes by :func:`wassflow.transport.nearby.nearby_densities`, which resolves
    distances far below the size of a cell; otherwise, or when that bracket is wide, by
    :func:`wassflow.wasserstein2` too.
    """
    near = None
    if coarse.mesh is fine.mesh:
        near = nearby_densities(fine, coarse)
    else:
        parents = containing_cells(coarse.mesh, fine.mesh)
        volumes = fine.mesh.volumes[: fine.mesh.num_owned]
        held = np.bincount(parents, volumes, minlength=coarse.mesh.num_owned)
        whole = coarse.mesh.volumes[: coarse.mesh.num_owned]
        if np.all(np.abs(held - whole) <= _SAME_VOLUME * whole):
            near = nearby_densities(fine, MeshDensity(fine.mesh, coarse.densities[parents] * volumes))
    if near is not None and near.relative_width <= _WIDTH:
        return near
    found = wasserstein2(fine, coarse, domain=domain, rtol=0.05)
    if near is None:
        return found
    lower, upper = max(near.lower, found.lower), min(near.upper, found.upper)
    # Both brackets hold W2: an empty intersection can only be rounding, and the wider statement is kept.
    if lower > upper:
        return found
    value = float(np.clip(near.value, lower, upper))
    return Bracket(lower, upper, f"{near.method}; {found.method}", value=value)


def containing_cells(coarse: Any, fine: Any) -> NDArray[np.int64]:
    """Which cell of a coarse mesh holds the centroid of each cell of a fine one, ``(fine.num_owned,)``.

    The simplices whose centroids are nearest are tried first; the largest of the least barycentric
    coordinates decides, so that meshes that are not nested get the nearest cell. Meshes of boxes with doubled
    cells are nested.
    """
    simplices, parents = coarse.simplices
    corners, edges = simplices[:, 0], simplices[:, 1:] - simplices[:, :1]
    inverse = np.linalg.inv(edges)
    points = fine.centroids[: fine.num_owned]
    # Every cell of a box's mesh has a point from which no other 48 centroids are nearer than its own: 4
    # triangles or 24 tetrahedra share a small box, and its neighbours' simplices lie around them.
    count = min(48, len(simplices))
    _, near = cKDTree(simplices.mean(axis=1)).query(points, k=count)
    near = near.reshape(len(points), count)
    best = np.full(len(points), -np.inf)
    chosen = np.zeros(len(points), dtype=np.int64)
    for candidate in near.T:
        # x - corner = sum_i lambda_i edge_i, rows of `edges`
        local = np.einsum("ni,nij->nj", points - corners[candidate], inverse[candidate])
        least = np.minimum(local.min(axis=1), 1.0 - local.sum(axis=1))
        better = least > best + 1e-12
        best[better], chosen[better] = least[better], candidate[better]
    return parents[chosen].astype(np.int64)
