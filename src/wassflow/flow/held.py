"""How mass moves that is held at a wall or at a kink of V, for faces beside it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.least_velocity import LeastElement
from wassflow.functional import Functional, regularizer
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
        points: on the wall or the kink beside each of them, and then close to it on the side of the face,
            (2 faces, d): where the slopes <R', D Phi> must be known.
        slides: (all faces,), 1 at those across which held mass slid when its velocity was last corrected.
        by_intervals: whether threads may share a correction.
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
        self.points = np.concatenate([points, beside])
        self._there = LeastElement(functional.regularizer, points, mesh.domain)
        self._beside = LeastElement(functional.regularizer, beside)
        self.by_intervals = self._there.by_intervals and self._beside.by_intervals
        self.slides = np.zeros(len(mesh.face_cells), dtype=np.uint8)
        self._row = np.full(len(mesh.face_cells), -1, dtype=np.int64)
        self._row[self.faces] = np.arange(self.faces.size)

    def points_of(self, faces: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return which of :attr:`points` belong to those of the given faces that are within a layer."""
        row = self._row[faces]
        row = row[row >= 0]
        return np.concatenate([row, row + self.faces.size])

    def correct(
        self, velocity: Array, faces: NDArray[np.integer], slopes: Callable[[NDArray[np.int64]], Array]
    ) -> None:
        """Correct velocities at the midpoints of the given faces, in place.

        Args:
            velocity: (len(faces), d).
            faces: ascending.
            slopes: from numbers of some of :attr:`points`, ascending, to <R', D Phi> there, to be kept.
        """
        row = self._row[faces]
        held = np.flatnonzero(row >= 0)
        if held.size:
            row = row[held]
            there = self._there(_negative(slopes(row)), row)
            beside = self._beside(_negative(slopes(row + self.faces.size)), row)
            correct = _kernel(velocity.shape[1])
            correct(velocity, held, there, beside, self._held_axes, row, faces, self.slides)


def _negative(slopes: Array) -> Array:
    return np.negative(slopes, out=slopes)


@lru_cache
def _kernel(dim: int) -> Callable:
    @njit(cache=True, nogil=True)
    def correct(velocity, held, there, beside, held_axes, rows, faces, slides):  # type: ignore[no-untyped-def]
        for k in range(held.size):
            i, row = held[k], rows[k]
            face = faces[i]
            on_kink, absorbed = False, True
            square_there, square_beside, square_taken, square_here = 0.0, 0.0, 0.0, 0.0
            for a in range(dim):
                on_kink |= held_axes[row, a]
                absorbed &= (there[k, a] == 0.0) | (not held_axes[row, a])
                square_there += there[k, a] ** 2
                square_beside += beside[k, a] ** 2
                square_taken += (there[k, a] - beside[k, a]) ** 2
                square_here += velocity[i, a] ** 2
            slides[face] = 0
            if square_here - square_here != 0.0:  # not finite, told by who asked for the velocity
                continue
            if not (on_kink and absorbed):
                slides[face] = (not on_kink) and square_taken > _HELD**2 * square_here
                for a in range(dim):
                    velocity[i, a] += there[k, a] - beside[k, a]
            elif square_there > _AT_REST**2 * square_beside:
                slides[face] = 1
                for a in range(dim):
                    velocity[i, a] = there[k, a]

    return correct


def _kinks(V: regularizer.Regularizer, dim: int) -> list[list[int]]:
    """For each kink of V along which mass can slide, the axes i such that it is {u_i = 0 for all i}."""
    terms = [term for term in (V.terms if isinstance(V, regularizer.Sum) else [V]) if not term.smooth]
    products = any(isinstance(term, regularizer.WeightTimesNorm) for term in terms)
    kinks = [[0]] if products or any(isinstance(term, regularizer.AbsWeight) for term in terms) else []
    return [*kinks, list(range(1, dim))] if products else kinks
