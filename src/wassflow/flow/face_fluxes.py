"""From the pairing <R', D Phi> at faces to volume fluxes and squared speeds, in one pass.

The pass is bound by memory. On a regular mesh hardly anything is read for a face but what is its own: which
fibre and which kind of face it belongs to, and its weight w.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.least_velocity import velocities_alone
from wassflow.flow.special_faces import SpecialFaces
from wassflow.functional import regularizer
from wassflow.functional.evaluation import Pairings, over_rows
from wassflow.repetition import distinct_rows
from wassflow.vectorized import accesses

# What is written here may be read in another pass of the same kernel, by cells.
read, write = accesses("faces")

# Kinds of faces whose numbers stay in a fast cache.
_MOST_KINDS = 4096
# Faces whose fluxes do.
_BLOCK = 1024


def gradient_and_kinks(V: regularizer.Regularizer, points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the gradient of V at points ``(n, d)``, and whether dV is more than that there ``(n,)``."""
    if velocities_alone(V):
        return np.zeros(points.shape), np.ones(len(points), dtype=bool)
    subdifferential = V.subdifferential(points)
    return subdifferential.gradient, subdifferential.kinked


class SteepestFluxes:
    """Fluxes and squares |v|^2 of v = -<R', D Phi> - DV at faces whose gradients of V and areas are known.

    Args:
        gradient: of V at all faces, (n, d).
        vectors: normals times areas, (n, d).
        threads: for large numbers of faces.

    Attributes:
        dim: d.
    """

    def __init__(self, gradient: Array, vectors: Array, threads: int = 1) -> None:
        self.dim, self._threads = vectors.shape[1], threads
        kinds = np.hstack([gradient, vectors])
        found = distinct_rows(kinds, _MOST_KINDS)
        everything = np.arange(len(vectors), dtype=np.int32)
        first, kind = (everything, everything) if found is None else found
        self._kinds = (kinds[first].reshape(-1), kind)

    def write(
        self,
        paired: Pairings,
        faces: NDArray[np.int64],
        special: SpecialFaces,
        fluxes: Array,
        squares: Array,
    ) -> bool:
        """Write the entries of ``fluxes`` and ``squares`` (n,) of the given faces; are all fluxes finite?

        Args:
            paired: <R', D Phi> at the given faces.
            faces: ascending; as many as there are, are all.
            special: the special ones among them, evaluated before, whose fluxes take the place of others
                while what is around them in memory is in a fast cache.
            fluxes, squares: of all faces.
        """
        kernel = _kernel(self.dim, paired.fibre is not None, faces.size == fluxes.size)
        known = self.known(paired, special)

        def work(part: slice) -> int:
            return kernel(*known, faces, part.start, part.stop, fluxes, squares)

        return sum(over_rows(work, faces.size, self._threads)) == 0

    def known(
        self, paired: Pairings, special: SpecialFaces
    ) -> tuple[tuple[NDArray, ...], tuple[NDArray, ...]]:
        """Return what kernels know of faces, and of the special ones among them.

        <R', D Phi> flattened, fibre and weight of each point, or nothing where each is alone; kinds of faces,
        and of which kind each face is. Then numbers, fluxes and squares of special faces.
        """
        fibre, weights = paired.fibre, paired.weights
        if fibre is None or weights is None:
            fibre, weights = np.empty(0, dtype=np.int32), np.empty(0)
        values = np.ascontiguousarray(paired.values).reshape(-1)
        return (values, fibre, weights, *self._kinds), (special.faces, special.fluxes, special.squares)


# Not in the closure of the kernels: numba finds those on disk only if there are nothing but numbers in it.
@njit(cache=True, inline="always")
def steepest(known, row, face, dim, along_fibres):  # type: ignore[no-untyped-def]
    """Return flux and square of one face, which is number ``row`` of those that were asked for."""
    paired, fibre, weights, kinds, kind = known
    beside = np.int32(2 * dim * read(kind, face))
    at = np.int32(dim * read(fibre, face)) if along_fibres else row * dim
    flux, square = 0.0, 0.0
    for a in range(dim):
        slope = read(paired, at + a)
        if along_fibres and a > 0:
            slope *= read(weights, face)
        v = -slope - read(kinds, beside + a)
        flux += v * read(kinds, beside + dim + a)
        square += v * v
    return flux, square


@lru_cache
def _kernel(dim: int, along_fibres: bool, everywhere: bool) -> Callable:
    """Compile for what is known beforehand: only without questions in it the loop is vectorised."""

    @njit(cache=True, nogil=True)
    def kernel(known, special_faces, faces, start, stop, fluxes, squares):  # type: ignore[no-untyped-def]
        numbers, special_fluxes, special_squares = special_faces
        wrong = 0
        special = np.searchsorted(numbers, faces[start]) if stop > start else 0
        for begin in range(start, stop, _BLOCK):
            end = min(begin + _BLOCK, stop)
            for row in range(begin, end):
                face = row if everywhere else read(faces, row)
                flux, square = steepest(known, row, face, dim, along_fibres)
                write(fluxes, face, flux)
                write(squares, face, square)
                # what is not finite does not vanish in a difference with itself
                wrong += 0 if flux - flux == 0.0 else 1
            while special < numbers.size and numbers[special] <= faces[end - 1]:
                fluxes[numbers[special]] = special_fluxes[special]
                squares[numbers[special]] = special_squares[special]
                special += 1
        return wrong

    return kernel
