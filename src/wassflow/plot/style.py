"""The one look of every picture: fonts, colours, line widths, and the colour map of densities.

Everything is set in code, from what matplotlib itself brings along, so that a picture is the same on every
machine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

INK = "#22272e"  # text, axes
QUIET = "#6b7480"  # secondary text, reference lines
FAINT = "#d9dde2"  # grid lines
BLUE = "#1f5fa8"  # the density and what is computed from it
ORANGE = "#e4572e"  # particles, first family
GOLD = "#f0ac1c"  # particles of negative weight coordinate
TEAL = "#15807a"  # particles, second family
PURPLE = "#7b4b94"

METHOD_COLOURS = {"iid": ORANGE, "quantized": TEAL, "stratified": PURPLE}
METHOD_MARKERS = {"iid": "o", "quantized": "s", "stratified": "D"}
METHOD_WORDS = {"iid": "iid", "quantized": "quantised", "stratified": "stratified"}
SERIES = (BLUE, ORANGE, TEAL, PURPLE, "#8a6d00")

STYLE: dict[Any, Any] = {
    "font.family": ["STIXGeneral"],  # by name: text keeps it when it is drawn later, outside this style
    "mathtext.fontset": "stix",
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "figure.titlesize": 13,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.8,
    "ytick.minor.size": 1.8,
    "axes.labelpad": 3.0,
    "axes.titlepad": 5.0,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "legend.borderpad": 0.3,
    "legend.handlelength": 2.0,
    "legend.labelspacing": 0.35,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 180,
    "svg.hashsalt": "wassflow",  # names inside an SVG are random otherwise
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the style to what is drawn inside the block, and leave the user's settings as they were.

    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["mathtext.fontset"]
    'stix'
    """
    with mpl.rc_context(STYLE):
        yield


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a drawing function so that it draws in the style of this module."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return draw(*args, **kwargs)

    return inner


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) with constrained layout and its own canvas: no window, no global state.

    >>> new_figure(4.0, 3.0).get_size_inches().tolist()
    [4.0, 3.0]
    """
    with style():
        engine = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, wspace=0.02, hspace=0.02)
        figure = Figure(figsize=(width, height), layout=engine)
        FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Page:
    """A figure whose axes are placed in inches from its upper left corner.

    For pictures of many panels that must line up: the size of a panel then does not depend on its labels.

    Attributes:
        figure: the figure.
        width, height: its size in inches.
    """

    figure: Figure
    width: float
    height: float

    @classmethod
    def blank(cls, width: float, height: float) -> "Page":
        """Return an empty page (inches)."""
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        return cls(figure, width, height)

    def axes(self, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
        """Add axes; all lengths in inches, ``top`` measured downwards."""
        lower = self.height - top - height
        place = (left / self.width, lower / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place, **options)

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        """Write text whose upper left corner is at the given place, in inches."""
        options = {"ha": "left", "va": "top", **options}
        self.figure.text(left / self.width, 1.0 - top / self.height, text, **options)

    def heading(self, left: float, right: float, top: float, title: str, note: str) -> None:
        """Write a title from ``left`` on, and a quiet note that ends at ``right``; all in inches."""
        self.text(left, top, title, fontsize=14)
        self.text(right, top + 0.05, note, color=QUIET, ha="right")

    def legend(self, left: float, top: float, handles: Sequence[Artist], **options: Any) -> None:
        """Explain ``handles``; the corner ``loc`` of the legend is at the given place, in inches."""
        place = (left / self.width, 1.0 - top / self.height)
        options = {"loc": "upper left", "borderaxespad": 0.0, "borderpad": 0.0, **options}
        self.figure.legend(handles=list(handles), bbox_to_anchor=place, **options)


def open_axes(ax: Axes) -> None:
    """Leave the upper and the right side of axes open, and draw a faint grid."""
    ax.grid(color=FAINT, linewidth=0.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def decimal_heights(ax: Axes) -> None:
    """Label heights 1, 2, 5 times powers of ten as plain decimals."""
    ax.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0), numticks=12))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.3g}"))
    ax.yaxis.set_minor_locator(LogLocator(10.0, subs=tuple(range(1, 10)), numticks=100))
    ax.yaxis.set_minor_formatter(NullFormatter())


def key_above(ax: Axes, handles: Sequence[Artist] | None = None) -> None:
    """Explain what is drawn in two columns over the axes, where no data are.

    Args:
        ax: the axes.
        handles: what to explain, the first column first; by default all that has a label.
    """
    if handles is None:
        handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        handles=handles,
        ncols=2,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=ax.transAxes + ScaledTranslation(-0.06, 0.03, ax.figure.dpi_scale_trans),
        borderaxespad=0.0,
        borderpad=0.0,
        fontsize=8.0,
        labelspacing=0.2,
        handlelength=1.5,
        handletextpad=0.5,
        columnspacing=0.9,
        frameon=False,
    )


def _oklab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Convert Oklab (n, 3) to sRGB in [0, 1] (Ottosson 2020, A perceptual color space)."""
    to_lms = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_lms.T) ** 3 @ to_rgb.T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@cache
def density_colours() -> Colormap:
    """Return the colour map of densities: white where there is nothing, through blue to deep indigo.

    Perceptually uniform: the 256 colours lie at equal distances along a curve in Oklab whose lightness
    falls all the way, so it also reads in grey and for every kind of colour blindness.

    >>> density_colours().name
    'wassflow-density'
    """
    s = np.linspace(0.0, 1.0, 2001)
    lightness = 0.97 - 0.72 * s
    chroma = 0.010 + 0.105 * np.sin(np.pi * (0.02 + 0.82 * s)) ** 1.15
    hue = np.deg2rad(222.0 + 62.0 * s)
    lab = np.column_stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(lab, axis=0), axis=1))])
    even = np.linspace(0.0, length[-1], 256)
    colours = _oklab_to_srgb(np.column_stack([np.interp(even, length, lab[:, i]) for i in range(3)]))
    table = ListedColormap(np.column_stack([colours, np.ones(256)]), name="wassflow-density")
    return table.with_extremes(under="white", bad="white")
