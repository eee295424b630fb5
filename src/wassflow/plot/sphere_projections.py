"""Projections of flows: their distance to the limit against t, and where on the circle their mass is."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wassflow.plot.style import BLUE, INK, ORANGE, QUIET, Page, key_above, styled

# Inches: a flow is a row of two axes.
_LEFT, _WIDTH, _BETWEEN, _PROFILE, _RIGHT = 0.72, 3.2, 0.75, 3.9, 0.14
_TOP, _HEIGHT, _GAP, _BOTTOM = 0.86, 2.2, 1.32, 0.5


@styled
def sphere_projections(result: Any) -> Figure:
    """Draw :class:`wassflow.study.SphereProjections`, a row for every flow.

    On the left the bounded-Lipschitz distance of the projection to that of the limit against t, with its
    bracket, and F - F*; on the right, for d = 2, the mass of the projections in equal arcs of the circle.

    Raises:
        ValueError: the study moved no case.
    """
    if not result.flows:
        raise ValueError("result must hold at least one flow, found none")
    rows = len(result.flows)
    width = _LEFT + _WIDTH + _BETWEEN + _PROFILE + _RIGHT
    page = Page.blank(width, _TOP + rows * _HEIGHT + (rows - 1) * _GAP + _BOTTOM)
    for row, flow in enumerate(result.flows):
        top = _TOP + row * (_HEIGHT + _GAP)
        page.heading(_LEFT, width - _RIGHT, top - 0.72, flow.case, f"m = {flow.m}")
        distances = page.axes(_LEFT, top, _WIDTH, _HEIGHT)
        _distances(distances, flow)
        if flow.profiles:
            _profile(page.axes(_LEFT + _WIDTH + _BETWEEN, top, _PROFILE, _HEIGHT), flow)
    return page.figure


def _distances(ax: Axes, flow: Any) -> None:
    particles, density = flow.select("particles"), flow.select("density")
    first = min(record["time"] for record in particles if record["time"] > 0.0)
    ax.set_xscale("symlog", linthresh=first)
    ax.set_yscale("log")
    times = [record["time"] for record in particles]
    ax.plot(times, [r["value"] for r in particles], "o-", color=ORANGE, markersize=4, label="particles, BL")
    excess = [max(record["excess"], 1e-12) for record in particles]
    ax.plot(times, excess, color=ORANGE, linestyle=(0, (1, 1.5)), label="particles, $F - F^*$")
    if density:
        low, middle, high = (np.array([r[key] for r in density]) for key in ("lower", "value", "upper"))
        ax.errorbar(
            [record["time"] for record in density],
            middle,
            np.array([middle - low, high - middle]),
            color=BLUE,
            linewidth=0.0,
            elinewidth=1.2,
            capsize=3.0,
            label="density, bracket of BL",
        )
    ax.set_xlim(0.0, 1.2 * times[-1])
    ax.set_xlabel("$t$")
    ax.set_ylabel("distance to the limit")
    ax.grid(axis="y")
    key_above(ax)


def _profile(ax: Axes, flow: Any) -> None:
    looks: dict[str, dict[str, Any]] = {
        "limit": {},
        "particles": {"color": ORANGE, "linewidth": 1.4, "label": _at(flow, "particles")},
        "density": {"color": BLUE, "linewidth": 1.2, "label": _at(flow, "density")},
    }
    for kind, look in looks.items():
        if kind not in flow.profiles:
            continue
        masses = flow.profiles[kind]
        edges = np.linspace(0.0, 2.0 * np.pi, len(masses) + 1)
        if kind == "limit":
            ax.bar(edges[:-1], masses, np.diff(edges), align="edge", color=INK, alpha=0.25, label="limit")
        else:
            ax.stairs(masses, edges, **look)
    ax.axhline(0.0, color=QUIET, linewidth=0.6)
    ax.set_xlim(0.0, 2.0 * np.pi)
    ax.set_xticks(np.linspace(0.0, 2.0 * np.pi, 5), ["0", "$\\pi/2$", "$\\pi$", "$3\\pi/2$", "$2\\pi$"])
    ax.set_xlabel("direction" if flow.projection == "sphere" else r"$\theta$")
    ax.set_ylabel("mass of an arc")
    key_above(ax)


def _at(flow: Any, kind: str) -> str:
    records = flow.select(kind)
    return f"{kind}, $t = {records[-1]['time']:g}$" if records else kind
