"""Wasserstein gradient flows known in closed form, in d = 2 and d = 3.

Every flow map below is the gradient of a convex function of the earlier position, so that it is the optimal
map (Brenier) and W2 between two times of the same flow is known too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from wassflow.arguments import Array, as_integer, as_number, as_points, as_vector
from wassflow.cases.features import CosineFeatures, HalfSquaredNorm, MeanFeatures
from wassflow.cases.profiles import Profile, RadialProfile, Shape, product_density
from wassflow.domain import Box, Domain
from wassflow.functional import Functional, SquaredLoss, regularizer
from wassflow.functional.losses import symmetric_matrix


class Solution(ABC):
    """A solution mu_t of the gradient flow of ``functional`` on ``domain``.

    Attributes:
        dim: d.
        functional: F.
        domain: Omega, a box that contains the support at the times of interest.
    """

    dim: int
    domain: Domain

    @property
    @abstractmethod
    def functional(self) -> Functional:
        """F."""

    @property
    def has_density(self) -> bool:
        """Whether :meth:`density` is known."""
        return True

    @abstractmethod
    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0 at points ``(n, d)``, shape ``(n,)``."""

    @abstractmethod
    def moment(self, t: float) -> Array:
        """Return int Phi dmu_t, shape ``(N,)``."""

    @abstractmethod
    def energy(self, t: float) -> float:
        """Return F(mu_t)."""

    @abstractmethod
    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t, which is -dF/dt."""

    @abstractmethod
    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return where points ``(n, d)`` of mu_0 are at time ``t``."""

    @abstractmethod
    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the density of the absolutely continuous part of mu_t at points ``(n, d)``, ``(n,)``."""

    def singular_mass(self, t: float) -> float:
        """Return the mass that has no density at time ``t``: atoms, and mass on a line, a plane or a wall."""
        return 0.0


class ExactSolution(Solution):
    """A solution in closed form, of mass 1, on a bounded box."""

    @abstractmethod
    def wasserstein2(self, s: float, t: float) -> float:
        """Return W2(mu_s, mu_t)."""

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return where the particles of a finite cloud of mass 1 are at time ``t``, ``(n, d)``.

        Same as :meth:`flow_map` where particles do not interact; else the moments of mu_0 give way to those
        of the cloud. ``weights`` are 1/n if not given.
        """
        return self.flow_map(t, points)


class _WithoutLoss(ExactSolution):
    """A flow under V alone: R = 0; the recorded moment is the mean, Phi(u) = u."""

    @property
    @abstractmethod
    def regularizer(self) -> regularizer.Regularizer:
        """V."""

    @cached_property
    def functional(self) -> Functional:
        """F(mu) = int V dmu."""
        return Functional(
            MeanFeatures(self.dim), SquaredLoss(np.zeros(self.dim), scale=0.0), self.regularizer
        )


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
        self.start = _profiles(start, self.dim, Profile(0.0, 0.5))
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


class LogisticDilation(ExactSolution):
    """O2: Phi(u) = |u|^2/2, R(f) = kappa/2 (f - y)^2, V = 0: dilation about 0 that drives the moment to y.

    M(t) = M_0 s(t), s = y / (M_0 + (y - M_0) exp(-2 kappa y t)), u_t = sqrt(s) u_0. Directions are conserved.

    Args:
        y: target, nonnegative.
        kappa: positive.
        start: one law per coordinate; default bumps of halfwidth 0.5 about 0.5, 0, (0).
        domain: default the box [-4, 4]^d.
        dim: d, when ``start`` is not given.

    >>> exact = LogisticDilation(y=0.5, kappa=1.0)
    >>> bool(exact.moment(0.0)[0] < exact.moment(1.0)[0] < 0.5 and abs(exact.moment(60.0)[0] - 0.5) < 1e-12)
    True
    """

    def __init__(
        self,
        y: float,
        kappa: float = 1.0,
        start: Sequence[Profile] | None = None,
        domain: Domain | None = None,
        dim: int = 2,
    ) -> None:
        self.y = as_number("y", y, least=0.0)
        self.kappa = as_number("kappa", kappa, above=0.0)
        self.dim = as_integer("dim", dim, least=1) if start is None else len(start)
        default = [Profile(0.5 if j == 0 else 0.0, 0.5) for j in range(self.dim)]
        self.start = _profiles(start or default, self.dim)
        self.domain = domain or Box([-4.0] * self.dim, [4.0] * self.dim)
        self.moment0 = 0.5 * sum(p.variance + p.mean**2 for p in self.start)

    @cached_property
    def functional(self) -> Functional:
        """F."""
        return Functional(
            HalfSquaredNorm(self.dim), SquaredLoss([self.y], scale=self.kappa), regularizer.Zero()
        )

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def scale(self, t: float, moment0: float | None = None) -> float:
        """Return the factor of the dilation, lambda = sqrt(s), from 1/2 int |u|^2 dmu_0 = ``moment0``."""
        M0 = self.moment0 if moment0 is None else moment0
        if self.y == 0.0:
            return float((1.0 + 2.0 * self.kappa * M0 * t) ** -0.5)
        return float(np.sqrt(self.y / (M0 + (self.y - M0) * np.exp(-2.0 * self.kappa * self.y * t))))

    def moment(self, t: float) -> Array:
        """Return M(t), shape (1,)."""
        return np.array([self.moment0 * self.scale(t) ** 2])

    def energy(self, t: float) -> float:
        """Return kappa/2 (M - y)^2."""
        return float(0.5 * self.kappa * (self.moment(t)[0] - self.y) ** 2)

    def dissipation(self, t: float) -> float:
        """Return kappa^2 (M - y)^2 2 M."""
        M = self.moment(t)[0]
        return float(self.kappa**2 * (M - self.y) ** 2 * 2.0 * M)

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return lambda(t) u."""
        return self.scale(t) * as_points("u", u, self.dim)

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return the particles of a cloud, whose own moment takes the place of M_0."""
        u = as_points("points", points, self.dim)
        squares = np.einsum("ij,ij->i", u, u)
        M0 = 0.5 * float(np.average(squares, weights=None if weights is None else np.asarray(weights)))
        return self.scale(t, M0) * u

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return lambda^-d rho_0(u / lambda)."""
        scale = self.scale(t)
        return product_density(self.start, as_points("u", u, self.dim) / scale) / scale**self.dim

    def wasserstein2(self, s: float, t: float) -> float:
        """Return |lambda_t - lambda_s| sqrt(2 M_0)."""
        return float(abs(self.scale(t) - self.scale(s)) * np.sqrt(2.0 * self.moment0))


class WeightAbsorption(_WithoutLoss):
    """O4: V = alpha |w|, R = 0: weights shrink at speed alpha and are absorbed on the line or plane {w = 0}.

    w_t = sign(w_0)(|w_0| - alpha t)_+, theta fixed.

    Args:
        alpha: positive.
        start: laws of w, theta_1, ...; default w uniform on (-1, 1), theta uniform on (0, 1).
        domain: default the smallest box with w in [-L, L] that holds the start with a margin of 1/4 in w.
        dim: d, when ``start`` is not given.

    >>> exact = WeightAbsorption(alpha=2.0)
    >>> exact.singular_mass(0.25), round(exact.wasserstein2(0.0, 0.25) ** 2, 12)  # x, x^2 - 2 x^3/3
    (0.5, 0.166666666667)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        start: Sequence[Profile] | None = None,
        domain: Domain | None = None,
        dim: int = 2,
    ) -> None:
        self.alpha = as_number("alpha", alpha, above=0.0)
        self.dim = as_integer("dim", dim, least=1) if start is None else len(start)
        default = [Profile(0.0, 1.0, "uniform")] + [Profile(0.5, 0.5, "uniform")] * (self.dim - 1)
        self.start = _profiles(start or default, self.dim)
        self._weight = self.start[0]
        reach = max(abs(self._weight.lower), abs(self._weight.upper)) + 0.25
        theta = self.start[1:]
        self.domain = domain or Box([-reach, *(p.lower for p in theta)], [reach, *(p.upper for p in theta)])

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = alpha |w|."""
        return regularizer.AbsWeight(self.alpha)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return the mean."""
        w = self._expectation(lambda w: _shrunk(w, self.alpha * t), self.alpha * t)
        return np.array([w, *(p.mean for p in self.start[1:])])

    def energy(self, t: float) -> float:
        """Return alpha int (|w| - alpha t)_+ dmu_0."""
        return self.alpha * self._expectation(lambda w: np.abs(_shrunk(w, self.alpha * t)), self.alpha * t)

    def dissipation(self, t: float) -> float:
        """Return alpha^2 times the mass that is not yet absorbed."""
        return self.alpha**2 * (1.0 - self.singular_mass(t))

    def singular_mass(self, t: float) -> float:
        """Return the mass on {w = 0}, mu_0(|w| <= alpha t)."""
        return float(self._weight.cdf(self.alpha * t) - self._weight.cdf(-self.alpha * t))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the points with |w| shortened by alpha t."""
        moved = as_points("u", u, self.dim).copy()
        moved[:, 0] = _shrunk(moved[:, 0], self.alpha * t)
        return moved

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return rho_0(w + alpha t sign w, theta) off {w = 0}, and 0 on it."""
        back = as_points("u", u, self.dim).copy()
        sign = np.sign(back[:, 0])
        back[:, 0] += self.alpha * t * sign
        return np.where(sign != 0.0, product_density(self.start, back), 0.0)

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of int min((|w| - alpha s)_+, alpha (t - s))^2 dmu_0 for s < t."""
        s, t = sorted((s, t))
        squares = self._expectation(
            lambda w: np.minimum(np.abs(_shrunk(w, self.alpha * s)), self.alpha * (t - s)) ** 2,
            self.alpha * s,
            self.alpha * t,
        )
        return float(np.sqrt(squares))

    def _expectation(self, g: Callable[[Array], Array], *radii: float) -> float:
        return self._weight.expectation(g, [0.0, *radii, *(-r for r in radii)])


class RadialAbsorption(_WithoutLoss):
    """O5: V = alpha |u|, R = 0: everything moves to 0 at speed alpha and is absorbed there.

    r_t = (r_0 - alpha t)_+; the density blows up like r^(1-d) at the atom.

    Args:
        alpha: positive.
        dim: 2 or 3.
        radius, shape: the start, a :class:`~wassflow.cases.profiles.RadialProfile`.
        domain: default the box [-radius, radius]^d.

    >>> exact = RadialAbsorption(alpha=1.0, dim=3)
    >>> round(exact.singular_mass(0.5), 12), round(exact.energy(0.0), 12)     # x^d, d/(d+1)
    (0.125, 0.75)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        dim: int = 2,
        radius: float = 1.0,
        shape: Shape = "uniform",
        domain: Domain | None = None,
    ) -> None:
        self.alpha = as_number("alpha", alpha, above=0.0)
        self.start = RadialProfile(dim, radius, shape)
        self.dim = dim
        self.domain = domain or Box([-radius] * dim, [radius] * dim)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = alpha |u|."""
        return regularizer.Norm(self.alpha)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return self.start.density(np.linalg.norm(as_points("u", u, self.dim), axis=1))

    def moment(self, t: float) -> Array:
        """Return the mean, 0 by symmetry."""
        return np.zeros(self.dim)

    def energy(self, t: float) -> float:
        """Return alpha int (r - alpha t)_+ dmu_0."""
        x = self.alpha * t
        return self.alpha * self.start.expectation(lambda r: np.maximum(r - x, 0.0), [x])

    def dissipation(self, t: float) -> float:
        """Return alpha^2 times the mass that is not yet absorbed."""
        return self.alpha**2 * (1.0 - self.singular_mass(t))

    def singular_mass(self, t: float) -> float:
        """Return the mass of the atom at 0, mu_0(r <= alpha t)."""
        x = self.alpha * t
        if x >= self.start.radius:
            return 1.0
        return self.start.expectation(lambda r: (r <= x).astype(np.float64), [x])

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the points with |u| shortened by alpha t."""
        points = as_points("u", u, self.dim)
        length = np.linalg.norm(points, axis=1)
        left = np.maximum(length - self.alpha * t, 0.0)
        return points * np.divide(left, length, out=np.zeros_like(length), where=length > 0.0)[:, None]

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return rho_0(r + alpha t) ((r + alpha t)/r)^(d-1), and 0 at the atom."""
        r = np.linalg.norm(as_points("u", u, self.dim), axis=1)
        back = r + self.alpha * t
        stretch = np.divide(back, r, out=np.zeros_like(r), where=r > 0.0)
        return self.start.density(back) * stretch ** (self.dim - 1)

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of int min((r - alpha s)_+, alpha (t - s))^2 dmu_0 for s < t."""
        x, y = sorted((self.alpha * s, self.alpha * t))
        return float(
            np.sqrt(self.start.expectation(lambda r: np.minimum(np.maximum(r - x, 0.0), y - x) ** 2, [x, y]))
        )


class _OnUnitBox(_WithoutLoss):
    """O7: coordinates move independently in [0, 1] and stop for good at the walls."""

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None) -> None:
        self.c = as_vector("c", c)
        self.dim = self.c.size
        self.start = _profiles(start, self.dim, Profile(0.5, 0.5, "uniform"))
        for j, profile in enumerate(self.start):
            if profile.lower < 0.0 or profile.upper > 1.0:
                raise ValueError(
                    f"start must lie in [0, 1], found [{profile.lower}, {profile.upper}] for coordinate {j}"
                )
        self.domain = Box([0.0] * self.dim, [1.0] * self.dim)

    @abstractmethod
    def _free(self, t: float, u: Array, j: int) -> Array:
        """Return where coordinate ``j`` would be at time ``t`` without walls; increasing in ``u``."""

    @abstractmethod
    def _back(self, t: float, u: Array, j: int) -> Array:
        """Return where coordinate ``j`` at ``u`` came from; inverse of :meth:`_free`."""

    @abstractmethod
    def _potential(self, u: Array, j: int) -> Array:
        """Return the part of V that depends on coordinate ``j``."""

    @abstractmethod
    def _speed(self, u: Array, j: int) -> Array:
        """Return minus its derivative."""

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return the mean."""
        return np.array([self._expectation(t, np.array, j) for j in range(self.dim)])

    def energy(self, t: float) -> float:
        """Return int V dmu_t."""
        return float(sum(self._expectation(t, partial(self._potential, j=j), j) for j in range(self.dim)))

    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t: only coordinates between the walls move."""

        def square(x: Array, j: int) -> Array:
            return np.where((x > 0.0) & (x < 1.0), self._speed(x, j), 0.0) ** 2

        return float(sum(self._expectation(t, partial(square, j=j), j) for j in range(self.dim)))

    def wall_mass(self, t: float, axis: int) -> float:
        """Return the mass on the two walls across ``axis``."""
        low, high = (float(self.start[axis].cdf(self._back(t, np.array(x), axis))) for x in (0.0, 1.0))
        return low + 1.0 - high

    def singular_mass(self, t: float) -> float:
        """Return the mass on all walls together."""
        return 1.0 - float(np.prod([1.0 - self.wall_mass(t, j) for j in range(self.dim)]))

    def corner_mass(self, t: float) -> float:
        """Return the mass in the corners."""
        return float(np.prod([self.wall_mass(t, j) for j in range(self.dim)]))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the free motion of each coordinate, stopped at the walls."""
        moved = as_points("u", u, self.dim).copy()
        for j in range(self.dim):
            moved[:, j] = np.clip(self._free(t, moved[:, j], j), 0.0, 1.0)
        return moved

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the density between the walls, and 0 on them."""
        points = as_points("u", u, self.dim)
        back = np.column_stack([self._back(t, points[:, j], j) for j in range(self.dim)])
        inside = np.all((points > 0.0) & (points < 1.0), axis=1)
        return np.where(inside, product_density(self.start, back), 0.0) * self._compression(t)

    def _compression(self, t: float) -> float:
        """Return the factor by which the free motion raises densities."""
        return 1.0

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of the sum over coordinates of the mean square displacement from s to t."""

        def square(x: Array, j: int) -> Array:
            return (np.clip(self._free(t, x, j), 0.0, 1.0) - np.clip(self._free(s, x, j), 0.0, 1.0)) ** 2

        squares = [
            profile.expectation(partial(square, j=j), self._stops(s, j) + self._stops(t, j))
            for j, profile in enumerate(self.start)
        ]
        return float(np.sqrt(sum(squares)))

    def _stops(self, t: float, j: int) -> list[float]:
        return [float(self._back(t, np.array(x), j)) for x in (0.0, 1.0)]

    def _expectation(self, t: float, g: Callable[[Array], Array], j: int) -> float:
        return self.start[j].expectation(
            lambda x: g(np.clip(self._free(t, x, j), 0.0, 1.0)), self._stops(t, j)
        )


class WallAccumulation(_OnUnitBox):
    """O7, linear: V = -<c, u> on [0, 1]^d. u_t = clip(u_0 + c t, 0, 1), coordinate by coordinate.

    Args:
        c: the drift ``(d,)``, of any signs.
        start: laws of the coordinates within [0, 1]; default uniform.

    >>> exact = WallAccumulation(c=[1.0, 0.5])
    >>> exact.wall_mass(0.5, 0), exact.corner_mass(0.5)
    (0.5, 0.125)
    """

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None = None) -> None:
        super().__init__(c, start)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = -<c, u>."""
        return regularizer.Linear(-self.c)

    def _free(self, t: float, u: Array, j: int) -> Array:
        return u + self.c[j] * t

    def _back(self, t: float, u: Array, j: int) -> Array:
        return u - self.c[j] * t

    def _potential(self, u: Array, j: int) -> Array:
        return -self.c[j] * u

    def _speed(self, u: Array, j: int) -> Array:
        return np.full_like(u, self.c[j])


class WallRelaxation(_OnUnitBox):
    """O7, quadratic: V = |u - c|^2/2 on [0, 1]^d. u_t = clip(c + exp(-t)(u_0 - c), 0, 1).

    Args:
        c: the point that attracts ``(d,)``; mass piles up on the walls where it is outside the box.
        start: laws of the coordinates within [0, 1]; default uniform.

    >>> exact = WallRelaxation(c=[1.5, 0.5])
    >>> exact.flow_map(50.0, [[0.2, 0.2]]).round(12)
    array([[1. , 0.5]])
    """

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None = None) -> None:
        super().__init__(c, start)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = |u - c|^2/2."""
        return regularizer.Quadratic(np.eye(self.dim), self.c)

    def _free(self, t: float, u: Array, j: int) -> Array:
        return self.c[j] + np.exp(-t) * (u - self.c[j])

    def _back(self, t: float, u: Array, j: int) -> Array:
        return self.c[j] + np.exp(t) * (u - self.c[j])

    def _potential(self, u: Array, j: int) -> Array:
        return 0.5 * (u - self.c[j]) ** 2

    def _speed(self, u: Array, j: int) -> Array:
        return self.c[j] - u

    def _compression(self, t: float) -> float:
        return float(np.exp(self.dim * t))


class CosineMoments(ExactSolution):
    """O8: Phi(u) = (cos u_1, .., cos u_d) on [0, pi]^d, R(f) = 1/2 sum_i kappa_i (f_i - y_i)^2, V = 0.

    v_i = kappa_i (f_i - y_i) sin u_i vanishes at the walls, and products of half Poisson
    kernels rho = prod_i (1/pi)(1 - z_i^2)/(1 - 2 z_i cos u_i + z_i^2) are invariant, with f_i = z_i and
    z' = kappa/2 (y - z)(1 - z^2) (the reduction of Ott and Antonsen, Chaos 18 (2008) 037113).

    Args:
        y: target ``(d,)``; |y_i| <= 1 can be reached.
        z0: start ``(d,)``, -1 < z0_i < 1; 0 is uniform.
        kappa: positive ``(d,)``; ones if not given.

    >>> exact = CosineMoments(y=[0.0, 0.5], z0=[0.5, -0.5])
    >>> z = 0.5 * np.exp(-0.5) / np.sqrt(0.75 + 0.25 * np.exp(-1.0))       # closed form for y = 0, t = 1
    >>> bool(abs(exact.moment(1.0)[0] - z) < 1e-13)
    True
    """

    def __init__(self, y: ArrayLike, z0: ArrayLike, kappa: ArrayLike | None = None) -> None:
        self.y = as_vector("y", y)
        self.dim = self.y.size
        self.z0 = as_vector("z0", z0, self.dim)
        self.kappa = np.ones(self.dim) if kappa is None else as_vector("kappa", kappa, self.dim)
        if not np.all(np.abs(self.z0) < 1.0):
            raise ValueError(f"z0 must lie strictly between -1 and 1, found {self.z0.tolist()}")
        if not np.all(self.kappa > 0.0):
            raise ValueError(f"kappa must be positive, found {self.kappa.tolist()}")
        self.domain = Box([0.0] * self.dim, [np.pi] * self.dim)
        self._solved: dict[float, Array] = {}

    @cached_property
    def functional(self) -> Functional:
        """F."""
        return Functional(
            CosineFeatures(self.dim), SquaredLoss(self.y, weights=self.kappa), regularizer.Zero()
        )

    def initial(self, u: ArrayLike) -> Array:
        """Return the product of Poisson kernels with parameters z0."""
        return self._kernel(self.z0, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return z(t), ``(d,)``."""
        return np.tanh(self._artanh(float(t)))

    def energy(self, t: float) -> float:
        """Return 1/2 sum kappa (z - y)^2."""
        return float(0.5 * self.kappa @ (self.moment(t) - self.y) ** 2)

    def dissipation(self, t: float) -> float:
        """Return 1/2 sum kappa^2 (z - y)^2 (1 - z^2)."""
        z = self.moment(t)
        return float(0.5 * np.sum(self.kappa**2 * (z - self.y) ** 2 * (1.0 - z**2)))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return u_t with tan(u_t/2) = exp(A) tan(u/2), A = 2 (artanh z_0 - artanh z_t)."""
        return self._between(0.0, t, as_points("u", u, self.dim))

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return the particles of a cloud by a Runge-Kutta method of order 8; there is no closed form.

        All particles share one scalar per coordinate, tan(u_t/2) = exp(A(t)) tan(u_0/2), A' = kappa (f - y).
        """
        u = as_points("points", points, self.dim)
        shares = np.full(len(u), 1.0 / len(u)) if weights is None else as_vector("weights", weights, len(u))

        def slope(_: float, A: Array) -> Array:
            return self.kappa * (shares @ np.cos(_stretched(u, A)) - self.y)

        return _stretched(u, _solve_ode(slope, np.zeros(self.dim), float(t)))

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the product of Poisson kernels with parameters z(t)."""
        return self._kernel(self.moment(t), as_points("u", u, self.dim))

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of sum_i int_0^1 (q_i,t - q_i,s)^2 dp, q the quantile functions.

        The integrand extends to a smooth periodic even function of p: the trapezoidal rule converges
            geometrically.
        """
        p = np.linspace(0.0, np.pi, 8193)
        uniform = np.repeat(p[:, None], self.dim, axis=1)
        moved = self._quantile(t, uniform) - self._quantile(s, uniform)
        squares = np.sum(moved**2, axis=1)
        return float(np.sqrt(np.mean(0.5 * (squares[1:] + squares[:-1]))))

    def _quantile(self, t: float, p: Array) -> Array:
        """Return the images of ``p`` in [0, pi]^d, uniform, under the map to mu_t."""
        return _stretched(p, -2.0 * self._artanh(float(t)))

    def _between(self, s: float, t: float, u: Array) -> Array:
        return _stretched(u, 2.0 * (self._artanh(float(s)) - self._artanh(float(t))))

    def _artanh(self, t: float) -> Array:
        """Return a = artanh z(t), from a' = kappa/2 (y - tanh a): no digits of z are lost near +-1."""
        if t not in self._solved:
            slope = 0.5 * self.kappa

            def rate(_: float, a: Array) -> Array:
                return slope * (self.y - np.tanh(a))

            self._solved[t] = _solve_ode(rate, np.arctanh(self.z0), t)
        return self._solved[t]

    def _kernel(self, z: Array, u: Array) -> Array:
        return np.prod((1.0 - z**2) / (np.pi * (1.0 - 2.0 * z * np.cos(u) + z**2)), axis=1)


def _profiles(
    start: Sequence[Profile] | None, dim: int, default: Profile | None = None
) -> tuple[Profile, ...]:
    """Return ``dim`` laws, the default ones if none are given."""
    profiles = (default,) * dim if start is None and default is not None else tuple(start or ())
    for profile in profiles:
        if not isinstance(profile, Profile):
            raise ValueError(f"start must hold Profile objects, found {type(profile).__name__}")
    if len(profiles) != dim:
        raise ValueError(f"start must hold {dim} laws, one for each coordinate, found {len(profiles)}")
    return profiles


def _matrix_exponential(B: Array, t: float) -> Array:
    """Return exp(B t) of a symmetric matrix."""
    rates, axes = np.linalg.eigh(B)
    return (axes * np.exp(rates * t)) @ axes.T


def _shrunk(w: Array, length: float) -> Array:
    """Return ``w`` moved towards 0 by ``length``, not beyond."""
    return np.sign(w) * np.maximum(np.abs(w) - length, 0.0)


def _stretched(u: Array, A: Array) -> Array:
    """Return x in [0, pi] with tan(x/2) = exp(A) tan(u/2), for ``u (n, d)`` in [0, pi] and ``A (d,)``."""
    return 2.0 * np.arctan2(np.exp(0.5 * A) * np.sin(0.5 * u), np.exp(-0.5 * A) * np.cos(0.5 * u))


def _solve_ode(slope: Callable[[float, Array], Array], start: Array, t: float) -> Array:
    """Return the solution at ``t`` of a small smooth system, to about 1e-13."""
    if t == 0.0:
        return start
    solution = solve_ivp(slope, (0.0, t), start, method="DOP853", rtol=3e-14, atol=1e-15)
    return solution.y[:, -1]
