"""Pictures of meshes: cells, walls and periodic sides."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from wassflow.plot.style import BLUE, INK, QUIET, TEAL, new_figure, style, styled

if TYPE_CHECKING:
    from wassflow.mesh import Mesh

# Edges closer together than this (in inches of a panel) are thinned out to a tone of grey.
_EDGE_WIDTH = 0.4


@styled
def mesh_cells(ax: Axes, mesh: "Mesh", names: tuple[str, ...] | None = None) -> None:
    """Draw the cells of a two-dimensional mesh, its walls (dark) and its periodic sides (dashed) on ``ax``.

    Args:
        ax: where to draw.
        mesh: a mesh of triangles or quadrilaterals; the cells of this rank are drawn.
        names: axis labels.

    Raises:
        ValueError: the mesh is not two-dimensional.
    """
    if mesh.dim != 2:
        raise ValueError(
            f"mesh must be two-dimensional to be drawn on plane axes, found dimension {mesh.dim}"
        )
    facets = mesh.cell_vertices[: mesh.num_owned][:, _facets(mesh)]
    kinds = _sides(mesh)
    thin = float(np.clip(30.0 / np.sqrt(mesh.num_owned), 0.1, _EDGE_WIDTH))
    for kind, colour, width, line in (
        ("interior", QUIET, thin, "-"),
        ("wall", INK, 1.4, "-"),
        ("periodic", TEAL, 1.4, "--"),
    ):
        segments = facets[kinds[kind]]
        if len(segments):
            ax.add_collection(
                LineCollection(list(segments), colors=colour, linewidths=width, linestyles=line)
            )
    ax.autoscale_view()
    ax.margins(0.03)
    ax.set_aspect("equal")
    ax.set_xlabel((names or ("$u_1$", "$u_2$"))[0])
    ax.set_ylabel((names or ("$u_1$", "$u_2$"))[1])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _facets(mesh: Any) -> NDArray[np.int32]:
    from wassflow.mesh.cell_types import CELL_TYPES

    return CELL_TYPES[mesh.cell_type].facets


def _sides(mesh: Any) -> dict[str, NDArray[np.bool_]]:
    """Tell for every facet of every owned cell whether it is a wall, a periodic side, or lies inside."""
    wall = mesh.cell_faces < 0
    shifted = np.any(mesh.face_offsets != 0.0, axis=1)
    periodic = np.zeros_like(wall)
    periodic[~wall] = shifted[mesh.cell_faces[~wall]]
    return {"wall": wall, "periodic": periodic, "interior": ~wall & ~periodic}


def mesh(mesh: "Mesh", title: str = "") -> Figure:
    """Return a picture of a mesh: its cells in 2D, its surface in 3D, and how its cell volumes are spread.

    Args:
        mesh: any mesh; on several ranks, the part of this one.
        title: heading.
    """
    figure = new_figure(8.6, 4.4)
    with style():
        grid = figure.add_gridspec(1, 2, width_ratios=[1.35, 1.0])
        left, right = grid[0, 0], grid[0, 1]
        if mesh.dim == 2:
            ax = figure.add_subplot(left)
            mesh_cells(ax, mesh)
            kinds = _sides(mesh)
            handles = [Line2D([], [], color=INK, linewidth=1.4, label="wall (no flux)")]
            if kinds["periodic"].any():
                handles.append(
                    Line2D([], [], color=TEAL, linewidth=1.4, linestyle="--", label="periodic side")
                )
            figure.legend(handles=handles, loc="outside lower left", ncols=2)
        else:
            _surface(figure, left, mesh)
        volumes = figure.add_subplot(right)
        _volumes(volumes, mesh)
        if title:
            figure.suptitle(title, x=0.01, ha="left")
    return figure


def _surface(figure: Figure, place: Any, mesh: Any) -> None:
    """Draw the boundary facets of a three-dimensional mesh, lit from above."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection
    from mpl_toolkits.mplot3d.axes3d import Axes3D

    ax: Any = figure.add_subplot(place, axes_class=Axes3D)
    kinds = _sides(mesh)
    facets = mesh.cell_vertices[: mesh.num_owned][:, _facets(mesh)]
    if facets.shape[2] == 4:
        facets = facets[:, :, (0, 1, 3, 2)]
    base = np.array([0x7F, 0xA8, 0xD1]) / 255.0
    surface = facets[kinds["wall"] | kinds["periodic"]]
    normals = np.cross(surface[:, 1] - surface[:, 0], surface[:, 2] - surface[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    light = 0.62 + 0.38 * np.abs(normals @ np.array([0.35, -0.45, 0.82]))
    edge = float(np.clip(25.0 / np.sqrt(max(len(surface), 1)), 0.08, _EDGE_WIDTH))
    ax.add_collection3d(
        Poly3DCollection(
            list(surface),
            facecolors=np.clip(light[:, None] * base, 0, 1),
            edgecolors="white",
            linewidths=edge,
        )
    )
    lower, upper = surface.min(axis=(0, 1)), surface.max(axis=(0, 1))
    ax.set(
        xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]), zlim=(lower[2], upper[2]),
        xlabel="$u_1$", ylabel="$u_2$", zlabel="$u_3$",
    )  # fmt: skip
    ax.set_box_aspect(upper - lower, zoom=0.9)
    ax.locator_params(nbins=4)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
    ax.grid(False)


def _volumes(ax: Axes, mesh: Any) -> None:
    """Draw a histogram of cell volumes relative to their mean."""
    volumes = mesh.volumes[: mesh.num_owned]
    relative = volumes / volumes.mean()
    low, high = float(relative.min()), float(relative.max())
    if high - low < 1e-9:
        low, high = 0.5, 1.5
    ax.hist(relative, bins=list(np.linspace(low, high, 42)), color=BLUE, alpha=0.85)
    ax.set_xlabel("cell volume / mean cell volume")
    ax.set_ylabel("cells")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
