"""From the pairing <R', D Phi> at faces to volume fluxes and squared speeds, in one pass."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.functional import regularizer
from wassflow.vectorized import read, write


def gradient_and_kinks(V: regularizer.Regularizer, points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the gradient of V at points ``(n, d)``, and whether dV is more than that there ``(n,)``.

    A gradient that vanishes everywhere is returned as ``(0, d)``.
    """
    terms = V.terms if isinstance(V, regularizer.Sum) else (V,)
    if any(isinstance(term, regularizer.Callable) and not term.smooth for term in terms):
        # The user gives velocities alone.
        return np.zeros((0, points.shape[1])), np.ones(len(points), dtype=bool)
    subdifferential = V.subdifferential(points)
    kinked = np.zeros(len(points), dtype=bool)
    for radius in (subdifferential.weight_radius, subdifferential.theta_radius, subdifferential.radius):
        if radius is not None:
            kinked |= radius > 0.0
    gradient = subdifferential.gradient
    return (gradient if np.any(gradient) else gradient[:0]), kinked


def steepest_fluxes(
    paired: Array, gradient: Array, vectors: Array, faces: NDArray[np.int64], fluxes: Array, squares: Array
) -> bool:
    """Write the fluxes and squares |v|^2 of v = -paired - gradient; tell whether all fluxes are finite.

    Args:
        paired: <R', d_j Phi> at the given faces, (len(faces), d).
        gradient: of V at all faces, (n, d), or (0, d) for zero.
        vectors: normals times areas of all faces, (n, d).
        faces: ascending; as many as there are, are all.
        fluxes, squares: of all faces, (n,); the entries of ``faces`` are written.
    """
    everywhere = faces.size == len(vectors)
    kernel = _kernel(vectors.shape[1], len(gradient) > 0, everywhere)
    flat = (np.ascontiguousarray(paired).reshape(-1), gradient.reshape(-1), vectors.reshape(-1))
    return bool(kernel(*flat, faces, fluxes, squares) == 0)


def fluxes_of(
    velocity: Array, vectors: Array, faces: NDArray[np.int64], fluxes: Array, squares: Array
) -> bool:
    """Write the fluxes and squares of velocities at the given faces, (len(faces), d); as the one above."""
    return bool(_fluxes_of(velocity, vectors, faces, fluxes, squares) == 0)


@njit(cache=True)
def _fluxes_of(velocity, vectors, faces, fluxes, squares):  # type: ignore[no-untyped-def]
    wrong = 0
    for row in range(faces.size):
        face = faces[row]
        flux, square = 0.0, 0.0
        for a in range(velocity.shape[1]):
            flux += velocity[row, a] * vectors[face, a]
            square += velocity[row, a] ** 2
        fluxes[face] = flux
        squares[face] = square
        wrong += 0 if np.isfinite(flux) else 1
    return wrong


@lru_cache
def _kernel(dim: int, with_gradient: bool, everywhere: bool) -> Callable:
    """Compile for what is known beforehand: only without questions in it the loop is vectorised."""

    @njit(cache=True)
    def kernel(paired, gradient, vectors, faces, fluxes, squares):  # type: ignore[no-untyped-def]
        wrong = 0
        for row in range(faces.size):
            face = row if everywhere else read(faces, row)
            flux = 0.0
            square = 0.0
            for a in range(dim):
                v = -read(paired, row * dim + a)
                if with_gradient:
                    v -= read(gradient, face * dim + a)
                flux += v * read(vectors, face * dim + a)
                square += v * v
            write(fluxes, face, flux)
            write(squares, face, square)
            # what is not finite does not vanish in a difference with itself
            wrong += 0 if flux - flux == 0.0 else 1
        return wrong

    return kernel
