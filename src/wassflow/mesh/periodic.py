"""Opposite boundary facets of a periodic box are one face: pairing them, across ranks too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.mesh.cell_types import CellType
from wassflow.mesh.dolfinx_import import MPI
from wassflow.mesh.faces import NO_SIDE
from wassflow.mesh.geometry import side_geometry, volumes_and_centroids

# facets match when their midpoints do, up to this part of the size of the box: files hold few digits
MATCH = 1e-8


@dataclass
class LocalCells:
    """The cells of one rank while its mesh is being built: owned cells, then ghosts.

    Attributes:
        kind: the cell type, with k facets.
        num_owned: how many of the n cells are owned.
        nodes, cell_nodes, volumes, centroids, original: as in :class:`wassflow.mesh.Mesh`.
        ghosts, owners: global indices and owners of the ghosts, (n - num_owned,).
        opposite: for each side of a cell the side across it, (n, k); see :mod:`wassflow.mesh.faces`.
    """

    kind: CellType
    num_owned: int
    nodes: Array
    cell_nodes: NDArray[np.int32]
    volumes: Array
    centroids: Array
    original: NDArray[np.int64]
    ghosts: NDArray[np.int64]
    owners: NDArray[np.int32]
    opposite: NDArray[np.int32]

    def append_ghosts(
        self,
        vertices: Array,
        original: NDArray[np.int64],
        ghosts: NDArray[np.int64],
        owners: NDArray[np.int32],
    ) -> None:
        """Append ghost cells, given by their vertices (m, k, d), with nodes of their own."""
        new_nodes = vertices.reshape(-1, vertices.shape[2])
        new_cell_nodes = len(self.nodes) + np.arange(len(new_nodes), dtype=np.int32).reshape(
            vertices.shape[:2]
        )
        self.nodes = np.concatenate([self.nodes, new_nodes])
        self.cell_nodes = np.concatenate([self.cell_nodes, new_cell_nodes])
        volumes, centroids = volumes_and_centroids(self.nodes, new_cell_nodes, self.kind.simplices)
        self.volumes = np.concatenate([self.volumes, volumes])
        self.centroids = np.concatenate([self.centroids, centroids])
        self.original = np.concatenate([self.original, original])
        self.ghosts = np.concatenate([self.ghosts, ghosts])
        self.owners = np.concatenate([self.owners, owners])
        nothing = np.full((len(ghosts), self.opposite.shape[1]), NO_SIDE, dtype=np.int32)
        self.opposite = np.concatenate([self.opposite, nothing])


def close_periodic_axes(comm: MPI.Comm, domain: Domain, cells: LocalCells, first_cell: int) -> Array:
    """Make opposite boundary sides of periodic axes neighbours; collective. Cells of other ranks become
    ghosts.

    Args:
        comm: the communicator.
        domain: Omega.
        cells: the cells of this rank; ghosts are appended, and ``opposite`` is completed.
        first_cell: global index of the first cell of this rank.

    Returns:
        What to add to a position near the opposite side to see it from each side, (n k, d); empty without
        periodic axes.
    """
    if not any(domain.periodic):
        return np.empty((0, domain.dim))
    per_cell = len(cells.kind.facets)
    walls = np.flatnonzero(cells.opposite[: cells.num_owned].reshape(-1) == NO_SIDE).astype(np.int32)
    _, _, midpoints = side_geometry(walls, cells.nodes, cells.cell_nodes, cells.kind.facets, cells.centroids)
    cell, slot = np.divmod(walls, np.int32(per_cell))
    boundary = pair_boundary_sides(
        comm, domain, cell, slot, midpoints, cells.original[cell], cells.nodes[cells.cell_nodes[cell]]
    )
    first_cells = np.array(comm.allgather(first_cell), dtype=np.int64)
    global_cell = first_cells[boundary.rank] + boundary.cell

    mine = np.flatnonzero(boundary.rank == comm.rank)
    partner = boundary.partner[mine]
    remote = boundary.rank[partner] != comm.rank
    new, row = np.unique(global_cell[partner[remote]], return_index=True)
    # the partner may be a ghost already, across a partition boundary
    absent = ~np.isin(new, cells.ghosts)
    new, row = new[absent], partner[remote][row[absent]]
    cells.append_ghosts(boundary.vertices[row], boundary.original[row], new, boundary.rank[row])
    neighbour = boundary.cell[partner]
    if np.any(remote):
        order = np.argsort(cells.ghosts)
        found = np.searchsorted(cells.ghosts, global_cell[partner[remote]], sorter=order)
        neighbour[remote] = cells.num_owned + order[found]

    my_sides = boundary.cell[mine] * per_cell + boundary.slot[mine]
    their_sides = neighbour * per_cell + boundary.slot[partner]
    opposite = cells.opposite.reshape(-1)
    opposite[my_sides], opposite[their_sides] = their_sides, my_sides
    shifts = np.zeros((opposite.size, domain.dim))
    shifts[my_sides], shifts[their_sides] = boundary.shift[mine], boundary.shift[partner]
    return shifts


@dataclass(frozen=True)
class BoundarySides:
    """Boundary sides of all ranks on periodic planes, in the same order on every rank, paired.

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
                f"axis {axis} cannot be periodic: {low.size} facets lie on its lower plane, {high.size} "
                "on its upper plane"
            )
        across = np.arange(domain.dim) != axis
        distance, match = cKDTree(centers[low][:, across]).query(centers[high][:, across])
        if distance.max() > tolerance or np.unique(match).size != low.size:
            worst = centers[high[int(np.argmax(distance))]]
            raise WassflowError(
                f"axis {axis} cannot be periodic: the facet at {worst.tolist()} has no counterpart on the "
                f"opposite plane (nearest midpoint {distance.max():.3g} away, allowed {tolerance:.3g}); mesh "
                "the two planes alike"
            )
        partner[high], partner[low[match]] = low[match], high
        length = domain.upper[axis] - domain.lower[axis]
        shift[high, axis], shift[low, axis] = length, -length
    return BoundarySides(ranks, cells, slots, originals, corners, shift, partner)
