"""O8: cosine features; products of half Poisson kernels stay so."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from wassflow.arguments import Array, as_points, as_vector
from wassflow.cases.exact.solution import ExactSolution
from wassflow.cases.features import CosineFeatures
from wassflow.domain import Box
from wassflow.functional import Functional, SquaredLoss, regularizer


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


def _stretched(u: Array, A: Array) -> Array:
    """Return x in [0, pi] with tan(x/2) = exp(A) tan(u/2), for ``u (n, d)`` in [0, pi] and ``A (d,)``."""
    return 2.0 * np.arctan2(np.exp(0.5 * A) * np.sin(0.5 * u), np.exp(-0.5 * A) * np.cos(0.5 * u))


def _solve_ode(slope: Callable[[float, Array], Array], start: Array, t: float) -> Array:
    """Return the solution at ``t`` of a small smooth system, to about 1e-13."""
    if t == 0.0:
        return start

    def not_tiny(s: float, x: Array) -> Array:
        # scipy squares rates to estimate the error: below 1e-150 that is 0/0
        rate = slope(s, x)
        return np.where(np.abs(rate) < 1e-100, 0.0, rate)

    solution = solve_ivp(not_tiny, (0.0, t), start, method="DOP853", rtol=3e-14, atol=1e-15)
    return solution.y[:, -1]
