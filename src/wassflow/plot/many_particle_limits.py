"""The many-particle limit of several cases: W2 and errors of observables against m, a row for each case."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wassflow.plot.convergence import DASHED, convergence, fit_height, key_height
from wassflow.plot.style import BLUE, FAINT, PURPLE, QUIET, TEAL, Page, decimal_heights, key_above, styled
from wassflow.study.rates import root_mean_square

# Inches.
_LEFT, _PANEL, _BETWEEN, _RIGHT, _TOP, _HEIGHT, _GAP, _BOTTOM = 1.0, 2.55, 0.62, 0.15, 0.5, 1.75, 0.5, 0.35
_OBSERVABLES = {
    "coupled": (r"coupled", PURPLE, "D"),
    "moment_error": (r"$|f_m - f|$", BLUE, "o"),
    "energy_error": (r"$|F_m - F|$", TEAL, "s"),
}
_TITLE: dict[str, Any] = {"fontsize": 9.5, "ha": "right", "va": "top"}
_NOTE: dict[str, Any] = {**_TITLE, "fontsize": 8.0, "color": QUIET}


@styled
def many_particle_limits(result: Any) -> Figure:
    """Draw the many-particle limit of several cases.

    A row for every case: W2 at every time, as :func:`wassflow.plot.convergence` draws it, with the stability
    bound of iid starts where it is in sight, and at the last time the errors of f and F and the coupled error
    of iid starts beside the law m^{-1/2} (dashed).

    Args:
        result: :class:`wassflow.study.ManyParticleLimits`.
    """
    limits = result.limits
    columns = max(len(limit.times) for limit in limits) + 1
    width = _LEFT + columns * _PANEL + (columns - 1) * _BETWEEN + _RIGHT
    page = Page.blank(width, _TOP + len(limits) * (_HEIGHT + _GAP) + _BOTTOM)
    page.heading(0.15, width - _RIGHT, 0.1, "The many-particle limit", "Chizat and Bach (2018), Theorem 2.6")
    for row, limit in enumerate(limits):
        top = _TOP + row * (_HEIGHT + _GAP)
        key = key_height(limit)
        page.text(0.15, top + key + 0.5 * _HEIGHT, limit.case.name, fontsize=11, rotation=90, va="center")
        place = (top + key, _PANEL, _HEIGHT - key)
        panels = []
        for column, time in enumerate(limit.times):
            ax = page.axes(_LEFT + column * (_PANEL + _BETWEEN), *place)
            convergence(ax, limit, time)
            ax.set_ylabel("")
            ax.text(0.98, 0.97, f"$W_2$,  $t = {time:g}$", transform=ax.transAxes, **_TITLE)
            panels.append(ax)
        fit_height(panels, [(limit, time) for time in limit.times])
        for ax, time in zip(panels, limit.times, strict=True):
            _stability(ax, limit, time)
        last = page.axes(_LEFT + (columns - 1) * (_PANEL + _BETWEEN), *place)
        _observables(last, limit, limit.times[-1])
        for ax in [*panels, last]:
            ax.set_xlabel("number of particles $m$" if row == len(limits) - 1 else "")
    return page.figure


def _stability(ax: Axes, limit: Any, time: float) -> None:
    """Draw the bound of W2, which may be far above the picture, and say how much larger it is."""
    if time == 0.0 or "iid" not in limit.methods:
        return
    bounds = [[r["stability"] for r in limit.select("iid", time, m)] for m in limit.ms]
    if any(bound is None or not np.isfinite(bound) for row in bounds for bound in row):
        return
    # their squares would pass the float range
    means = np.array([max(row) * root_mean_square(np.array(row) / max(row)) for row in bounds])
    ax.plot(limit.ms, means, color=QUIET, linewidth=1.0, linestyle=":", zorder=2)
    power = np.log10(means[-1] / limit.mean("iid", time)[-1])
    ax.text(0.98, 0.83, rf"stability bound $10^{{{power:.1f}}}\,W_2$", transform=ax.transAxes, **_NOTE)


def _observables(ax: Axes, limit: Any, time: float) -> None:
    """Draw the root mean squares of the errors of iid starts at one time, with fits and the law."""
    ms = np.array(limit.ms, dtype=np.float64)
    for key, (name, colour, marker) in _OBSERVABLES.items():
        fit = limit.observable_fits.get(("iid", time, key.removesuffix("_error")))
        if fit is None:
            continue
        errors = limit.mean("iid", time, key)
        label = f"{name}  $m^{{{fit.exponent:.2f}}}$" if np.isfinite(fit.exponent) else name
        ax.plot(ms, errors, marker, color=colour, markersize=4.5, markeredgecolor="white", label=label)
        if np.isfinite(fit.exponent):
            ax.plot(ms, fit(ms), color=colour, linewidth=1.2)
        ax.plot(ms, errors[-1] * np.sqrt(ms[-1] / ms), color=colour, alpha=0.8, **DASHED)
    ax.set_xscale("log")
    ax.set_yscale("log")
    decimal_heights(ax)
    ax.set_xticks(ms, [f"{m:.0f}" for m in ms])
    ax.minorticks_off()
    ax.grid(which="major", color=FAINT, linewidth=0.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.text(0.98, 0.97, f"observables,  $t = {time:g}$", transform=ax.transAxes, **_TITLE)
    key_above(ax)
