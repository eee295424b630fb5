"""Meshes of boxes: a lattice of small boxes, as they are or cut into simplices from their centres."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array, as_integer, one_of
from wassflow.domain import Box, Domain
from wassflow.mesh.cell_types import CELL_TYPES, CellType
from wassflow.mesh.dolfinx_import import MPI, basix, dolfinx
from wassflow.mesh.mesh import Mesh


def box(
    domain: Domain, cells: int | Sequence[int], cell: str = "triangle", comm: MPI.Comm | None = None
) -> Mesh:
    """Mesh a box by a lattice of ``cells`` equal small boxes, periodic where the domain is; collective.

    Simplices are made by joining the centre of each small box to its boundary: 4 triangles in 2D (dolfinx
    calls this "crossed"), and in 3D, where the faces are crossed in the same way, 24 tetrahedra. Each simplex
    is then the mirror image of its neighbours when the small boxes are cubes: no direction is preferred (a
    cut along one diagonal would tilt the numerical diffusion), and the line through two neighbouring
    centroids is normal to their face.

    Args:
        domain: a :class:`wassflow.domain.Box` with finite bounds.
        cells: how many small boxes along each axis, d integers or one for all; 1 and 2 are allowed on
            periodic axes too.
        cell: "triangle" or "quadrilateral" in 2D, "tetrahedron" or "hexahedron" in 3D.
        comm: MPI communicator over which cells are distributed; all ranks by default.

    Raises:
        ValueError: for another domain, a cell type of another dimension, or cells < 1.

    >>> import wassflow as wf
    >>> torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    >>> mesh = wf.mesh.box(torus, cells=(3, 3), cell="triangle")
    >>> mesh.num_cells_global, len(mesh.face_areas), len(mesh.wall_areas)
    (36, 54, 0)
    """
    if not isinstance(domain, Box) or not np.isfinite(domain.volume):
        raise ValueError(f"domain must be a Box with finite bounds, found {domain!r}")
    kinds = [kind.name for kind in CELL_TYPES.values() if kind.dim == domain.dim]
    if not kinds:
        raise ValueError(f"domain must have dimension 2 or 3 to be meshed, found {domain.dim}")
    kind = CELL_TYPES[one_of("cell", cell, kinds)]
    shape = (cells,) * domain.dim if isinstance(cells, int | np.integer) else tuple(cells)
    if len(shape) != domain.dim:
        raise ValueError(f"cells must have {domain.dim} entries, found {len(shape)}")
    shape = tuple(as_integer("cells", count, least=1) for count in shape)
    comm = MPI.COMM_WORLD if comm is None else comm
    lattice = _Lattice(domain, shape, crossed=kind.name in ("triangle", "tetrahedron"))
    points = lattice.points(*_share(lattice.num_points, comm))
    nodes = lattice.cells(kind, *_share(lattice.num_boxes, comm))
    return Mesh.from_dolfinx(create_dolfinx_mesh(comm, kind, nodes, points), domain)


def create_dolfinx_mesh(
    comm: MPI.Comm, kind: CellType, cells: NDArray[np.int64], points: Array
) -> dolfinx.mesh.Mesh:
    """Distribute a mesh over ranks; collective.

    Each rank brings some cells (as global point numbers) and some points; the points are numbered in the
    order of the ranks.
    """
    mode = dolfinx.mesh.GhostMode.shared_facet
    return dolfinx.mesh.create_mesh(
        comm,
        cells,
        basix.ufl.element("Lagrange", kind.name, 1, shape=(kind.dim,)),  # type: ignore[arg-type]
        points,
        # the default partitioner would make no ghost cells
        partitioner=dolfinx.mesh.create_cell_partitioner(mode, 2),  # type: ignore[call-arg]
    )


def _share(total: int, comm: MPI.Comm) -> tuple[int, int]:
    """Range of this rank when ``total`` things are dealt out evenly, in order."""
    return total * comm.rank // comm.size, total * (comm.rank + 1) // comm.size


class _Lattice:
    """Points and cells of a lattice of boxes, by number, so that each rank makes its own share.

    Points come in families: corners of the boxes, then (if crossed) their centres, then in 3D the centres of
    their faces, axis by axis.
    """

    def __init__(self, domain: Box, shape: tuple[int, ...], crossed: bool) -> None:
        self.lower, self.upper, self.shape, self.dim = domain.lower, domain.upper, np.array(shape), domain.dim
        self.num_boxes = int(np.prod(self.shape))
        halves = [np.zeros(self.dim)]
        if crossed:
            halves.append(np.full(self.dim, 0.5))
        if crossed and self.dim == 3:
            halves.extend(0.5 * (np.arange(3) != axis) for axis in range(3))
        # a family sits at (index + half) of the lattice; without a half there is one more point than boxes
        self.families = [(half, self.shape + (half == 0.0)) for half in halves]
        self.starts = np.concatenate([[0], np.cumsum([np.prod(size) for _, size in self.families])])
        self.num_points = int(self.starts[-1])

    def points(self, first: int, last: int) -> Array:
        """Coordinates of points first..last."""
        parts = []
        for (half, size), start, end in zip(self.families, self.starts[:-1], self.starts[1:], strict=True):
            number = np.arange(max(first, start), min(last, end)) - start
            index = np.column_stack(np.unravel_index(number, size, order="F"))
            t = (index + half) / self.shape
            # exact at both ends: opposite periodic planes carry the same coordinates
            parts.append((1.0 - t) * self.lower + t * self.upper)
        return np.ascontiguousarray(np.concatenate(parts))

    def _number(self, family: int, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Point numbers of lattice positions (n, d) in a family."""
        size = self.families[family][1]
        return self.starts[family] + index @ np.cumprod([1, *size[:-1]])

    def cells(self, kind: CellType, first: int, last: int) -> NDArray[np.int64]:
        """Point numbers of the cells in boxes first..last, (n, k)."""
        index = np.column_stack(np.unravel_index(np.arange(first, last), self.shape, order="F"))
        unit = np.eye(self.dim, dtype=np.int64)
        corners = [self._number(0, index + offset) for offset in _corner_offsets(self.dim)]
        if len(self.families) == 1:
            return np.column_stack(corners)
        center = self._number(1, index)
        rows = []
        if kind.dim == 2:
            for i, j in CELL_TYPES["quadrilateral"].facets:
                rows.append(np.column_stack([center, corners[i], corners[j]]))
        else:
            for facet in CELL_TYPES["hexahedron"].facets:
                offsets = _corner_offsets(3)[facet]
                axis = int(np.flatnonzero(offsets.min(axis=0) == offsets.max(axis=0))[0])
                middle = self._number(2 + axis, index + unit[axis] * offsets[0, axis])
                for i, j in CELL_TYPES["quadrilateral"].facets:
                    rows.append(np.column_stack([center, middle, corners[facet[i]], corners[facet[j]]]))
        return np.ascontiguousarray(np.stack(rows, axis=1).reshape(-1, kind.num_vertices))


def _corner_offsets(dim: int) -> NDArray[np.int64]:
    """Corners of the unit box in tensor-product order, first axis fastest."""
    return np.array([[(corner >> axis) & 1 for axis in range(dim)] for corner in range(2**dim)])
