"""Excess loss against time, from starts that separate and from others."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.plot.style import BLUE, INK, ORANGE, PURPLE, QUIET, TEAL, new_figure, open_axes, styled

_COLOURS = {"separating": BLUE, "one sign": TEAL, "half": ORANGE, "point": PURPLE, "density": INK}
_WORDS = {
    "separating": "separating",
    "one sign": "one sign of weights",
    "half": "half of Θ or of the sphere",
    "point": "all at one point",
    "density": "density",
}
# Lines of few particles are pale.
_PALEST = 0.35
_PER_ROW = 3


@styled
def global_convergence(result: Any) -> Figure:
    """Draw F(mu_{m,t}) - F* against t, a panel per case.

    Solid lines start from where the separation hypothesis holds, dashed ones from where it does not; the more
    particles, the darker. Below the shaded line is what the certificate of F* leaves open.

    Args:
        result: :class:`wassflow.study.GlobalConvergence`.
    """
    cases = list(result.optima)
    columns = min(len(cases) + 1, _PER_ROW)
    rows = -(-(len(cases) + 1) // columns)
    figure = new_figure(3.5 * columns, 3.0 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, case in zip(axes, cases, strict=False):
        _panel(ax, result, case)
    for ax in axes[len(cases) :]:
        ax.axis("off")
    starts = dict.fromkeys(run["start"] for run in result.runs)
    handles = [Line2D([], [], color=_COLOURS[start], label=_WORDS[start]) for start in starts]
    handles += [
        Line2D([], [], color=QUIET, label="hypothesis holds"),
        Line2D([], [], color=QUIET, linestyle="--", label="hypothesis fails"),
        Line2D([], [], color=QUIET, alpha=_PALEST, label="few particles"),
        Line2D([], [], color=QUIET, label="many particles"),
    ]
    axes[len(cases)].legend(handles=handles, loc="center left", title="start", alignment="left")
    return figure


def _panel(ax: Axes, result: Any, case: str) -> None:
    best = result.optima[case]
    runs = result.select(case)
    counts = sorted({run["m"] for run in runs if run["m"] is not None})
    floor = max(best["gap"], 1e-9)
    for run in runs:
        times, excess = np.array(run["times"]), result.excess(run)
        shown = times > 0.0
        share = 1.0 if run["m"] is None else (1.0 + counts.index(run["m"])) / len(counts)
        ax.plot(
            times[shown],
            np.maximum(excess[shown], 0.2 * floor),
            color=_COLOURS[run["start"]],
            linestyle="-" if run["separates"] else "--",
            alpha=_PALEST + (1.0 - _PALEST) * share,
            linewidth=1.3,
        )
    ax.axhspan(
        1e-300, floor, facecolor="#eef0f2", edgecolor="#a9b1ba", hatch="////", linewidth=0.0, zorder=0.5
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.3 * floor, 3.0 * max(float(result.excess(run)[0]) for run in runs))
    ax.set_title(f"{case} (Theorem {best['theorem']}, m = {', '.join(map(str, counts))})", fontsize=10)
    ax.set_xlabel("$t$")
    ax.set_ylabel(r"$F(\mu_{m,t}) - F^*$")
    open_axes(ax)
