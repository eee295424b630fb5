"""How mass moves that is held at a wall or at a kink of V, for faces beside it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.least_velocity import LeastVelocity
from wassflow.flow.rows import rows
from wassflow.flow.threads import threads_on
from wassflow.functional import FirstVariation, Functional, regularizer
from wassflow.functional.evaluation import over_rows
from wassflow.mesh.layers import faces_in_layer, wall_points

# how near the one-sided velocity at a kink is taken, relative to the distance of the face
_ONE_SIDED = 1e-6
# speed along a kink, relative to that beside it, below which rounding is all there is
_AT_REST = 1e-12
# share of the velocity at a face that a kink or a wall takes away, above which it holds mass: across the gap
# _ONE_SIDED smooth fields differ by less, also around corners where they vanish
_HELD = 1e-3


class HeldMass:
    """The difference that walls and kinks make to the velocity, on the faces within the layers along them.

    The velocity of minimal norm jumps at a kink of V and at a wall, where it loses the part that V or the
    wall holds back. In the cells there mass moves with the velocity on the kink or the wall: see
    :mod:`wassflow.mesh.layers`. Where nothing is held back, the difference is zero.

    The kinks are the plane {w = 0} of |w| and |w||theta|, and the line {theta = 0} of |w||theta|. That of
    |u| is a point, along which nothing can slide: mass gathers in the cells around it.

    Where a kink holds mass that slides, all of the velocity is taken on the kink: what the field varies
    across the layer is that of points which the mass has left, and would stir it. Where nothing slides,
    nothing is corrected: the mass gathers in the cells that touch the kink, and comes to rest there.

    Attributes:
        faces: those within a layer.
        slides: (all faces,), 1 at those across which held mass slid when its velocity was last corrected.
    """

    def __init__(self, functional: Functional, mesh: Any) -> None:
        points = mesh.face_midpoints.copy()
        walls, on_walls = wall_points(mesh)
        points[walls] = on_walls
        vertices = mesh.cell_vertices
        held = np.zeros(points.shape, dtype=bool)
        for axes in _kinks(functional.regularizer, mesh.dim):
            within = np.all([faces_in_layer(mesh, vertices[:, :, axis]) for axis in axes], axis=0)
            held[np.ix_(within, axes)] = True
        points[held] = 0.0
        self.faces = np.flatnonzero(np.any(points != mesh.face_midpoints, axis=1))
        # coordinates that a kink holds at zero beside each face
        self._held_axes = held[self.faces]
        beside = points + _ONE_SIDED * (mesh.face_midpoints - points)
        points, beside = (mesh.domain.wrap(at[self.faces]) for at in (points, beside))
        self._threads = threads = threads_on(mesh)
        self._there = LeastVelocity(functional, points, mesh.domain, threads)
        self._beside = LeastVelocity(functional, beside, None, threads)
        self.slides = np.zeros(len(mesh.face_cells), dtype=np.uint8)
        self._row = np.full(len(mesh.face_cells), -1, dtype=np.int64)
        self._row[self.faces] = np.arange(self.faces.size)
        # the faces last asked for, which of them are within a layer, and their numbers among ``faces``
        self._asked: NDArray[np.integer] = np.zeros(0, dtype=np.int64)
        self._held = self._held_row = self._asked

    def correct(self, velocity: Array, variation: FirstVariation, faces: NDArray[np.integer]) -> None:
        """Correct velocities at the midpoints of the given faces, in place."""
        if faces is not self._asked:  # once mass is everywhere, always the same
            self.slides[self.faces] = 0
            row = self._row[faces]
            self._asked, self._held = faces, np.flatnonzero(row >= 0)
            self._held_row = row[self._held]
        held, row = self._held, self._held_row
        if held.size:
            there, beside = self._there(variation, row), self._beside(variation, row)
            axes, correct, at = rows(self._held_axes, row), _kernel(velocity.shape[1]), rows(faces, held)

            def work(part: slice) -> None:
                correct(velocity, held[part], there[part], beside[part], axes[part], at[part], self.slides)

            over_rows(work, held.size, self._threads)


@lru_cache
def _kernel(dim: int) -> Callable:
    @njit(cache=True, nogil=True)
    def correct(velocity, held, there, beside, held_axes, faces, slides):  # type: ignore[no-untyped-def]
        for k in range(held.size):
            i = held[k]
            on_kink, absorbed = False, True
            square_there, square_beside, square_taken, square_here = 0.0, 0.0, 0.0, 0.0
            for a in range(dim):
                on_kink |= held_axes[k, a]
                absorbed &= (there[k, a] == 0.0) | (not held_axes[k, a])
                square_there += there[k, a] ** 2
                square_beside += beside[k, a] ** 2
                square_taken += (there[k, a] - beside[k, a]) ** 2
                square_here += velocity[i, a] ** 2
            slides[faces[k]] = 0
            if square_here - square_here != 0.0:  # not finite, told by who asked for the velocity
                continue
            if not (on_kink and absorbed):
                slides[faces[k]] = (not on_kink) and square_taken > _HELD**2 * square_here
                for a in range(dim):
                    velocity[i, a] += there[k, a] - beside[k, a]
            elif square_there > _AT_REST**2 * square_beside:
                slides[faces[k]] = 1
                for a in range(dim):
                    velocity[i, a] = there[k, a]

    return correct


def _kinks(V: regularizer.Regularizer, dim: int) -> list[list[int]]:
    """For each kink of V along which mass can slide, the axes i such that it is {u_i = 0 for all i}."""
    terms = [term for term in (V.terms if isinstance(V, regularizer.Sum) else [V]) if not term.smooth]
    products = any(isinstance(term, regularizer.WeightTimesNorm) for term in terms)
    kinks = [[0]] if products or any(isinstance(term, regularizer.AbsWeight) for term in terms) else []
    return [*kinks, list(range(1, dim))] if products else kinks
