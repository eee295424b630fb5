"""O1: a quadratic loss of the mean and a quadratic V; the flow is affine."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_points, as_vector
from wassflow.cases.exact.solution import ExactSolution
from wassflow.cases.features import MeanFeatures
from wassflow.cases.profiles import Profile, product_density, profiles_of
from wassflow.domain import Box, Domain
from wassflow.functional import Functional, SquaredLoss, regularizer
from wassflow.functional.losses import symmetric_matrix


class QuadraticMean(ExactSolution):
    """O1: Phi(u) = u, R(f) = 1/2 <f - y, K (f - y)>, V(u) = 1/2 <u - c, B (u - c)>.

    The mean feels K + B, deviations from it feel B: m' = -(K + B) m + K y + B c,
    u_t = m_t + exp(-B t)(u_0 - m_0). B = 0 is a rigid translation, negative eigenvalues of B spread.

    Args:
        K: symmetric positive semidefinite ``(d, d)``.
        B: symmetric ``(d, d)``.
        y, c: ``(d,)``.
        start: one law per coordinate, mu_0 is their product; default bumps of halfwidth 0.5 about 0.
        domain: default the box [-2, 2]^d.

    >>> exact = QuadraticMean(K=np.eye(2), B=np.zeros((2, 2)), y=[1.0, 0.0], c=[0.0, 0.0])
    >>> exact.moment(np.log(2.0)).round(12), round(exact.wasserstein2(0.0, np.log(2.0)), 12)
    (array([0.5, 0. ]), 0.5)
    """

    def __init__(
        self,
        K: ArrayLike,
        B: ArrayLike,
        y: ArrayLike,
        c: ArrayLike,
        start: Sequence[Profile] | None = None,
        domain: Domain | None = None,
    ) -> None:
        self.K = symmetric_matrix("K", K)
        self.dim = self.K.shape[0]
        self.B = symmetric_matrix("B", B, self.dim)
        self.y = as_vector("y", y, self.dim)
        self.c = as_vector("c", c, self.dim)
        self.start = profiles_of(start, self.dim, Profile(0.0, 0.5))
        self.domain = domain or Box([-2.0] * self.dim, [2.0] * self.dim)
        self._mean0 = np.array([p.mean for p in self.start])
        self._covariance0 = np.diag([p.variance for p in self.start])

    @cached_property
    def functional(self) -> Functional:
        """F."""
        V = regularizer.Quadratic(self.B, self.c)
        return Functional(MeanFeatures(self.dim), SquaredLoss(self.y, weights=self.K), V)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return the mean m_t."""
        return self._mean(t, self._mean0)

    def covariance(self, t: float) -> Array:
        """Return exp(-B t) Sigma_0 exp(-B t), ``(d, d)``."""
        E = _matrix_exponential(self.B, -t)
        return E @ self._covariance0 @ E

    def energy(self, t: float) -> float:
        """Return F(mu_t)."""
        m = self.moment(t)
        spread = np.trace(self.B @ self.covariance(t))
        to_y, to_c = m - self.y, m - self.c
        return float(0.5 * (to_y @ self.K @ to_y + to_c @ self.B @ to_c + spread))

    def dissipation(self, t: float) -> float:
        """Return |m'|^2 + tr(B^2 Sigma_t)."""
        m = self.moment(t)
        slope = self.K @ (m - self.y) + self.B @ (m - self.c)
        return float(slope @ slope + np.trace(self.B @ self.B @ self.covariance(t)))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return m_t + exp(-B t)(u - m_0)."""
        return self._move(t, as_points("u", u, self.dim), self._mean0)

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return the particles of a cloud, whose mean takes the place of m_0."""
        u = as_points("points", points, self.dim)
        return self._move(
            t, u, np.average(u, axis=0, weights=None if weights is None else np.asarray(weights))
        )

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return exp(t tr B) rho_0(m_0 + exp(B t)(u - m_t))."""
        back = self._mean0 + (as_points("u", u, self.dim) - self.moment(t)) @ _matrix_exponential(self.B, t)
        return np.exp(t * np.trace(self.B)) * product_density(self.start, back)

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of |m_t - m_s|^2 + tr((I - exp(-B (t - s)))^2 Sigma_s)."""
        s, t = sorted((s, t))
        shift = self.moment(t) - self.moment(s)
        shrink = np.eye(self.dim) - _matrix_exponential(self.B, s - t)
        return float(np.sqrt(shift @ shift + np.trace(shrink @ shrink @ self.covariance(s))))

    def _mean(self, t: float, mean0: Array) -> Array:
        rates, axes = np.linalg.eigh(self.K + self.B)
        pull = axes.T @ (self.K @ self.y + self.B @ self.c)
        # int_0^t exp(-rate s) ds, also for rate = 0
        elapsed = np.where(rates == 0.0, t, -np.expm1(-rates * t) / np.where(rates == 0.0, 1.0, rates))
        return axes @ (np.exp(-rates * t) * (axes.T @ mean0) + elapsed * pull)

    def _move(self, t: float, u: Array, mean0: Array) -> Array:
        return self._mean(t, mean0) + (u - mean0) @ _matrix_exponential(self.B, -t)


def _matrix_exponential(B: Array, t: float) -> Array:
    """Return exp(B t) of a symmetric matrix."""
    rates, axes = np.linalg.eigh(B)
    return (axes * np.exp(rates * t)) @ axes.T
