"""Superlevel sets of a three-dimensional density: the surface around its densest cells."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray

from wassflow.arguments import Array, as_number
from wassflow.plot.style import BLUE, GOLD, INK, ORANGE, QUIET, styled

if TYPE_CHECKING:
    from wassflow.measure import MeshDensity, ParticleCloud

# Faces of a cell by its vertices, in the order in which a pencil goes round; dolfinx numbers hexahedra as a
# tensor product.
_FACES = {
    "tetrahedron": ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)),
    "hexahedron": (
        (0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)
    ),
}  # fmt: skip
# Faces agree in their midpoints to this share of the box.
_SAME = 1e-9
# Shares of the mass inside the surfaces drawn, and how opaque these are.
SHARES = ((0.5, 0.55), (0.9, 0.13))
_LIGHT = np.array([0.35, -0.55, 0.76])


def superlevel_surface(mu: "MeshDensity", share: float) -> Array:
    """Return the surface around the densest cells that hold this share of the mass, ``(n, 3 or 4, 3)``.

    A density on a mesh is constant in every cell, so that its superlevel sets are made of cells, and their
    surfaces of the faces that only one of these cells has.

    Args:
        mu: density on a three-dimensional mesh.
        share: between 0 and 1.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0] * 3, [1.0] * 3), cells=(2, 2, 2), cell="hexahedron")
    >>> superlevel_surface(wf.MeshDensity(mesh, np.eye(8)[0]), 0.5).shape
    (6, 4, 3)
    """
    share = as_number("share", share, above=0.0, most=1.0)
    mesh = mu.mesh
    if mesh.dim != 3:
        raise ValueError(f"mu must be a density in three dimensions, found {mesh.dim}")
    order = np.argsort(-mu.densities, kind="stable")
    held = np.cumsum(mu.masses[order])
    inside = order[: int(np.searchsorted(held, share * held[-1])) + 1]
    corners = mesh.cell_vertices[inside]
    faces = np.concatenate([corners[:, list(face)] for face in _FACES[mesh.cell_type]])
    extent = np.ptp(mesh.cell_vertices.reshape(-1, 3), axis=0)
    keys = np.round(faces.mean(axis=1) / (_SAME * extent)).astype(np.int64)
    _, first, count = np.unique(keys, axis=0, return_index=True, return_counts=True)
    surface: Array = faces[first[count == 1]]
    return surface


@styled
def isosurface(
    ax: Axes3D,
    mu: "MeshDensity",
    cloud: "ParticleCloud | None" = None,
    *,
    box: tuple[Array, Array],
    names: tuple[str, ...],
    sign: NDArray[Any] | None = None,
) -> None:
    """Draw the surfaces around half and around nine tenths of the mass, with particles inside.

    Args:
        ax: three-dimensional axes.
        mu: the density.
        cloud: the particles.
        box: (lower, upper) of what is shown.
        names: labels of the axes.
        sign: numbers ``(m,)`` whose sign colours the particles.
    """
    for share, alpha in SHARES:
        surface = superlevel_surface(mu, share)
        normals = np.cross(surface[:, 1] - surface[:, 0], surface[:, 2] - surface[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        shade = 0.55 + 0.45 * np.abs(normals @ _LIGHT)
        colours = np.column_stack([shade[:, None] * np.array(to_rgb(BLUE)), np.full(len(shade), alpha)])
        ax.add_collection3d(Poly3DCollection(list(surface), facecolors=colours, edgecolors="none"))
    if cloud is not None:
        faces: Any = ORANGE
        if sign is not None:
            faces = np.where(sign > 0.0, ORANGE, np.where(sign < 0.0, GOLD, "white"))
        ax.scatter(
            *cloud.points.T, s=7.0, c=faces, edgecolors=INK, linewidths=0.2, depthshade=False, zorder=9
        )
    lower, upper = box
    ax.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]), zlim=(lower[2], upper[2]))
    ax.set_xlabel(names[0], labelpad=-8.0)
    ax.set_ylabel(names[1], labelpad=-8.0)
    ax.set_zlabel(names[2], labelpad=-8.0)
    ax.tick_params(labelsize=7.0, pad=-3.0, colors=QUIET)
    ax.set_box_aspect((1.0, 1.0, 1.0), zoom=0.92)
    ax.computed_zorder = False
