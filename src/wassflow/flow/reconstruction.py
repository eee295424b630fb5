"""Linear reconstruction of a density inside its cells, nonnegative wherever the cell masses are.

The density in cell K is rho_K + g_K.(x - x_K): its integral is the mass of the cell whatever g_K is.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numba import njit

from wassflow.arguments import Array
from wassflow.flow.upwind import Indices

# Directions in which the neighbours of a cell lie give information; below this share of the largest
# eigenvalue of sum_j e_j e_j^T (unit vectors e_j) they do not, and the slope has no part there.
_RANK = 1e-4

Limiter = Literal["positivity", "monotone"]


class LinearReconstruction:
    """Slopes of the density from the cells across the faces, limited so that no cell goes below zero.

    Least squares over the face neighbours, sum_j (rho_j - rho_K - g.(x_j - x_K))^2 / |x_j - x_K|^2, is exact
    for linear densities (Barth and Jespersen, AIAA 89-0366). Across a periodic axis neighbours count as
    others; at a wall there is none. Where neighbours do not span all directions (a mesh one cell wide) the
    slope is zero in the others.

    Limiters: "positivity" scales the slope about the cell mean until no vertex of the cell is negative (Zhang
    and Shu, J. Comput. Phys. 229 (2010) 8918, eq. (2.10), for linear functions), which keeps second order
    wherever the density is smooth; "monotone" first keeps the face midpoints between the least and the largest
    mean of the cell and its neighbours (Barth and Jespersen), which keeps jumps from overshooting, at the price
    of smooth extrema.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.
        limiter: "positivity" or "monotone".

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 3), cell="triangle")
    >>> masses = mesh.volumes * (1.0 + mesh.centroids @ [0.5, -0.25])
    >>> bool(np.allclose(LinearReconstruction(mesh).slopes(masses), [0.5, -0.25]))
    True
    """

    def __init__(self, mesh: Any, limiter: Limiter = "positivity") -> None:
        self._mesh = mesh
        owned = slice(0, mesh.num_owned)
        signs = mesh.cell_face_signs
        faces = np.maximum(mesh.cell_faces, 0)
        own = np.arange(mesh.num_owned, dtype=np.int32)[:, None]
        if len(mesh.face_cells):
            sides = mesh.face_cells[faces]
            other = np.where(signs == 0, own, np.where(signs > 0, sides[..., 1], sides[..., 0]))
            arms = mesh.centroids[other] - mesh.centroids[owned, None]
            arms += signs[..., None] * mesh.face_offsets[faces]
            # the midpoint of a face is stored as its left cell sees it
            shifts = (signs < 0)[..., None] * mesh.face_offsets[faces]
            middles = mesh.face_midpoints[faces] - shifts - mesh.centroids[owned, None]
            arms[signs == 0] = 0.0
            middles[signs == 0] = 0.0
        else:
            other = np.broadcast_to(own, faces.shape)
            arms = middles = np.zeros((*faces.shape, mesh.dim))
        self._neighbours: Indices = np.ascontiguousarray(other, dtype=np.int32)
        self._weights = _least_squares(arms)
        self._middles = middles if limiter == "monotone" else np.zeros((1, 1, mesh.dim))
        self._vertices = mesh.cell_vertices[owned] - mesh.centroids[owned, None]
        self._volumes = mesh.volumes
        self._kernel = _kernel(faces.shape[1], mesh.dim, limiter == "monotone")

    def slopes(self, masses: Array) -> Array:
        """Return the slope g of the density in each cell, ghosts included, ``(cells, d)``; collective.

        ``masses`` are those of owned and ghost cells.
        """
        slopes = np.empty((self._mesh.num_cells, self._mesh.dim))
        self._kernel(
            self._neighbours,
            self._weights,
            self._middles,
            self._vertices,
            self._volumes,
            masses,
            slopes,
        )
        return self._mesh.halo.update(slopes)


def _least_squares(arms: Array) -> Array:
    """Return w (cells, neighbours, d) with g = sum_j w_j (rho_j - rho_K), for neighbours at x_K + arms."""
    lengths = np.linalg.norm(arms, axis=2)
    directions = arms / np.where(lengths > 0.0, lengths, 1.0)[..., None]
    inverse = np.linalg.pinv(np.einsum("nja,njb->nab", directions, directions), rcond=_RANK, hermitian=True)
    weights = np.einsum("nab,njb->nja", inverse, directions)
    return np.ascontiguousarray(weights / np.where(lengths > 0.0, lengths, np.inf)[..., None])


@lru_cache
def _kernel(faces_per_cell: int, dim: int, monotone: bool) -> Callable:
    """Compile the reconstruction for one type of cell: short loops of known length are unrolled."""

    @njit(cache=True)
    def limited_slopes(neighbours, weights, middles, vertices, volumes, masses, slopes):  # type: ignore[no-untyped-def]
        slope = np.empty(dim)
        for cell in range(neighbours.shape[0]):
            mean = masses[cell] / volumes[cell]
            for a in range(dim):
                slope[a] = 0.0
            if mean > 0.0:
                least = largest = mean
                for j in range(faces_per_cell):
                    other = neighbours[cell, j]
                    value = masses[other] / volumes[other]
                    least = min(least, value)
                    largest = max(largest, value)
                    for a in range(dim):
                        slope[a] += weights[cell, j, a] * (value - mean)
                share = 1.0
                if monotone:
                    for j in range(faces_per_cell):
                        change = 0.0
                        for a in range(dim):
                            change += slope[a] * middles[cell, j, a]
                        room = largest - mean if change > 0.0 else mean - least
                        if share * abs(change) > room:
                            share = room / abs(change)
                deepest = 0.0
                for v in range(vertices.shape[1]):
                    change = 0.0
                    for a in range(dim):
                        change += slope[a] * vertices[cell, v, a]
                    deepest = min(deepest, change)
                if share * deepest < -mean:
                    share = mean / -deepest
                for a in range(dim):
                    slope[a] *= share
            for a in range(dim):
                slopes[cell, a] = slope[a]

    return limited_slopes
