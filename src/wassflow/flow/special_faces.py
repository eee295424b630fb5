"""Faces whose velocity is more than a gradient: at kinks of V, and in the layers along kinks and walls."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.held import HeldMass, correction
from wassflow.flow.least_velocity import LeastElement
from wassflow.flow.rows import rows as rows_of
from wassflow.functional import Functional
from wassflow.functional.evaluation import Pairings, over_rows


class SpecialFaces:
    """Fluxes and squares |v|^2 of velocities of least norm, corrected where mass is held.

    Special faces stand far apart in memory; what is known of them, results too, is kept together. A box of
    1e6 hexahedra has one face in twenty in the layers along its walls.

    Args:
        functional: F.
        mesh: a :class:`wassflow.mesh.Mesh`.
        midpoints: of its faces, (faces, d).
        vectors: normals times areas, (faces, d).
        kinked: whether dV is more than a gradient at each midpoint, (faces,).
        threads: for large numbers of faces.

    Attributes:
        points: where <R', D Phi> is needed, (k, d): the midpoints of special faces, then what lies beside
            those in layers, on walls and kinks and close to them.
        faces: the special ones last evaluated, ascending, (s,).
        fluxes, squares: of these faces, (s,).
    """

    def __init__(
        self,
        functional: Functional,
        mesh: Any,
        midpoints: Array,
        vectors: Array,
        kinked: NDArray[np.bool_],
        threads: int = 1,
    ) -> None:
        layers = HeldMass(functional, mesh)
        special = kinked.copy()
        special[layers.faces] = True
        self._special = np.flatnonzero(special)
        self._row = np.where(special, np.cumsum(special) - 1, -1)
        self._all_rows = np.arange(self._special.size)
        self._vectors = vectors[special]
        # which of the faces in layers each special face is, -1 for none
        self._held = np.full(self._special.size, -1)
        self._held[self._row[layers.faces]] = np.arange(layers.faces.size)
        self._all_places = _places(self._held)
        self._axes = layers.axes
        self.points = np.concatenate([midpoints[special], layers.points])
        # but for those on walls no point touches one, and N is {0}
        self._least = LeastElement(functional.regularizer, self.points, mesh.domain, threads)
        self._all_points = np.arange(len(self.points))
        self._threads = threads
        self._correct = correction(mesh.dim)
        self.faces = self._special[:0]
        self.fluxes, self.squares = np.zeros((2, self._special.size))
        self._slides = np.zeros(self._special.size, dtype=np.uint8)

    def slides(self) -> NDArray[np.uint8]:
        """Return 1 for the faces across which held mass slid, as last evaluated, (all faces,)."""
        slides = np.zeros(self._row.size, dtype=np.uint8)
        slides[self.faces] = self._slides[: self.faces.size]
        return slides

    def rows_among(self, faces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which special faces are among the given ones, ascending; as many as there are, are all."""
        if faces.size == self._row.size:
            return self._all_rows
        rows = self._row[faces]
        return rows[rows >= 0]

    def points_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which of :attr:`points` the given special faces need, ascending."""
        if rows.size == self._all_rows.size:
            return self._all_points
        held = self._held[rows]
        held = self._special.size + held[held >= 0]
        return np.concatenate([rows, held, held + len(self._axes)])

    def evaluate(self, paired: Pairings, first: int, rows: NDArray[np.int64]) -> bool:
        """Find the fluxes and squares of some special faces; are all fluxes finite?

        Args:
            paired: <R', D Phi> at points of which number ``first`` is the first of :attr:`points`; those of
                :meth:`points_of` at least.
            first: as said.
            rows: which special faces, ascending.
        """
        velocity = self._least(paired, first, self.points_of(rows))
        here = velocity[: rows.size]
        self.faces, held, vectors = (rows_of(of, rows) for of in (self._special, self._held, self._vectors))
        there, beside = self._all_places if rows.size == self._held.size else _places(held)

        def work(part: slice) -> int:
            place = (held[part], there[part], beside[part])
            self._correct(here[part], *place, velocity, self._axes, self._slides[part])
            return _through(here[part], vectors[part], self.fluxes[part], self.squares[part])

        return sum(over_rows(work, rows.size, self._threads)) == 0


def _places(held: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the points on the wall or kink beside special faces stand, and those close to it.

    Among :meth:`SpecialFaces.points_of` these faces; whatever where no such point belongs to a face.
    """
    in_layer = held >= 0
    there = held.size - 1 + np.cumsum(in_layer)
    return there, there + np.count_nonzero(in_layer)


@njit(cache=True, nogil=True)
def _through(velocity, vectors, fluxes, squares):  # type: ignore[no-untyped-def]
    wrong = 0
    for row in range(len(velocity)):
        flux, square = 0.0, 0.0
        for a in range(velocity.shape[1]):
            flux += velocity[row, a] * vectors[row, a]
            square += velocity[row, a] ** 2
        fluxes[row] = flux
        squares[row] = square
        # what is not finite does not vanish in a difference with itself
        wrong += 0 if flux - flux == 0.0 else 1
    return wrong
