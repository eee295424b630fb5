"""Where a density on a mesh is seen by F: at the centroids, or at nodes that see its slopes too."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numba import njit

from wassflow.arguments import Array
from wassflow.functional.evaluation import over_rows


class CellQuadrature(ABC):
    """Nodes of a density on a mesh.

    Attributes:
        points: (n, d), fixed; those of this rank.
    """

    points: Array

    @abstractmethod
    def masses(self, masses: Array, slopes: Array | None) -> Array:
        """Return the mass at each node, for cell masses and slopes with ghosts, ``(n,)``."""


class CentroidQuadrature(CellQuadrature):
    """The mass of each cell at its centroid: exact where the density is constant and the integrand linear."""

    def __init__(self, mesh: Any) -> None:
        self._owned = mesh.num_owned
        self.points = mesh.centroids[: mesh.num_owned]

    def masses(self, masses: Array, slopes: Array | None) -> Array:
        """Return the masses of the owned cells."""
        return masses[: self._owned]


class FaceQuadrature(CellQuadrature):
    """Nodes at the midpoints of faces, which two cells share: one and a half to three per cell.

    In cell K, cut into pyramids of volume V_f over its faces with the apex at the centroid, the weight of
    the midpoint of a face is kappa V_f / |K|, of the centroid 1 - kappa: exact for linear functions on every
    cell, since sum_f V_f (x_f - x_K) = 0, and kappa makes |x - x_K|^2 exact too where kappa <= 1 allows. On
    triangles (kappa = 1), rectangles (2/3), boxes (1) and their affine images all quadratic functions are
    integrated exactly. In tetrahedra the rule has 9/40 at the midpoints of faces and 1/40 at vertices, of
    degree 3 (Stroud, *Approximate Calculation of Multiple Integrals*, 1971, chapter 8). The mass at a node is
    its weight times |K| rho(x), with rho the linear reconstruction: products of rho and linear functions are
    integrated exactly. Masses at the midpoints of faces are not negative, as rho is there; at vertices of
    tetrahedra they may be, where a support ends.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.
        threads: for large numbers of faces.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 4), cell="triangle")
    >>> rule = FaceQuadrature(mesh)
    >>> weights = rule.masses(mesh.volumes, np.zeros((mesh.num_cells, 2)))
    >>> print(round(weights @ rule.points[:, 0] ** 2, 12), len(rule.points) / mesh.num_cells)
    0.333333333333 1.625
    """

    def __init__(self, mesh: Any, threads: int = 1) -> None:
        dim, owned = mesh.dim, mesh.num_owned
        self._mesh, self._threads = mesh, threads
        self._volumes = mesh.volumes
        self._face_cells, self._wall_cells = mesh.face_cells, mesh.wall_cells
        self._face_arms = mesh.face_arms
        self._wall_arms = mesh.wall_midpoints - mesh.centroids[mesh.wall_cells]
        # shares V_f / |K| of the pyramids, on the side of owned cells
        heights = np.einsum("fsa,fa->fs", self._face_arms, mesh.face_normals) * [1.0, -1.0]
        faces = heights * mesh.face_areas[:, None] / (dim * mesh.volumes[mesh.face_cells])
        faces[mesh.face_cells >= owned] = 0.0
        heights = np.einsum("wa,wa->w", self._wall_arms, mesh.wall_normals)
        walls = heights * mesh.wall_areas / (dim * mesh.volumes[mesh.wall_cells])
        points = [mesh.domain.wrap(mesh.face_midpoints), mesh.wall_midpoints]
        self._cell_shares = np.zeros(0)
        self._number_of_node = np.zeros(0, dtype=np.int32)
        if mesh.cell_type == "tetrahedron":
            faces, walls = 0.9 * faces, 0.9 * walls
            used = np.unique(mesh.cell_nodes[:owned])
            self._number_of_node = np.zeros(len(mesh.nodes), dtype=np.int32)
            self._number_of_node[used] = np.arange(used.size, dtype=np.int32)
            points.append(mesh.domain.wrap(mesh.nodes[used]))
        else:
            moments = np.zeros(mesh.num_cells)
            for side in (0, 1):
                squares = np.einsum("fa,fa->f", self._face_arms[:, side], self._face_arms[:, side])
                np.add.at(moments, mesh.face_cells[:, side], faces[:, side] * squares)
            squares = np.einsum("wa,wa->w", self._wall_arms, self._wall_arms)
            np.add.at(moments, mesh.wall_cells, walls * squares)
            kappa = np.ones(mesh.num_cells)
            kappa[:owned] = np.minimum(mesh.second_moments[:owned] / moments[:owned], 1.0)
            faces, walls = faces * kappa[mesh.face_cells], walls * kappa[mesh.wall_cells]
            if mesh.allmin(float(np.min(kappa, initial=1.0))) < 1.0 - 1e-12:
                self._cell_shares = 1.0 - kappa[:owned]
                points.append(mesh.centroids[:owned])
        self._face_shares, self._wall_shares = faces, walls
        self.points = np.concatenate(points)

    def masses(self, masses: Array, slopes: Array | None) -> Array:
        """Return the masses at the nodes."""
        if slopes is None:
            raise ValueError("slopes must be given, found None")
        volumes = self._volumes
        nodes = np.zeros(len(self.points))
        faces, walls = len(self._face_cells), len(self._wall_cells)
        fixed = (self._face_cells, self._face_shares, self._face_arms, volumes, masses, slopes, nodes)
        over_rows(lambda part: _to_faces(*fixed, part.start, part.stop), faces, self._threads)
        _to_walls(
            self._wall_cells, self._wall_shares, self._wall_arms, volumes, masses, slopes, nodes[faces:]
        )
        inner = nodes[faces + walls :]
        if self._number_of_node.size:
            mesh = self._mesh
            cells = mesh.cell_nodes[: mesh.num_owned]
            _to_corners(
                cells, self._number_of_node, mesh.nodes, mesh.centroids, volumes, masses, slopes, inner
            )
        elif inner.size:
            np.multiply(self._cell_shares, masses[: inner.size], out=inner)
        return nodes


@njit(cache=True, nogil=True)
def _to_faces(face_cells, shares, arms, volumes, masses, slopes, nodes, start, stop):  # type: ignore[no-untyped-def]
    for face in range(start, stop):
        for side in range(2):
            cell = face_cells[face, side]
            if masses[cell] > 0.0:
                change = 0.0
                for a in range(arms.shape[2]):
                    change += slopes[cell, a] * arms[face, side, a]
                nodes[face] += shares[face, side] * max(masses[cell] + volumes[cell] * change, 0.0)


@njit(cache=True)
def _to_walls(wall_cells, shares, arms, volumes, masses, slopes, nodes):  # type: ignore[no-untyped-def]
    for wall in range(wall_cells.shape[0]):
        cell = wall_cells[wall]
        if masses[cell] > 0.0:
            change = 0.0
            for a in range(arms.shape[1]):
                change += slopes[cell, a] * arms[wall, a]
            nodes[wall] += shares[wall] * max(masses[cell] + volumes[cell] * change, 0.0)


@njit(cache=True)
def _to_corners(cell_nodes, number, points, centroids, volumes, masses, slopes, nodes):  # type: ignore[no-untyped-def]
    for cell in range(cell_nodes.shape[0]):
        if masses[cell] > 0.0:
            for v in range(cell_nodes.shape[1]):
                corner = cell_nodes[cell, v]
                change = 0.0
                for a in range(points.shape[1]):
                    change += slopes[cell, a] * (points[corner, a] - centroids[cell, a])
                nodes[number[corner]] += (masses[cell] + volumes[cell] * change) / 40.0
