"""Errors of the density flow against the size of the mesh."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from wassflow.arguments import Array
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, snapshot
from wassflow.plot.style import BLUE, FAINT, ORANGE, PURPLE, QUIET, TEAL, Page, styled
from wassflow.study.rates import ROUNDING

# Name of a quantity in the records of the study: how it is called, its colour and marker.
_QUANTITIES = {
    "moment_error": ("$|f_h - f|$", BLUE, "o"),
    "energy_error": ("$|F_h - F|$", PURPLE, "D"),
    "l1_error": ("$L^1$", TEAL, "^"),
    "w2": ("$W_2$", ORANGE, "s"),
}
# Colour and marker of the absorbed mass within some layers of cells, the thinnest first.
_LAYERS = ((BLUE, "o"), (TEAL, "^"), (ORANGE, "s"), (PURPLE, "D"))
# What errors are taken against, short enough for the heading of the narrowest page.
_AGAINST = {"exact": "the exact solution", "quadrature": "quadrature", "finest": "the finest mesh"}
_MOST_TIMES = 3
# Inches.
_LEFT, _PICTURE, _BETWEEN, _ERRORS, _RIGHT, _TOP, _HEIGHT, _BOTTOM = (
    0.62,
    2.6,
    0.72,
    2.9,
    0.12,
    0.55,
    2.75,
    1.12,
)


@styled
def mesh_refinement(result: Any, absorbed: Any = None) -> Figure:
    """Draw a mesh refinement study: the density on the finest mesh, and the errors against h at every time.

    Args:
        result: :class:`wassflow.study.MeshRefinement`. Of more than three times, the last three are shown.
        absorbed: :class:`wassflow.study.AbsorbedMass` of it, whose errors at the last time get a panel.
    """
    times = list(result.times)[-_MOST_TIMES:]
    panels = len(times) + (absorbed is not None)
    width = _LEFT + _PICTURE + panels * (_BETWEEN + _ERRORS) + _RIGHT
    page = Page.blank(width, _TOP + _HEIGHT + _BOTTOM)
    mu = result.finest.at(times[-1])
    gallery = Gallery.of([mu], (), coordinate_names(result.case, result.dim))
    page.heading(
        _LEFT,
        width - _RIGHT,
        0.12,
        result.case.name,
        f"d = {result.dim},  {result.cell} cells,  errors against {_AGAINST[result.reference]}",
    )
    place = (_LEFT, _TOP, _PICTURE, _HEIGHT)
    snapshot(page, place, gallery, 0, mu, title=f"$t = {times[-1]:.3g}$")
    density_bar(page, (_LEFT + 0.1 * _PICTURE, _TOP + _HEIGHT + 0.52, 0.8 * _PICTURE, 0.09), gallery)
    axes = [
        page.axes(_LEFT + _PICTURE + _BETWEEN + i * (_ERRORS + _BETWEEN), _TOP, _ERRORS, _HEIGHT)
        for i in range(panels)
    ]
    for ax, time in zip(axes, times, strict=False):
        errors(ax, result, time)
    if absorbed is not None:
        absorbed_mass(axes[-1], absorbed, times[-1])
    return page.figure


@styled
def errors(ax: Axes, result: Any, time: float) -> None:
    """Draw the errors of a mesh refinement study at one time against h, with orders and reference slopes.

    Args:
        ax: where to draw.
        result: :class:`wassflow.study.MeshRefinement`.
        time: one of its times.
    """
    rows = result.select(time)
    h = np.array([row["h"] for row in rows], dtype=np.float64)
    shown: list[Array] = []
    for quantity, (name, colour, marker) in _QUANTITIES.items():
        if (time, quantity) not in result.orders:
            continue
        values = np.array([row[quantity] for row in rows], dtype=np.float64)  # nan where there is none
        positive = values > ROUNDING
        if not positive.any():
            continue
        style = _line(colour, marker, name, result.order[time, quantity])
        if quantity == "w2":
            bounds = np.array([[row["w2_lower"], row["w2_upper"]] for row in rows], dtype=np.float64).T
            widths = np.maximum([values - bounds[0], bounds[1] - values], 0.0)[:, positive]
            ax.errorbar(h[positive], values[positive], widths, capsize=2.0, elinewidth=0.9, **style)
        else:
            ax.plot(h[positive], values[positive], **style)
        shown.append(values[positive])
    fitted = [result.order.get((time, quantity), np.nan) for quantity in ("l1_error", "w2")]
    _logarithmic(ax, h, shown, second=np.nanmax([*fitted, 0.0]) > 1.5)
    ax.set_ylabel(f"error at $t = {time:.3g}$")


@styled
def absorbed_mass(ax: Axes, absorbed: Any, time: float) -> None:
    """Draw the errors of absorbed masses at one time against h, for every number of layers of cells.

    Args:
        ax: where to draw.
        absorbed: :class:`wassflow.study.AbsorbedMass`.
        time: one of its times.
    """
    h = np.array([row["h"] for row in absorbed.select(time, absorbed.cells[0])])
    shown: list[Array] = []
    for cells, (colour, marker) in zip(absorbed.cells, _LAYERS, strict=False):
        values = np.abs([row["error"] for row in absorbed.select(time, cells)])
        positive = values > ROUNDING
        if not positive.any():
            continue
        name = "1 cell" if cells == 1 else f"{cells} cells"
        ax.plot(h[positive], values[positive], **_line(colour, marker, name, absorbed.order[time, cells]))
        shown.append(values[positive])
    _logarithmic(ax, h, shown, second=False)
    if absorbed.accuracy > 0.0:
        ax.axhspan(0.0, absorbed.accuracy, color=FAINT, zorder=0, label="of the reference")
        ax.legend(loc="upper left", ncols=2, columnspacing=1.0, borderaxespad=0.0, fontsize=9)
    ax.set_ylabel(f"error of the absorbed mass, {absorbed.exact(time):.3g} at $t = {time:.3g}$")


def _line(colour: str, marker: str, name: str, order: float) -> dict[str, Any]:
    """Return the style of errors of one kind, whose label tells their order."""
    return {
        "color": colour,
        "marker": marker,
        "markersize": 5.0,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "linewidth": 1.2,
        "label": f"{name}: order {order:.2f}" if np.isfinite(order) else name,
    }


def _logarithmic(ax: Axes, h: Array, shown: list[Array], second: bool) -> None:
    """Scale the axes for errors against h, with a legend above them and slopes of theory below."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    if shown:
        every = np.concatenate(shown)
        low, high = float(every.min()), float(every.max())
        _slopes(ax, h, low, second)
        room = 0.22
        ax.set_ylim(low / 2.6, high * (high / low * 2.6) ** (room / (1.0 - room)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(h, [f"{size:.2g}" for size in h])
    ax.set_xticks([], minor=True)
    ax.set_xlim(h.min() / 1.25, h.max() * 1.45)
    ax.set_xlabel("largest cell diameter $h$")
    ax.grid(color=FAINT, linewidth=0.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="upper left", ncols=2, columnspacing=1.0, borderaxespad=0.0, fontsize=9)


def _slopes(ax: Axes, h: Array, low: float, second: bool) -> None:
    """Draw what orders 1 and 1/2 look like, or 2 and 1 for second-order data, under the data."""
    if len(h) < 2:
        return
    ends = np.array([h.min(), h.max()])
    references = ((2.0, "$h^2$"), (1.0, "$h$")) if second else ((1.0, "$h$"), (0.5, "$h^{1/2}$"))
    for order, text in references:
        line = low / 1.8 * (ends / ends[0]) ** order
        ax.plot(ends, line, color=QUIET, linewidth=1.0, linestyle=":", zorder=1)
        ax.annotate(
            text,
            (ends[1], line[1]),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=QUIET,
            fontsize=9.5,
        )
