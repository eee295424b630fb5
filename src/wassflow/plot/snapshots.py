"""A density with particles on top at one time: one panel in 2D, the three coordinate planes in 3D."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

from wassflow.plot.density import (
    Array,
    Image,
    colour_scale,
    coordinate_pairs,
    default_names,
    density,
    marginal,
    particles,
    view_box,
)
from wassflow.plot.style import GOLD, INK, ORANGE, Page, density_colours

if TYPE_CHECKING:
    from wassflow.measure import MeshDensity, ParticleCloud

# Labels of ticks, in inches: width of a digit, height of a line, and how far they may leave a lone panel.
_DIGIT, _LINE, _BEYOND = 0.068, 0.14, 0.08


def coordinate_names(case: Any, dim: int) -> tuple[str, ...]:
    """Return the axis labels of a case in mathematical notation, or u_1, u_2, ... when it has none."""
    return tuple(case.coordinates) or default_names(dim)


@dataclass(frozen=True)
class Gallery:
    """What the snapshots of one case at several times have in common, so that they can be compared by eye.

    Attributes:
        names: axis labels.
        box: (lower, upper) of what is shown.
        norm: the colour scale.
        images: in 3D, the marginals of each density.
        signed: whether the first coordinate is an output weight, whose sign colours the particles.
    """

    names: tuple[str, ...]
    box: tuple[Array, Array]
    norm: Normalize
    images: tuple[Mapping[tuple[int, int], Image], ...]
    signed: bool

    @classmethod
    def of(
        cls,
        densities: Sequence["MeshDensity"],
        clouds: Sequence["ParticleCloud"] = (),
        names: Sequence[str] | None = None,
    ) -> "Gallery":
        """Choose the frame and the colours for these densities and clouds."""
        dim = densities[0].mesh.dim
        images: tuple[Mapping[tuple[int, int], Image], ...] = ()
        if dim == 2:
            values = np.concatenate([mu.densities for mu in densities])
            masses = np.concatenate([mu.masses for mu in densities])
        else:
            images = tuple({pair: marginal(mu, pair) for pair in coordinate_pairs(dim)} for mu in densities)
            every = [image for planes in images for image in planes.values()]
            values = np.concatenate([image.densities.ravel() for image in every])
            masses = np.concatenate([image.masses.ravel() for image in every])
        names = tuple(names) if names is not None else default_names(dim)
        return cls(
            names,
            view_box(densities, clouds),
            colour_scale(values, masses),
            images,
            names[0].strip("$") == "w",
        )


def snapshot(
    page: Page,
    place: tuple[float, float, float, float],
    gallery: Gallery,
    index: int,
    mu: "MeshDensity",
    cloud: "ParticleCloud | None" = None,
    title: str = "",
    *,
    colour: str = ORANGE,
    labels: tuple[bool, bool] = (True, True),
) -> list[Axes]:
    """Draw one density, and particles on top.

    Args:
        page: where to draw.
        place: (left, top, width, height) in inches.
        gallery: what this snapshot shares with others.
        index: the number of this density in the gallery.
        mu: the density.
        cloud: the particles.
        title: for example the time.
        colour: of the particles.
        labels: whether to label the horizontal and the vertical axis (snapshots side by side share them).

    Returns:
        The axes: one in 2D, three in 3D in the order of :func:`coordinate_pairs`.
    """
    lower, upper = gallery.box
    left, top, width, height = place
    sign = cloud.points[:, 0] if cloud is not None and gallery.signed else None
    if mu.mesh.dim == 2:
        panels = {(0, 1): (left, top, width, height, labels[0], labels[1])}
    else:
        gap = 0.09
        w, h = 0.5 * (width - gap), 0.5 * (height - gap)
        panels = {
            (0, 1): (left, top, w, h, False, labels[1]),
            (0, 2): (left, top + h + gap, w, h, labels[0], labels[1]),
            (1, 2): (left + w + gap, top + h + gap, w, h, labels[0], False),
        }
    axes = []
    for (i, j), (*corner, label_x, label_y) in panels.items():
        ax = page.axes(*corner)
        density(
            ax,
            mu,
            axes=(i, j),
            norm=gallery.norm,
            image=gallery.images[index][i, j] if gallery.images else None,
        )
        if cloud is not None:
            particles(ax, cloud, axes=(i, j), sign=sign, colour=colour, size=_marker_area(cloud, len(panels)))
        ax.set(xlim=(lower[i], upper[i]), ylim=(lower[j], upper[j]))
        beyond = _BEYOND if len(panels) == 1 else 0.5 * _BEYOND
        _ticks(ax.xaxis, (lower[i], upper[i]), corner[2], beyond)
        _ticks(ax.yaxis, (lower[j], upper[j]), corner[3], beyond)
        ax.tick_params(labelbottom=label_x, labelleft=label_y)
        if label_x:
            ax.set_xlabel(gallery.names[i])
        if label_y:
            ax.set_ylabel(gallery.names[j])
        axes.append(ax)
    if title and mu.mesh.dim == 2:
        _tag(axes[0], title)
    elif title:
        middle = left + 0.5 * (width + gap + w)
        page.text(middle, top + 0.42 * h, title, ha="center", fontsize=11)
    return axes


def _ticks(axis: Axis, ends: tuple[float, float], inches: float, beyond: float) -> None:
    """Put ticks at round numbers: as many as have room for their labels, none whose label leaves the panel.

    Args:
        axis: of a panel ``inches`` long.
        ends: the numbers at its ends.
        inches: its length.
        beyond: how far (inches) labels may reach into the space between panels.
    """
    scale = inches / (ends[1] - ends[0])
    chosen: list[float] = []
    for bins in (6, 5, 4, 3, 2):
        ticks = MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]).tick_values(*ends)
        step = float(ticks[1] - ticks[0])
        longest = max(len(f"{t:.6g}") for t in ticks) if step < 1.0 else max(len(f"{t:.0f}") for t in ticks)
        size = _DIGIT * longest if isinstance(axis, XAxis) else _LINE
        margin = (0.5 * size - beyond) / scale
        inside = [float(t) for t in ticks if ends[0] + margin <= t <= ends[1] - margin]
        if len(inside) > len(chosen) and (len(inside) == 1 or step * scale >= size + 0.06):
            chosen = inside
    axis.set_major_locator(FixedLocator(chosen))


def _marker_area(cloud: "ParticleCloud", panels: int) -> float:
    """Return a marker area for a cloud: smaller the more there are, and in small panels."""
    area = float(np.clip(2400.0 / max(len(cloud.points), 1), 2.5, 22.0))
    return area if panels == 1 else 0.5 * area


def _tag(ax: Axes, text: str) -> None:
    ax.text(
        0.035,
        0.96,
        text,
        transform=ax.transAxes,
        ha="left",
        va="top",
        zorder=5,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
    )


def density_bar(page: Page, place: tuple[float, float, float, float], gallery: Gallery) -> Colorbar:
    """Draw the colour bar of a gallery, lying at ``place`` (left, top, width, height in inches)."""
    bar = page.figure.colorbar(
        ScalarMappable(gallery.norm, density_colours()),
        cax=page.axes(*place),
        orientation="horizontal",
        extend="min" if isinstance(gallery.norm, LogNorm) else "neither",
        label="density" if not gallery.images else "marginal density",
    )
    if isinstance(gallery.norm, LogNorm):
        _decades(bar, float(gallery.norm.vmin or 1.0), float(gallery.norm.vmax or 1.0))
    bar.ax.xaxis.label.set_fontsize(9.5)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8.5, which="both", width=0.4, length=2.0)
    return bar


def _decades(bar: Colorbar, low: float, high: float) -> None:
    """Label powers of ten where the range holds several, and else 1, 2 and 5 times powers of ten."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    inside = [p for p in powers if low <= p <= high]
    if len(inside) >= 2:
        bar.set_ticks(inside, labels=[f"$10^{{{round(np.log10(p))}}}$" for p in inside])
    else:
        inside = [k * p for p in powers for k in (1.0, 2.0, 5.0) if low <= k * p <= high]
        bar.set_ticks(inside, labels=[f"{value:.3g}" for value in inside])
    bar.ax.xaxis.set_minor_formatter(NullFormatter())


def particle_handles(gallery: Gallery, m: int | None = None, kind: str = "particles") -> list[Line2D]:
    """Return legend entries for the particles on top of a density."""
    number = f"{m} {kind}" if m is not None else kind
    if not gallery.signed:
        return [_dot(ORANGE, "white", number)]
    return [
        _dot(ORANGE, "white", f"{number}, $w > 0$"),
        _dot(GOLD, "white", "$w < 0$"),
        _dot("white", INK, "$w = 0$"),
    ]


def _dot(face: str, rim: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker="o", markersize=5, markerfacecolor=face, markeredgecolor=rim,
        markeredgewidth=0.4, label=label,
    )  # fmt: skip
