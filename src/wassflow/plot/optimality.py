"""F' on its way to the optimality conditions, and the certified gap above the excess."""

from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.plot.style import BLUE, INK, ORANGE, QUIET, SERIES, new_figure, open_axes, styled

_LEAST = 1e-10


@styled
def optimality(result: Any) -> Figure:
    """Draw F' where it is a function on a circle, and gap and excess against time for every case.

    Thin lines are F' at a time of the flow, thick ones at the minimiser, where F' touches 0 from above on
    the support. In the last panel the certified gap (solid) is above the excess (dashed).

    Args:
        result: :class:`wassflow.study.Optimality`.
    """
    circles = [row for row in result.cases if "angles" in row]
    figure = new_figure(3.5 * (len(circles) + 1), 3.3)
    axes = np.atleast_1d(figure.subplots(1, len(circles) + 1))
    for ax, row in zip(axes, circles, strict=False):
        _slopes(ax, row)
    _gaps(axes[-1], result)
    return figure


def _slopes(ax: Axes, row: dict[str, Any]) -> None:
    """Draw F' on the way and at the minimiser, for two signs of w where there are two."""
    angles, curves = np.array(row["angles"]), [np.array(curve) for curve in row["curves"]]
    size = int(np.argmax(angles)) + 1
    signs = [(slice(0, size), ORANGE), (slice(size, None), BLUE)][: len(angles) // size]
    times = [at["time"] for at in row["path"]]
    middle = len(times) // 2
    for part, colour in signs:
        ax.plot(angles[part], curves[middle][part], color=colour, linewidth=0.8, alpha=0.6)
        ax.plot(angles[part], curves[-1][part], color=colour, linewidth=1.6)
    best = row["optimum"]
    # linear where F' at the minimiser is, logarithmic for what was far from it
    ax.set_yscale("symlog", linthresh=float(np.max(curves[-1])), linscale=2.0)
    ax.axhline(0.0, color=INK, linewidth=0.7)
    for *point, _ in row["atoms"]:
        where = np.arctan2(point[1], point[0]) % (2.0 * np.pi) if len(signs) == 1 else point[1]
        ax.plot(where, 0.0, "o", color=INK, markersize=4, zorder=5)
    handles = [Line2D([], [], color=QUIET, linewidth=1.6, label="minimiser")]
    handles += [Line2D([], [], color=QUIET, linewidth=0.8, label=f"$t = {times[middle]:.2g}$")]
    if len(signs) == 2:
        handles += [
            Line2D([], [], color=c, label=f"$w = {w}1$") for (_, c), w in zip(signs, "+-", strict=True)
        ]
    handles += [Line2D([], [], color=INK, marker="o", linestyle="", markersize=4, label="support")]
    ax.set_ylim(None, 12.0 * ax.get_ylim()[1])
    ax.legend(handles=handles, fontsize=8, ncols=3, loc="upper center")
    ax.set_title(f"{row['case']}: min $F'$ at least {best['least']:.0e}", fontsize=10)
    ax.set_xlabel(r"$\theta$" if len(signs) == 2 else "angle of the direction")
    ax.set_ylabel("$F'$")
    open_axes(ax)


def _gaps(ax: Axes, result: Any) -> None:
    """Draw certified gaps and what they bound."""
    for row, colour in zip(result.cases, cycle((*SERIES, INK)), strict=False):
        times = np.array([at["time"] for at in row["path"]])[1:]
        gaps = np.array([at["gap"] for at in row["path"]])[1:]
        excess = np.array([at["value"] - row["optimum"]["value"] for at in row["path"]])[1:]
        ax.plot(times, np.maximum(gaps, _LEAST), color=colour, label=row["case"])
        ax.plot(times, np.maximum(excess, _LEAST), color=colour, linestyle="--", linewidth=1.0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(_LEAST, None)
    ax.set_xlabel("$t$")
    ax.set_ylabel(r"certified gap (solid) $\geq F(\mu_t) - F^*$ (dashed)")
    ax.legend(fontsize=8, loc="lower left")
    open_axes(ax)
