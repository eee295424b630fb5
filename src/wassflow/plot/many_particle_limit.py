"""The many-particle limit in one picture: what the flow does, and how W2 falls with m."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.plot.convergence import DASHED, convergence, fit_height, key_height
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, particle_handles, snapshot
from wassflow.plot.style import METHOD_WORDS, QUIET, Page, styled

# Inches: one study is a block of two columns, snapshots and rates, with a row for every time.
_LEFT, _SNAPSHOT, _BETWEEN, _RATES, _RIGHT = 0.58, 2.4, 0.68, 3.0, 0.14
_BLOCK = _LEFT + _SNAPSHOT + _BETWEEN + _RATES + _RIGHT
_TOP, _HEIGHT, _GAP, _BOTTOM = 0.52, 2.4, 0.16, 1.24

_KEY: dict[str, Any] = {"fontsize": 8.5, "columnspacing": 1.2, "handletextpad": 0.5, "handlelength": 1.6}


@styled
def many_particle_limit(*results: Any) -> Figure:
    """Draw one or several many-particle studies; several stand side by side.

    For every time a row: on the left the density with one example cloud on top (in 3D its three marginals),
    on the right W2 between m particles and the density against m on logarithmic axes, with every seed's
    certified bracket, the root mean square over the seeds, the fitted power of m with its interval, the law
    that theory predicts and the part of the distance that may be due to the mesh.

    Args:
        results: :class:`wassflow.study.ManyParticleLimit`, with the density and an example cloud at every
            time.

    Raises:
        ValueError: no result is given.
    """
    if not results:
        raise ValueError("results must hold at least one many-particle study, found none")
    rows = max(len(result.times) for result in results)
    page = Page.blank(_BLOCK * len(results), _TOP + rows * (_HEIGHT + _GAP) + _BOTTOM)
    for column, result in enumerate(results):
        _study(page, _BLOCK * column, result)
    return page.figure


def _study(page: Page, left: float, result: Any) -> None:
    """Draw one study, from ``left`` (inches) on."""
    densities = [result.density.at(t) for t in result.times]
    example = next(iter(result.clouds.values()), None)
    clouds = [None if example is None else example.at(t) for t in result.times]
    shown = [cloud for cloud in clouds if cloud is not None]
    gallery = Gallery.of(densities, shown, coordinate_names(result.case, result.dim))
    first, second = left + _LEFT, left + _LEFT + _SNAPSHOT + _BETWEEN
    page.heading(
        first, left + _BLOCK - _RIGHT, 0.12, result.case.name, f"d = {result.dim},  mesh {result.mesh_name}"
    )
    rates: list[Axes] = []
    key = key_height(result)
    for row, (t, mu, cloud) in enumerate(zip(result.times, densities, clouds, strict=True)):
        last = row == len(result.times) - 1
        top = _TOP + row * (_HEIGHT + _GAP)
        place = (first, top, _SNAPSHOT, _HEIGHT)
        snapshot(page, place, gallery, row, mu, cloud, f"$t = {t:g}$", labels=(last, True))
        ax = page.axes(second, top + key, _RATES, _HEIGHT - key)
        convergence(ax, result, t)
        if not last:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        rates.append(ax)
    fit_height(rates, [(result, t) for t in result.times])
    below = _TOP + len(result.times) * (_HEIGHT + _GAP) + 0.42
    density_bar(page, (first + 0.1 * _SNAPSHOT, below, 0.8 * _SNAPSHOT, 0.09), gallery)
    if shown:
        kind = METHOD_WORDS[next(iter(result.clouds))]
        handles = particle_handles(gallery, len(shown[0].points), f"{kind} particles")
        page.legend(first + 0.5 * _SNAPSHOT, below + 0.56, handles, loc="upper center", ncols=3, **_KEY)
    page.legend(second - 0.1, below + 0.03, _explain(result), loc="upper left", ncols=2, **_KEY)


def _explain(result: Any) -> list[Line2D]:
    """Say what dots, bars and lines beside the snapshots are."""
    marks: dict[str, Any] = {"linestyle": "none", "color": QUIET}
    return [
        Line2D([], [], marker="|", markersize=8, label="bracket of one seed", **marks),
        Line2D([], [], marker="o", markersize=5, label="root mean square over seeds", **marks),
        Line2D([], [], color=QUIET, linewidth=1.3, label=f"fit $m^p$  [{_level(result)} interval]"),
        Line2D([], [], color=QUIET, label="law of theory, $c$ fitted", **DASHED),
    ]


def _level(result: Any) -> str:
    level = next((fit.level for fit in result.fits.values()), 0.95)
    return f"{100 * level:g} %"
