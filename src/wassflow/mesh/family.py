"""Making refined meshes whose cells stay on the rank of their parents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.mesh.boxes import create_dolfinx_mesh
from wassflow.mesh.cell_types import CELL_TYPES
from wassflow.mesh.dolfinx_import import dolfinx

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Family:
    """A mesh that refines another one.

    Attributes:
        mesh: the refined mesh, on each rank the children of the cells that the rank owned.
        parent: the cell of the first mesh that each owned cell lies in, (owned,).
    """

    mesh: dolfinx.mesh.Mesh
    parent: Indices

    def descend(self, further: "Family") -> "Family":
        """Return the family from the same first mesh to a refinement of ``mesh``."""
        return Family(further.mesh, self.parent[further.parent])


def create_family(
    mesh: dolfinx.mesh.Mesh,
    children: NDArray[np.int64],
    points: Array,
    parent: Indices,
    on_facet: NDArray[np.bool_],
) -> Family:
    """Create the mesh of the children of owned cells; collective.

    Args:
        mesh: the coarse mesh.
        children: numbers of the points of each child, (n, k); the points are numbered in the order of the
            ranks.
        points: those that this rank brings.
        parent: owned coarse cell of each child, (n,).
        on_facet: whether a facet of the child lies in each facet of its parent, (n, facets).
    """
    kind = CELL_TYPES[mesh.topology.cell_name()]
    staying = None
    if mesh.comm.size > 1:
        ranks = np.where(on_facet, _ranks_across_facets(mesh)[parent], mesh.comm.rank)
        links = _own_rank_first(ranks, mesh.comm.rank)
        staying = _partitioner(links)
    fine = create_dolfinx_mesh(mesh.comm, kind, children, points, staying)
    return Family(fine, children_of(fine, parent))


def children_of(fine: dolfinx.mesh.Mesh, parent_of_input: NDArray) -> Indices:
    """Return the parents of owned cells, given those of this rank's input cells, which all stayed here.

    dolfinx numbers the input cells of all ranks one after the other and reorders them on each rank.
    """
    owned = fine.topology.index_map(fine.topology.dim).size_local
    first = fine.comm.exscan(len(parent_of_input)) or 0
    return np.asarray(parent_of_input, dtype=np.int32)[fine.topology.original_cell_index[:owned] - first]


def number_points(
    mesh: dolfinx.mesh.Mesh, families: Sequence[tuple[dolfinx.common.IndexMap, NDArray[np.bool_]]]
) -> list[NDArray[np.int64]]:
    """Number points that belong to entities, in the order of the ranks, on each rank family by family.

    Args:
        mesh: for its communicator.
        families: the distribution of each kind of entity, and which entities (ghosts too) have a point.

    Returns:
        For each family the number of the point of each entity, ghosts too; -1 without a point.
    """
    owned = [int(np.count_nonzero(kept[: index_map.size_local])) for index_map, kept in families]
    start = mesh.comm.exscan(sum(owned)) or 0
    result = []
    for (index_map, kept), count in zip(families, owned, strict=True):
        numbers = dolfinx.la.vector(index_map)
        numbers.array[:] = -1.0
        mine = np.flatnonzero(kept[: index_map.size_local])
        numbers.array[mine] = start + np.arange(count)
        numbers.scatter_forward()
        result.append(numbers.array.astype(np.int64))
        start += count
    return result


def _ranks_across_facets(mesh: dolfinx.mesh.Mesh) -> Indices:
    """Return the owner of the neighbour across each facet of owned cells, or this rank, (owned, facets)."""
    topology, dim = mesh.topology, mesh.topology.dim
    topology.create_entities(dim - 1)
    topology.create_connectivity(dim, dim - 1)
    cells = topology.index_map(dim)
    owners = np.concatenate([np.full(cells.size_local, mesh.comm.rank), cells.owners])
    per_cell = len(CELL_TYPES[topology.cell_name()].facets)
    facets = topology.connectivity(dim, dim - 1).array.reshape(-1, per_cell)
    foreign = np.full(topology.index_map(dim - 1).size_local + topology.index_map(dim - 1).num_ghosts, -1)
    ghosts = facets[cells.size_local :]
    foreign[ghosts] = owners[cells.size_local :, None]
    found = foreign[facets[: cells.size_local]]
    return np.where(found >= 0, found, mesh.comm.rank).astype(np.int32)


def _own_rank_first(ranks: Indices, rank: int) -> dolfinx.graph.AdjacencyList:
    """Return for each row this rank and then each other rank of the row once."""
    row, column = np.nonzero(ranks != rank)
    pairs = np.unique(np.column_stack([row, ranks[row, column]]), axis=0)
    rows = np.concatenate([np.arange(len(ranks)), pairs[:, 0]])
    values = np.concatenate([np.full(len(ranks), rank), pairs[:, 1]])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(ranks)))])
    order = np.argsort(rows, kind="stable")
    return dolfinx.graph.adjacencylist(values[order].astype(np.int32), offsets.astype(np.int32))


def _partitioner(links: dolfinx.graph.AdjacencyList) -> Callable[..., Any]:
    return lambda *_: links._cpp_object
