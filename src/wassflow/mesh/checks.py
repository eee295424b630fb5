"""Is this a mesh of its domain? Checks for every mesh, of any cell type, on any number of ranks."""

from typing import TYPE_CHECKING

import numpy as np

from wassflow.errors import WassflowError

if TYPE_CHECKING:
    from wassflow.mesh.mesh import Mesh


def check(mesh: "Mesh", tol: float = 1e-10) -> dict[str, float]:
    """Check volumes, faces and walls of a mesh against its domain; collective.

    1. Each interior face has exactly two cells: counted from both sides over all ranks, and they lie on the
       two sides of it.
    2. Each cell is closed: sum of area times outward normal vanishes, relative to its surface.
    3. Each cell is the straight-sided polyhedron of its faces: its volume is sum of area times (midpoint -
       centroid) . normal / d (fails for hexahedra whose faces are not planar, for folded cells, and where
       periodic planes are meshed differently).
    4. Volumes add up to the volume of the domain (fails when the mesh is not convex).
    5. Walls lie on the boundary of the domain (fails for cracks: neighbours that do not share their nodes).

    Args:
        mesh: the mesh.
        tol: what relative error 2, 3 and 4 may have.

    Returns:
        The errors found: "closedness", "cell volume", "total volume".

    Raises:
        WassflowError: naming the check that failed and by how much.
    """
    left, right = mesh.face_cells.T
    owned = mesh.num_owned
    sides = mesh.allsum(float(np.count_nonzero(mesh.cell_faces >= 0)))
    seen = mesh.allsum(
        np.array([np.count_nonzero(left < owned), np.count_nonzero(right < owned)], dtype=np.float64)
    )
    if seen[0] != seen[1] or seen.sum() != sides:
        raise WassflowError(
            f"every interior face must have two cells; found {seen[0]:.0f} left and {seen[1]:.0f} right "
            f"cells for {sides:.0f} sides"
        )
    vectors = mesh.centroids[right] + mesh.face_offsets - mesh.centroids[left]
    ahead = mesh.allmin(float(np.min(np.sum(vectors * mesh.face_normals, axis=1), initial=np.inf)))
    if ahead <= 0.0:
        raise WassflowError(
            "the two cells of a face must lie on its two sides; a cell is folded over its neighbour"
        )

    flux = np.zeros((mesh.num_cells, mesh.dim))
    surface = np.zeros(mesh.num_cells)
    cone = np.zeros(mesh.num_cells)
    for cells, sign, areas, normals, midpoints in (
        (left, 1.0, mesh.face_areas, mesh.face_normals, mesh.face_midpoints),
        (right, -1.0, mesh.face_areas, mesh.face_normals, mesh.face_midpoints - mesh.face_offsets),
        (mesh.wall_cells, 1.0, mesh.wall_areas, mesh.wall_normals, mesh.wall_midpoints),
    ):
        vector_areas = sign * areas[:, None] * normals
        heights = np.sum(vector_areas * (midpoints - mesh.centroids[cells]), axis=1) / mesh.dim
        surface += np.bincount(cells, areas, minlength=mesh.num_cells)
        cone += np.bincount(cells, heights, minlength=mesh.num_cells)
        for axis in range(mesh.dim):
            flux[:, axis] += np.bincount(cells, vector_areas[:, axis], minlength=mesh.num_cells)
    volumes = mesh.volumes[:owned]
    closedness = np.linalg.norm(flux[:owned], axis=1) / surface[:owned]
    defect = np.abs(cone[:owned] - volumes) / volumes
    total = mesh.allsum(float(volumes.sum()))
    errors = {
        "closedness": mesh.allmax(float(closedness.max(initial=0.0))),
        "cell volume": mesh.allmax(float(defect.max(initial=0.0))),
        "total volume": abs(total - mesh.domain.volume) / mesh.domain.volume,
    }
    if not errors["closedness"] <= tol:
        raise WassflowError(
            "area times normal must sum to zero over each cell; the worst sum is "
            f"{errors['closedness']:.3g} of the surface of its cell, allowed {tol:.3g}"
        )
    if not errors["cell volume"] <= tol:
        raise WassflowError(
            "cells must be straight-sided polyhedra with planar faces; the worst relative error of a "
            f"volume is {errors['cell volume']:.3g}, allowed {tol:.3g}"
        )
    if not errors["total volume"] <= tol:
        raise WassflowError(
            f"the cells must fill the convex domain: their volume is {total:.12g}, that of the domain "
            f"{mesh.domain.volume:.12g}"
        )
    outside = mesh.wall_midpoints + 1e-3 * mesh.h * mesh.wall_normals
    cracks = mesh.allsum(float(np.count_nonzero(mesh.domain.contains(outside))) if outside.size else 0.0)
    if cracks > 0:
        raise WassflowError(
            f"{cracks:.0f} boundary facets lie inside the domain: cells there touch without sharing their "
            "nodes (a crack)"
        )
    return errors
