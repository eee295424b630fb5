"""Particle complexity: excess losses at rest against m, and the share of runs that find the minimum."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from wassflow.plot.style import FAINT, INK, ORANGE, QUIET, TEAL, Page, styled
from wassflow.study.figure_3 import FIXED, PARTICLES

# Inches: a panel is a column of two axes, losses above and shares of success below.
_LEFT, _WIDTH, _BETWEEN, _RIGHT = 0.72, 4.1, 0.62, 0.14
_TOP, _LOSSES, _GAP, _SHARES, _BOTTOM = 0.5, 3.3, 0.14, 1.35, 1.0

_COLOURS = {PARTICLES: ORANGE, FIXED: TEAL}
_WORDS = {PARTICLES: "particle flow", FIXED: "magnitudes on fixed positions"}
_SPREAD = 0.035  # dots of one m are spread over this share of it, on each side


@styled
def particle_complexity(*results: Any) -> Figure:
    """Draw one or several studies of particle complexity side by side.

    Above, every run's excess loss as a dot, geometric means as lines, those of the authors as open circles,
    m0 as a vertical line and what counts as success as a band; losses too small to be known are drawn at its
    foot. Below, the share of runs that succeed, with its interval, beside the authors'.

    Args:
        results: :class:`wassflow.study.ParticleComplexity`.

    Raises:
        ValueError: no result is given.
    """
    if not results:
        raise ValueError("results must hold at least one study of particle complexity, found none")
    width = _LEFT + len(results) * (_WIDTH + _BETWEEN) - _BETWEEN + _RIGHT
    page = Page.blank(width, _TOP + _LOSSES + _GAP + _SHARES + _BOTTOM)
    for column, result in enumerate(results):
        left = _LEFT + column * (_WIDTH + _BETWEEN)
        count = "1 run" if result.runs == 1 else f"{result.runs} runs"
        page.heading(left, left + _WIDTH, 0.16, result.family.name, f"{count} for each $m$")
        losses = page.axes(left, _TOP, _WIDTH, _LOSSES)
        _losses(losses, result)
        shares = page.axes(left, _TOP + _LOSSES + _GAP, _WIDTH, _SHARES)
        _shares(shares, result)
        losses.tick_params(labelbottom=False)
        if column == 0:
            losses.set_ylabel("excess loss at rest")
            shares.set_ylabel("success")
    key = _TOP + _LOSSES + _GAP + _SHARES + 0.5
    # Two columns, in smaller letters, are as wide as one panel; three are as wide as two.
    columns, letters = (2, 8.0) if len(results) == 1 else (3, 9.0)
    page.legend(_LEFT - 0.3, key, _key(results), ncols=columns, fontsize=letters, columnspacing=1.4)
    return page.figure


def particle_complexities(result: Any) -> Figure:
    """Draw :class:`wassflow.study.ParticleComplexities`: its families side by side."""
    return particle_complexity(*result.panels)


def _losses(ax: Axes, result: Any) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.axhspan(result.least / 2.0, result.threshold, color=FAINT, alpha=0.6, linewidth=0.0)
    rng = np.random.default_rng(0)
    for method in result.methods:
        colour = _COLOURS[method]
        for m in result.ms:
            dots = np.maximum(result.excess(method, m), result.least)
            places = m * np.exp(rng.uniform(-_SPREAD, _SPREAD, dots.size))
            ax.plot(places, dots, ".", color=colour, markersize=3.0, alpha=0.35, markeredgewidth=0.0)
        means = [result.geometric_mean(method, m) for m in result.ms]
        ax.plot(result.ms, means, color=colour, linewidth=1.6)
        found = [(m, losses) for (kind, m), losses in result.authors.losses.items() if kind == method]
        means = [float(np.exp(np.log(np.maximum(losses, result.least)).mean())) for _, losses in found]
        ax.plot([m for m, _ in found], means, "o", color=colour, markersize=5.0, fillstyle="none")
    ax.set_ylim(result.least / 2.0, 3.0)
    _abscissa(ax, result)


def _shares(ax: Axes, result: Any) -> None:
    ax.set_xscale("log")
    ms = np.array(result.ms)
    ours = [result.success(PARTICLES, m) for m in result.ms]
    shares = np.array([success.share for success in ours])
    reach = np.array([[s.share - s.low for s in ours], [s.high - s.share for s in ours]])
    ax.errorbar(ms, shares, np.maximum(reach, 0.0), color=ORANGE, linewidth=1.4, elinewidth=0.9, capsize=2.0)
    theirs = [
        (m, float((losses < result.authors.threshold).mean()))
        for (kind, m), losses in result.authors.losses.items()
        if kind == PARTICLES
    ]
    ax.plot(
        [m for m, _ in theirs], [s for _, s in theirs], "o", color=ORANGE, markersize=5.0, fillstyle="none"
    )
    ax.set_ylim(-0.06, 1.06)
    ax.yaxis.set_major_locator(FixedLocator([0.0, 0.5, 1.0]))
    ax.set_xlabel("$m$")
    _abscissa(ax, result)


def _abscissa(ax: Axes, result: Any) -> None:
    least, most = result.ms[0], result.ms[-1]
    ax.axvline(result.family.m0, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
    ax.set_xlim(min(least, result.family.m0) / 1.15, max(most, result.family.m0) * 1.15)
    ax.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 10, 20, 50, 100, 200]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda m, _: f"{m:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(axis="y", zorder=0)


def _key(results: tuple[Any, ...]) -> list[Line2D]:
    methods = dict.fromkeys(method for result in results for method in result.methods)
    lines = [
        Line2D([], [], color=_COLOURS[method], label=f"{_WORDS[method]}, geometric mean")
        for method in methods
    ]
    marks: dict[str, Any] = {"linestyle": "none", "color": QUIET}
    return [
        *lines,
        Line2D([], [], marker=".", label="one run", **marks),
        Line2D([], [], marker="o", fillstyle="none", label="Chizat and Bach (2018)", **marks),
        Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (4, 2)), label="$m_0$"),
        Line2D([], [], color=FAINT, linewidth=7.0, label="optimisation error"),
    ]
