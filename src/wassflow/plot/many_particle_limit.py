"""The many-particle limit in one picture: what the flow does, and how W2 falls with m."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wassflow.plot.convergence import DASHED, convergence, fit_height
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, particle_handles, snapshot
from wassflow.plot.style import QUIET, Page, styled

# Inches: one study is a block of two columns, snapshots and rates, with a row for every time.
_LEFT, _SNAPSHOT, _BETWEEN, _RATES, _RIGHT = 0.58, 2.3, 0.72, 2.95, 0.1
_BLOCK = _LEFT + _SNAPSHOT + _BETWEEN + _RATES + _RIGHT
_KIND = {"iid": "iid", "quantized": "quantised", "stratified": "stratified"}
_TOP, _HEIGHT, _GAP, _BOTTOM = 0.5, 2.2, 0.14, 1.2


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
    page.text(first, 0.12, result.case.name, fontsize=14)
    page.text(
        left + _BLOCK - _RIGHT, 0.17, f"d = {result.dim},  mesh {result.mesh_name}", color=QUIET, ha="right"
    )
    rates: list[Axes] = []
    for row, (t, mu, cloud) in enumerate(zip(result.times, densities, clouds, strict=True)):
        last = row == len(result.times) - 1
        top = _TOP + row * (_HEIGHT + _GAP)
        place = (first, top, _SNAPSHOT, _HEIGHT)
        snapshot(page, place, gallery, row, mu, cloud, f"$t = {t:g}$", labels=(last, True))
        ax = page.axes(second, top, _RATES, _HEIGHT)
        convergence(ax, result, t)
        if not last:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        rates.append(ax)
    fit_height(rates, [(result, t) for t in result.times], _HEIGHT)
    below = _TOP + len(result.times) * (_HEIGHT + _GAP) + 0.42
    density_bar(page, (first + 0.1 * _SNAPSHOT, below, 0.8 * _SNAPSHOT, 0.09), gallery)
    _explain(page, second, below, result, gallery, shown)


def _explain(page: Page, left: float, top: float, result: Any, gallery: Gallery, clouds: list[Any]) -> None:
    """Say under the last panel what dots and bars are, and which particles lie on the densities."""
    seed = Line2D(
        [], [], linestyle="none", marker="|", markersize=9, color=QUIET, label="certified bracket, one seed"
    )
    mean = Line2D(
        [], [], linestyle="none", marker="o", markersize=5.5, color=QUIET, label="root mean square over seeds"
    )
    fit = Line2D([], [], color=QUIET, linewidth=1.3, label=f"fit $m^p$ [{_level(result)} interval of $p$]")
    law = Line2D([], [], color=QUIET, label="theory’s law, $c$ fitted", **DASHED)
    handles = [seed, mean, fit, law]
    if clouds:
        handles += particle_handles(
            gallery, len(clouds[0].points), f"{_KIND[next(iter(result.clouds))]} particles"
        )
    page.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=((left - 0.42) / page.width, 1.0 - (top - 0.08) / page.height),
        ncols=2,
        borderaxespad=0.0,
        columnspacing=0.8,
        handletextpad=0.5,
        handlelength=1.6,
        fontsize=9,
    )


def _level(result: Any) -> str:
    level = next((fit.level for fit in result.fits.values()), 0.95)
    return f"{100 * level:g} %"
