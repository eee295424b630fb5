"""A density and a cloud of particles on axes: the plane itself in 2D, a coordinate plane in 3D."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from numpy.typing import NDArray

from wassflow.arguments import one_of
from wassflow.plot.style import GOLD, INK, ORANGE, density_colours, styled

if TYPE_CHECKING:
    from wassflow.measure import MeshDensity, ParticleCloud

Array = NDArray[np.float64]

# Corners of a cell in the order in which a pencil goes round it: dolfinx numbers quadrilaterals as a tensor
# product.
_OUTLINE = {"triangle": (0, 1, 2), "quadrilateral": (0, 1, 3, 2)}
# Cells too thin to matter are not coloured: together they hold at most this share of the mass.
_UNSEEN_MASS = 2e-3
# Sample points of a push-forward: enough to see no pattern, few enough to take less than a second.
_MOST_SAMPLES = 3_000_000
_SCALES = ("log", "power", "linear")


def default_names(dim: int) -> tuple[str, ...]:
    """Return the axis labels used where a case gives none.

    >>> default_names(2)
    ('$u_1$', '$u_2$')
    """
    return tuple(f"$u_{{{i + 1}}}$" if i > 8 else f"$u_{i + 1}$" for i in range(dim))


@dataclass(frozen=True)
class Image:
    """Masses on a rectangular grid of pixels: a two-dimensional marginal of a three-dimensional density.

    Attributes:
        edges: the two arrays of pixel edges, (n0+1,) and (n1+1,).
        densities: (n0, n1), mass per area.
    """

    edges: tuple[Array, Array]
    densities: Array

    @property
    def masses(self) -> Array:
        """Mass of every pixel, (n0, n1)."""
        return self.densities * np.diff(self.edges[0])[:, None] * np.diff(self.edges[1])[None, :]


def colour_scale(densities: Array, masses: Array, scale: str = "log") -> Normalize:
    """Return a colour normalisation that shows the bulk and the concentrations of a density together.

    The scale ends at the largest density and starts where the thinner cells together hold only 0.2 percent
    of the mass, but spans at most three decades and a half; below it the picture stays white. A density
    that varies by less than a decade lies in the middle of one.

    Args:
        densities: (n,) mass per volume.
        masses: (n,) the masses of the same cells.
        scale: "log", "power" (exponent 0.4) or "linear".

    >>> norm = colour_scale(np.array([0.0, 1e-9, 0.01, 1.0]), np.array([0.0, 1e-9, 0.1, 0.9]))
    >>> (norm.vmin, norm.vmax)
    (0.01, 1.0)
    """
    one_of("scale", scale, _SCALES)
    densities, masses = np.ravel(densities), np.ravel(masses)
    if not np.any(densities > 0.0):
        return Normalize(0.0, 1.0)
    highest = float(densities.max())
    if scale == "linear":
        return Normalize(0.0, highest)
    if scale == "power":
        return PowerNorm(0.4, 0.0, highest)
    order = np.argsort(densities)
    held = np.cumsum(masses[order])
    lowest = float(densities[order[np.searchsorted(held, _UNSEEN_MASS * held[-1])]])
    if lowest > 0.1 * highest:
        middle = math.sqrt(lowest * highest)
        return LogNorm(middle / math.sqrt(10.0), middle * math.sqrt(10.0))
    return LogNorm(max(lowest, 10**-3.5 * highest), highest)


def marginal(mu: "MeshDensity", axes: tuple[int, int], pixels: int | None = None) -> Image:
    """Push a density forward to the plane of two coordinates and return it on a grid of pixels.

    Every simplex of the mesh spreads its mass over sample points inside it, every point over the four
    pixels nearest to it (linear weights, around a periodic axis too): mass is kept, and the picture has no
    pattern of the mesh in it.

    Args:
        mu: density on a three- (or two-) dimensional mesh.
        axes: the two coordinates, for example (0, 1).
        pixels: pixels along each axis; by default about one per cell diameter, 24 to 160.
    """
    mesh = mu.mesh
    domain = mesh.domain
    vertices, parent = mesh.simplices
    share = mu.densities[parent] * _simplex_volumes(vertices)
    carries = share > 0.0
    vertices, share = vertices[carries], share[carries]
    low, high = mesh_bounds(mesh)
    if pixels is None:
        # a pixel has about the volume of two cells wide simplices, or of one hexahedron
        share_of_pixel = 1 if mesh.cell_type in ("quadrilateral", "hexahedron") else 2**mesh.dim
        pixels = int(np.clip((mesh.num_cells_global / share_of_pixel) ** (1.0 / mesh.dim), 24, 160))
    edges = [np.linspace(low[a], high[a], pixels + 1) for a in axes]
    grid = np.zeros((pixels, pixels))
    lattice = _lattice(
        mesh.dim, next((k for k in (3, 1) if _size(mesh.dim, k) * len(share) < _MOST_SAMPLES), 0)
    )
    for barycentric in lattice:
        points = np.tensordot(barycentric, vertices, axes=(0, 1))
        _spread(grid, points, share / len(lattice), edges, axes, domain.periodic)
    area = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return Image((edges[0], edges[1]), grid / area)


def _simplex_volumes(vertices: Array) -> Array:
    edges = vertices[:, 1:] - vertices[:, :1]
    return np.abs(np.linalg.det(edges)) / (2.0 if vertices.shape[2] == 2 else 6.0)


def _lattice(dim: int, order: int) -> Array:
    """Return barycentric coordinates (n, d+1) of a lattice of points that fill a simplex evenly."""
    index = np.array([i for i in np.ndindex(*(order + 1,) * (dim + 1)) if sum(i) == order])
    # pulled towards the middle, so that the points stand for equal pieces of the simplex
    return (index + 0.3) / (order + 0.3 * (dim + 1))


def _size(dim: int, order: int) -> int:
    """Return the number of points of the lattice of this order."""
    return math.comb(order + dim, dim)


def _spread(
    grid: Array,
    points: Array,
    masses: Array,
    edges: list[Array],
    axes: tuple[int, int],
    periodic: Sequence[bool],
) -> None:
    """Add masses at points to the pixels of ``grid``, each to the four nearest with linear weights."""
    n = grid.shape[0]
    below, beyond = [], []
    fractions = []
    for axis, edge in zip(axes, edges, strict=True):
        position = (points[:, axis] - edge[0]) / (edge[-1] - edge[0]) * n - 0.5
        left = np.floor(position).astype(np.int64)
        fractions.append(position - left)
        if periodic[axis]:
            below.append(left % n)
            beyond.append((left + 1) % n)
        else:
            below.append(np.clip(left, 0, n - 1))
            beyond.append(np.clip(left + 1, 0, n - 1))
    for i, row_weight in ((below[0], 1.0 - fractions[0]), (beyond[0], fractions[0])):
        for j, column_weight in ((below[1], 1.0 - fractions[1]), (beyond[1], fractions[1])):
            grid += np.bincount(i * n + j, masses * row_weight * column_weight, minlength=n * n).reshape(n, n)


def mesh_bounds(mesh: Any) -> tuple[Array, Array]:
    """Return the corners of the box around a mesh, (d,) each."""
    vertices = mesh.cell_vertices[: mesh.num_owned].reshape(-1, mesh.dim)
    return vertices.min(axis=0), vertices.max(axis=0)


def view_box(
    densities: Sequence["MeshDensity"], clouds: Sequence["ParticleCloud"] = (), margin: float = 0.06
) -> tuple[Array, Array]:
    """Return the box (lower, upper), each (d,), in which all of these measures can be seen.

    Along every axis it holds all but 0.1 percent of each density and every particle, with a margin, cut to
    the mesh; a periodic axis is shown whole.
    """
    mesh = densities[0].mesh
    low, high = mesh_bounds(mesh)
    lower, upper = high.copy(), low.copy()
    for mu in densities:
        vertices = mu.mesh.cell_vertices[: mu.mesh.num_owned]
        masses = np.asarray(mu.masses)
        if masses.sum() <= 0.0:
            continue
        for axis in range(mesh.dim):
            least, most = vertices[:, :, axis].min(axis=1), vertices[:, :, axis].max(axis=1)
            lower[axis] = min(lower[axis], _mass_quantile(least, masses, 5e-4))
            upper[axis] = max(upper[axis], _mass_quantile(most, masses, 1.0 - 5e-4))
    for cloud in clouds:
        points = cloud.points[cloud.weights > 0.0]
        if len(points):
            lower, upper = np.minimum(lower, points.min(axis=0)), np.maximum(upper, points.max(axis=0))
    pad = margin * np.where(upper > lower, upper - lower, high - low)
    lower, upper = np.maximum(lower - pad, low), np.minimum(upper + pad, high)
    whole = np.array(mesh.domain.periodic, dtype=bool) | (upper <= lower)
    return np.where(whole, low, lower), np.where(whole, high, upper)


def _mass_quantile(positions: Array, masses: Array, share: float) -> float:
    order = np.argsort(positions)
    held = np.cumsum(masses[order])
    return float(positions[order[min(np.searchsorted(held, share * held[-1]), len(order) - 1)]])


@styled
def density(
    ax: Axes,
    mu: "MeshDensity",
    *,
    axes: tuple[int, int] = (0, 1),
    scale: str = "log",
    norm: Normalize | None = None,
    image: Image | None = None,
) -> Collection:
    """Draw a density on ``ax``: its cells in 2D, the marginal of the coordinates ``axes`` in 3D.

    Of a mesh that is spread over several ranks, the cells of this rank are drawn. Cells at a periodic
    boundary are drawn once, where the mesh has them.

    Args:
        ax: where to draw.
        mu: the density.
        axes: in 3D, the two coordinates to keep.
        scale: "log", "power" or "linear", see :func:`colour_scale`.
        norm: a normalisation to share between pictures, in place of ``scale``.
        image: in 3D, the marginal if it is at hand already.

    Returns:
        The matplotlib artist, for a colour bar.
    """
    one_of("scale", scale, _SCALES)
    artist: PolyCollection | QuadMesh
    if mu.mesh.dim == 2:
        values, masses = np.asarray(mu.densities), np.asarray(mu.masses)
        corners = mu.mesh.cell_vertices[: mu.mesh.num_owned][:, _OUTLINE[mu.mesh.cell_type]]
        seen = values > 0.0
        artist = PolyCollection(
            corners[seen],
            cmap=density_colours(),
            edgecolors="face",
            linewidths=0.15,
            antialiaseds=False,
            rasterized=True,
        )
        artist.set_array(values[seen])
        artist.set_norm(norm or colour_scale(values, masses, scale))
        ax.add_collection(artist)
        low, high = mesh_bounds(mu.mesh)
        box = (low, high)
    else:
        image = image or marginal(mu, axes)
        norm = norm or colour_scale(image.densities, image.masses, scale)
        artist = ax.pcolormesh(
            *image.edges,
            image.densities.T,
            cmap=density_colours(),
            norm=norm,
            rasterized=True,
            shading="flat",
        )
        box = (
            np.array([image.edges[0][0], image.edges[1][0]]),
            np.array([image.edges[0][-1], image.edges[1][-1]]),
        )
    ax.set_xlim(box[0][0], box[1][0])
    ax.set_ylim(box[0][1], box[1][1])
    _frame(ax)
    return artist


@styled
def particles(
    ax: Axes,
    cloud: "ParticleCloud",
    *,
    axes: tuple[int, int] = (0, 1),
    colour: str = ORANGE,
    sign: Array | None = None,
    size: float | None = None,
    label: str | None = None,
) -> PathCollection:
    """Draw particles on ``ax``: marker areas go with weights, particles without weight are left out.

    Args:
        ax: where to draw.
        cloud: the particles.
        axes: in 3D, the two coordinates to keep.
        colour: of the markers.
        sign: (m,) numbers whose sign chooses the colour: ``colour`` where positive, gold where negative, a
            dark rim and no filling where zero (a particle that the regulariser has switched off).
        size: marker area in points^2 of a particle of mean weight; by default smaller the more there are.
        label: for the legend.
    """
    seen = np.asarray(cloud.weights) > 0.0
    points, weights = np.asarray(cloud.points)[seen], np.asarray(cloud.weights)[seen]
    if size is None:
        size = float(np.clip(1900.0 / max(len(points), 1), 2.5, 22.0))
    areas = size * weights / weights.mean() if len(weights) else weights
    faces: Any = colour
    rims: Any = "white"
    if sign is not None:
        sign = np.asarray(sign, dtype=np.float64)[seen]
        faces = np.where(sign > 0.0, colour, np.where(sign < 0.0, GOLD, "white"))
        rims = np.where(sign != 0.0, "white", INK)
    return ax.scatter(
        points[:, axes[0]],
        points[:, axes[1]],
        s=areas,
        c=faces,
        edgecolors=rims,
        linewidths=0.35 if size > 5.0 else 0.15,
        zorder=3,
        label=label,
    )


def coordinate_pairs(dim: int) -> list[tuple[int, int]]:
    """Return the coordinate planes of a space.

    >>> coordinate_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(dim), 2))


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set_color("#9aa3ad")
    ax.tick_params(color="#9aa3ad")
    ax.set_axisbelow(False)
