"""How mass moves that is held at a wall or at a kink of V, for faces beside it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

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
            (2 faces, d): off the walls, but no further than that.
        axes: coordinates that a kink holds at zero beside each of them, (faces, d).
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
        self.axes = held[self.faces]
        beside = points + _ONE_SIDED * (mesh.face_midpoints - points)
        points, beside = (mesh.domain.wrap(at[self.faces]) for at in (points, beside))
        self.points = np.concatenate([points, beside])


@lru_cache
def correction(dim: int) -> Callable:
    """Return the function that corrects velocities of faces in layers.

    ``correct(here, held, there, beside, velocity, axes, slides)`` corrects those rows of ``here`` (k, dim)
    whose ``held`` (k,) is not -1 but the number of a face in a layer, with its row of ``axes``
    (:attr:`HeldMass.axes`), by the velocities on its wall or kink and close to it: rows ``there`` and
    ``beside`` (k,) of ``velocity``. ``slides`` (k,) then tells whether mass slides there.
    """

    @njit(cache=True, nogil=True)
    def correct(here, held, there, beside, velocity, axes, slides):  # type: ignore[no-untyped-def]
        for k in range(held.size):
            slides[k] = 0
            face = held[k]
            if face < 0:
                continue
            on, off = there[k], beside[k]
            on_kink, absorbed = False, True
            square_there, square_beside, square_taken, square_here = 0.0, 0.0, 0.0, 0.0
            for a in range(dim):
                on_kink |= axes[face, a]
                absorbed &= (velocity[on, a] == 0.0) | (not axes[face, a])
                square_there += velocity[on, a] ** 2
                square_beside += velocity[off, a] ** 2
                square_taken += (velocity[on, a] - velocity[off, a]) ** 2
                square_here += here[k, a] ** 2
            if square_here - square_here != 0.0:  # not finite, told by who asked for the velocity
                continue
            if not (on_kink and absorbed):
                slides[k] = (not on_kink) and square_taken > _HELD**2 * square_here
                for a in range(dim):
                    here[k, a] += velocity[on, a] - velocity[off, a]
            elif square_there > _AT_REST**2 * square_beside:
                slides[k] = 1
                for a in range(dim):
                    here[k, a] = velocity[on, a]

    return correct


def _kinks(V: regularizer.Regularizer, dim: int) -> list[list[int]]:
    """For each kink of V along which mass can slide, the axes i such that it is {u_i = 0 for all i}."""
    terms = [term for term in (V.terms if isinstance(V, regularizer.Sum) else [V]) if not term.smooth]
    products = any(isinstance(term, regularizer.WeightTimesNorm) for term in terms)
    kinks = [[0]] if products or any(isinstance(term, regularizer.AbsWeight) for term in terms) else []
    return [*kinks, list(range(1, dim))] if products else kinks
