"""F of m particles at time t on its way to both limits."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wassflow.plot.style import BLUE, INK, ORANGE, QUIET, TEAL, new_figure, open_axes, styled

# Excess below this share of that at time 0 is F* as far as a picture can tell.
_LEAST = 1e-8


@styled
def exchange_of_limits(result: Any) -> Figure:
    """Draw F(mu_{m,t}) - F* against t for every m, and what long times leave of it against m.

    Args:
        result: :class:`wassflow.study.ExchangeOfLimits`.
    """
    figure = new_figure(7.6, 2.9 * len(result.grids))
    axes = figure.subplots(len(result.grids), 2, squeeze=False, width_ratios=[1.35, 1.0])
    for (left, right), grid in zip(axes, result.grids, strict=True):
        _against_time(left, grid)
        _against_number(right, grid)
    return figure


def _against_time(ax: Axes, grid: Any) -> None:
    floor = _LEAST * float(grid.limit[0] - grid.value)
    times = np.array(grid.times[1:])
    colours = mpl.colormaps["viridis_r"](np.linspace(0.15, 0.95, len(grid.ms)))
    for m, line, colour in zip(grid.ms, grid.values, colours, strict=True):
        ax.plot(
            times, np.maximum(line[1:] - grid.value, floor), color=colour, label=f"$m = {m}$", linewidth=1.2
        )
    ax.plot(
        times,
        np.maximum(grid.limit[1:] - grid.value, floor),
        color=INK,
        linestyle=(0, (4, 2)),
        label=r"$m \to \infty$",
        linewidth=1.2,
    )
    _axes(ax, grid, "$t$", floor)
    ax.set_title(grid.name, fontsize=10, loc="left")
    ax.set_ylabel(r"$F(\mu_{m,t}) - F^*$")
    ax.legend(fontsize=8, ncols=2, loc="lower left")


def _against_number(ax: Axes, grid: Any) -> None:
    floor = _LEAST * float(grid.limit[0] - grid.value)
    ms = np.array(grid.ms)
    last = np.maximum(grid.values[:, -1] - grid.value, floor)
    reached = np.array(grid.reached)
    if grid.least is not None:
        ax.plot(
            ms,
            np.maximum(grid.least - grid.value, floor),
            color=QUIET,
            linewidth=1.0,
            drawstyle="steps-post",
            label="least over $m$ particles, exact",
        )
    ax.plot(ms[reached], last[reached], "o", color=TEAL, markersize=5, label="$F^*$ reached")
    ax.plot(ms[~reached], last[~reached], "s", color=ORANGE, markersize=5, label="above $F^*$")
    ax.axhline(grid.tolerance, color=BLUE, linewidth=0.8, linestyle=":", label="counts as $F^*$ below")
    _axes(ax, grid, "$m$", floor)
    ax.set_ylabel(rf"$F(\mu_{{m,t}}) - F^*$ at $t = {grid.times[-1]:g}$")
    ax.set_xticks(ms, [str(m) for m in ms])
    ax.set_xticks([], minor=True)
    ax.legend(fontsize=8, loc="upper right")


def _axes(ax: Axes, grid: Any, name: str, floor: float) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.5 * floor, 4.0 * float(max(grid.values[:, 0].max(), grid.limit[0]) - grid.value))
    ax.set_xlabel(name)
    open_axes(ax)
