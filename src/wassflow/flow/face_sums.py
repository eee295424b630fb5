"""Sums over the faces of cells that hold mass."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.neighbours import Indices
from wassflow.functional.evaluation import over_rows
from wassflow.vectorized import add, read


@njit(cache=True)
def faces_with_mass(face_cells, masses, out):  # type: ignore[no-untyped-def]
    """Write the faces that have mass on at least one side to ``out`` and return how many there are.

    No mass crosses the others, whatever their velocity.
    """
    count = 0
    for face in range(face_cells.shape[0]):
        if masses[face_cells[face, 0]] > 0.0 or masses[face_cells[face, 1]] > 0.0:
            out[count] = face
            count += 1
    return count


def mean_over_faces(
    faces: Indices, signs: NDArray[np.int8], values: Array, masses: Array, threads: int = 1
) -> float:
    """Return the sum over cells of mass times the mean of ``values`` over the cell's interior faces."""
    if not values.size:
        return 0.0
    kernel = _mean_kernel(len(faces))
    parts = over_rows(
        lambda part: kernel(faces, signs, values, masses, part.start, part.stop), faces.shape[1], threads
    )
    return float(sum(parts))


@lru_cache
def _mean_kernel(faces_per_cell: int) -> Callable:
    @njit(cache=True, nogil=True, error_model="numpy")
    def mean(faces, signs, values, masses, start, stop):  # type: ignore[no-untyped-def]
        total = 0.0
        for cell in range(start, stop):
            part = 0.0
            count = 0
            for j in range(faces_per_cell):
                inside = abs(read(signs[j], cell))
                part += inside * read(values, read(faces[j], cell))
                count += inside
            total = add(total, read(masses, cell) * part / max(count, 1))
        return total

    return mean


@njit(cache=True)
def sum_over_transfers(faces, rates, values, masses):  # type: ignore[no-untyped-def]
    """Return the sum over faces of ``values`` times the mass that crosses the face per unit time."""
    total = 0.0
    for cell in range(faces.shape[1]):
        if masses[cell] > 0.0:
            part = 0.0
            for j in range(faces.shape[0]):
                # Each transfer is counted by its donor, which exactly one rank owns.
                if rates[j, cell] > 0.0:
                    part += rates[j, cell] * values[faces[j, cell]]
            total += masses[cell] * part
    return total
