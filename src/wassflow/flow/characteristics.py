"""Characteristics of the flow of a density: particles carried to high accuracy, and points that follow them.

The velocity field depends on mu_t through f_t = int Phi dmu_t alone. So the nodes of a quadrature rule of
mu_0 are carried once, f_t is kept as a function of time, and any other point follows later, forwards or
backwards, together with the logarithm of the factor by which the flow stretches volumes there (Liouville's
formula).
"""

import numpy as np
from numpy.polynomial.chebyshev import chebpts2
from scipy.integrate import DOP853

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.functional.functional import FirstVariation, Functional

# Chebyshev points per step of the time integrator. Steps of order 8 at the tolerances used here are short
# enough for a polynomial of degree 9 to follow the moments to rounding.
_POINTS = 10
# A particle further outside Omega than this, relative to the size of Omega, has passed a wall.
_OUTSIDE = 1e-9
# A point that goes back in time is given up when it is so far outside Omega, relative to the size of Omega.
_GONE = 1e-6
# Steps are at most this share of the first time asked for: a flow that starts at rest must not jump over what
# follows.
_LONGEST_STEP = 1.0 / 8.0
# More steps than this per time ``horizon`` are a sign of a velocity with jumps: smooth flows need some ten.
_MOST_STEPS = 1000
# Central differences of order 8, f'(x) = sum_k c_k (f(x + k h) - f(x - k h)) / h.
_DIFFERENCES = (4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0)
# Step of the differences: truncation (k h)^8 k / 630 for waves of wavenumber k, rounding 1e-16/h.
_DIFFERENCE_STEP = 4e-3


class LeftDomain(WassflowError):
    """A particle met a wall of Omega, where its path has a corner."""


class TooManySteps(WassflowError):
    """The velocity is not smooth enough for a method of high order."""


class PiecewiseCurve:
    """A vector-valued function of time, a polynomial between one knot and the next.

    >>> curve = PiecewiseCurve(0.0)
    >>> curve.append(2.0, curve.nodes(2.0)[:, None] ** 3)
    >>> curve(0.5), curve.integral()
    (array([0.125]), array([4.]))
    """

    def __init__(self, start: float) -> None:
        self.knots = [start]
        self._pieces: list[Array] = []
        signs = (-1.0) ** np.arange(_POINTS)
        signs[[0, -1]] *= 0.5
        self._barycentric = signs
        # Clenshaw and Curtis: integrate the interpolating polynomial
        vandermonde = np.polynomial.legendre.legvander(chebpts2(_POINTS), _POINTS - 1)
        moments = np.zeros(_POINTS)
        moments[0] = 2.0
        self._integrate = np.linalg.solve(vandermonde.T, moments)

    @property
    def end(self) -> float:
        """The last knot."""
        return self.knots[-1]

    def nodes(self, end: float) -> Array:
        """Return the times at which :meth:`append` needs values, from the last knot to ``end``."""
        nodes = 0.5 * (self.end + end) + 0.5 * (end - self.end) * chebpts2(_POINTS)
        nodes[0], nodes[-1] = self.end, end
        return nodes

    def append(self, end: float, values: Array) -> None:
        """Add the piece up to ``end`` with values ``(nodes, size)``."""
        self.knots.append(end)
        self._pieces.append(values)

    def __call__(self, t: float) -> Array:
        """Return the value at a time between the first and the last knot, ``(size,)``."""
        k = int(np.clip(np.searchsorted(self.knots, t, side="right") - 1, 0, len(self._pieces) - 1))
        left, right = self.knots[k], self.knots[k + 1]
        distance = (2.0 * t - left - right) / (right - left) - chebpts2(_POINTS)
        hit = np.flatnonzero(distance == 0.0)
        if hit.size:
            return self._pieces[k][hit[0]].copy()
        shares = self._barycentric / distance
        return (shares @ self._pieces[k]) / shares.sum()

    def integral(self) -> Array:
        """Return the integral from the first to the last knot, ``(size,)``."""
        lengths = 0.5 * np.diff(self.knots)
        return np.einsum("k,j,kjq->q", lengths, self._integrate, np.array(self._pieces))


class Characteristics:
    """The gradient flow of particles of given masses, V without kinks, by a Runge-Kutta method of order 8.

    It is carried as far as it is asked for (Dormand and Prince's method of order 8 with its dense output:
    Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.10).

    Args:
        functional: F.
        points, masses: the particles at time 0, ``(n, d)`` and ``(n,)``.
        domain: Omega; ``None`` for the whole space.
        tolerance: of a step, relative and absolute.
        horizon: a time that will be asked for.

    Raises:
        WassflowError: where a particle would pass a wall, or steps become too short.

    >>> from wassflow.cases.exact import LogisticDilation
    >>> exact = LogisticDilation(y=0.5)
    >>> u = np.array([[0.6, 0.2], [-0.1, 0.4]])
    >>> paths = Characteristics(exact.functional, u, np.array([0.3, 0.7]), exact.domain)
    >>> expected = exact.particles(1.0, u, np.array([0.3, 0.7]))
    >>> bool(np.abs(paths.follow(u, 0.0, 1.0) - expected).max() < 1e-12)
    True
    """

    def __init__(
        self,
        functional: Functional,
        points: Array,
        masses: Array,
        domain: Domain | None = None,
        tolerance: float = 1e-12,
        horizon: float = 1.0,
    ) -> None:
        self.functional = functional
        self.domain = domain
        self.masses = masses
        self.tolerance = tolerance
        self._shape = points.shape
        self._horizon = horizon
        self._longest = _LONGEST_STEP * horizon
        self._curve = PiecewiseCurve(0.0)
        self._start = self._observables(points)
        self._last = self._start
        self._solver: DOP853 | None = DOP853(
            self._slope,
            0.0,
            points.reshape(-1),
            np.inf,
            max_step=self._longest,
            rtol=tolerance,
            atol=tolerance,
        )

    @property
    def steps(self) -> int:
        """How many steps were taken so far."""
        return len(self._curve.knots) - 1

    def moment(self, t: float) -> Array:
        """Return f_t, ``(N,)``."""
        return self._at(t)[: self.functional.features.size]

    def energy(self, t: float) -> float:
        """Return F(mu_t)."""
        values = self._at(t)
        size = self.functional.features.size
        return self.functional.loss.value(values[:size]) + float(values[size])

    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t."""
        return float(self._at(t)[self.functional.features.size + 1])

    def first_moment(self, t: float) -> Array:
        """Return int u dmu_t, ``(d,)``."""
        first = self.functional.features.size + 2
        return self._at(t)[first : first + self._shape[1]]

    def second_moment(self, t: float) -> Array:
        """Return int u u^T dmu_t, ``(d, d)``."""
        dim = self._shape[1]
        return self._at(t)[-dim * dim :].reshape(dim, dim)

    def variation(self, t: float) -> FirstVariation:
        """Return F'(mu_t)."""
        return self.functional.linearize(self.moment(t))

    def imbalance(self) -> float:
        """Return |F(t) - F(0) + int_0^t int |v|^2 dmu ds| at the time reached.

        A finite number of particles loses energy exactly as it dissipates it: what is left is an error of the
        time integration, not of the quadrature.
        """
        if self._curve.end == 0.0:
            return 0.0
        size = self.functional.features.size
        change = self._energy(self._last) - self._energy(self._start)
        return abs(change + float(self._curve.integral()[size + 1]))

    def follow(self, u: Array, s: float, t: float) -> Array:
        """Return where points ``(n, d)`` of time s are at time t, ``(n, d)``; t may be before s.

        Points that leave Omega on their way back in time, as no mass does, stop there: they might run away to
        infinity.
        """
        return self._follow(u, s, t, volumes=False)[0]

    def follow_volumes(self, u: Array, s: float, t: float) -> tuple[Array, Array]:
        """Return where points of time s are at time t, and log |det DX| of this map there, ``(n,)``."""
        return self._follow(u, s, t, volumes=True)

    def _follow(self, u: Array, s: float, t: float, volumes: bool) -> tuple[Array, Array]:
        n, dim = u.shape
        if s == t or n == 0:
            return u.copy(), np.zeros(n)
        self.advance(max(s, t))

        points, logarithms = u.copy(), np.zeros(n)
        left = np.arange(n)
        time, first_step = s, None
        while time != t and left.size:
            solver = self._passive(points[left], logarithms[left], time, t, first_step, volumes)
            gone = np.zeros(left.size, dtype=bool)
            while solver.status == "running" and not gone.any():
                message = solver.step()
                if solver.status == "failed":
                    raise WassflowError(f"points could not follow the flow to t = {t:g}: {message}")
                moved = solver.y[: left.size * dim].reshape(left.size, dim)
                if self.domain is not None and t < s:
                    gone = ~self.domain.contains(moved, _GONE)
            points[left] = moved
            logarithms[left] = solver.y[left.size * dim :] if volumes else 0.0
            time, first_step = solver.t, solver.h_abs
            left = left[~gone]
        return points, logarithms

    def _passive(
        self, points: Array, logarithms: Array, s: float, t: float, first_step: float | None, volumes: bool
    ) -> DOP853:
        """Return a solver for points that go along, from s to t."""
        n, dim = points.shape

        def slope(time: float, y: Array) -> Array:
            at = y[: n * dim].reshape(n, dim)
            variation = self.variation(min(max(time, 0.0), self._curve.end))
            velocity = variation.explicit_velocity(at).reshape(-1)
            return np.concatenate([velocity, divergence(variation, at)]) if volumes else velocity

        return DOP853(
            slope,
            s,
            np.concatenate([points.reshape(-1), logarithms]) if volumes else points.reshape(-1),
            t,
            max_step=self._longest,
            first_step=None if first_step is None else min(first_step, abs(t - s)),
            rtol=self.tolerance,
            atol=self.tolerance,
        )

    def advance(self, t: float) -> None:
        """Carry the particles at least to time ``t``."""
        while self._curve.end < t:
            solver = self._solver
            if solver is None:
                raise LeftDomain(f"a particle meets a wall after t = {self._curve.end:g}")
            if len(self._curve.knots) > _MOST_STEPS * (1.0 + self._curve.end / self._horizon):
                raise TooManySteps(f"the particles need too many steps at t = {self._curve.end:g}")
            message = solver.step()
            if solver.status == "failed":
                raise WassflowError(f"the particles could not be carried beyond t = {solver.t:g}: {message}")
            points = solver.y.reshape(self._shape)
            if self.domain is not None and not np.all(self.domain.contains(points, _OUTSIDE)):
                self._solver = None
                continue
            between = solver.dense_output()
            times = self._curve.nodes(solver.t)
            values = np.empty((times.size, self._last.size))
            values[0], values[-1] = self._last, self._observables(points)
            for k in range(1, times.size - 1):
                values[k] = self._observables(between(times[k]).reshape(self._shape))
            self._curve.append(solver.t, values)
            self._last = values[-1]

    def _at(self, t: float) -> Array:
        self.advance(t)
        return self._start if t == 0.0 else self._curve(t)

    def _slope(self, _: float, y: Array) -> Array:
        points = y.reshape(self._shape)
        moment = self.functional.features.moment(points, self.masses)
        return self.functional.linearize(moment).explicit_velocity(points).reshape(-1)

    def _observables(self, points: Array) -> Array:
        """Return f, int V dmu, int |v|^2 dmu, int u dmu and int u u^T dmu, one after the other."""
        moment = self.functional.features.moment(points, self.masses)
        velocity = self.functional.linearize(moment).explicit_velocity(points)
        return np.concatenate(
            [
                moment,
                [self.masses @ self.functional.regularizer.value(points)],
                [self.masses @ np.einsum("ij,ij->i", velocity, velocity)],
                self.masses @ points,
                ((self.masses * points.T) @ points).reshape(-1),
            ]
        )

    def _energy(self, observables: Array) -> float:
        size = self.functional.features.size
        return self.functional.loss.value(observables[:size]) + float(observables[size])


def divergence(variation: FirstVariation, u: Array) -> Array:
    """Return div v = -(Laplacian of F'(mu)) at points ``(n, d)``, ``(n,)``, for V without kinks.

    By central differences of order 8 of the velocity, so that nothing more is asked of features and
    regularisers: the error is below 1e-12 for velocities that vary over lengths of 0.1 and more.

    >>> from wassflow.functional import Functional, SquaredLoss, regularizer
    >>> from wassflow.cases.features import CosineFeatures
    >>> F = Functional(CosineFeatures(2), SquaredLoss([0.5, 0.0]), regularizer.SquaredNorm(1.0))
    >>> u = np.array([[0.3, 1.2]])
    >>> found = divergence(F.linearize([0.1, 0.2]), u)
    >>> bool(abs(found[0] - (-0.4 * np.cos(0.3) + 0.2 * np.cos(1.2) - 4.0)) < 1e-12)
    True
    """
    result = np.zeros(len(u))
    for axis in range(u.shape[1]):
        for k, factor in enumerate(_DIFFERENCES, start=1):
            for side in (1.0, -1.0):
                moved = u.copy()
                moved[:, axis] += side * k * _DIFFERENCE_STEP
                result += side * factor / _DIFFERENCE_STEP * variation.explicit_velocity(moved)[:, axis]
    return result
