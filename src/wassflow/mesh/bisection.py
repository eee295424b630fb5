"""Longest-edge bisection of simplices by dolfinx, with the marks closed across periodic axes."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.mesh.dolfinx_import import MPI, basix, dolfinx
from wassflow.mesh.periodic import MATCH

Marks = NDArray[np.bool_]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Family:
    """A refined mesh with where its cells come from.

    Attributes:
        mesh: the refined mesh, on each rank the children of the cells that the rank owned.
        parent: the cell of the first mesh that each owned cell lies in, (owned,).
        marked: whether that cell was marked, (owned,).
    """

    mesh: dolfinx.mesh.Mesh
    parent: Indices
    marked: Marks

    def descend(self, mesh: dolfinx.mesh.Mesh, parent: Indices) -> "Family":
        """The family after one more refinement, given the parents in this mesh."""
        return Family(mesh, self.parent[parent], self.marked[parent])


def bisect(mesh: dolfinx.mesh.Mesh, domain: Domain, marked: Marks) -> Family:
    """Bisect marked simplices d times, and others as far as a conforming mesh asks for; collective.

    Each time the longest edges of the marked cells (of their descendants) are cut in the middle, and, until
    nothing changes, the longest edge of each triangle with a cut edge (Rivara, Int. J. Numer. Meth. Eng. 20
    (1984) 745; Plaza and Carey, Appl. Numer. Math. 32 (2000) 195, in 3D) and the counterparts of cut edges
    across periodic axes. d bisections halve the size of a cell and, on the boxes of
    :func:`wassflow.mesh.box`, reproduce its shape.

    Args:
        mesh: a mesh of triangles or tetrahedra.
        domain: Omega.
        marked: the owned cells to refine, (owned,).
    """
    family = _founder(mesh, marked)
    for _ in range(mesh.topology.dim):
        edges = _Edges(family.mesh, domain)
        family = _split(family, edges.closure(edges.longest[family.marked]))
    return family


def split_uniformly(mesh: dolfinx.mesh.Mesh, domain: Domain) -> Family:
    """Cut each simplex into 2^d; collective.

    By d bisections where these fit together without further cuts, as on the boxes of
    :func:`wassflow.mesh.box`, whose shapes they reproduce; else at the middles of all edges, into cells half
    as large.
    """
    dim = mesh.topology.dim
    founder = family = _founder(mesh, np.ones(mesh.topology.index_map(dim).size_local, dtype=bool))
    for _ in range(dim):
        edges = _Edges(family.mesh, domain)
        cut = edges.closure(edges.longest)
        per_cell = np.count_nonzero(cut[edges.of_cell], axis=1).max(initial=0)
        if mesh.comm.allreduce(int(per_cell), MPI.MAX) > 1:
            return _split(founder, None)
        family = _split(family, cut)
    return family


def children_of(mesh: dolfinx.mesh.Mesh, parent_of_input: NDArray) -> Indices:
    """Return the parents of owned cells, given those of this rank's input cells, which all stayed here.

    dolfinx numbers the input cells of all ranks one after the other and reorders them on each rank.
    """
    owned = mesh.topology.index_map(mesh.topology.dim).size_local
    first = mesh.comm.exscan(len(parent_of_input)) or 0
    return np.asarray(parent_of_input, dtype=np.int32)[mesh.topology.original_cell_index[:owned] - first]


def _founder(mesh: dolfinx.mesh.Mesh, marked: Marks) -> Family:
    return Family(mesh, np.arange(marked.size, dtype=np.int32), marked)


def _split(family: Family, cut: Marks | None) -> Family:
    """Cut the given edges, or all; the children stay on the rank of their parent."""
    topology = family.mesh.topology
    topology.create_entities(1)
    owned = topology.index_map(1).size_local
    edges = None if cut is None else np.flatnonzero(cut[:owned]).astype(np.int32)
    mesh, parent_of_input, _ = dolfinx.mesh.refine(family.mesh, edges)
    return family.descend(mesh, children_of(mesh, parent_of_input))


class _Edges:
    """The edges of a mesh of simplices, for deciding which of them to cut.

    Attributes:
        longest: the longest edge of each owned cell, (owned,).
        of_cell: the edges of each owned cell, (owned, edges per cell).
    """

    def __init__(self, mesh: dolfinx.mesh.Mesh, domain: Domain) -> None:
        self._comm = mesh.comm
        topology, dim = mesh.topology, mesh.topology.dim
        topology.create_entities(1)
        topology.create_connectivity(dim, 1)
        topology.create_connectivity(1, dim)
        self._map = topology.index_map(1)
        self._owned = self._map.size_local
        self._buffer = dolfinx.la.vector(self._map)
        edges = np.arange(self._owned + self._map.num_ghosts, dtype=np.int32)
        ends = mesh.geometry.x[dolfinx.mesh.entities_to_geometry(mesh, 1, edges)][:, :, :dim]
        lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        owned_cells = topology.index_map(dim).size_local
        of_cell = topology.connectivity(dim, 1).array.reshape(-1, len(_corner_pairs(dim)))
        self.of_cell = of_cell[:owned_cells]
        self.longest = _longest(self.of_cell, lengths)
        self._of_triangle = self.of_cell[:, _triangles(dim)].reshape(-1, 3)
        self._longest_of_triangle = _longest(self._of_triangle, lengths)
        self._pair_across_periods(domain, 0.5 * (ends[:, 0] + ends[:, 1])[: self._owned])

    def closure(self, first: Indices) -> Marks:
        """Return marks of the given edges and of all that must be cut with them; collective."""
        marks = np.zeros(self._owned + self._map.num_ghosts, dtype=bool)
        marks[first] = True
        while True:
            before = np.count_nonzero(marks)
            marks[self._longest_of_triangle[marks[self._of_triangle].any(axis=1)]] = True
            self._share(marks)
            if not self._comm.allreduce(bool(np.count_nonzero(marks) > before), MPI.LOR):
                return marks

    def _share(self, marks: Marks) -> None:
        """Mark what other ranks have marked, and what is marked on the other side of a period."""
        self._buffer.array[:] = marks
        self._buffer.scatter_reverse(dolfinx.la.InsertMode.add)
        self._buffer.scatter_forward()
        marks |= self._buffer.array > 0.0
        if self._num_groups:
            together = np.zeros(self._num_groups, dtype=np.int8)
            np.maximum.at(together, self._group, marks[self._on_plane].astype(np.int8))
            self._comm.Allreduce(MPI.IN_PLACE, together, MPI.MAX)
            marks[self._on_plane] = together[self._group] > 0
            self._buffer.array[:] = marks
            self._buffer.scatter_forward()
            marks |= self._buffer.array > 0.0

    def _pair_across_periods(self, domain: Domain, midpoints: Array) -> None:
        """Number the groups of edges that periodic axes identify."""
        self._num_groups = 0
        if not any(domain.periodic):
            return
        axes = np.flatnonzero(domain.periodic)
        tolerance = MATCH * float(np.max(domain.upper[axes] - domain.lower[axes]))
        upper = np.abs(midpoints[:, axes] - domain.upper[axes]) <= tolerance
        lower = np.abs(midpoints[:, axes] - domain.lower[axes]) <= tolerance
        self._on_plane = np.flatnonzero((lower | upper).any(axis=1))
        wrapped = midpoints[self._on_plane]
        wrapped[:, axes] = np.where(upper[self._on_plane], domain.lower[axes], wrapped[:, axes])
        parts = self._comm.allgather(wrapped)
        every = np.concatenate(parts)
        pairs = cKDTree(every).query_pairs(tolerance, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs), dtype=np.int8), pairs.T), shape=(len(every),) * 2)
        self._num_groups, group = connected_components(graph, directed=False)
        start = sum(len(part) for part in parts[: self._comm.rank])
        self._group = group[start : start + len(wrapped)]


def _longest(edges: Indices, lengths: Array) -> Indices:
    """Return the longest edge of each row."""
    return np.take_along_axis(edges, lengths[edges].argmax(axis=1)[:, None], axis=1)[:, 0]


def _corner_pairs(dim: int) -> list[tuple[int, ...]]:
    """Corners of the edges of a simplex, in dolfinx's order."""
    kind = basix.CellType.triangle if dim == 2 else basix.CellType.tetrahedron
    return [tuple(edge) for edge in basix.topology(kind)[1]]


def _triangles(dim: int) -> list[list[int]]:
    """Edges of the triangles of a simplex."""
    number = {edge: i for i, edge in enumerate(_corner_pairs(dim))}
    triangles = itertools.combinations(range(dim + 1), 3)
    return [[number[edge] for edge in itertools.combinations(triangle, 2)] for triangle in triangles]
