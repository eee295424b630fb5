"""Regularisers with kinks, whose proximal maps are exact."""

from abc import abstractmethod
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_number
from wassflow.functional.regularizer.base import Regularizer, checked_step
from wassflow.functional.subdifferential import Subdifferential, shortened, soft_threshold


class Kinked(Regularizer):
    """strength times a function with kinks, and no smooth part beside it."""

    def __init__(self, strength: float):
        self.strength = as_number("strength", strength, least=0.0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strength:g})"

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        """Whether the strength is zero."""
        return self.strength == 0.0

    @abstractmethod
    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of V at points ``(n, d)``."""

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of V at points ``(n, d)``; the same as :meth:`prox`."""
        return self.prox(u, step)


class AbsWeight(Kinked):
    """V(w, theta) = strength |w|: total variation of signed measures (Chizat and Bach 2018, section 4).

    A weight that reaches 0 stays there as long as the force on it is at most ``strength``.

    >>> V = AbsWeight(1.0)
    >>> V.velocity([[0.0, 5.0], [0.0, 5.0], [2.0, 5.0]], [[0.5, 1.0], [3.0, 1.0], [0.0, 1.0]])
    array([[ 0.,  1.],
           [ 2.,  1.],
           [-1.,  1.]])
    >>> V.prox([[0.3, 5.0], [-2.0, 5.0]], 0.5)
    array([[ 0. ,  5. ],
           [-1.5,  5. ]])
    """

    _degrees = MappingProxyType({"weight": 1, "theta": 0, "all": 1})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |w|, shape ``(n,)``."""
        return self.strength * np.abs(self._points(u)[:, 0])

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: strength sign(w) along w, an interval where w = 0."""
        u = self._points(u)
        gradient = np.zeros_like(u)
        gradient[:, 0] = self.strength * np.sign(u[:, 0])
        return Subdifferential(gradient, weight_radius=_radius(u[:, 0] == 0.0, self.strength))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the soft threshold of w by step strength, ``(n, d)``."""
        result = self._points(u).copy()
        result[:, 0] = soft_threshold(result[:, 0], checked_step(step) * self.strength)
        return result


class Norm(Kinked):
    """V(u) = strength |u|, kinked at the origin only.

    >>> V = Norm(1.0)
    >>> V.velocity([[0.0, 0.0], [3.0, 4.0]], [[3.0, 4.0], [0.0, 0.0]])
    array([[ 2.4,  3.2],
           [-0.6, -0.8]])
    >>> V.prox([[3.0, 4.0], [0.1, 0.1]], 1.0)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """

    _degrees = MappingProxyType({"all": 1})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |u|, shape ``(n,)``."""
        return self.strength * np.linalg.norm(self._points(u), axis=1)

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: strength u/|u|, a ball at the origin."""
        u = self._points(u)
        length = np.linalg.norm(u, axis=1)
        return Subdifferential(
            self.strength * _directions(u, length), radius=_radius(length == 0.0, self.strength)
        )

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return u shortened by step strength (block soft threshold), ``(n, d)``."""
        return shortened(self._points(u), checked_step(step) * self.strength)


class WeightTimesNorm(Kinked):
    """V(w, theta) = strength |w| |theta|: for ReLU networks (Chizat and Bach 2018, section 4).

    V is (-strength)-convex. dV is the interval [-strength |theta|, strength |theta|] along w where w = 0, the
    ball of radius strength |w| in theta where theta = 0, and {0} at the origin.

    >>> V = WeightTimesNorm(0.5)
    >>> V.velocity([[0.0, 3.0, 4.0], [2.0, 0.0, 0.0]], [[3.0, 1.0, 1.0], [0.0, 3.0, 4.0]])
    array([[0.5, 1. , 1. ],
           [0. , 2.4, 3.2]])
    >>> V.prox([[0.1, 3.0, 4.0]], 0.1)
    array([[0., 3., 4.]])
    """

    _degrees = MappingProxyType({"weight": 1, "theta": 1, "all": 2})

    def value(self, u: ArrayLike) -> Array:
        """Return strength |w| |theta|, shape ``(n,)``."""
        u = self._points(u, least=2)
        return self.strength * np.abs(u[:, 0]) * np.linalg.norm(u[:, 1:], axis=1)

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV: an interval along w where w = 0, a ball in theta where theta = 0."""
        u = self._points(u, least=2)
        weight, length = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
        gradient = np.empty_like(u)
        gradient[:, 0] = self.strength * length * np.sign(u[:, 0])
        gradient[:, 1:] = self.strength * weight[:, None] * _directions(u[:, 1:], length)
        return Subdifferential(
            gradient,
            weight_radius=_radius(weight == 0.0, self.strength * length),
            theta_radius=_radius(length == 0.0, self.strength * weight),
        )

    def semiconvexity(self) -> float:
        """Return ``strength``: w |theta| has the eigenvalue -1 where w and theta are exchanged."""
        return self.strength

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return argmin over (x, y) of strength |x||y| + (|x - w|^2 + |y - theta|^2) / (2 step), global.

        Signs and directions are those of w and theta, so the problem is one of two lengths x, y >= 0. With
        s = step strength < 1 it is strictly convex: the stationary point x = (|w| - s |theta|)/(1 - s^2),
        y = (|theta| - s |w|)/(1 - s^2) if neither is negative, else w or theta goes to 0 and the other stays.
        A flow needs steps with s < 1. For s >= 1 the stationary point is a saddle, and the minimiser keeps
        the longer one of w and theta (theta, if equal; then there are two minimisers) and puts the other
        to 0.
        """
        u = self._points(u, least=2)
        s = checked_step(step) * self.strength
        weight, length = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
        if s < 1.0:
            no_weight, no_theta = weight <= s * length, length <= s * weight
            new_weight, new_length = (
                (weight - s * length) / (1.0 - s * s),
                (length - s * weight) / (1.0 - s * s),
            )
        else:
            no_weight, no_theta = weight <= length, weight > length
            new_weight, new_length = weight, length
        new_weight = np.where(no_weight, 0.0, np.where(no_theta, weight, new_weight))
        new_length = np.where(no_theta & ~no_weight, 0.0, np.where(no_weight, length, new_length))
        result = np.empty_like(u)
        result[:, 0] = np.copysign(new_weight, u[:, 0]) + 0.0
        ratio = np.divide(new_length, length, out=np.zeros_like(length), where=length > 0.0)
        result[:, 1:] = ratio[:, None] * u[:, 1:]
        return result


def _radius(kink: np.ndarray, radius: Array | float) -> Array | None:
    """Return ``radius`` on kinks and 0 elsewhere; ``None`` if no point is on a kink."""
    return np.where(kink, radius, 0.0) if kink.any() else None


def _directions(x: Array, length: Array) -> Array:
    """Return x / |x| row by row, zero for a zero row."""
    return np.divide(x, length[:, None], out=np.zeros_like(x), where=length[:, None] > 0.0)
