"""A matrix as a sum of squares u u^T: a problem whose flow is known for every number of particles."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from wassflow.arguments import Array, as_integer, as_vector
from wassflow.functional import CallableFeatures, Functional, SquaredLoss, regularizer
from wassflow.functional.losses import symmetric_matrix
from wassflow.measure import ParticleCloud

# Eigenvalues of int u u^T dmu_0 below this share of the largest are rounding errors of zero.
_RANK_TOLERANCE = 1e-12


def squares(u: Array) -> Array:
    """Return u u^T as rows, ``(n, d^2)``."""
    return (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)


def squares_gradient(u: Array) -> Array:
    """Return the partial derivatives of u u^T, ``(n, d, d^2)``."""
    eye = np.eye(u.shape[1])
    moved = eye[None, :, :, None] * u[:, None, None, :] + u[:, None, :, None] * eye[None, :, None, :]
    return moved.reshape(*u.shape, -1)


class RankProblem:
    """Phi(u) = u u^T, R(f) = |f - Y|^2/2 (Frobenius), V = 0, Y symmetric: 2-homogeneous.

    f = int u u^T dmu is any positive semidefinite matrix, of rank at most m for m particles. So F* over
    measures is half the sum of the squares of the negative eigenvalues of Y, and m particles can reach it if
    and only if m is at least the number of positive ones; else their least value has the squares of the
    positive eigenvalues left out, the smallest ones, besides (Eckart and Young 1936).

    The flow u' = -2 (f - Y) u is linear in u and depends on mu through f only: with f_0 = U U^T, U of the
    shape (d, rank f_0), f_t = U_t U_t^T for U' = -2 (U U^T - Y) U. So F(mu_t) is known to the accuracy of a
    small ordinary differential equation for every start, with few particles, many, or a density.

    Args:
        Y: symmetric ``(d, d)``, or its eigenvalues ``(d,)``, which are then turned by a fixed rotation.

    >>> problem = RankProblem([2.0, 1.0])
    >>> [problem.least_value(m) for m in (1, 2, 3)]
    [0.5, 0.0, 0.0]
    """

    def __init__(self, Y: ArrayLike) -> None:
        if np.ndim(Y) == 1:
            values = as_vector("Y", Y)
            random = np.random.default_rng(0).standard_normal((values.size, values.size))
            rotation = np.linalg.qr(random)[0]
            Y = (rotation * values) @ rotation.T
        self.Y = symmetric_matrix("Y", Y)
        self.dim = len(self.Y)

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of Y, the largest first."""
        return np.linalg.eigvalsh(self.Y)[::-1].round(12) + 0.0

    @property
    def rank(self) -> int:
        """Rank of the positive part of Y: particles that are needed."""
        return int(np.count_nonzero(self.eigenvalues > 0.0))

    @cached_property
    def functional(self) -> Functional:
        """F, from functions as a user would give them."""
        features = CallableFeatures(squares, squares_gradient, size=self.dim**2, dim=self.dim)
        return Functional(features, SquaredLoss(self.Y.ravel()), regularizer.Zero())

    @property
    def lipschitz(self) -> float:
        """Lip(DPhi) in the norm of the loss: |D^2 Phi[e, e]| = |2 e e^T| = 2."""
        return 2.0

    @property
    def mass_bound(self) -> float:
        """Bound of the mass on the unit sphere, tr f, of all measures with F <= F(0): |f - Y| <= |Y|."""
        return float(np.trace(self.Y) + np.sqrt(self.dim) * np.linalg.norm(self.Y))

    def least_value(self, m: int | None = None) -> float:
        """Return the minimum of F over m particles, or over all measures."""
        kept = np.maximum(self.eigenvalues, 0.0)
        if m is not None:
            kept[as_integer("m", m, least=0) :] = 0.0
        return float(0.5 * np.sum((self.eigenvalues - kept) ** 2))

    def energies(self, start: ArrayLike, times: ArrayLike) -> Array:
        """Return F(mu_t) at increasing times ``(n,)`` for int u u^T dmu_0 = ``start``, ``(d, d)``.

        U is integrated, not f: rounding would raise the rank of f, and what it adds would grow.
        """
        times = as_vector("times", times)
        values, vectors = np.linalg.eigh(symmetric_matrix("start", start, self.dim))
        kept = values > _RANK_TOLERANCE * values[-1]
        factor = vectors[:, kept] * np.sqrt(values[kept])

        def velocity(_: float, flat: Array) -> Array:
            U = flat.reshape(factor.shape)
            return (-2.0 * (U @ U.T - self.Y) @ U).ravel()

        end = float(times[-1]) if times.size else 0.0
        path = solve_ivp(
            velocity, (0.0, end), factor.ravel(), method="DOP853", t_eval=times, rtol=1e-11, atol=1e-13
        )
        f = np.einsum("ijt,kjt->tik", *[path.y.reshape(*factor.shape, -1)] * 2)
        return 0.5 * np.sum((f - self.Y) ** 2, axis=(1, 2))

    def second_moment(self, cloud: ParticleCloud) -> Array:
        """Return int u u^T dmu, ``(d, d)``."""
        return (cloud.weights * cloud.points.T) @ cloud.points
