"""Quadrilaterals and hexahedra cut at the middles of their edges into 2^d; dolfinx refines simplices only."""

import itertools

import numpy as np
from numpy.typing import NDArray

from wassflow.mesh.cell_types import CELL_TYPES
from wassflow.mesh.dolfinx_import import basix, dolfinx
from wassflow.mesh.family import Family, create_family, number_points


def subdivide(mesh: dolfinx.mesh.Mesh) -> Family:
    """Cut each cell into 2^d; collective."""
    topology, geometry, dim = mesh.topology, mesh.geometry, mesh.topology.dim
    kind = CELL_TYPES[topology.cell_name()]
    tables = basix.topology(getattr(basix.CellType, kind.name))
    dofs = geometry.dofmaps[0]
    vertices = geometry.x[dofs][:, :, :dim]
    # entities of each dimension k: their map, and those of each cell (cells, count)
    maps, links = [geometry.index_map()], [dofs]
    for k in range(1, dim):
        topology.create_entities(k)
        topology.create_connectivity(dim, k)
        maps.append(topology.index_map(k))
        links.append(topology.connectivity(dim, k).array.reshape(len(dofs), len(tables[k])))
    maps.append(topology.index_map(dim))
    links.append(np.arange(len(dofs), dtype=np.int32)[:, None])
    owned = [index_map.size_local for index_map in maps]
    everywhere = [np.ones(m.size_local + m.num_ghosts, dtype=bool) for m in maps]
    numbers = number_points(mesh, list(zip(maps, everywhere, strict=True)))

    # the 3^d corners, middles and centres of each cell
    starts = np.concatenate([[0], np.cumsum(owned)])
    points = np.empty((starts[-1], dim))
    position_numbers = np.empty((len(dofs), 3**dim), dtype=np.int64)
    corners = _lattice(2, dim)
    for position, place in enumerate(_lattice(3, dim)):
        # the middle of an entity of dimension k
        k = int(np.count_nonzero(place == 1))
        around = np.flatnonzero(np.all((place == 1) | (place == 2 * corners), axis=1)).tolist()
        entity = links[k][:, [sorted(map(int, e)) for e in tables[k]].index(around)]
        middle = vertices[:, around]
        for _ in range(k):  # axis by axis: the same to the last bit from each cell of a lattice
            middle = 0.5 * (middle[:, 0::2] + middle[:, 1::2])
        position_numbers[:, position] = numbers[k][entity]
        mine = entity < owned[k]
        points[starts[k] + entity[mine]] = middle[mine, 0]

    # the child at a corner of the cell spans the positions corner + {0, 1}^d
    table = (corners[:, None] + corners[None]) @ (3 ** np.arange(dim))
    children = position_numbers[: owned[dim]][:, table].reshape(-1, len(corners))
    parent = np.repeat(np.arange(owned[dim], dtype=np.int32), len(corners))
    on_facet = np.array([[c in facet for facet in kind.facets] for c in range(len(corners))])
    return create_family(mesh, children, points, parent, np.tile(on_facet, (owned[dim], 1)))


def _lattice(size: int, dim: int) -> NDArray[np.int64]:
    """Return the points of {0, .., size - 1}^d, first axis fastest."""
    return np.array(list(itertools.product(range(size), repeat=dim)))[:, ::-1]
