"""The source measure: a piecewise constant density on simplices, prepared for the clipping kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from wassflow.laguerre.geometry import (
    Array,
    barycentres,
    bounding_box,
    box_heap,
    morton_order,
    simplex_volumes,
    vertex_numbers,
)


@dataclass(frozen=True)
class Source:
    """Simplices (ns, d+1, d), their masses (ns,) and the period (d,) (inf on axes that do not wrap).

    Only simplices that carry mass are handed to the kernels; the others matter for smoothing alone.
    """

    simplices: Array
    masses: Array
    volumes: Array
    period: Array
    order: NDArray[np.int64]  # place of each simplex in the arrays as given

    @classmethod
    def from_arrays(cls, simplices: Array, masses: Array, period: Array) -> Source:
        """Sort the simplices along a Morton curve and compute their volumes."""
        order = morton_order(barycentres(simplices))
        simplices = np.ascontiguousarray(simplices[order])
        return cls(simplices, masses[order], simplex_volumes(simplices), period, order)

    def moved(self, centre: Array, length: float) -> Source:
        """Return the source in coordinates with another origin and unit of length, in the same order."""
        simplices = (self.simplices - centre) / length
        volumes = simplex_volumes(simplices)
        return Source(simplices, self.masses, volumes, self.period / length, self.order)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return int(self.simplices.shape[2])

    @cached_property
    def active(self) -> NDArray[np.int64]:
        """Indices of the simplices that carry mass."""
        return np.flatnonzero(self.masses > 0.0)

    @cached_property
    def kernel_arrays(self) -> tuple[Array, Array, Array]:
        """Simplices that carry mass, their densities, and the heap of boxes over them."""
        chosen = np.ascontiguousarray(self.simplices[self.active])
        return chosen, self.masses[self.active] / self.volumes[self.active], box_heap(chosen)

    @cached_property
    def mean(self) -> Array:
        """Barycentre (d,)."""
        return np.asarray(self.masses @ barycentres(self.simplices) / self.masses.sum())

    @cached_property
    def covariance(self) -> Array:
        """Covariance (d, d)."""
        d = self.dim
        centred = self.simplices - self.mean
        total = centred.sum(axis=1)
        second = np.einsum("nki,nkj->nij", centred, centred) + np.einsum("ni,nj->nij", total, total)
        return np.asarray(
            np.einsum("n,nij->ij", self.masses, second) / ((d + 1) * (d + 2) * self.masses.sum())
        )

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Bounding box of the support, lower and upper (d,)."""
        return bounding_box(self.kernel_arrays[0])

    @cached_property
    def _stiffness(self) -> sp.csr_matrix:
        """Finite-volume Laplacian over the faces shared by two simplices."""
        d = self.dim
        numbers = vertex_numbers(self.simplices, self.period)
        ns = numbers.shape[0]
        faces, areas = [], []
        for apex in range(d + 1):
            rest = [k for k in range(d + 1) if k != apex]
            faces.append(np.sort(numbers[:, rest], axis=1))
            edges = self.simplices[:, rest[1:]] - self.simplices[:, rest[:1]]
            gram = np.einsum("nki,nli->nkl", edges, edges)
            areas.append(np.sqrt(np.maximum(np.linalg.det(gram), 0.0)) / (1.0 if d == 2 else 2.0))
        keys = np.concatenate(faces)
        area = np.concatenate(areas)
        cell = np.tile(np.arange(ns), d + 1)
        order = np.lexsort(keys.T)
        keys, area, cell = keys[order], area[order], cell[order]
        first = np.flatnonzero(np.all(keys[1:] == keys[:-1], axis=1))
        left, right = cell[first], cell[first + 1]
        # distance between the two centroids, from volumes so that it is right across a period too
        distance = (self.volumes[left] + self.volumes[right]) / np.maximum(d * area[first], 1e-300) * 2.0
        weight = area[first] / np.maximum(distance, 1e-300)
        graph = sp.coo_matrix((weight, (left, right)), shape=(ns, ns))
        graph = graph + graph.T
        return sp.csr_matrix(sp.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph)

    @cached_property
    def cell_size(self) -> float:
        """Typical diameter of a simplex."""
        return float(np.median(self.volumes[self.volumes > 0.0]) ** (1.0 / self.dim))

    def smoothed(self, length: float) -> Source:
        """Return the source after diffusion over ``length``: (V + length^2 K) rho = masses, positive
        everywhere.

        The resolvent of the graph Laplacian K keeps mass and sign and has exponential tails; a floor of
        1e-10 of the mean density keeps the far tail away from the tolerance of the solver.
        """
        matrix = sp.csr_matrix(sp.diags(self.volumes) + length**2 * self._stiffness)
        jacobi = sp.diags(1.0 / matrix.diagonal(), format="csr")
        start = self.masses / np.maximum(self.volumes, 1e-300)
        density, _ = spla.cg(matrix, self.masses, x0=start, rtol=1e-10, maxiter=3000, M=jacobi)
        total = self.masses.sum()
        density = np.maximum(density, 1e-10 * total / self.volumes.sum())
        masses = density * self.volumes
        return Source(self.simplices, masses * (total / masses.sum()), self.volumes, self.period, self.order)
