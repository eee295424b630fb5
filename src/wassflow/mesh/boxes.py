"""Meshes of boxes: a lattice of small boxes, as they are or cut into simplices from their centres."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array, as_integer, as_vector, one_of
from wassflow.domain import Box, Domain
from wassflow.mesh.cell_types import CELL_TYPES, CellType
from wassflow.mesh.dolfinx_import import MPI, basix, dolfinx
from wassflow.mesh.mesh import Mesh


def box(
    domain: Domain,
    cells: int | Sequence[int] | None = None,
    cell: str = "triangle",
    comm: MPI.Comm | None = None,
    coordinates: Sequence[ArrayLike | None] | None = None,
) -> Mesh:
    """Mesh a box by a lattice of small boxes, periodic where the domain is; collective.

    The small boxes are equal, or lie between given coordinates, clustered by
    :func:`wassflow.mesh.graded` for instance.

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
        coordinates: for each axis the positions of the lattice planes, increasing from the lower to the
            upper bound, or None for equal boxes; ``cells`` may then be left out for the axes that are given.

    Raises:
        ValueError: for another domain, a cell type of another dimension, cells < 1, or coordinates that do
            not increase from one bound to the other.

    >>> import wassflow as wf
    >>> torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    >>> mesh = wf.mesh.box(torus, cells=(3, 3), cell="triangle")
    >>> mesh.num_cells_global, len(mesh.face_areas), len(mesh.wall_areas)
    (36, 54, 0)
    >>> w = wf.mesh.graded(-1.0, 1.0, 8, center=0.0, ratio=4.0)
    >>> mesh = wf.mesh.box(wf.Box([-1.0, 0.0], [1.0, 1.0]), (8, 4), "quadrilateral", coordinates=[w, None])
    >>> print(np.unique(mesh.volumes.round(3)))
    [0.035 0.049 0.069 0.098]
    """
    if not isinstance(domain, Box) or not np.isfinite(domain.volume):
        raise ValueError(f"domain must be a Box with finite bounds, found {domain!r}")
    kinds = [kind.name for kind in CELL_TYPES.values() if kind.dim == domain.dim]
    if not kinds:
        raise ValueError(f"domain must have dimension 2 or 3 to be meshed, found {domain.dim}")
    kind = CELL_TYPES[one_of("cell", cell, kinds)]
    positions = _positions(domain, cells, coordinates)
    comm = MPI.COMM_WORLD if comm is None else comm
    lattice = _Lattice(positions, crossed=kind.name in ("triangle", "tetrahedron"))
    points = lattice.points(*_share(lattice.num_points, comm))
    nodes = lattice.cells(kind, *_share(lattice.num_boxes, comm))
    return Mesh.from_dolfinx(create_dolfinx_mesh(comm, kind, nodes, points), domain)


def _positions(
    domain: Box, cells: int | Sequence[int] | None, coordinates: Sequence[ArrayLike | None] | None
) -> list[Array]:
    """Return for each axis the lattice planes and, between them, the middles of the small boxes."""
    dim = domain.dim
    counts = [cells] * dim if cells is None or isinstance(cells, int | np.integer) else list(cells)
    given = [None] * dim if coordinates is None else list(coordinates)
    if len(counts) != dim:
        raise ValueError(f"cells must have {dim} entries, found {len(counts)}")
    if len(given) != dim:
        raise ValueError(f"coordinates must have {dim} entries, found {len(given)}")
    positions = []
    for axis in range(dim):
        lower, upper = domain.lower[axis], domain.upper[axis]
        chosen = given[axis]
        if chosen is None:
            count = as_integer("cells", counts[axis], least=1)
            t = 0.5 * np.arange(2 * count + 1) / count
            # exact at both ends: opposite periodic planes carry the same coordinates
            positions.append((1.0 - t) * lower + t * upper)
            continue
        planes = as_vector(f"coordinates[{axis}]", chosen)
        slack = 1e-12 * (upper - lower)
        ends = planes.size > 1 and abs(planes[0] - lower) <= slack and abs(planes[-1] - upper) <= slack
        if not ends or not np.all(np.diff(planes) > slack):
            raise ValueError(
                f"coordinates[{axis}] must increase from {lower} to {upper}, found {planes.size} numbers "
                f"from {planes[:1]} to {planes[-1:]}"
            )
        if counts[axis] not in (None, planes.size - 1):
            raise ValueError(
                f"cells must be {planes.size - 1} on axis {axis}, as coordinates[{axis}] has it, "
                f"found {counts[axis]}"
            )
        both = np.empty(2 * planes.size - 1)
        both[::2], both[1::2] = planes, 0.5 * (planes[1:] + planes[:-1])
        both[0], both[-1] = lower, upper
        positions.append(both)
    return positions


def create_dolfinx_mesh(
    comm: MPI.Comm,
    kind: CellType,
    cells: NDArray[np.int64],
    points: Array,
    partitioner: Callable[..., Any] | None = None,
) -> dolfinx.mesh.Mesh:
    """Distribute a mesh over ranks; collective.

    Each rank brings some cells (as global point numbers) and some points; the points are numbered in the
    order of the ranks. A graph partitioner deals out the cells unless another one is given.
    """
    if partitioner is None:
        # dolfinx's default would make no ghost cells
        mode = dolfinx.mesh.GhostMode.shared_facet
        partitioner = dolfinx.mesh.create_cell_partitioner(mode, 2)  # type: ignore[call-arg]
    return dolfinx.mesh.create_mesh(
        comm,
        cells,
        basix.ufl.element("Lagrange", kind.name, 1, shape=(kind.dim,)),  # type: ignore[arg-type]
        points,
        partitioner=partitioner,
    )


def _share(total: int, comm: MPI.Comm) -> tuple[int, int]:
    """Range of this rank when ``total`` things are dealt out evenly, in order."""
    return total * comm.rank // comm.size, total * (comm.rank + 1) // comm.size


class _Lattice:
    """Points and cells of a lattice of boxes, by number, so that each rank makes its own share.

    Points come in families: corners of the boxes, then (if crossed) their centres, then in 3D the centres of
    their faces, axis by axis.
    """

    def __init__(self, positions: Sequence[Array], crossed: bool) -> None:
        self.positions, self.dim = positions, len(positions)
        self.shape = np.array([position.size // 2 for position in positions])
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
            index = np.unravel_index(number, size, order="F")
            twice = (2.0 * half).astype(np.int64)
            axes = zip(self.positions, index, twice, strict=True)
            parts.append(np.column_stack([position[2 * i + h] for position, i, h in axes]))
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
