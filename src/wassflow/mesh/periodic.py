"""Opposite boundary facets of a periodic box are one face: pairing them, across ranks too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.mesh.dolfinx_import import MPI

# facets match when their midpoints do, up to this part of the size of the box: files hold few digits
MATCH = 1e-8


@dataclass(frozen=True)
class BoundarySides:
    """Boundary sides of all ranks on periodic planes, in the same order on every rank; pairs of rows are identified.

    Attributes:
        rank: owner of the cell, (n,).
        cell: its local index there, (n,).
        slot: which facet of the cell, (n,).
        original: its partition-independent index, (n,).
        vertices: its vertices, (n, k, d).
        shift: what to add to a position near the partner to see it from this side, (n, d).
        partner: row of the opposite side, (n,).
    """

    rank: NDArray[np.int32]
    cell: NDArray[np.int32]
    slot: NDArray[np.int32]
    original: NDArray[np.int64]
    vertices: Array
    shift: Array
    partner: NDArray[np.intp]


def pair_boundary_sides(
    comm: MPI.Comm,
    domain: Domain,
    cell: NDArray[np.int32],
    slot: NDArray[np.int32],
    midpoints: Array,
    original: NDArray[np.int64],
    vertices: Array,
) -> BoundarySides:
    """Gather the boundary sides of all ranks that lie on periodic planes and pair them.

    Every rank holds the whole list: a boundary has fewer cells than the mesh by one dimension.

    Args:
        comm: the communicator.
        domain: Omega, with at least one periodic axis.
        cell, slot, midpoints: the boundary sides of owned cells of this rank.
        original, vertices: of the cells of these sides.

    Raises:
        WassflowError: when the facets of two opposite planes do not match.
    """
    tolerance = MATCH * float(
        np.max(domain.upper - domain.lower, where=np.isfinite(domain.upper - domain.lower), initial=0.0)
    )
    plane = np.full(
        cell.size, -1, dtype=np.int32
    )  # 2 * axis on the lower plane, 2 * axis + 1 on the upper one
    for axis in np.flatnonzero(domain.periodic):
        plane[np.abs(midpoints[:, axis] - domain.lower[axis]) <= tolerance] = 2 * axis
        plane[np.abs(midpoints[:, axis] - domain.upper[axis]) <= tolerance] = 2 * axis + 1
    on = np.flatnonzero(plane >= 0)
    mine = (
        np.full(on.size, comm.rank, dtype=np.int32),
        cell[on],
        slot[on],
        original[on],
        vertices[on],
        midpoints[on],
        plane[on],
    )
    ranks, cells, slots, originals, corners, centers, planes = (
        np.concatenate(parts) for parts in zip(*comm.allgather(mine), strict=True)
    )
    partner = np.full(planes.size, -1, dtype=np.intp)
    shift = np.zeros((planes.size, domain.dim))
    for axis in np.flatnonzero(domain.periodic):
        low, high = np.flatnonzero(planes == 2 * axis), np.flatnonzero(planes == 2 * axis + 1)
        if low.size != high.size or low.size == 0:
            raise WassflowError(
                f"axis {axis} cannot be periodic: {low.size} facets lie on its lower plane, {high.size} on its upper plane"
            )
        across = np.arange(domain.dim) != axis
        distance, match = cKDTree(centers[low][:, across]).query(centers[high][:, across])
        if distance.max() > tolerance or np.unique(match).size != low.size:
            worst = centers[high[int(np.argmax(distance))]]
            raise WassflowError(
                f"axis {axis} cannot be periodic: the facet at {worst.tolist()} has no counterpart on the opposite plane "
                f"(nearest midpoint {distance.max():.3g} away, allowed {tolerance:.3g}); mesh the two planes alike"
            )
        partner[high], partner[low[match]] = low[match], high
        length = domain.upper[axis] - domain.lower[axis]
        shift[high, axis], shift[low, axis] = length, -length
    return BoundarySides(ranks, cells, slots, originals, corners, shift, partner)
