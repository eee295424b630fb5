"""Paths of the particles over what theory says they find: spikes, teacher neurons."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.arguments import Array
from wassflow.plot.density import coordinate_pairs
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, snapshot
from wassflow.plot.style import GOLD, INK, METHOD_WORDS, ORANGE, QUIET, TEAL, Page, styled

# Inches.
_LEFT, _PANEL, _TOP, _BOTTOM, _RIGHT = 0.62, 4.2, 0.5, 1.15, 0.2
# A ray is drawn as long as this many times the picture.
_FAR = 10.0
RAY: dict[str, Any] = {"color": TEAL, "linewidth": 1.1, "linestyle": (0, (6, 2.5)), "zorder": 2.4}


@styled
def trajectories(result: Any) -> Figure:
    """Draw the path of every particle over the density at the end and the planted spikes or neurons.

    After Figures 1 and 2 of Chizat and Bach (2018). In 3D the three coordinate planes, and for 2-homogeneous
    neurons (w, theta) the plane of |w| theta in the corner.

    Args:
        result: :class:`wassflow.study.Evolution`.
    """
    page = Page.blank(_LEFT + _PANEL + _RIGHT, _TOP + _PANEL + _BOTTOM)
    times = result.times
    final = result.density.at(times[-1])
    clouds = [result.particles.at(t) for t in times]
    gallery = Gallery.of([final], clouds, coordinate_names(result.case, result.dim))
    page.heading(
        _LEFT,
        page.width - _RIGHT,
        0.12,
        result.case.name,
        f"{result.m} particles ({METHOD_WORDS[result.method]}), $t$ from 0 to {times[-1]:g}",
    )
    place = (_LEFT, _TOP, _PANEL, _PANEL)
    axes = snapshot(page, place, gallery, 0, final, clouds[-1])
    points = np.array([cloud.points for cloud in clouds])
    for ax, pair in zip(axes, coordinate_pairs(result.dim), strict=True):
        _paths(ax, points[:, :, pair], result.case.domain, pair, gallery.signed, points[-1, :, 0])
        planted_rays(ax, result.case, pair)
    below = _TOP + _PANEL + 0.52
    density_bar(page, (_LEFT, below, 0.42 * _PANEL, 0.09), gallery)
    page.legend(_LEFT + 0.5 * _PANEL, below - 0.05, _explain(result), handletextpad=0.4)
    if result.dim == 3 and result.case.planted is not None and not np.any(result.case.planted[:, 0]):
        gap = 0.09
        side = 0.5 * (_PANEL - gap)
        _directions(page.axes(_LEFT + side + gap + 0.32, _TOP, side - 0.32, side - 0.32), result, points)
    return page.figure


def planted_rays(ax: Axes, case: Any, pair: tuple[int, int]) -> None:
    """Draw the rays of a case in one coordinate plane; a ray that is seen end-on is a cross."""
    if case.planted is None:
        return
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for start, end in np.asarray(case.planted)[:, :, list(pair)]:
        step = end - start
        if not np.any(step):
            ax.plot(*start, marker="x", markersize=7.0, markeredgewidth=1.6, color=TEAL, zorder=3.5)
            continue
        length = _FAR * max(right - left, high - low) / np.linalg.norm(step)
        ax.plot(*np.array([start, start + length * step]).T, **RAY)
    ax.set(xlim=(left, right), ylim=(low, high))


def _paths(ax: Axes, points: Array, domain: Any, pair: tuple[int, int], signed: bool, weights: Array) -> None:
    """Draw paths ``(times, m, 2)`` as lines, with a ring where each starts."""
    periods = np.array([domain.upper[i] - domain.lower[i] if domain.periodic[i] else np.inf for i in pair])
    segments = np.stack([points[:-1], points[1:]], axis=2)  # (times - 1, m, 2 ends, 2)
    whole = np.all(np.abs(points[1:] - points[:-1]) < 0.5 * periods, axis=2)
    colours = np.where(weights < 0.0, GOLD, np.where(weights > 0.0, ORANGE, QUIET)) if signed else None
    shown = np.broadcast_to(np.arange(points.shape[1]), whole.shape)[whole]
    ax.add_collection(
        LineCollection(
            list(segments[whole]),
            colors=ORANGE if colours is None else list(colours[shown]),
            linewidths=0.6,
            alpha=0.7,
            zorder=2.6,
        )
    )
    ax.plot(*points[0].T, "o", markersize=1.8, markerfacecolor="white", markeredgecolor=QUIET,
            markeredgewidth=0.4, zorder=2.7)  # fmt: skip


def _directions(ax: Axes, result: Any, points: Array) -> None:
    """Draw |w| theta of all particles, as in Figure 2: neurons of one direction lie on one ray."""
    moved = np.abs(points[:, :, :1]) * points[:, :, 1:]
    signs = points[-1, :, 0]
    for sign, colour in ((1.0, ORANGE), (-1.0, GOLD)):
        chosen = moved[:, signs * sign > 0.0]
        ax.add_collection(
            LineCollection(list(chosen.transpose(1, 0, 2)), colors=colour, linewidths=0.6, alpha=0.7)
        )
        ax.plot(
            *chosen[-1].T, "o", color=colour, markersize=2.6, markeredgewidth=0.2, markeredgecolor="white"
        )
    reach = 1.15 * float(np.abs(moved[-1]).max())
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    for _, (w, *theta) in result.case.planted:
        direction = np.array(theta) * abs(w)
        ax.plot(*np.array([0.0 * direction, _FAR * reach * direction]).T, **RAY)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    ax.text(0.04, 0.96, r"$|w|\,\theta$", transform=ax.transAxes, va="top")


def _explain(result: Any) -> list[Line2D]:
    dot: dict[str, Any] = {"linestyle": "-", "linewidth": 0.8, "marker": "o", "markersize": 4}
    handles = [Line2D([], [], color=ORANGE, label="path and end", **dot)]
    if coordinate_names(result.case, result.dim)[0].strip("$") == "w":
        handles[0].set_label("path and end, $w > 0$")
        handles.append(Line2D([], [], color=GOLD, label="$w < 0$", **dot))
        handles.append(
            Line2D([], [], color=QUIET, markerfacecolor="white", markeredgecolor=INK, label="$w = 0$", **dot)
        )
    if result.case.planted is not None:
        handles.append(Line2D([], [], label="planted", **RAY))
    return handles
