"""Subdifferentials of V at many points, and the element of least norm they leave of a velocity."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.errors import WassflowError

_ITERATIONS = 20_000
_TOLERANCE = 1e-12


class Walls(Protocol):
    """What a velocity needs of a domain: the projection on its tangent cones."""

    def project_velocity(self, u: Array, v: Array) -> Array:
        """Return ``v`` projected on the tangent cone at ``u``, row by row, both ``(n, d)``."""
        ...


@dataclass(frozen=True, eq=False)
class Subdifferential:
    """dV(u) at n points, as gradient + interval along w + ball in theta + ball in u = (w, theta).

    Sets of this form are closed under (Minkowski) sums, and a sum of regular functions has the sum of the
    subdifferentials as its own (Clarke 1983, section 2.3). So a sum of kinked terms
    needs no approximation.

    Attributes:
        gradient: ``(n, d)``.
        weight_radius: half the length of the interval along column 0, ``(n,)``; ``None`` where it is zero
            everywhere.
        theta_radius: radius of the ball in the other columns, ``(n,)`` or ``None``.
        radius: radius of the ball in all columns, ``(n,)`` or ``None``.
    """

    gradient: Array
    weight_radius: Array | None = None
    theta_radius: Array | None = None
    radius: Array | None = None

    def __add__(self, other: "Subdifferential") -> "Subdifferential":
        """Return the Minkowski sum, point by point."""
        return Subdifferential(
            self.gradient + other.gradient,
            _added(self.weight_radius, other.weight_radius),
            _added(self.theta_radius, other.theta_radius),
            _added(self.radius, other.radius),
        )

    @property
    def kinked(self) -> NDArray[np.bool_]:
        """Whether dV is more than its gradient at each point, ``(n,)``."""
        return _any_positive(len(self.gradient), self.weight_radius, self.theta_radius, self.radius)

    def least_velocity(self, u: Array, vt: Array, domain: Walls | None = None) -> Array:
        """Return the element of least norm of vt - dV(u) - N(u), shape ``(n, d)``.

        N(u) is the normal cone of ``domain`` at u; without a domain it is {0} and the result is vt -
        proj_{dV(u)}(vt) (Chizat and Bach 2018, Proposition 2.3).

        With P the projection on the tangent cone, the least element of y - N is P(y) (Moreau), and a ball of
        radius r added to a convex set shortens the residual by r. So the interval and the theta-ball,
        together a set K, are
        left: minimise |P(x - k)| over k in K. Its gradient is -P(x - k) and 1-Lipschitz, hence accelerated
            projected
        gradient steps of length one (Beck and Teboulle 2009, with restart). Where P leaves x - proj_K(x) as
        it is, that is the least element; elsewhere the first step from k = 0 is exact when walls and kink are
        orthogonal (every box), so that only points on a kink *and* on an oblique wall iterate.
        """
        v = vt - self.gradient
        _shrink_weight(v, self.weight_radius)
        _shrink(v[:, 1:], self.theta_radius)
        if domain is not None:
            inside, v = v, domain.project_velocity(u, v)
            rows = np.flatnonzero(_any_positive(len(v), self.weight_radius, self.theta_radius))
            rows = rows[np.any(v[rows] != inside[rows], axis=1)]
            if rows.size:
                v = np.array(v)
                self._least_at_walls(u, vt - self.gradient, v, rows, domain)
        _shrink(v, self.radius)
        return v

    def _least_at_walls(self, u: Array, x: Array, v: Array, rows: NDArray[np.integer], domain: Walls) -> None:
        """Write the least elements of x - K - N(u) to the given rows of v."""
        zero = np.zeros(rows.size)
        a = zero if self.weight_radius is None else self.weight_radius[rows]
        b = zero if self.theta_radius is None else self.theta_radius[rows]
        k = np.zeros((rows.size, u.shape[1]))
        ahead, momentum = k, np.ones(rows.size)
        step = domain.project_velocity(u[rows], x[rows])
        for _ in range(_ITERATIONS):
            previous, k = k, _project(ahead + step, a, b)
            residual = domain.project_velocity(u[rows], x[rows] - k)
            v[rows] = residual
            # k is optimal exactly if a step of the plain projected gradient leaves it where it is.
            defect = np.linalg.norm(_project(k + residual, a, b) - k, axis=1)
            left = np.flatnonzero(defect > _TOLERANCE * np.linalg.norm(x[rows], axis=1))
            if left.size == 0:
                return
            restart = np.einsum("ij,ij->i", ahead - k, k - previous) > 0.0
            momentum[restart] = 1.0
            following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
            ahead = k + ((momentum - 1.0) / following)[:, None] * (k - previous)
            rows, a, b, k, ahead, momentum = (
                rows[left],
                a[left],
                b[left],
                k[left],
                ahead[left],
                following[left],
            )
            step = domain.project_velocity(u[rows], x[rows] - ahead)
        raise WassflowError(
            f"the velocity at a kink of V on an oblique wall did not converge in {_ITERATIONS} steps "
            f"at u = {u[rows[0]]}: the wall is parallel to the kink up to rounding"
        )


def soft_threshold(x: Array, radius: Array | float) -> Array:
    """Return x moved towards 0 by ``radius``, at most to 0."""
    return x - np.clip(x, -radius, radius)


def shortened(x: Array, radius: Array | float) -> Array:
    """Return the rows of x shortened by ``radius``, at most to 0: x minus its projection on the ball."""
    return x * _shortening(np.linalg.norm(x, axis=1), radius)[:, None]


def _shortening(length: Array, radius: Array | float) -> Array:
    remaining = np.maximum(length - radius, 0.0)
    return np.divide(remaining, length, out=np.zeros_like(length), where=length > 0.0)


def _project(k: Array, weight_radius: Array, theta_radius: Array) -> Array:
    """Return the projection on interval times ball."""
    result = np.empty_like(k)
    result[:, 0] = np.clip(k[:, 0], -weight_radius, weight_radius)
    result[:, 1:] = k[:, 1:] - shortened(k[:, 1:], theta_radius)
    return result


def _any_positive(size: int, *radii: Array | None) -> NDArray[np.bool_]:
    """Tell where one of the radii is positive, ``(size,)``."""
    positive = np.zeros(size, dtype=bool)
    for radius in radii:
        if radius is not None:
            positive |= radius > 0.0
    return positive


def _added(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _shrink_weight(x: Array, radius: Array | None) -> None:
    if radius is not None:
        x[:, 0] = soft_threshold(x[:, 0], radius)


def _shrink(x: Array, radius: Array | None) -> None:
    """Shorten the rows of ``x`` by ``radius`` in place; only rows on a kink are touched."""
    if radius is not None:
        rows = np.flatnonzero(radius)
        x[rows] = shortened(x[rows], radius[rows])
