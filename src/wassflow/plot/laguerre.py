"""Optimal transport from a density to particles in the plane: who is served by which particle."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.laguerre import LaguerreDiagram
from wassflow.laguerre.costs import cheapest
from wassflow.plot.density import density, particles
from wassflow.plot.snapshots import Gallery, density_bar
from wassflow.plot.style import GOLD, INK, ORANGE, QUIET, Page, styled
from wassflow.transport import Bracket, wasserstein2

if TYPE_CHECKING:
    from wassflow.measure import MeshDensity, ParticleCloud

# On the side of a cell two sites are equally cheap, up to this part of the square of the picture's width:
# far below what can be seen, far above rounding.
_TIE = 1e-9
# Place on the colour scale beyond which colours are dark.
_DARK = 0.45
# Inches.
_LEFT, _PANEL, _RIGHT, _TOP, _BOTTOM = 0.62, 4.2, 0.15, 0.52, 1.25


@styled
def laguerre_cells(
    ax: Axes,
    mu: "MeshDensity",
    cloud: "ParticleCloud",
    *,
    domain: Domain | None = None,
    norm: Normalize | None = None,
    bracket: Bracket | None = None,
) -> Bracket:
    """Draw a density and the cells that optimal transport assigns to each particle on it.

    The Laguerre cell of particle i is {x : |x - y_i|^2 - psi_i least} with the optimal Kantorovich potential
    psi: its mass is the weight of the particle. A short line leads from each particle to the barycentre of
    its cell. The sides of the cells end where the density does, or is too thin to be seen.

    Args:
        ax: where to draw.
        mu: density on a two-dimensional mesh, of any support; on several ranks, the part of this one.
        cloud: particles of the same mass, fewer than some hundreds to be seen.
        domain: periodic axes give the flat torus; by default the domain of the mesh.
        norm: colour normalisation of the density.
        bracket: of W2 between the two, with its potential, if it is at hand already:
            ``wasserstein2(cloud, mu, potential=True)``.

    Returns:
        The bracket of W2, with the potential.

    Raises:
        ValueError: the mesh is not two-dimensional, the masses differ, or the bracket has no potential.

    Source: Kitagawa, Merigot and Thibert, J. Eur. Math. Soc. 21 (2019), section 1.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=8)
    >>> mu = wf.MeshDensity.uniform(mesh)
    >>> cloud = wf.ParticleCloud([[0.25, 0.5], [0.75, 0.5]])
    >>> ax = wf.plot.new_figure(3.0, 3.0).add_subplot()
    >>> round(wf.plot.laguerre_cells(ax, mu, cloud).value, 4)  # two halves of the square: sqrt(5/48)
    0.3227
    """
    if mu.mesh.dim != 2:
        raise ValueError(f"mu must be on a two-dimensional mesh, found dimension {mu.mesh.dim}")
    domain = mu.mesh.domain if domain is None else domain
    cloud = cloud.gather()
    if bracket is None:
        bracket = wasserstein2(cloud, mu, domain=domain, potential=True)
    if bracket.potential is None or bracket.potential.first.shape != (cloud.size,):
        raise ValueError("bracket must hold the potential: wasserstein2(cloud, mu, potential=True)")
    colours = density(ax, mu, norm=norm)
    psi = bracket.potential.first
    served = np.isfinite(psi) & (cloud.weights > 0.0)
    # particles at one place have one cell
    sites, which = np.unique(domain.wrap(cloud.points)[served], axis=0, return_index=True)
    psi = psi[served][which]
    vertices, parent = mu.mesh.simplices
    masses = mu.masses[parent] * _shares(vertices, parent)
    if masses.any():
        diagram = LaguerreDiagram(vertices, masses, sites, psi, domain.period)
        edges, piece = _sides(diagram.polygons(), sites, psi, domain.period)
        # light lines on dark places, dark lines on light ones, none where the density is too thin to be seen
        tones = np.asarray(colours.norm(mu.densities[parent][diagram.piece_simplices[piece]]))
        seen = tones >= 0.0
        lines = np.where(tones[seen] > _DARK, "white", INK)
        ax.add_collection(
            LineCollection(list(edges[seen]), colors=list(lines), linewidths=0.7, alpha=0.9, zorder=2),
            autolim=False,
        )
        reach = np.stack([sites, diagram.barycentres], axis=1)[diagram.masses > 0.0]
        ax.add_collection(LineCollection(list(reach), colors=GOLD, linewidths=1.1, zorder=2.5), autolim=False)
    particles(ax, cloud)
    return bracket


@styled
def transport(
    mu: "MeshDensity",
    cloud: "ParticleCloud",
    *,
    domain: Domain | None = None,
    title: str = "",
    names: tuple[str, ...] | None = None,
) -> Figure:
    """Return a picture of the optimal transport between a density and particles in the plane.

    It shows what :func:`laguerre_cells` draws, where mass and particles are, with W2 and its bounds.

    Args:
        mu: density on a two-dimensional mesh.
        cloud: particles of the same mass.
        domain: periodic axes give the flat torus; by default the domain of the mesh.
        title: heading.
        names: axis labels.

    Raises:
        ValueError: the mesh is not two-dimensional or the masses differ.

    >>> import wassflow as wf
    >>> torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    >>> mu = wf.MeshDensity.from_function(wf.mesh.box(torus, cells=8), lambda u: 1.0 + u[:, 0])
    >>> figure = wf.plot.transport(mu, wf.ParticleCloud.sample(mu, 12))
    >>> figure.axes[0].get_xlabel()
    '$u_1$'
    """
    if mu.mesh.dim != 2:
        raise ValueError(f"mu must be on a two-dimensional mesh, found dimension {mu.mesh.dim}")
    gallery = Gallery.of([mu], [cloud], names)
    lower, upper = gallery.box
    page = Page.blank(_LEFT + _PANEL + _RIGHT, _TOP + _PANEL + _BOTTOM)
    ax = page.axes(_LEFT, _TOP, _PANEL, _PANEL)
    bracket = laguerre_cells(ax, mu, cloud, domain=domain, norm=gallery.norm)
    ax.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]))
    ax.set(xlabel=gallery.names[0], ylabel=gallery.names[1])
    page.text(_LEFT, 0.14, title or f"{cloud.size} particles", fontsize=12)
    distance = f"$W_2 = {bracket.value:.4g}$  [{bracket.lower:.4g}, {bracket.upper:.4g}]"
    page.text(_LEFT + _PANEL, 0.18, distance, color=QUIET, ha="right", fontsize=9.5)
    below = _TOP + _PANEL + 0.55
    density_bar(page, (_LEFT, below, 0.42 * _PANEL, 0.09), gallery)
    dot: dict[str, Any] = {
        "marker": "o",
        "markersize": 4.5,
        "markerfacecolor": ORANGE,
        "markeredgecolor": "white",
    }
    handles = [
        Line2D([], [], color=INK, linewidth=0.8, label="sides of the Laguerre cells"),
        Line2D([], [], color=GOLD, label="particle, and its cell’s barycentre", **dot),
    ]
    page.legend(_LEFT + 0.47 * _PANEL, below - 0.04, handles, fontsize=8.5, handlelength=1.6)
    return page.figure


def _shares(vertices: Array, parent: NDArray[np.int32]) -> Array:
    """Return the part that each triangle (n, 3, 2) is of its mesh cell."""
    (ax, ay), (bx, by) = (vertices[:, 1] - vertices[:, 0]).T, (vertices[:, 2] - vertices[:, 0]).T
    areas = np.abs(ax * by - ay * bx)
    return np.asarray(areas / np.bincount(parent, areas)[parent])


def _sides(polygons: list[Array], sites: Array, psi: Array, period: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the edges (n, 2, 2) of the polygons that separate two cells, and the polygon of each.

    The others are sides of the mesh inside a cell, or the end of the density: there one site is cheapest.
    """
    counts = np.array([len(polygon) for polygon in polygons])
    vertices = np.concatenate(polygons)
    following = np.arange(1, len(vertices) + 1)
    following[np.cumsum(counts) - 1] = np.cumsum(counts) - counts
    edges = np.stack([vertices, vertices[following]], axis=1)
    piece = np.repeat(np.arange(len(counts)), counts)
    if len(sites) == 1:
        return edges[:0], piece[:0]
    _, costs = cheapest(edges.mean(axis=1), sites, psi, np.where(np.isfinite(period), period, 0.0), 2)
    tie = costs[:, 1] - costs[:, 0] <= _TIE * float(np.ptp(vertices, axis=0).max()) ** 2
    return edges[tie], piece[tie]
