"""The finite-volume view of a mesh: cells with volumes and centroids, faces with areas, normals and two cells."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.mesh import checks, geometry
from wassflow.mesh.cell_types import CELL_TYPES, CellType
from wassflow.mesh.dolfinx_import import MPI, dolfinx
from wassflow.mesh.faces import NO_SIDE, number_faces, opposite_sides
from wassflow.mesh.halo import Halo
from wassflow.mesh.periodic import pair_boundary_sides

Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """A mesh of Omega as arrays; in parallel, the part of one rank.

    Cells of this rank come first, then ghosts: cells of other ranks that share a face with them, across a periodic axis too. Arrays over
    "cells" include ghosts. Arrays over faces hold the interior faces of owned cells; a facet on a periodic plane and its counterpart on the
    opposite plane are one interior face. Build meshes with :func:`wassflow.mesh.box` and :func:`wassflow.mesh.read`. The arrays are shared,
    not copied: do not write into them.

    Attributes:
        domain: Omega.
        dolfinx_mesh: the mesh behind the arrays (its ghosts do not include those across periodic axes).
        halo: fetches ghost values, ``mesh.halo.update(values)``.
        nodes: points that cells are spanned by, (n, d).
        cell_nodes: the nodes of each cell (cells, k), in dolfinx's order (tensor product for quadrilaterals and hexahedra).
        volumes: (cells,).
        centroids: (cells, d).
        original_cell_index: number of each cell in the input, (cells,) int64: the same for every number of ranks.
        num_owned: cells of this rank.
        face_cells: left and right cell of each face, (faces, 2). The left cell has the smaller ``original_cell_index``.
        face_areas: (faces,).
        face_normals: unit normals from left to right, (faces, d).
        face_midpoints: centroids of the faces as seen from the left cell, (faces, d).
        face_offsets: ``centroids[right] + offset`` is the right cell as seen from the left one, (faces, d); zero except across a period.
        wall_cells, wall_areas, wall_normals, wall_midpoints: facets on the boundary of Omega, normals outward.
        cell_faces: the faces of each owned cell, (owned, facets per cell), -1 for a wall.
        cell_face_signs: int8, the same shape: +1 where the cell is the left one of that face, -1 the right one, 0 a wall. (A cell that
            is its own neighbour across a period meets the same face twice, with both signs.)

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
    wall_cells: Indices
    wall_areas: Array
    wall_normals: Array
    wall_midpoints: Array
    cell_faces: Indices
    cell_face_signs: NDArray[np.int8]
    _kind: CellType = field(kw_only=True)

    @classmethod
    def from_dolfinx(cls, dolfinx_mesh: dolfinx.mesh.Mesh, domain: Domain) -> Self:
        """Build the finite-volume arrays of a dolfinx mesh of straight-sided cells of one type; collective.

        Args:
            dolfinx_mesh: in parallel with ghost mode ``shared_facet``.
            domain: Omega; boundary facets on the planes of its periodic axes are paired.
        """
        comm, topology, dim = dolfinx_mesh.comm, dolfinx_mesh.topology, dolfinx_mesh.topology.dim
        kind = CELL_TYPES[topology.cell_name()]
        cell_nodes = np.ascontiguousarray(dolfinx_mesh.geometry.dofmaps[0], dtype=np.int32)
        nodes = np.ascontiguousarray(dolfinx_mesh.geometry.x[:, :dim])
        original = np.asarray(topology.original_cell_index, dtype=np.int64)
        cells = topology.index_map(dim)
        num_owned = cells.size_local
        ghosts, owners = np.array(cells.ghosts, dtype=np.int64), np.array(cells.owners, dtype=np.int32)

        topology.create_entities(dim - 1)
        facets = topology.index_map(dim - 1)
        per_cell = len(kind.facets)
        cell_facets = topology.connectivity(dim, dim - 1).array.reshape(-1, per_cell)
        opposite = opposite_sides(cell_facets, facets.size_local + facets.num_ghosts)
        volumes, centroids = geometry.volumes_and_centroids(nodes, cell_nodes, kind.simplices)

        shifts = None
        if any(domain.periodic):
            sides = np.flatnonzero(opposite[:num_owned].reshape(-1) == NO_SIDE).astype(np.int32)
            _, _, midpoints = geometry.side_geometry(sides, nodes, cell_nodes, kind.facets, centroids)
            cell, slot = np.divmod(sides, per_cell)
            boundary = pair_boundary_sides(
                comm, domain, cell, slot, midpoints, original[cell], nodes[cell_nodes[cell]]
            )
            first_cells = np.array(comm.allgather(cells.local_range[0]), dtype=np.int64)
            global_cell = first_cells[boundary.rank] + boundary.cell

            mine = np.flatnonzero(boundary.rank == comm.rank)
            partner = boundary.partner[mine]
            remote = boundary.rank[partner] != comm.rank
            new, row = np.unique(global_cell[partner[remote]], return_index=True)
            absent = ~np.isin(new, ghosts)
            new, row = new[absent], partner[remote][row[absent]]
            if new.size:
                corners = boundary.vertices[row]
                extra = len(nodes) + np.arange(corners.shape[0] * corners.shape[1], dtype=np.int32)
                extra_nodes = extra.reshape(corners.shape[:2])
                nodes = np.concatenate([nodes, corners.reshape(-1, dim)])
                cell_nodes = np.concatenate([cell_nodes, extra_nodes])
                more = geometry.volumes_and_centroids(nodes, extra_nodes, kind.simplices)
                volumes, centroids = np.concatenate([volumes, more[0]]), np.concatenate([centroids, more[1]])
                original = np.concatenate([original, boundary.original[row]])
                ghosts = np.concatenate([ghosts, new])
                owners = np.concatenate([owners, boundary.rank[row]])
                opposite = np.concatenate([opposite, np.full((new.size, per_cell), NO_SIDE, dtype=np.int32)])
            partner_cell = boundary.cell[partner]
            if np.any(remote):
                order = np.argsort(ghosts)
                found = order[np.searchsorted(ghosts, global_cell[partner[remote]], sorter=order)]
                partner_cell[remote] = num_owned + found
            my_sides = boundary.cell[mine] * per_cell + boundary.slot[mine]
            their_sides = partner_cell * per_cell + boundary.slot[partner]
            opposite.reshape(-1)[my_sides] = their_sides
            opposite.reshape(-1)[their_sides] = my_sides
            shifts = np.zeros((opposite.size, dim))
            shifts[my_sides] = boundary.shift[mine]
            shifts[their_sides] = boundary.shift[partner]

        face_sides, wall_sides, cell_faces, signs = number_faces(opposite, num_owned, original)
        left = np.ascontiguousarray(face_sides[:, 0])
        areas, normals, midpoints = geometry.side_geometry(left, nodes, cell_nodes, kind.facets, centroids)
        walls = geometry.side_geometry(wall_sides, nodes, cell_nodes, kind.facets, centroids)
        return cls(
            domain=domain,
            dolfinx_mesh=dolfinx_mesh,
            halo=Halo(comm, num_owned, ghosts, owners),
            nodes=nodes,
            cell_nodes=cell_nodes,
            volumes=volumes,
            centroids=centroids,
            original_cell_index=original,
            num_owned=num_owned,
            face_cells=face_sides // np.int32(per_cell),
            face_areas=areas,
            face_normals=normals,
            face_midpoints=midpoints,
            face_offsets=np.zeros_like(normals) if shifts is None else shifts[left],
            wall_cells=wall_sides // np.int32(per_cell),
            wall_areas=walls[0],
            wall_normals=walls[1],
            wall_midpoints=walls[2],
            cell_faces=cell_faces,
            cell_face_signs=signs,
            _kind=kind,
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
        return self._kind.dim

    @property
    def cell_type(self) -> str:
        """The type of all cells: "triangle", "quadrilateral", "tetrahedron" or "hexahedron"."""
        return self._kind.name

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
    def covariances(self) -> Array:
        """Second moment matrices about the centroid, int_K (x - x_K)(x - x_K)^T dx / |K|, (cells, d, d)."""
        return geometry.covariances(
            self.nodes, self.cell_nodes, self._kind.simplices, self.volumes, self.centroids
        )

    @cached_property
    def second_moments(self) -> Array:
        """I_K = int_K |x - x_K|^2 dx / |K|, (cells,): a cell of unit mass is sqrt(I_K) away from its centroid in W2."""
        return np.ascontiguousarray(np.trace(self.covariances, axis1=1, axis2=2))

    @cached_property
    def face_distances(self) -> Array:
        """Distance d_KL of the centroids of the two cells of each face, seen across periods, (faces,)."""
        return np.linalg.norm(self._face_vectors, axis=1)

    @property
    def _face_vectors(self) -> Array:
        left, right = self.face_cells.T
        return self.centroids[right] + self.face_offsets - self.centroids[left]

    @cached_property
    def simplices(self) -> tuple[Array, Indices]:
        """Owned cells cut into simplices: their vertices (s, d + 1, d) and the cell that each lies in (s,)."""
        splitting = self._kind.simplices
        corners = self.cell_nodes[: self.num_owned][:, splitting].reshape(-1, self.dim + 1)
        parents = np.repeat(np.arange(self.num_owned, dtype=np.int32), len(splitting))
        return self.nodes[corners], parents

    @cached_property
    def h(self) -> float:
        """The largest diameter of a cell of the whole mesh."""
        return float(np.sqrt(self.allmax(geometry.squared_diameter(self.nodes, self.cell_nodes))))

    @cached_property
    def _obliqueness(self) -> float:
        """Largest sine of the angle between a face normal and the line through the two centroids."""
        along = self._face_vectors / self.face_distances[:, None]
        across = along - np.sum(along * self.face_normals, axis=1)[:, None] * self.face_normals
        return self.allmax(float(np.max(np.linalg.norm(across, axis=1), initial=0.0)))

    def is_orthogonal(self, tol: float = 1e-8) -> bool:
        """Tell whether each interior face is normal to the line through its cells' centroids, up to the sine ``tol``; collective.

        True for boxes of quadrilaterals and hexahedra, and for boxes cut into simplices from their centres when they are cubes
        (see :func:`wassflow.mesh.box`). Two-point difference quotients are consistent on such meshes only.
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
        """Return values of owned cells (num_owned or more rows) of all ranks in the order of the input, on every rank; collective.

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


def _reduce(comm: MPI.Comm, local: float | Array, operation: MPI.Op) -> float | Array:
    if comm.size == 1:
        return local
    total = np.array(local, dtype=np.float64)
    comm.Allreduce(MPI.IN_PLACE, total, operation)
    return total if total.ndim else float(total)
