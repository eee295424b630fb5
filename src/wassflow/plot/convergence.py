"""W2 against the number of particles, on logarithmic axes: measured brackets, fit, law and floor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from wassflow.arguments import Array
from wassflow.plot.style import (
    FAINT,
    INK,
    METHOD_COLOURS,
    METHOD_MARKERS,
    METHOD_WORDS,
    decimal_heights,
    key_above,
    styled,
)

# Laws of wassflow.study.laws in mathematical notation.
_FORMULAS = {
    "sqrt((|Omega|/m) (ln m / 4 pi + c))": r"$\sqrt{(|\Omega|/m)(\ln m/4\pi + c)}$",
    "c m^(-1/2)": r"$c\,m^{-1/2}$",
    "c m^(-1/3)": r"$c\,m^{-1/3}$",
    "c m^(-1/4)": r"$c\,m^{-1/4}$",
}
DASHED: dict[str, Any] = {"linestyle": (0, (5, 2.5)), "linewidth": 1.0}
_NOTE: dict[str, Any] = {
    "fontsize": 9,
    "color": INK,
    "ha": "left",
    "clip_on": True,
    "bbox": {"boxstyle": "round,pad=0.12", "facecolor": "#eef0f2", "edgecolor": "none", "alpha": 0.9},
}
_MEAN: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.7}
_SEEDS: dict[str, Any] = {
    "fmt": "o",
    "markersize": 2.2,
    "elinewidth": 0.9,
    "capsize": 1.6,
    "capthick": 0.7,
    "alpha": 0.45,
    "zorder": 2,
}
# Seeds of one m stand side by side over this part of the distance between two m.
_SPREAD = 0.22
# Height of a line of the key over the axes, and its distance to them, in inches.
_KEY_LINE, _KEY_GAP = 0.15, 0.06
# A floor that many times below everything measured is told in words: its band would leave the data no room.
_FAR_BELOW = 6.0


@styled
def convergence(ax: Axes, result: Any, time: float, legend: bool = True) -> None:
    """Draw W2 between m particles and the density at one time against m.

    Small dots are single seeds and the bars through them their certified brackets [lower, upper]; large
    markers are root mean squares over the seeds; the solid line is the fitted power of m, the dashed line
    the law of theory with its constant fitted. In the hatched band the distance may be due to the mesh
    alone.

    Args:
        ax: where to draw.
        result: :class:`wassflow.study.ManyParticleLimit`.
        time: one of its times.
        legend: write what was fitted, and the laws, over the axes: a line of text for each kind of start.
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    ms = np.array(sorted(result.ms), dtype=np.float64)
    drawn = [_method(ax, result, method, time, ms) for method in result.methods]
    floor = result.floor(time)
    if floor > 0.0:
        ax.axhspan(
            1e-300, floor, facecolor="#eef0f2", edgecolor="#a9b1ba", hatch="////", linewidth=0.0, zorder=0.5
        )
        ax.axhline(floor, color="#8b949e", linewidth=0.8, zorder=0.6)
        ax.text(0.02, floor / 1.06, "PDE’s own error", va="top", transform=ax.get_yaxis_transform(), **_NOTE)
    ax.set_xlabel("number of particles $m$")
    ax.set_ylabel(r"$W_2(\mu_{m,t}\,,\,\mu_t)$")
    ratio = (ms[-1] / ms[0]) ** (1.0 / max(len(ms) - 1, 1)) if len(ms) > 1 else 2.0
    ax.set_xlim(ms[0] / ratio**0.6, ms[-1] * ratio**0.6)
    ax.xaxis.set_major_locator(FixedLocator(list(ms if len(ms) <= 7 else ms[:: (len(ms) + 5) // 6])))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda m, _: f"{m:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    decimal_heights(ax)
    ax.grid(which="major", color=FAINT, linewidth=0.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    fit_height([ax], [(result, time)])
    values = [row["value"] for method in result.methods for row in result.select(method, time)]
    if 0.0 < floor <= min(values) / _FAR_BELOW:
        ax.text(
            0.02, 0.03, f"PDE’s own error: {floor:.2g}, below", va="bottom", transform=ax.transAxes, **_NOTE
        )
    if legend:
        # a column of what was measured, and one of the laws
        handles = [measured for measured, _ in drawn] + [law for _, law in drawn]
        key_above(ax, handles)


def key_height(result: Any) -> float:
    """Return how much room (inches) the key over the axes takes: a line for each kind of start.

    >>> from types import SimpleNamespace
    >>> round(key_height(SimpleNamespace(methods=("iid", "quantized"))), 2)
    0.36
    """
    return _KEY_LINE * len(result.methods) + _KEY_GAP


def _method(ax: Axes, result: Any, method: str, time: float, ms: Array) -> tuple[Line2D, Line2D]:
    """Draw what was measured for one kind of start and its law, and return the entries of both in the key."""
    colour, marker = METHOD_COLOURS[method], METHOD_MARKERS[method]
    mean_m, mean_value = [], []
    step = np.log(ms[-1] / ms[0]) / max(len(ms) - 1, 1) if len(ms) > 1 else np.log(2.0)
    for m in ms:
        rows = result.select(method, time, int(m))
        if not rows:
            continue
        offsets = np.linspace(-0.5, 0.5, len(rows)) if len(rows) > 1 else np.zeros(1)
        x = m * np.exp(_SPREAD * step * offsets)
        value = np.array([row["value"] for row in rows])
        lower = np.array([row["lower"] for row in rows])
        upper = np.array([row["upper"] for row in rows])
        errors = np.maximum([value - lower, upper - value], 0.0)
        ax.errorbar(x, value, errors, color=colour, ecolor=colour, **_SEEDS)
        mean_m.append(m)
        mean_value.append(np.sqrt(np.mean(value**2)))
    ax.plot(mean_m, mean_value, linestyle="none", color=colour, marker=marker, zorder=4, **_MEAN)
    fit = result.fits.get((method, time))
    fitted = fit is not None and np.isfinite(fit.exponent)
    if fitted:
        used = np.array([min(fit.used), max(fit.used)], dtype=np.float64)
        ax.plot(used, fit.constant * used**fit.exponent, color=colour, linewidth=1.3, zorder=3)
    label = exponent_text(fit) if fitted else "too near the floor"
    line = {"linestyle": "-" if fitted else "none", "linewidth": 1.3, "marker": marker, **_MEAN}
    measured = Line2D([], [], color=colour, label=f"{METHOD_WORDS[method]}  {label}", **line)
    law = result.laws.get((method, time))
    if law is None:
        return measured, Line2D([], [], linestyle="none", label=" ")
    dense = np.geomspace(ms[0] / 1.3, ms[-1] * 1.3, 60)
    ax.plot(dense, law(dense), color=colour, alpha=0.9, zorder=2.5, **DASHED)
    formula = law.law.formula
    return measured, Line2D([], [], color=colour, label=_FORMULAS.get(formula, formula), **DASHED)


def exponent_text(fit: Any) -> str:
    """Return a fitted power with its interval in mathematical notation.

    >>> from types import SimpleNamespace
    >>> exponent_text(SimpleNamespace(exponent=-0.462, low=-0.51, high=-0.41, level=0.95))
    '$m^{-0.46}$  [−0.51, −0.41]'
    """
    power = f"$m^{{{fit.exponent:.2f}}}$"
    if not (np.isfinite(fit.low) and np.isfinite(fit.high)):
        return power
    return f"{power}  [{fit.low:.2f}, {fit.high:.2f}]".replace("[-", "[−").replace(" -", " −")


def fit_height(axes: Sequence[Axes], shown: Sequence[tuple[Any, float]]) -> None:
    """Give axes one common height range, in which all brackets and floors can be seen.

    Args:
        axes: the axes.
        shown: the (result, time) of each.
    """
    rows = [row for result, time in shown for method in result.methods for row in result.select(method, time)]
    values = [row["value"] for row in rows if row["value"] > 0.0]
    floors = [height for result, time in shown if (height := result.floor(time)) > 0.0]
    if not values:
        return
    low = min(values) / 1.35
    if floors and max(floors) > min(values) / _FAR_BELOW:
        low = min(low, min(floor for floor in floors if floor > min(values) / _FAR_BELOW) / 1.9)
    for ax in axes:
        ax.set_ylim(low, 1.25 * max(row["upper"] for row in rows))
