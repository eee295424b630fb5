"""The layer of cells along a wall or a kink, in which mass that is held there slides.

Upwinding carries mass from cell to cell by normal velocities. Mass that is pressed against a wall sits in
the cells that touch it, and on simplices the faces between these are slanted: through them, a velocity into
the wall holds mass back that should slide along it, however fine the mesh (drift (1, 1/2) in the unit square:
the mean is off by 0.12 on 16^2 and on 64^2 boxes of triangles). With velocities along the wall on the faces
within the layer, the layer is a mesh of its own along the wall, and the error is of first order.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Polytope

if TYPE_CHECKING:
    from wassflow.mesh.mesh import Mesh

# a cell touches a wall that is nearer than this part of its own reach
_TOUCHING = 1e-9
# steps from face to face from a cell that touches the wall to the others that reach no further: one in boxes
# of triangles, two in boxes of tetrahedra
_STEPS = 3


def cells_in_layer(mesh: "Mesh", distances: Array) -> NDArray[np.bool_]:
    """Tell which cells, ghosts too, are in the layer along a plane, (num_cells,); collective.

    The layer are the cells that touch the plane, and those beside them that reach no further from it: its far
    side is then as even as the mesh allows. On a box of :func:`wassflow.mesh.box` it is made of small boxes.

    Args:
        mesh: the mesh.
        distances: signed distance of each vertex of each cell (ghosts too) from the plane, (num_cells, k).
    """
    reach = np.abs(distances).max(axis=1)
    touching = distances.min(axis=1) <= _TOUCHING * reach
    touching &= distances.max(axis=1) >= -_TOUCHING * reach
    # how far cells beside this one may reach; negative outside of the layer
    limit = mesh.halo.update(np.where(touching, reach, -1.0))
    left, right = mesh.face_cells.T
    for _ in range(_STEPS):
        beside = limit.copy()
        np.maximum.at(beside, left, limit[right])
        np.maximum.at(beside, right, limit[left])
        joins = (limit < 0.0) & (reach <= beside * (1.0 + _TOUCHING))
        limit = mesh.halo.update(np.where(joins, beside, limit))
    return limit >= 0.0


def faces_in_layer(mesh: "Mesh", distances: Array) -> NDArray[np.bool_]:
    """Tell which faces join two cells of :func:`cells_in_layer`, (faces,); collective."""
    inside = cells_in_layer(mesh, distances)
    return inside[mesh.face_cells].all(axis=1)


def wall_points(mesh: "Mesh") -> tuple[NDArray[np.int64], Array]:
    """Return the faces within the layers of walls (n,), and for each a point on these walls (n, d).

    The point is the nearest one of the domain to a point beyond all walls in whose layers the face lies:
    beside the face on a wall, or in a corner. Collective.
    """
    domain, dim = mesh.domain, mesh.dim
    if isinstance(domain, Polytope):
        normals, offsets = domain.normals, domain.offsets
    else:
        walls = np.flatnonzero(~np.array(domain.periodic))
        normals = np.concatenate([-np.eye(dim)[walls], np.eye(dim)[walls]])
        offsets = np.concatenate([-domain.lower[walls], domain.upper[walls]])
    outward = np.zeros((len(mesh.face_cells), dim))
    vertices = mesh.cell_vertices
    for normal, offset in zip(normals, offsets, strict=True):
        outward[faces_in_layer(mesh, vertices @ normal - offset)] += normal
    faces = np.flatnonzero(np.any(outward != 0.0, axis=1))
    # far enough to be beyond the walls, whose layers are not thicker than h
    beyond = mesh.face_midpoints[faces] + 10.0 * mesh.h * outward[faces]
    return faces, domain.project(beyond)
