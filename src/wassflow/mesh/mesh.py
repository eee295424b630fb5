"""The finite-volume view of a mesh: cells, and the faces between them, as arrays."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.mesh import checks, geometry
from wassflow.mesh.cell_types import CELL_TYPES, CellType
from wassflow.mesh.dolfinx_import import MPI, dolfinx
from wassflow.mesh.faces import number_faces, opposite_sides
from wassflow.mesh.halo import Halo
from wassflow.mesh.periodic import LocalCells, close_periodic_axes

Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """A mesh of Omega as arrays; in parallel, the part of one rank.

    Cells of this rank come first, then ghosts: cells of other ranks that share a face with them, across a
    periodic axis too. Arrays over "cells" include ghosts. Arrays over faces hold the interior faces of owned
    cells; a facet on a periodic plane and its counterpart on the opposite plane are one interior face. Build
    meshes with :func:`wassflow.mesh.box` and :func:`wassflow.mesh.read`. The arrays are shared,
    not copied: do not write into them.

    Attributes:
        domain: Omega.
        dolfinx_mesh: the mesh behind the arrays (its ghosts do not include those across periodic axes).
        halo: fetches ghost values, ``mesh.halo.update(values)``.
        nodes: points that cells are spanned by, (n, d).
        cell_nodes: the nodes of each cell (cells, k), in dolfinx's order (tensor product for quadrilaterals
            and hexahedra).
        volumes: (cells,).
        centroids: (cells, d).
        original_cell_index: number of each cell in the input, (cells,) int64: the same for every number of
            ranks.
        num_owned: cells of this rank.
        face_cells: left and right cell of each face, (faces, 2). The left cell has the smaller
            ``original_cell_index``.
        face_areas: (faces,).
        face_normals: unit normals from left to right, (faces, d).
        face_midpoints: centroids of the faces as seen from the left cell, (faces, d).
        face_offsets: ``centroids[right] + offset`` is the right cell as seen from the left one, (faces, d);
            zero except across a period.
        face_distances: distance d_KL of the two centroids, seen across periods, (faces,).
        wall_cells, wall_areas, wall_normals, wall_midpoints: facets on the boundary of Omega, normals
            outward.
        cell_faces: the faces of each owned cell, (owned, facets per cell), -1 for a wall.
        cell_face_signs: int8, the same shape: +1 where the cell is the left one of that face, -1 the right
            one, 0 a wall. (A cell that is its own neighbour across a period meets the same face twice, with
            both signs.)
        h: the largest diameter of a cell of the whole mesh.
        kind: the cell type with its tables.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 1.0]), cells=(4, 2), cell="quadrilateral")
    >>> mesh.num_owned, len(mesh.face_areas), len(mesh.wall_areas), float(mesh.volumes.sum())
    (8, 10, 12, 2.0)
    """

    domain: Domain
    dolfinx_mesh: dolfinx.mesh.Mesh
    halo: Halo
    nodes: Array
    cell_nodes: Indices
    volumes: Array
    centroids: Array
    original_cell_index: NDArray[np.int64]
    num_owned: int
    face_cells: Indices
    face_areas: Array
    face_normals: Array
    face_midpoints: Array
    face_offsets: Array
    face_distances: Array
    wall_cells: Indices
    wall_areas: Array
    wall_normals: Array
    wall_midpoints: Array
    cell_faces: Indices
    cell_face_signs: NDArray[np.int8]
    h: float
    kind: CellType
    _obliqueness: float

    @classmethod
    def from_dolfinx(
        cls,
        dolfinx_mesh: dolfinx.mesh.Mesh,
        domain: Domain,
        original_cell_index: NDArray[np.int64] | None = None,
    ) -> Self:
        """Build the finite-volume arrays of a dolfinx mesh of straight-sided cells of one type; collective.

        Args:
            dolfinx_mesh: in parallel with ghost mode ``shared_facet``.
            domain: Omega; boundary facets on the planes of its periodic axes are paired.
            original_cell_index: number of each cell, with the ghosts of ``dolfinx_mesh``; default its number
                in the input of ``dolfinx_mesh``.
        """
        comm, topology, dim = dolfinx_mesh.comm, dolfinx_mesh.topology, dolfinx_mesh.topology.dim
        kind = CELL_TYPES[topology.cell_name()]
        cell_nodes = np.ascontiguousarray(dolfinx_mesh.geometry.dofmaps[0], dtype=np.int32)
        nodes = np.ascontiguousarray(dolfinx_mesh.geometry.x[:, :dim])
        if original_cell_index is None:
            original_cell_index = topology.original_cell_index
        original = np.asarray(original_cell_index, dtype=np.int64)
        cells = topology.index_map(dim)
        num_owned = cells.size_local
        ghosts, owners = np.array(cells.ghosts, dtype=np.int64), np.array(cells.owners, dtype=np.int32)

        topology.create_entities(dim - 1)
        facets = topology.index_map(dim - 1)
        per_cell = len(kind.facets)
        cell_facets = topology.connectivity(dim, dim - 1).array.reshape(-1, per_cell)
        opposite = opposite_sides(cell_facets, facets.size_local + facets.num_ghosts)
        volumes, centroids = geometry.volumes_and_centroids(nodes, cell_nodes, kind.simplices)

        parts = LocalCells(
            kind, num_owned, nodes, cell_nodes, volumes, centroids, original, ghosts, owners, opposite
        )
        shifts = close_periodic_axes(comm, domain, parts, int(cells.local_range[0]))
        nodes, cell_nodes, volumes, centroids = parts.nodes, parts.cell_nodes, parts.volumes, parts.centroids
        original = parts.original
        face_sides, wall_sides, cell_faces, signs = number_faces(parts.opposite, num_owned, original)
        left = np.ascontiguousarray(face_sides[:, 0])
        areas, normals, midpoints = geometry.side_geometry(left, nodes, cell_nodes, kind.facets, centroids)
        walls = geometry.side_geometry(wall_sides, nodes, cell_nodes, kind.facets, centroids)
        face_cells = face_sides // np.int32(per_cell)
        offsets = shifts[left] if shifts.size else np.zeros_like(normals)
        distances, obliqueness = geometry.face_distances(face_cells, normals, offsets, centroids)
        diameter = math.sqrt(geometry.squared_diameter(nodes, cell_nodes))
        return cls(
            domain=domain,
            dolfinx_mesh=dolfinx_mesh,
            halo=Halo(comm, num_owned, parts.ghosts, parts.owners),
            nodes=nodes,
            cell_nodes=cell_nodes,
            volumes=volumes,
            centroids=centroids,
            original_cell_index=original,
            num_owned=num_owned,
            face_cells=face_cells,
            face_areas=areas,
            face_normals=normals,
            face_midpoints=midpoints,
            face_offsets=offsets,
            face_distances=distances,
            wall_cells=wall_sides // np.int32(per_cell),
            wall_areas=walls[0],
            wall_normals=walls[1],
            wall_midpoints=walls[2],
            cell_faces=cell_faces,
            cell_face_signs=signs,
            h=_reduce(comm, diameter, MPI.MAX),
            _obliqueness=_reduce(comm, float(obliqueness), MPI.MAX),
            kind=kind,
        )

    def __repr__(self) -> str:
        return (
            f"Mesh({self.num_cells_global} cells of type {self.cell_type}, h={self.h:.4g}, {self.domain!r})"
        )

    @property
    def comm(self) -> MPI.Comm:
        """The MPI communicator."""
        return self.dolfinx_mesh.comm

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.kind.dim

    @property
    def cell_type(self) -> str:
        """The type of all cells: "triangle", "quadrilateral", "tetrahedron" or "hexahedron"."""
        return self.kind.name

    @property
    def num_cells(self) -> int:
        """Cells known to this rank, ghosts included."""
        return self.volumes.size

    @property
    def num_cells_global(self) -> int:
        """Cells of the whole mesh."""
        return int(self.dolfinx_mesh.topology.index_map(self.dim).size_global)

    @property
    def cell_vertices(self) -> Array:
        """Coordinates of the vertices of each cell, (cells, k, d); made at each call."""
        return self.nodes[self.cell_nodes]

    @cached_property
    def face_arms(self) -> Array:
        """From the centroids of the left and right cell of each face to its midpoint, across periods too,
        (faces, 2, d)."""
        arms = np.empty((len(self.face_cells), 2, self.dim))
        left, right = self.face_cells[:, 0], self.face_cells[:, 1]
        np.subtract(self.face_midpoints, self.centroids[left], out=arms[:, 0])
        np.subtract(self.face_midpoints, self.centroids[right] + self.face_offsets, out=arms[:, 1])
        return arms

    @cached_property
    def covariances(self) -> Array:
        """Second moment matrices about the centroid, int_K (x - x_K)(x - x_K)^T dx / |K|, (cells, d, d)."""
        return geometry.covariances(
            self.nodes, self.cell_nodes, self.kind.simplices, self.volumes, self.centroids
        )

    @cached_property
    def second_moments(self) -> Array:
        """I_K = int_K |x - x_K|^2 dx / |K|, (cells,): the squared W2 of unit mass to its centroid."""
        return np.ascontiguousarray(np.trace(self.covariances, axis1=1, axis2=2))

    @cached_property
    def simplices(self) -> tuple[Array, Indices]:
        """Owned cells cut into simplices: their vertices (s, d + 1, d), and the cell of each (s,)."""
        splitting = self.kind.simplices
        corners = self.cell_nodes[: self.num_owned][:, splitting].reshape(-1, self.dim + 1)
        parents = np.repeat(np.arange(self.num_owned, dtype=np.int32), len(splitting))
        return self.nodes[corners], parents

    def is_orthogonal(self, tol: float = 1e-8) -> bool:
        """Tell whether each interior face is normal to the line of its centroids, up to the sine ``tol``.

        True for boxes of quadrilaterals and hexahedra, and for boxes cut into simplices from their centres
        when they are cubes (see :func:`wassflow.mesh.box`). Two-point difference quotients are consistent on
        such meshes only.
        """
        return self._obliqueness <= tol

    def check(self, tol: float = 1e-10) -> dict[str, float]:
        """Check that this is a mesh of its domain; see :func:`wassflow.mesh.checks.check`. Collective."""
        return checks.check(self, tol)

    @overload
    def allsum(self, local: float) -> float: ...
    @overload
    def allsum(self, local: Array) -> Array: ...
    def allsum(self, local):
        """Sum numbers or arrays over all ranks; the identity in serial. Collective."""
        return _reduce(self.comm, local, MPI.SUM)

    @overload
    def allmax(self, local: float) -> float: ...
    @overload
    def allmax(self, local: Array) -> Array: ...
    def allmax(self, local):
        """Largest over all ranks, entry by entry; the identity in serial. Collective."""
        return _reduce(self.comm, local, MPI.MAX)

    @overload
    def allmin(self, local: float) -> float: ...
    @overload
    def allmin(self, local: Array) -> Array: ...
    def allmin(self, local):
        """Smallest over all ranks, entry by entry; the identity in serial. Collective."""
        return _reduce(self.comm, local, MPI.MIN)

    def gather(self, values: NDArray) -> NDArray:
        """Return the values of all ranks in the order of the input, on every rank; collective.

        Args:
            values: one row per cell, (num_owned, ...) or with ghosts (num_cells, ...).

        The result does not depend on the number of ranks: use it for output and comparisons.
        """
        if values.shape[:1] not in ((self.num_owned,), (self.num_cells,)):
            raise ValueError(
                f"values must have {self.num_owned} or {self.num_cells} rows, found shape {values.shape}"
            )
        parts = self.comm.allgather((self.original_cell_index[: self.num_owned], values[: self.num_owned]))
        result = np.empty((self.num_cells_global, *values.shape[1:]), dtype=values.dtype)
        for index, part in parts:
            result[index] = part
        return result


@overload
def _reduce(comm: MPI.Comm, local: float, operation: MPI.Op) -> float: ...
@overload
def _reduce(comm: MPI.Comm, local: Array, operation: MPI.Op) -> Array: ...
def _reduce(comm, local, operation):
    """Reduce over all ranks; the identity in serial."""
    if comm.size == 1:
        return local
    total = np.array(local, dtype=np.float64)
    comm.Allreduce(MPI.IN_PLACE, total, operation)
    return total if total.ndim else float(total)
