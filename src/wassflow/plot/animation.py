"""Films: the density with the particles on top, in logarithmic time."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from matplotlib.animation import FFMpegWriter, PillowWriter, writers
from matplotlib.figure import Figure

from wassflow.arguments import as_integer
from wassflow.errors import WassflowError
from wassflow.plot.comparison import energies
from wassflow.plot.density import coordinate_pairs
from wassflow.plot.files import whole_file
from wassflow.plot.isosurface import isosurface
from wassflow.plot.snapshots import Gallery, coordinate_names, density_bar, particle_handles, snapshot
from wassflow.plot.style import INK, METHOD_WORDS, Page, style, styled
from wassflow.plot.trajectories import planted_rays

# Inches: a square with the density, in 3D another one for its surfaces, and below them the energies.
_LEFT, _TOP, _SIDE, _GAP, _BAR, _ENERGY, _BOTTOM, _RIGHT = 0.6, 0.5, 3.6, 0.5, 1.2, 1.15, 0.5, 0.2
# The last picture is held this long, in seconds.
_HELD = 2.0


class Film:
    """The film of an evolution; one page, drawn again for every time. Its length is the number of frames.

    Args:
        result: :class:`wassflow.study.Evolution`.
        fps: frames per second.
    """

    def __init__(self, result: Any, fps: int = 12) -> None:
        self._result = result
        self._times = result.times
        self._fps = as_integer("fps", fps, least=1)
        self._densities = [result.density.at(t) for t in result.times]
        self._clouds = [result.particles.at(t) for t in result.times]
        names = coordinate_names(result.case, result.dim)
        self._gallery = Gallery.of(self._densities, self._clouds, names)
        width = _LEFT + _SIDE + (_GAP + _SIDE if result.dim == 3 else 0.0) + _RIGHT
        self._page = Page.blank(width, _TOP + _SIDE + _BAR + _ENERGY + _BOTTOM)

    def __len__(self) -> int:
        return len(self._times) + round(_HELD * self._fps)

    @styled
    def frame(self, index: int) -> Figure:
        """Draw the time of this number and return the figure, which the next call changes."""
        result, page, gallery = self._result, self._page, self._gallery
        page.figure.clear()
        t, mu, cloud = result.times[index], self._densities[index], self._clouds[index]
        words = f"{result.m} particles ({METHOD_WORDS[result.method]}),  $t = {t:.3g}$"
        page.heading(_LEFT, page.width - _RIGHT, 0.12, result.case.name, words)
        axes = snapshot(page, (_LEFT, _TOP, _SIDE, _SIDE), gallery, index, mu, cloud)
        for ax, pair in zip(axes, coordinate_pairs(result.dim), strict=True):
            planted_rays(ax, result.case, pair)
        if result.dim == 3:
            solid: Any = page.axes(
                _LEFT + _SIDE + _GAP, _TOP, _SIDE, _SIDE, projection="3d", computed_zorder=False
            )
            sign = cloud.points[:, 0] if gallery.signed else None
            isosurface(solid, mu, cloud, box=gallery.box, names=gallery.names, sign=sign)
        below = _TOP + _SIDE + 0.5
        density_bar(page, (_LEFT, below, 0.45 * _SIDE, 0.08), gallery)
        page.legend(_LEFT + 0.52 * _SIDE, below - 0.06, particle_handles(gallery), ncols=1, fontsize=8.0)
        width = page.width - _LEFT - _RIGHT
        self._energies(page, t, (_LEFT, _TOP + _SIDE + _BAR + 0.16, width, _ENERGY - 0.16))
        return page.figure

    def save(
        self, path: str | os.PathLike[str], dpi: float = 90.0, done: Callable[[], None] = lambda: None
    ) -> Path:
        """Write the film as .gif or .mp4, whole or not at all, and return the path.

        Args:
            path: ends in .gif, which always works, or in .mp4, which needs ffmpeg.
            dpi: pixels per inch.
            done: called after each frame.

        Raises:
            ValueError: another ending.
            WassflowError: there is no encoder, or the file cannot be written.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".gif", ".mp4"):
            raise ValueError(f"path must end in .gif or .mp4, found {path.name!r}")
        if kind == ".mp4" and not can_write_mp4():
            raise WassflowError("an .mp4 needs the program ffmpeg, which was not found; write a .gif instead")
        writer: Any = PillowWriter(fps=self._fps) if kind == ".gif" else FFMpegWriter(fps=self._fps)
        with style(), whole_file(path) as temporary:
            writer.setup(self._page.figure, temporary, dpi)
            try:
                for index in range(len(self)):
                    if index < len(self._times):
                        self.frame(index)
                    writer.grab_frame()
                    done()
            except BaseException:
                with suppress(IndexError):  # what a writer without frames has to say
                    writer.finish()
                raise
            writer.finish()
        return path

    def _energies(self, page: Page, t: float, place: tuple[float, float, float, float]) -> None:
        """Draw the energies against logarithmic time, with a line at the time of the frame."""
        result = self._result
        ax = page.axes(*place)
        energies(ax, result.density, result.particles)
        ax.set_xscale("log")
        ax.set_xlim(result.times[1], result.times[-1])
        ax.axvline(max(t, result.times[1]), color=INK, linewidth=0.8)


def can_write_mp4() -> bool:
    """Return whether ffmpeg is there."""
    return bool(writers.is_available("ffmpeg"))
