"""Linear reconstruction of a density inside its cells, nonnegative at the faces wherever the masses are.

The density in cell K is rho_K + g_K.(x - x_K): its integral is the mass of the cell whatever g_K is.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numba import njit

from wassflow.arguments import Array
from wassflow.flow.neighbours import Indices
from wassflow.functional.evaluation import over_rows

# Directions in which the neighbours of a cell lie give information; below this share of the largest
# eigenvalue of sum_j e_j e_j^T (unit vectors e_j) they do not, and the slope has no part there.
_RANK = 1e-4
# Cells whose weights are computed at a time: what that needs on the way is four times the weights.
_BLOCK = 1 << 15

Limiter = Literal["positivity", "monotone"]


class LinearReconstruction:
    """Slopes of the density from the cells across the faces, limited so that no face sees less than zero.

    Least squares over the face neighbours, sum_j (rho_j - rho_K - g.(x_j - x_K))^2 / |x_j - x_K|^2, is exact
    for linear densities (Barth and Jespersen, AIAA 89-0366). Across a periodic axis neighbours count as
    others; at a wall there is none. Where neighbours do not span all directions (a mesh one cell wide) the
    slope is zero in the others. On tetrahedra these slopes are unstable (Haider, Croisille and Courbet,
    Numer. Math. 113 (2009) 555; measured: eigenvalues of the transport up to 400 in a ball of radius 1), and
    the mean over the cell and its neighbours, or over the neighbours of a cell at a wall, takes their place.

    Limiters: "positivity" scales the slope about the cell mean until no midpoint of a facet is negative
    (Zhang and Shu, J. Comput. Phys. 229 (2010) 8918, eq. (2.10): only where the fluxes look), which keeps
    second order wherever the density is smooth. Asking for nonnegative vertices too would flatten the edge of
    a support, over three times as many tetrahedra. "monotone" first keeps the midpoints of faces between the
    least and the largest mean of the cell and its neighbours (Barth and Jespersen), which keeps jumps from
    overshooting, at the price of smooth extrema.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.
        limiter: "positivity" or "monotone".
        threads: for large numbers of cells.

    >>> import wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(4, 3), cell="triangle")
    >>> masses = mesh.volumes * (1.0 + mesh.centroids @ [0.5, -0.25])
    >>> bool(np.allclose(LinearReconstruction(mesh).slopes(masses), [0.5, -0.25]))
    True
    """

    def __init__(self, mesh: Any, limiter: Limiter = "positivity", threads: int = 1) -> None:
        self._mesh, self._threads = mesh, threads
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
        else:
            other = np.broadcast_to(own, faces.shape)
            arms, middles = np.zeros((2, *faces.shape, mesh.dim))
        # walls are numbered in the order in which cells meet them
        middles[signs == 0] = mesh.wall_midpoints - mesh.centroids[mesh.wall_cells]
        self._neighbours: Indices = np.ascontiguousarray(other, dtype=np.int32)
        self._weights = _least_squares(arms)
        self._middles = np.ascontiguousarray(middles)
        self._volumes = mesh.volumes
        self._signs = np.ascontiguousarray(signs)
        self._smoothed = mesh.cell_type == "tetrahedron"
        self._differences, self._limit = _kernels(faces.shape[1], mesh.dim, limiter == "monotone")

    def slopes(self, masses: Array) -> Array:
        """Return the slope g of the density in each cell, ghosts included, ``(cells, d)``; collective.

        ``masses`` are those of owned and ghost cells.
        """
        halo = self._mesh.halo
        slopes = np.empty((self._mesh.num_cells, self._mesh.dim))
        fixed = (self._volumes, masses)
        self._over_cells(self._differences, self._neighbours, self._weights, *fixed, self._smoothed, slopes)
        if self._smoothed:
            raw = halo.update(slopes)
            slopes = np.empty_like(raw)
            self._over_cells(_smooth, self._neighbours, self._signs, raw, slopes)
        self._over_cells(self._limit, self._neighbours, self._middles, *fixed, slopes)
        return halo.update(slopes)

    def _over_cells(self, kernel: Callable[..., None], *arguments: Any) -> None:
        over_rows(
            lambda part: kernel(*arguments, part.start, part.stop), len(self._neighbours), self._threads
        )


def _least_squares(arms: Array) -> Array:
    """Return w (cells, neighbours, d) with g = sum_j w_j (rho_j - rho_K), for neighbours at x_K + arms."""
    weights = np.empty_like(arms)
    for start in range(0, len(arms), _BLOCK):
        block = slice(start, start + _BLOCK)
        lengths = np.linalg.norm(arms[block], axis=2)
        directions = arms[block] / np.where(lengths > 0.0, lengths, 1.0)[..., None]
        squares = np.einsum("nja,njb->nab", directions, directions)
        inverse = np.linalg.pinv(squares, rcond=_RANK, hermitian=True)
        np.einsum("nab,njb->nja", inverse, directions, out=weights[block])
        weights[block] /= np.where(lengths > 0.0, lengths, np.inf)[..., None]
    return weights


@lru_cache
def _kernels(faces_per_cell: int, dim: int, monotone: bool) -> tuple[Callable, Callable]:
    """Compile slopes and limiter for one type of cell: short loops of known length are unrolled."""

    @njit(cache=True, nogil=True)
    def least_squares(neighbours, weights, volumes, masses, everywhere, slopes, start, stop):  # type: ignore[no-untyped-def]
        for cell in range(start, stop):
            for a in range(dim):
                slopes[cell, a] = 0.0
            if everywhere or masses[cell] > 0.0:
                mean = masses[cell] / volumes[cell]
                for j in range(faces_per_cell):
                    other = neighbours[cell, j]
                    difference = masses[other] / volumes[other] - mean
                    for a in range(dim):
                        slopes[cell, a] += weights[cell, j, a] * difference

    @njit(cache=True, nogil=True)
    def limit(neighbours, middles, volumes, masses, slopes, start, stop):  # type: ignore[no-untyped-def]
        for cell in range(start, stop):
            mean = masses[cell] / volumes[cell]
            share = 1.0
            if monotone:
                least = largest = mean
                for j in range(faces_per_cell):
                    other = neighbours[cell, j]
                    value = masses[other] / volumes[other]
                    least = min(least, value)
                    largest = max(largest, value)
            deepest = 0.0
            for j in range(faces_per_cell):
                change = 0.0
                for a in range(dim):
                    change += slopes[cell, a] * middles[cell, j, a]
                deepest = min(deepest, change)
                if monotone and neighbours[cell, j] != cell:
                    room = largest - mean if change > 0.0 else mean - least
                    if share * abs(change) > room:
                        share = room / abs(change)
            if share * deepest < -mean:
                share = mean / -deepest
            for a in range(dim):
                slopes[cell, a] *= share

    return least_squares, limit


@njit(cache=True, nogil=True)
def _smooth(neighbours, signs, slopes, result, start, stop):  # type: ignore[no-untyped-def]
    """Means of the slopes of each cell and its neighbours; without its own in a cell at a wall."""
    for cell in range(start, stop):
        count = 0
        for j in range(neighbours.shape[1]):
            count += signs[cell, j] != 0
        own = 1.0 if count == 0 or count == neighbours.shape[1] else 0.0
        for a in range(slopes.shape[1]):
            total = own * slopes[cell, a]
            for j in range(neighbours.shape[1]):
                if signs[cell, j] != 0:
                    total += slopes[neighbours[cell, j], a]
            result[cell, a] = total / (own + count)
