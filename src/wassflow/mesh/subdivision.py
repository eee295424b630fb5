"""Quadrilaterals and hexahedra cut at the middles of their edges into 2^d, each on its own rank."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wassflow.mesh.bisection import children_of
from wassflow.mesh.boxes import create_dolfinx_mesh
from wassflow.mesh.dolfinx_import import basix, dolfinx
from wassflow.mesh.mesh import Mesh


def subdivide(coarse: Mesh) -> tuple[dolfinx.mesh.Mesh, NDArray[np.int32]]:
    """Return a mesh with 2^d cells for each one, and the parent of each owned cell; collective.

    dolfinx refines simplices only.
    """
    positions = _Positions(coarse)
    corners = _lattice(2, coarse.dim)
    strides = 3 ** np.arange(coarse.dim)
    # the child at a corner of the cell spans the positions corner + {0, 1}^d of the 3^d
    table = (corners[:, None] + corners[None]) @ strides
    children = positions.numbers[: coarse.num_owned][:, table].reshape(-1, len(corners))
    parent = np.repeat(np.arange(coarse.num_owned, dtype=np.int32), len(corners))
    mesh = create_dolfinx_mesh(
        coarse.comm, coarse.kind, children, positions.points, _stay(coarse, len(corners))
    )
    return mesh, children_of(mesh, parent)


class _Positions:
    """The 3^d corners, middles and centres of each cell as numbered points.

    Attributes:
        points: the points that this rank brings, (n, d).
        numbers: number of each position of each cell over all ranks, first axis fastest, (cells, 3^d).
    """

    def __init__(self, coarse: Mesh) -> None:
        mesh, dim = coarse.dolfinx_mesh, coarse.dim
        topology, geometry = mesh.topology, mesh.geometry
        dofs = geometry.dofmaps[0]
        vertices = geometry.x[dofs][:, :, :dim]
        # entities of each dimension k: their map, and those of each cell (cells, count)
        families = [(geometry.index_map(), dofs)]
        for k in range(1, dim):
            topology.create_entities(k)
            topology.create_connectivity(dim, k)
            links = topology.connectivity(dim, k).array.reshape(len(dofs), -1)
            families.append((topology.index_map(k), links))
        families.append((topology.index_map(dim), np.arange(len(dofs))[:, None]))

        tables = basix.topology(getattr(basix.CellType, coarse.cell_type))
        owned = [index_map.size_local for index_map, _ in families]
        first = coarse.comm.exscan(sum(owned)) or 0
        starts = np.concatenate([[0], np.cumsum(owned)])
        self.points = np.empty((starts[-1], dim))
        self.numbers = np.empty((len(dofs), 3**dim), dtype=np.int64)
        unit = _lattice(2, dim)
        for position, place in enumerate(_lattice(3, dim)):
            # the point between the corners of an entity of dimension k
            k = int(np.count_nonzero(place == 1))
            corners = np.flatnonzero(np.all((place == 1) | (place == 2 * unit), axis=1)).tolist()
            entity = [sorted(map(int, e)) for e in tables[k]].index(corners)
            index_map, links = families[k]
            middle = vertices[:, corners]
            for _ in range(k):  # axis by axis: the same to the last bit from each cell of a lattice
                middle = 0.5 * (middle[:, 0::2] + middle[:, 1::2])
            numbers = dolfinx.la.vector(index_map)
            numbers.array[: owned[k]] = first + starts[k] + np.arange(owned[k])
            numbers.scatter_forward()
            held = links[:, entity]
            self.numbers[:, position] = numbers.array[held]
            mine = held < owned[k]
            self.points[starts[k] + held[mine]] = middle[mine, 0]


def _lattice(size: int, dim: int) -> NDArray[np.int64]:
    """Return the points of {0, .., size - 1}^d, first axis fastest."""
    return np.array(list(itertools.product(range(size), repeat=dim)))[:, ::-1]


def _stay(coarse: Mesh, children: int) -> Callable[..., dolfinx.cpp.graph.AdjacencyList_int32] | None:
    """A partitioner that keeps each child on its rank, and tells the owners of cells across its facets."""
    rank, owned = coarse.comm.rank, coarse.num_owned
    if coarse.comm.size == 1:
        return None
    cell, facet = np.nonzero(coarse.cell_faces >= 0)
    face = coarse.cell_faces[cell, facet]
    beyond = coarse.face_cells[face].sum(axis=1) - cell
    # periodic neighbours become ghosts later, see wassflow.mesh.periodic
    ghost = (beyond >= owned) & np.all(coarse.face_offsets[face] == 0.0, axis=1)
    neighbour = coarse.halo.index_map.owners[beyond[ghost] - owned]
    # child c lies at corner c of the cell and has its part of the facets that meet there
    corners = coarse.kind.facets[facet[ghost]]
    told = (cell[ghost, None] * children + corners).reshape(-1)
    pairs = np.unique(np.column_stack([told, np.repeat(neighbour, corners.shape[1])]), axis=0)
    count = owned * children
    child = np.concatenate([np.arange(count), pairs[:, 0]])
    ranks = np.concatenate([np.full(count, rank), pairs[:, 1]])
    order = np.argsort(child, kind="stable")  # the owner comes first
    offsets = np.concatenate([[0], np.cumsum(np.bincount(child, minlength=count))])
    links = dolfinx.graph.adjacencylist(ranks[order].astype(np.int32), offsets.astype(np.int32))
    return lambda *_: links._cpp_object
