"""The velocity of least norm in one picture: at kinks and walls, in the energy identity, in F."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from wassflow.plot.style import FAINT, INK, QUIET, SERIES, Page, key_above, styled

# Inches.
_LEFT, _GAP, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 0.72, 0.78, 0.95, 2.7, 0.62, 0.15
_ERRORS, _BALANCE, _DECAY = 2.6, 3.0, 3.0
_PLACES = ("inside", "kink", "wall", "kink and wall")
_MARKERS = {2: "o", 3: "^"}
_REFERENCE: dict[str, Any] = {"color": QUIET, "linewidth": 0.9, "linestyle": (0, (5, 2.5)), "zorder": 1}


@styled
def minimal_norm(result: Any) -> Figure:
    """Draw the study of Proposition 2.3.

    Left: for every regulariser and dimension the distance between v and the element of least norm found from
    values of F' alone. Middle: residuals of the energy identity against the step, relative to the first,
    with the slopes of theory. Right: F along the runs of m particles, from its start (1) to the least value
    that any m reaches in that case (0).

    Args:
        result: :class:`wassflow.study.MinimalNorm`.
    """
    page = Page.blank(_LEFT + _ERRORS + _BALANCE + _DECAY + 2 * _GAP + _RIGHT, _TOP + _HEIGHT + _BOTTOM)
    page.heading(
        _LEFT - 0.5,
        page.width - _RIGHT,
        0.1,
        "Velocity of least norm",
        "Chizat and Bach (2018), Proposition 2.3",
    )
    left = _LEFT
    for draw, width in ((_errors, _ERRORS), (_balances, _BALANCE), (_decays, _DECAY)):
        ax = page.axes(left, _TOP, width, _HEIGHT)
        draw(ax, result)
        ax.grid(which="major", color=FAINT, linewidth=0.5)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        left += width + _GAP
    return page.figure


def _errors(ax: Axes, result: Any) -> None:
    """Draw one dot for every regulariser, dimension, domain and kind of place."""
    rng = np.random.default_rng(0)
    for dim, marker in _MARKERS.items():
        chosen = [r for r in result.projections if r["dim"] == dim]
        x = np.array([_PLACES.index(r["place"]) for r in chosen]) + rng.uniform(-0.3, 0.3, len(chosen))
        errors = [max(r["error"], 1e-9) for r in chosen]
        ax.plot(
            x, errors, marker, color=SERIES[dim - 2], markersize=3.2, alpha=0.6, markeredgewidth=0.0,
            label=f"$d = {dim}$",
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(1e-9, 30.0)
    ax.axhline(1.0, **_REFERENCE)
    ax.text(3.45, 1.3, "size of $v$", ha="right", fontsize=9, color=QUIET)
    ax.set_xlim(-0.5, 3.5)
    ax.set_xticks(range(4), ["inside", "kink", "wall", "both"])
    ax.set_ylabel("distance to the least element")
    key_above(ax)


def _balances(ax: Axes, result: Any) -> None:
    """Draw residuals relative to those of the longest step, one colour for every order of theory."""
    kinds = [
        ("particles", 1, False, "order 1"),
        ("particles", 2, False, "order 2"),
        ("particles", 4, False, "order 4"),
        ("particles", 1, True, "kinks, walls met"),
        ("density", 1, False, "density, order 1"),
        ("density", 2, False, "density, order 2"),
    ]
    longest = 1.0
    for colour, (run, theory, meet, label) in zip((*SERIES, INK), kinds, strict=True):
        name: str | None = label
        for r in result.balances:
            if (r["run"], r["theory"], r["meet"]) != (run, theory, meet):
                continue
            step = r["steps"][0] / np.array(r["steps"], dtype=np.float64)
            residuals = np.maximum(np.array(r["residuals"]) / r["residuals"][0], 1e-16)
            dashed: dict[str, Any] = {"linestyle": (0, (3, 2))} if run == "density" else {}
            ax.plot(step, residuals, color=colour, linewidth=0.8, alpha=0.55, label=name, **dashed)
            name, longest = None, min(longest, float(step[-1]))
    for order in (1, 2, 4):
        ax.plot([1.0, longest], [1.0, longest**order], **_REFERENCE)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlim(longest / 1.1, 1.1)
    ax.set_ylim(longest**4 / 6.0, 6.0)
    powers = np.arange(round(-np.log2(longest)) + 1)
    ax.xaxis.set_major_locator(FixedLocator(list(0.5**powers)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "1" if x == 1.0 else f"1/{1.0 / x:.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("step, relative")
    ax.set_ylabel(r"residual of $dF/dt = -\int |v|^2 d\mu$, relative")
    key_above(ax)


def _decays(ax: Axes, result: Any) -> None:
    """Draw F along the runs of every case in its own colour, darker for larger m."""
    cases = list(dict.fromkeys(r["case"] for r in result.decays))
    ms = sorted({r["m"] for r in result.decays})
    for number, case in enumerate(cases):
        runs = [r for r in result.decays if r["case"] == case]
        least = min(r["last"] for r in runs)
        for r in runs:
            shade = 0.3 + 0.7 * (ms.index(r["m"]) + 1) / len(ms)
            ax.plot(
                np.array(r["times"]) / r["times"][-1],
                (np.array(r["energies"]) - least) / max(r["first"] - least, 1e-300),
                color=(*SERIES, INK, QUIET)[number % 7],
                alpha=shade,
                linewidth=0.6 + 0.5 * shade,
                label=case if r["m"] == ms[-1] else None,
            )
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel("$t$, relative")
    ax.set_ylabel(r"$F(\mu_{m,t})$, relative")
    key_above(ax)
