"""Networks: the learned function against the data, and the neurons that make it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.plot.style import BLUE, GOLD, INK, ORANGE, QUIET, Page, key_above, styled

# Inches: a network is a row of two axes.
_LEFT, _WIDTH, _BETWEEN, _MEASURE, _RIGHT = 0.66, 4.1, 0.72, 2.6, 0.14
_TOP, _HEIGHT, _GAP, _BOTTOM = 0.84, 2.6, 1.3, 0.5
# Size of the marker of the heaviest neuron, in points squared.
_LARGEST = 60.0


@styled
def networks(result: Any) -> Figure:
    """Draw :class:`wassflow.study.Networks`, a row for every network.

    On the left the data and the functions learned by both flows; on the right the particles at the end, in
    the plane of the directions theta with a marker the larger the more the neuron contributes.
    """
    rows = len(result.networks)
    width = _LEFT + _WIDTH + _BETWEEN + _MEASURE + _RIGHT
    page = Page.blank(width, _TOP + rows * _HEIGHT + (rows - 1) * _GAP + _BOTTOM)
    for row, network in enumerate(result.networks):
        top = _TOP + row * (_HEIGHT + _GAP)
        gap = network.record("particles")["gap"]
        page.heading(
            _LEFT,
            width - _RIGHT,
            top - 0.72,
            network.case,
            f"m = {network.m},  certified $F - F^* \\leq$ {gap:.1g}",
        )
        _functions(page.axes(_LEFT, top, _WIDTH, _HEIGHT), network)
        _neurons(page.axes(_LEFT + _WIDTH + _BETWEEN, top, _MEASURE, _HEIGHT), network)
    return page.figure


def _functions(ax: Axes, network: Any) -> None:
    ax.plot(network.fine, network.curves["start"], color=QUIET, linewidth=0.9, label="start")
    times = {kind: network.record(kind)["time"] for kind in ("density", "particles")}
    ax.plot(
        network.fine,
        network.curves["density"],
        color=BLUE,
        linewidth=1.2,
        label=f"density, $t = {times['density']:g}$",
    )
    ax.plot(
        network.fine,
        network.curves["particles"],
        color=ORANGE,
        label=f"particles, $t = {times['particles']:g}$",
    )
    ax.plot(network.abscissae, network.data, "o", color=INK, markersize=3.0, label="data")
    circular = network.fine[-1] > 6.0
    if circular:
        ax.set_xticks(np.linspace(0.0, 2.0 * np.pi, 5), ["0", "$\\pi/2$", "$\\pi$", "$3\\pi/2$", "$2\\pi$"])
    ax.set_xlabel("angle of the input" if circular else "input")
    ax.set_ylabel("function")
    key_above(ax)


def _neurons(ax: Axes, network: Any) -> None:
    """Draw neurons at theta; ReLU ones at the vector they stand for, |w| theta or theta |theta|."""
    cloud = network.clouds["particles"]
    points = cloud.points
    if points.shape[1] == 2:
        sign, places = np.ones(len(points)), points * np.abs(points)
        labels = (r"$\theta_1|\theta_1|$", r"$\theta_2|\theta_2|$")
        sizes = np.linalg.norm(places, axis=1)
    elif network.case.startswith("relu"):
        sign, places = np.sign(points[:, 0]), np.abs(points[:, :1]) * points[:, 1:]
        labels = (r"$|w|\theta_1$", r"$|w|\theta_2$")
        sizes = np.linalg.norm(places, axis=1)
    else:
        sign, places, labels = np.sign(points[:, 0]), points[:, 1:], ("$a$", "$b$")
        sizes = np.abs(points[:, 0])
    held = sizes > 1e-9
    sizes = 4.0 + _LARGEST * sizes / max(sizes.max(), 1e-300)
    for value, colour in ((1.0, ORANGE), (-1.0, GOLD)):
        of_sign = held & (sign == value)
        ax.scatter(
            places[of_sign, 0],
            places[of_sign, 1],
            s=sizes[of_sign],
            color=colour,
            alpha=0.7,
            linewidths=0.3,
            edgecolors=INK,
        )
    if not np.all(held):
        ax.plot(places[~held, 0], places[~held, 1], ".", color=QUIET, markersize=2.0)
    ax.axhline(0.0, color=QUIET, linewidth=0.5)
    ax.axvline(0.0, color=QUIET, linewidth=0.5)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    marks: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5}
    keys = [Line2D([], [], color=ORANGE, label="$w > 0$", **marks)]
    if np.any(sign < 0.0):
        keys.append(Line2D([], [], color=GOLD, label="$w < 0$", **marks))
    key_above(ax, keys if points.shape[1] == 3 else keys[:0])
