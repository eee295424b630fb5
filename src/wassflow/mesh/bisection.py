"""Simplices cut at the middles of edges, alike on both sides of a periodic axis and on any number of ranks.

dolfinx refines marked edges by the same rule, but knows nothing of periodic axes, chooses among equally long
edges by numbers that depend on the partition, and (0.11) leaks one of 2048 MPI communicators at each call.
"""

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.mesh.dolfinx_import import MPI, basix, dolfinx
from wassflow.mesh.family import Family, create_family, number_points
from wassflow.mesh.periodic import MATCH

Marks = NDArray[np.bool_]
Indices = NDArray[np.int32]


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
    family = _founder(mesh)
    for _ in range(mesh.topology.dim):
        edges = _Edges(family.mesh, domain)
        family = family.descend(edges.split(edges.closure(edges.longest[marked[family.parent]])))
    return family


def split_uniformly(mesh: dolfinx.mesh.Mesh, domain: Domain) -> Family:
    """Cut each simplex into 2^d; collective.

    By d bisections where these fit together without further cuts, as on the boxes of
    :func:`wassflow.mesh.box`, whose shapes they reproduce; else at the middles of all edges into cells half
    as large, an octahedron amid a tetrahedron along its shortest diagonal (Bey, Computing 55 (1995) 355).
    """
    family = _founder(mesh)
    for _ in range(mesh.topology.dim):
        edges = _Edges(family.mesh, domain)
        cut = edges.closure(edges.longest)
        per_cell = np.count_nonzero(cut[edges.of_cell], axis=1).max(initial=0)
        if mesh.comm.allreduce(int(per_cell), MPI.MAX) > 1:
            return _Edges(mesh, domain).split_all()
        family = family.descend(edges.split(cut))
    return family


def _founder(mesh: dolfinx.mesh.Mesh) -> Family:
    owned = mesh.topology.index_map(mesh.topology.dim).size_local
    return Family(mesh, np.arange(owned, dtype=np.int32))


class _Edges:
    """The edges of a mesh of simplices: which of them to cut, and the mesh that comes of it.

    Attributes:
        of_cell: the edges of each owned cell, (owned, edges per cell).
        longest: the longest edge of each owned cell, (owned,).
    """

    def __init__(self, mesh: dolfinx.mesh.Mesh, domain: Domain) -> None:
        self._mesh, self._comm = mesh, mesh.comm
        topology, dim = mesh.topology, mesh.topology.dim
        topology.create_entities(1)
        topology.create_connectivity(dim, 1)
        topology.create_connectivity(1, dim)
        self._map = topology.index_map(1)
        self._buffer = dolfinx.la.vector(self._map)
        edges = np.arange(self._map.size_local + self._map.num_ghosts, dtype=np.int32)
        ends = mesh.geometry.x[dolfinx.mesh.entities_to_geometry(mesh, 1, edges)][:, :, :dim]
        self._middles = 0.5 * (ends[:, 0] + ends[:, 1])
        # edges in order of length, equal ones by position: each rank has the same order, bit for bit
        lengths = np.sum((ends[:, 1] - ends[:, 0]) ** 2, axis=1)
        self._rank = np.empty(edges.size, dtype=np.int64)
        self._rank[np.lexsort((*self._middles.T, lengths))] = edges
        owned_cells = topology.index_map(dim).size_local
        self._corners = list(itertools.combinations(range(dim + 1), 2))
        of_cell = topology.connectivity(dim, 1).array.reshape(-1, len(self._corners))
        self.of_cell = of_cell[:owned_cells][:, _places(dim)]
        self.longest = self._longest(self.of_cell)
        self._of_triangle = self.of_cell[:, _triangles(dim)].reshape(-1, 3)
        self._longest_of_triangle = self._longest(self._of_triangle)
        self._pair_across_periods(domain)

    def closure(self, first: Indices) -> Marks:
        """Return marks of the given edges and of all that must be cut with them; collective."""
        marks = np.zeros(self._rank.size, dtype=bool)
        marks[first] = True
        count = -1
        # between the ranks' own closures, as few messages as can be
        while self._comm.allreduce(bool(np.count_nonzero(marks) > count), MPI.LOR):
            while np.count_nonzero(marks) > count:
                count = int(np.count_nonzero(marks))
                marks[self._longest_of_triangle[marks[self._of_triangle].any(axis=1)]] = True
            self._share(marks)
        return marks

    def split(self, cut: Marks) -> Family:
        """Cut the marked edges in the middle, in each cell and piece of a cell the longest first; collective.

        Two cells cut a triangle between them in the same order, so that the mesh stays conforming.
        """
        dim, owned = self._mesh.topology.dim, len(self.of_cell)
        points, pieces, edge_numbers = self._number_points(cut)
        parent = np.arange(owned, dtype=np.int32)
        # which corner of the parent a vertex is, -1 for a middle; on which facets of the parent it lies
        # (facet i is opposite to corner i)
        corner = np.tile(np.arange(dim + 1), (owned, 1))
        facets = np.tile(~np.eye(dim + 1, dtype=bool), (owned, 1, 1))
        number_of_pair = np.zeros((dim + 1, dim + 1), dtype=np.intp)
        for place, (i, j) in enumerate(self._corners):
            number_of_pair[i, j] = number_of_pair[j, i] = place
        first, second = np.array(self._corners).T
        while True:
            ends = corner[:, first], corner[:, second]
            edges = self.of_cell[parent[:, None], number_of_pair[ends]]
            open_ = (ends[0] >= 0) & (ends[1] >= 0) & cut[edges]
            whole = ~open_.any(axis=1)
            if whole.all():
                break
            split = np.flatnonzero(~whole)
            pair = np.where(open_, self._rank[edges], -1)[split].argmax(axis=1)
            middle = edge_numbers[edges[split, pair]]
            kept = [(pieces[whole], parent[whole], corner[whole], facets[whole])]
            for gone, other in ((first[pair], second[pair]), (second[pair], first[pair])):
                row = np.arange(split.size)
                new_pieces, new_corner, new_facets = pieces[split], corner[split], facets[split]
                new_facets[row, gone] &= new_facets[row, other]
                new_pieces[row, gone], new_corner[row, gone] = middle, -1
                kept.append((new_pieces, parent[split], new_corner, new_facets))
            pieces, parent, corner, facets = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        order = np.argsort(parent, kind="stable")
        on_facet = np.count_nonzero(facets, axis=1) == dim
        return create_family(self._mesh, pieces[order], points, parent[order], on_facet[order])

    def split_all(self) -> Family:
        """Cut all edges: at each corner a simplex half as large, in the middle the rest; collective."""
        dim, owned = self._mesh.topology.dim, len(self.of_cell)
        points, corners, edge_numbers = self._number_points(np.ones(self._rank.size, dtype=bool))
        # the corners of each cell, then the middles of its edges
        positions = np.concatenate([corners, edge_numbers[self.of_cell]], axis=1)
        at = {(i, i): i for i in range(dim + 1)}
        at |= {pair: dim + 1 + place for place, pair in enumerate(self._corners)}
        rows = [[at[min(i, j), max(i, j)] for j in range(dim + 1)] for i in range(dim + 1)]
        if dim == 2:
            children = np.tile([*rows, [at[0, 1], at[0, 2], at[1, 2]]], (owned, 1, 1))
        else:
            diagonals = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
            tables = []
            for k, (p, q) in enumerate(diagonals):
                (a, b), (c, d) = (diagonals[i] for i in range(3) if i != k)
                around = ((a, c), (c, b), (b, d), (d, a))  # edges of the octahedron that circle the diagonal
                tables.append([*rows, *([at[p], at[q], at[x], at[y]] for x, y in around)])
            middles = self._middles[self.of_cell]
            place = {pair: i for i, pair in enumerate(self._corners)}
            vectors = [middles[:, place[p]] - middles[:, place[q]] for p, q in diagonals]
            shortest = np.sum(np.stack(vectors) ** 2, axis=2).argmin(axis=0)
            children = np.array(tables)[shortest]
        facets_of = ~np.eye(dim + 1, dtype=bool)  # facet i is opposite to corner i
        lies_on = np.concatenate([facets_of, [facets_of[i] & facets_of[j] for i, j in self._corners]])
        on_facet = np.count_nonzero(lies_on[children], axis=2).reshape(-1, dim + 1) == dim
        parent = np.repeat(np.arange(owned, dtype=np.int32), 2**dim)
        pieces = np.take_along_axis(positions, children.reshape(owned, -1), axis=1).reshape(-1, dim + 1)
        return create_family(self._mesh, pieces, points, parent, on_facet)

    def _number_points(self, cut: Marks) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """Return the points this rank brings, numbers of the corners of owned cells, and of cut edges."""
        geometry, dim = self._mesh.geometry, self._mesh.topology.dim
        nodes = geometry.index_map()
        every = np.ones(nodes.size_local + nodes.num_ghosts, dtype=bool)
        node_numbers, edge_numbers = number_points(self._mesh, [(nodes, every), (self._map, cut)])
        mine = np.flatnonzero(cut[: self._map.size_local])
        points = np.concatenate([geometry.x[: nodes.size_local, :dim], self._middles[mine]])
        return points, node_numbers[geometry.dofmaps[0][: len(self.of_cell)]], edge_numbers

    def _longest(self, edges: Indices) -> Indices:
        """Return the longest edge of each row."""
        return np.take_along_axis(edges, self._rank[edges].argmax(axis=1)[:, None], axis=1)[:, 0]

    def _share(self, marks: Marks) -> None:
        """Mark what other ranks have marked, and what is marked on the other side of a period."""
        self._buffer.array[:] = marks
        self._buffer.scatter_reverse(dolfinx.la.InsertMode.add)
        if self._num_groups:
            together = np.zeros(self._num_groups, dtype=np.int8)
            np.maximum.at(together, self._group, (self._buffer.array[self._on_plane] > 0.0).astype(np.int8))
            self._comm.Allreduce(MPI.IN_PLACE, together, MPI.MAX)
            self._buffer.array[self._on_plane] = together[self._group]
        self._buffer.scatter_forward()
        marks |= self._buffer.array > 0.0

    def _pair_across_periods(self, domain: Domain) -> None:
        """Number the groups of edges that periodic axes identify."""
        self._num_groups = 0
        if not any(domain.periodic):
            return
        axes = np.flatnonzero(domain.periodic)
        tolerance = MATCH * float(np.max(domain.upper[axes] - domain.lower[axes]))
        middles = self._middles[: self._map.size_local]
        upper = np.abs(middles[:, axes] - domain.upper[axes]) <= tolerance
        lower = np.abs(middles[:, axes] - domain.lower[axes]) <= tolerance
        self._on_plane = np.flatnonzero((lower | upper).any(axis=1))
        wrapped = middles[self._on_plane]
        wrapped[:, axes] = np.where(upper[self._on_plane], domain.lower[axes], wrapped[:, axes])
        parts = self._comm.allgather(wrapped)
        every = np.concatenate(parts)
        pairs = cKDTree(every).query_pairs(tolerance, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs), dtype=np.int8), pairs.T), shape=(len(every),) * 2)
        self._num_groups, group = connected_components(graph, directed=False)
        start = sum(len(part) for part in parts[: self._comm.rank])
        self._group = group[start : start + len(wrapped)]


def _places(dim: int) -> list[int]:
    """Place in dolfinx's order of each edge of a simplex, in lexicographic order of its corners."""
    kind = basix.CellType.triangle if dim == 2 else basix.CellType.tetrahedron
    edges = [tuple(edge) for edge in basix.topology(kind)[1]]
    return [edges.index(pair) for pair in itertools.combinations(range(dim + 1), 2)]


def _triangles(dim: int) -> list[list[int]]:
    """Edges of the triangles of a simplex, edges in lexicographic order."""
    pairs = list(itertools.combinations(range(dim + 1), 2))
    triangles = itertools.combinations(range(dim + 1), 3)
    return [[pairs.index(pair) for pair in itertools.combinations(corners, 2)] for corners in triangles]
