"""The cells that optimal transport from a density to particles assigns to each particle."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb

from wassflow.arguments import Array
from wassflow.plot.style import INK, ORANGE, styled

if TYPE_CHECKING:
    from wassflow.laguerre.cells import Pieces

# Six light tones to tell neighbours apart, also in grey; which cell gets which does not matter.
_TONES = np.array([to_rgb(c) for c in ("#eef4fb", "#cfe0f2", "#afcbe8", "#e3ecf0", "#c3d9dd", "#a9c3d6")])


@styled
def laguerre_cells(ax: Axes, pieces: "Pieces", sites: Array | None = None) -> PolyCollection:
    """Draw Laguerre cells in the plane: every cell in one tone, with an outline, and its site.

    Args:
        ax: where to draw.
        pieces: the cells, each cut by the triangles of the mesh: ``vertices`` (n, 2), ``offsets`` (k + 1,)
            and ``site`` (k,), as :func:`wassflow.laguerre.cells.measure_cells` collects them.
        sites: (m, 2), where to put a dot for each site.

    Returns:
        The polygons.
    """
    offsets = np.asarray(pieces.offsets)
    polygons = [pieces.vertices[a:b] for a, b in pairwise(offsets)]
    # the golden ratio spreads consecutive numbers over the tones
    tone = (np.asarray(pieces.site) * 0.6180339887498949 % 1.0 * len(_TONES)).astype(int)
    cells = PolyCollection(polygons, facecolors=_TONES[tone], edgecolors="face", linewidths=0.2)
    ax.add_collection(cells)
    ax.add_collection(LineCollection(list(_outlines(pieces)), colors=INK, linewidths=0.5, alpha=0.7))
    if sites is not None:
        x, y = np.asarray(sites, dtype=np.float64).T
        ax.scatter(x, y, s=9.0, c=ORANGE, edgecolors="white", linewidths=0.35, zorder=3)
    ax.autoscale_view()
    ax.set_aspect("equal")
    return cells


def _outlines(pieces: "Pieces") -> Array:
    """Return the edges (n, 2, 2) between pieces of different cells: those that one cell has only once."""
    offsets, vertices = np.asarray(pieces.offsets), np.asarray(pieces.vertices)
    if len(vertices) == 0:
        return np.zeros((0, 2, 2))
    following = np.arange(1, len(vertices) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    edges = np.stack([vertices, vertices[following]], axis=1)
    site = np.repeat(np.asarray(pieces.site), np.diff(offsets))
    extent = float(np.ptp(vertices, axis=0).max()) or 1.0
    middle = np.rint(edges.mean(axis=1) / (1e-9 * extent)).astype(np.int64)
    _, inverse, count = np.unique(
        np.column_stack([site, middle]), axis=0, return_inverse=True, return_counts=True
    )
    return edges[count[inverse.ravel()] == 1]
