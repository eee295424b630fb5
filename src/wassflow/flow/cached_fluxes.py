"""Upwind rates of change from fluxes that never leave the fast cache.

Fluxes of all faces, and then the changes of all cells, are two passes that write and read 32 bytes a face
which nobody wants to keep. Here a block of cells follows the faces that it is the first to meet, whose fluxes
stay in a small ring until all their cells are done: meshes number faces in that order
(:func:`wassflow.mesh.faces.number_faces`). Each number is the same to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.face_fluxes import steepest, write
from wassflow.flow.face_velocity import FaceVelocity, PointwiseVelocity
from wassflow.flow.neighbours import Indices
from wassflow.flow.upwind import Change, UpwindTransport
from wassflow.flow.upwind_kernels import BLOCK, change_of_block, joined
from wassflow.functional import FirstVariation
from wassflow.functional.evaluation import over_rows

# The shortest ring that is tried, and the share of faces above which one of twice the length is, rather than
# to keep the fluxes of so many faces beside it: those between cells that stand far apart, as where a period
# closes.
_LEAST_RING, _KEPT_SHARE = 1 << 12, 0.01
# Fewer fluxes stay in the cache anyway.
_LEAST_FACES = 1 << 18


def leave_cache(velocity: FaceVelocity) -> TypeGuard[PointwiseVelocity]:
    """Tell whether there are so many fluxes of velocities at midpoints that they would leave the cache."""
    return isinstance(velocity, PointwiseVelocity) and velocity.values.size >= _LEAST_FACES


class CachedFluxes:
    """dm/dt where all cells have mass, for velocities at midpoints of faces.

    Args:
        velocity: v.n on the faces.
        transport: of the same mesh.
        threads: for large numbers of cells.
        ring: how many fluxes each thread remembers at least, a power of 2.
    """

    def __init__(
        self,
        velocity: PointwiseVelocity,
        transport: UpwindTransport,
        threads: int = 1,
        ring: int = _LEAST_RING,
    ) -> None:
        self._velocity, self._transport, self._threads = velocity, transport, threads
        self._all_faces = np.arange(velocity.values.size)
        faces = np.where(transport.signs == 0, -1, transport.faces)
        met = np.maximum.accumulate(faces.max(axis=0)) + 1
        ring = _fitting(faces, met, ring)
        slots = np.empty_like(faces)
        parts = over_rows(lambda part: _plan(faces, met, ring, part, slots), met.size, threads)
        self._plans = {plan.start: plan for plan in parts}
        few = all(plan.fluxes.size <= 1 << 16 for plan in parts)
        self._slots = slots.astype(np.uint16) if few else slots

    def change(self, variation: FirstVariation, potential: Array, masses: Array, out: Array) -> Change:
        """Write dm/dt of the owned cells to ``out`` and sum what goes with it.

        As :meth:`wassflow.flow.upwind.UpwindTransport.change` does. The outflow is nan if a velocity is not
        finite.
        """
        velocity = self._velocity
        paired, finite = velocity.evaluate(variation, self._all_faces)
        kernel = _kernel(velocity.steepest.dim, paired.fibre is not None, len(self._slots))
        known = velocity.steepest.known(paired, velocity.special)
        cells = (potential, masses, out)

        def work(part: slice) -> tuple[int, tuple[float, ...]]:
            plan = self._plans[part.start]
            ring = (plan.fluxes, plan.squares)
            where = (self._slots, self._transport.geometry)
            return kernel(*known, plan.ends, plan.kept, ring, *where, cells, part.start, part.stop)

        wrong, found = zip(*over_rows(work, out.size, self._threads), strict=True)
        return Change.of_parts(found) if finite and not any(wrong) else Change(outflow=np.nan)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which faces one thread evaluates before each block of its cells, and memory for their fluxes.

    Attributes:
        start: its first cell.
        ends: the first face in the ring, then the one after the last before each block, (blocks + 1,).
        kept: faces whose fluxes stand behind the ring, ascending.
        fluxes, squares: a ring, and those of the faces that are kept.
    """

    start: int
    ends: NDArray[np.int64]
    kept: NDArray[np.int64]
    fluxes: Array
    squares: Array


def _fitting(faces: Indices, met: Indices, ring: int) -> int:
    """Return ``ring``, or twice or four times that and so on: the least that remembers nearly all faces.

    Args:
        faces: of each cell, (faces per cell, owned); -1 for a wall.
        met: how many faces each cell and those before it have, (owned,).
        ring: a power of 2.
    """
    cells = np.arange(met.size)
    ends = np.minimum(cells - cells % BLOCK + BLOCK, met.size) - 1
    behind = np.where(faces < 0, 0, met[ends] - faces)
    while np.count_nonzero(behind > ring) > _KEPT_SHARE * met[-1]:
        ring *= 2
    return ring


def _plan(faces: Indices, met: Indices, ring: int, part: slice, slots: Indices) -> Plan:
    """Plan the work of one thread and write where its cells find the fluxes of their faces to ``slots``.

    Args:
        faces, met: as above.
        ring: how many fluxes fit into the ring.
        part: the cells.
        slots: (faces per cell, owned).
    """
    here = faces[:, part]
    lasts = np.minimum(np.arange(part.start, part.stop, BLOCK) + BLOCK, part.stop) - 1
    ends = met[lasts].astype(np.int64)
    oldest = np.repeat(ends - ring, BLOCK)[: here.shape[1]]  # that the ring remembers when its cell is done
    walls, near = here < 0, here >= np.maximum(oldest, 0)
    first = here[near].min(initial=ends[-1])
    kept, number = np.unique(here[~walls & ~near], return_inverse=True)
    found = np.where(near, here, first) % ring
    found[~walls & ~near] = ring + number
    slots[:, part] = found
    fluxes, squares = np.zeros((2, ring + kept.size))
    return Plan(part.start, np.append(first, ends), kept.astype(np.int64), fluxes, squares)


@lru_cache
def _kernel(dim: int, along_fibres: bool, faces_per_cell: int) -> Callable:
    """Compile for what is known beforehand, as the kernels of faces and of cells are."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def kernel(known, special_faces, ends, kept, ring, slots, geometry, cells, start, stop):  # type: ignore[no-untyped-def]
        numbers, special_fluxes, special_squares = special_faces
        fluxes, squares = ring
        length = fluxes.size - kept.size
        wrong, special = 0, 0
        for row in range(kept.size):
            face = kept[row]
            flux, square = steepest(known, face, face, dim, along_fibres)
            wrong += 0 if flux - flux == 0.0 else 1
            while special < numbers.size and numbers[special] < face:
                special += 1
            if special < numbers.size and numbers[special] == face:
                flux, square = special_fluxes[special], special_squares[special]
            fluxes[length + row] = flux
            squares[length + row] = square
        special = np.searchsorted(numbers, ends[0])
        found = (0.0, 0.0, 0.0, 0.0)
        for block in range(ends.size - 1):
            first = ends[block]
            while first < ends[block + 1]:
                end = min(ends[block + 1], length * (first // length + 1))
                shift = first % length - first
                for face in range(first, end):
                    flux, square = steepest(known, face, face, dim, along_fibres)
                    write(fluxes, face + shift, flux)
                    write(squares, face + shift, square)
                    wrong += 0 if flux - flux == 0.0 else 1
                while special < numbers.size and numbers[special] < end:
                    fluxes[numbers[special] + shift] = special_fluxes[special]
                    squares[numbers[special] + shift] = special_squares[special]
                    special += 1
                first = end
            begin = start + block * BLOCK
            end = min(begin + BLOCK, stop)
            more = change_of_block(slots, geometry, ring, cells, begin, end, faces_per_cell)
            found = joined(found, more)
        return wrong, found

    return kernel
