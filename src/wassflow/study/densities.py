"""W2 between densities on meshes that are the same or nested, which is what studies of the mesh compare."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.domain import Domain
from wassflow.measure import MeshDensity
from wassflow.transport import Bracket, wasserstein2
from wassflow.transport.nearby import nearby_densities

# A distance known to this share of a cell is known well enough, be it zero.
_SMALL = 0.02
# Nested: the volumes of the fine cells in each coarse cell add up to it, relatively.
_SAME_VOLUME = 1e-9


def density_distance(
    fine: MeshDensity,
    coarse: MeshDensity,
    domain: Domain,
    width: float = 0.3,
    time_limit: float | None = None,
) -> Bracket:
    """Bracket W2 between two densities, the second on the same or a coarser mesh, to a relative ``width`` if
    possible.

    Cheap ways first: on the same or nested meshes :func:`wassflow.transport.nearby.nearby_densities`, which
    resolves distances far below the size of a cell but fails where mass jumps over empty cells; then the
    semi-discrete engine of :func:`wassflow.wasserstein2`; last transport between cells. Each of the last two
    has ``time_limit`` seconds, if that is given: on densities that have gathered at kinks they may need many
    minutes for what a look at orders does not need. The bracket is true all the same, but its width then
    depends on how busy the machine is.
    """
    found = _nearby(fine, coarse)
    if found is not None and (found.relative_width <= width or found.width <= _SMALL * fine.mesh.h):
        return found
    for engine in (None, "discrete"):
        other = wasserstein2(
            fine, coarse, domain=domain, rtol=0.5 * width, engine=engine, time_limit=time_limit
        )
        found = other if found is None else _both(other, found)
        if found.relative_width <= width:
            break
    assert found is not None
    return found


def _nearby(fine: MeshDensity, coarse: MeshDensity) -> Bracket | None:
    """The bracket of nearby densities, if the meshes are nested and it exists."""
    if coarse.mesh is fine.mesh:
        return nearby_densities(fine, coarse)
    parents = containing_cells(coarse.mesh, fine.mesh)
    volumes = fine.mesh.volumes[: fine.mesh.num_owned]
    held = np.bincount(parents, volumes, minlength=coarse.mesh.num_owned)
    whole = coarse.mesh.volumes[: coarse.mesh.num_owned]
    if np.any(np.abs(held - whole) > _SAME_VOLUME * whole):
        return None
    return nearby_densities(fine, MeshDensity(fine.mesh, coarse.densities[parents] * volumes))


def _both(first: Bracket, second: Bracket) -> Bracket:
    """What two brackets of the same distance say together; the value of the narrower one, if possible."""
    lower, upper = max(first.lower, second.lower), min(first.upper, second.upper)
    narrow = min(first, second, key=lambda bracket: bracket.width)
    # Both hold the distance: an empty intersection can only be rounding.
    if lower > upper:
        return narrow
    return Bracket(lower, upper, narrow.method, value=float(np.clip(narrow.value, lower, upper)))


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
