"""Both flows of one case side by side: snapshots, energies, and the distance between them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wassflow.arguments import Array
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, particle_handles, snapshot
from wassflow.plot.style import BLUE, FAINT, METHOD_WORDS, ORANGE, QUIET, TEAL, Page, key_above, styled

# Inches.
_WIDTH, _LEFT, _RIGHT, _GAP, _TOP, _PANEL = 9.0, 0.62, 0.12, 0.16, 0.55, 1.9
_MOST_SNAPSHOTS = 5
# The bound of stability may make the picture of W2 so many times as high as the measured values need.
_TALLEST = 2.5
# It gets no room when it leaves the picture within this part of the time.
_SOON = 0.1


@styled
def comparison(result: Any) -> Figure:
    """Draw a run of both flows: the density with the particles on top at the saved times, the energies, W2.

    Args:
        result: :class:`wassflow.study.Comparison`. Of more than five times, five are shown.
    """
    times = list(result.times)
    if len(times) > _MOST_SNAPSHOTS:
        times = [times[i] for i in np.linspace(0, len(times) - 1, _MOST_SNAPSHOTS).round().astype(int)]
    densities = [result.density.at(t) for t in times]
    clouds = [result.particles.at(t) for t in times]
    gallery = Gallery.of(densities, clouds, coordinate_names(result.case, result.dim))
    size = min(2.75, (_WIDTH - _LEFT - _RIGHT - (len(times) - 1) * _GAP) / len(times))
    page = Page.blank(_WIDTH, _TOP + size + 1.16 + _PANEL + 0.55)
    page.heading(
        _LEFT,
        _WIDTH - _RIGHT,
        0.12,
        result.case.name,
        f"d = {result.dim},  mesh {result.mesh_name},  {result.m} particles ({METHOD_WORDS[result.method]})",
    )
    for i, (t, mu, cloud) in enumerate(zip(times, densities, clouds, strict=True)):
        place = (_LEFT + i * (size + _GAP), _TOP, size, size)
        snapshot(page, place, gallery, i, mu, cloud, f"$t = {t:.3g}$", labels=(True, i == 0))
    below = _TOP + size + 0.52
    density_bar(page, (_LEFT, below, 2.2, 0.09), gallery)
    page.legend(_LEFT + 2.5, below - 0.05, particle_handles(gallery), ncols=3, handletextpad=0.2)
    half = 0.5 * (_WIDTH - _LEFT - _RIGHT - 0.8)
    top = page.height - _PANEL - 0.48
    energies(page.axes(_LEFT, top, half, _PANEL), result.density, result.particles)
    distances(page.axes(_LEFT + half + 0.8, top, half, _PANEL), result.brackets, result.stability)
    return page.figure


@styled
def energies(ax: Axes, density: Any, particles: Any) -> None:
    """Draw the energy of a density flow and of a particle flow against time.

    Args:
        ax: where to draw; its height is logarithmic when the energies span more than a decade and a half.
        density, particles: the two :class:`wassflow.Trajectory`.
    """
    ax.plot(density.times, density.energy, color=BLUE, linewidth=1.8, label="density")
    ax.plot(
        particles.times,
        particles.energy,
        color=ORANGE,
        linewidth=1.3,
        linestyle=(0, (4, 2)),
        label="particles",
    )
    every = np.concatenate([density.energy, particles.energy])
    if every.min() > 0.0 and every.max() > 30.0 * every.min():
        ax.set_yscale("log")
    ax.set_xlabel("$t$")
    ax.set_ylabel(r"energy $F(\mu_t)$")
    key_above(ax)
    _open(ax)


@styled
def distances(ax: Axes, brackets: dict[float, Any], stability: Any = None) -> None:
    """Draw brackets of W2 between particles and density against time, and what W2 can be at most.

    Args:
        ax: where to draw.
        brackets: the bracket at every time.
        stability: :class:`wassflow.study.StabilityBound`, drawn beside them until it leaves the picture.
    """
    times = np.array(sorted(brackets), dtype=np.float64)
    value, lower, upper = (
        np.array([getattr(brackets[t], name) for t in times], dtype=np.float64)
        for name in ("value", "lower", "upper")
    )
    errors: Array = np.maximum([value - lower, upper - value], 0.0)
    ax.fill_between(times, lower, upper, color=TEAL, alpha=0.15, linewidth=0.0)
    ax.errorbar(
        times,
        value,
        errors,
        color=TEAL,
        marker="o",
        markersize=4.5,
        linewidth=1.0,
        capsize=3.0,
        label="measured [lower, upper]",
        zorder=3,
    )
    most = float(upper.max())
    highest = most
    if stability is not None:
        bound, steps = np.asarray(stability.bound, dtype=np.float64), np.asarray(stability.times)
        label = "stability bound"
        left = steps[bound > _TALLEST * most]
        if left.size and left[0] < _SOON * times[-1]:
            label += f": off the scale from $t = {left[0]:.1g}$"
        else:
            highest = float(np.clip(bound.max(), most, _TALLEST * most))
        seen = np.isfinite(bound)
        ax.plot(
            steps[seen],
            bound[seen],
            color=QUIET,
            linewidth=1.1,
            linestyle=(0, (5, 2.5)),
            label=label,
            zorder=1,
        )
    ax.set_ylim(0.0, 1.12 * highest if highest > 0.0 else 1.0)
    ax.set_xlabel("$t$")
    ax.set_ylabel(r"$W_2(\mu_{m,t}\,,\,\mu_t)$")
    key_above(ax)
    _open(ax)


def _open(ax: Axes) -> None:
    ax.grid(color=FAINT, linewidth=0.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
