"""The loops over cells of first-order upwind transport, compiled for each type of cell."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit

from wassflow.vectorized import add, larger, read, write

# Cells whose sums are added up before they join the rest: the error of a long sum would grow with its length.
BLOCK = 1024


@njit(cache=True, inline="always")
def _beside(offsets, cell):  # type: ignore[no-untyped-def]
    """The neighbour; gathers with indices of 32 bits are faster than with 64."""
    return np.int32(cell + read(offsets, cell))


# Not in the closure of the kernels: numba finds those on disk only if there are nothing but numbers in it.
@njit(cache=True, inline="always")
def _outflow_rate(faces, signs, offsets, fluxes, inverse_volumes, j, cell):  # type: ignore[no-untyped-def]
    # Relative to the donor: what leaves this cell is positive, what enters it is negative.
    flux = read(signs[j], cell) * read(fluxes, read(faces[j], cell))
    own = read(inverse_volumes, cell)
    other = read(inverse_volumes, _beside(offsets[j], cell))
    return flux * (own if flux > 0.0 else other)


@njit(cache=True, inline="always")
def _net_outflow(offsets, rates, masses, cell, faces_per_cell):  # type: ignore[no-untyped-def]
    own = read(masses, cell)
    total = 0.0
    for j in range(faces_per_cell):
        other = read(masses, _beside(offsets[j], cell))
        rate = read(rates[j], cell)
        # Read before the choice, which is then no branch: the sign of a rate cannot be predicted.
        total += rate * (own if rate > 0.0 else other)
    return total


@njit(cache=True, inline="always")
def change_of_block(faces, geometry, speeds, cells, begin, end, faces_per_cell):  # type: ignore[no-untyped-def]
    """Do what :meth:`UpwindTransport.change` says for a block of cells; return the attributes of a change.

    ``faces`` tells where the faces of each cell stand in ``speeds``, fluxes and squares; ``cells`` are
    potential, masses and out. The kernel needs numpy's error model.
    """
    signs, offsets, inverse_volumes = geometry
    fluxes, squares = speeds
    potential, masses, out = cells
    largest, mass, dissipation, potential_rate = 0.0, 0.0, 0.0, 0.0
    for cell in range(begin, end):
        own = read(masses, cell)
        outflow, total, square, count = 0.0, 0.0, 0.0, 0
        for j in range(faces_per_cell):
            rate = _outflow_rate(faces, signs, offsets, fluxes, inverse_volumes, j, cell)
            other = read(masses, _beside(offsets[j], cell))
            total += rate * (own if rate > 0.0 else other)
            outflow += rate if rate > 0.0 else 0.0
            inside = abs(read(signs[j], cell))
            square += inside * read(squares, read(faces[j], cell))
            count += inside
        write(out, cell, -total)
        largest = larger(outflow if own > 0.0 else 0.0, largest)
        mass = add(mass, own)
        dissipation = add(dissipation, own * square / max(count, 1))
        potential_rate = add(potential_rate, -total * read(potential, cell))
    return largest, mass, dissipation, potential_rate


@njit(cache=True, inline="always")
def joined(found, more):  # type: ignore[no-untyped-def]
    """Return the attributes of the change of two sets of cells."""
    return max(more[0], found[0]), found[1] + more[1], found[2] + more[2], found[3] + more[3]


@lru_cache
def kernels(faces_per_cell: int) -> tuple[Callable, ...]:
    """Compile the kernels for one type of cell: a loop of known length is unrolled (3 to 5 times faster)."""

    @njit(cache=True, nogil=True)
    def set_rates(faces, signs, offsets, inverse_volumes, fluxes, masses, rates, start, stop):  # type: ignore[no-untyped-def]
        largest = 0.0
        for cell in range(start, stop):
            outflow = 0.0
            for j in range(faces_per_cell):
                rate = _outflow_rate(faces, signs, offsets, fluxes, inverse_volumes, j, cell)
                write(rates[j], cell, rate)
                outflow += rate if rate > 0.0 else 0.0
            largest = larger(outflow if read(masses, cell) > 0.0 else 0.0, largest)
        return largest

    @njit(cache=True, nogil=True, error_model="numpy")
    def change(faces, geometry, speeds, cells, start, stop):  # type: ignore[no-untyped-def]
        found = (0.0, 0.0, 0.0, 0.0)
        for begin in range(start, stop, BLOCK):
            end = min(begin + BLOCK, stop)
            more = change_of_block(faces, geometry, speeds, cells, begin, end, faces_per_cell)
            found = joined(found, more)
        return found

    @njit(cache=True, nogil=True)
    def rate(offsets, rates, masses, out, start, stop):  # type: ignore[no-untyped-def]
        for cell in range(start, stop):
            write(out, cell, -_net_outflow(offsets, rates, masses, cell, faces_per_cell))

    @njit(cache=True, nogil=True)
    def step(offsets, rates, masses, dt, out, start, stop):  # type: ignore[no-untyped-def]
        for cell in range(start, stop):
            moved = read(masses, cell) - dt * _net_outflow(offsets, rates, masses, cell, faces_per_cell)
            # Only subnormal masses can get here: their products have no relative accuracy.
            write(out, cell, 0.0 if moved < 0.0 else moved)

    return set_rates, change, rate, step
