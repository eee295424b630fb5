"""The element of least norm of velocities at points that do not move."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Box
from wassflow.flow.rows import rows
from wassflow.functional import regularizer
from wassflow.functional.subdifferential import Subdifferential


class LeastElement:
    """The element of least norm of vt - dV - N at fixed points.

    Args:
        V: the regulariser.
        points: ``(n, d)``; not changed afterwards.
        domain: with walls, if its normal cones N take part.

    Attributes:
        by_intervals: whether they are found coordinate by coordinate, by code that threads may share.
    """

    def __init__(self, V: regularizer.Regularizer, points: Array, domain: Any = None) -> None:
        self._V, self._points, self._domain = V, points, domain
        self._subdifferential = None if velocities_alone(V) else V.subdifferential(points)
        self._intervals: Intervals | None = None
        if self._subdifferential is not None and _separable(self._subdifferential, domain):
            self._intervals = Intervals(self._subdifferential, points, domain)
        self.by_intervals = self._intervals is not None

    def __call__(self, vt: Array, chosen: NDArray[np.integer]) -> Array:
        """Return the elements at the chosen points, for vt there, which may be overwritten."""
        if self._intervals is not None:
            return self._intervals.subtract_from(vt, chosen)
        if self._subdifferential is not None and chosen.size == len(self._points):
            return self._subdifferential.least_velocity(self._points, vt, self._domain)
        return self._V.velocity(rows(self._points, chosen), vt, self._domain)


class Intervals:
    """dV + N where it is a product of intervals: an interval along w and the walls of a box.

    The element of least norm is then that of each coordinate.

    Args:
        subdifferential: dV at the points, without balls.
        points: ``(n, d)``.
        domain: the box, or None.

    >>> upper = Subdifferential(np.zeros((2, 2)), np.array([1.0, 0.0]))
    >>> parts = Intervals(upper, np.array([[0.0, 0.0], [0.0, 1.0]]), Box([-1.0, -1.0], [1.0, 1.0]))
    >>> print(parts.subtract_from(np.array([[3.0, 1.0], [3.0, 1.0]]), np.arange(2)))
    [[2. 1.]
     [3. 0.]]
    """

    def __init__(self, subdifferential: Subdifferential, points: Array, domain: Box | None = None) -> None:
        self._gradient = subdifferential.gradient
        radius = subdifferential.weight_radius
        self._radius = np.zeros(len(points)) if radius is None else radius
        # walls that a point touches along each axis: -1 for the lower one, 1 for the upper one
        self._walls = np.zeros(points.shape, dtype=np.int8)
        if domain is not None:
            ones = np.ones(points.shape)
            self._walls += domain.project_velocity(points, ones) == 0.0
            self._walls -= domain.project_velocity(points, -ones) == 0.0

    def subtract_from(self, velocity: Array, chosen: NDArray[np.integer]) -> Array:
        """Leave in ``velocity`` (len(chosen), d) its element of least norm, and return it."""
        _kernel(velocity.shape[1])(self._gradient, self._radius, self._walls, chosen, velocity)
        return velocity


@lru_cache
def _kernel(dim: int) -> Callable:
    @njit(cache=True, nogil=True)
    def leave_least(gradient, radius, walls, chosen, velocity):  # type: ignore[no-untyped-def]
        for i in range(chosen.size):
            at = chosen[i]
            r = radius[at]
            for a in range(dim):
                v = velocity[i, a] - gradient[at, a]
                if a == 0 and r > 0.0:
                    # comparisons let pass what is not a number
                    v -= -r if v < -r else (r if v > r else v)
                velocity[i, a] = 0.0 if walls[at, a] * v > 0.0 else v

    return leave_least


def _separable(subdifferential: Subdifferential, domain: Any) -> bool:
    balls = (subdifferential.theta_radius, subdifferential.radius)
    return (domain is None or isinstance(domain, Box)) and not any(
        radius is not None and radius.any() for radius in balls
    )


def velocities_alone(V: regularizer.Regularizer) -> bool:
    """Tell whether the user gives velocities for (a term of) V in place of its subdifferential."""
    terms = V.terms if isinstance(V, regularizer.Sum) else (V,)
    return any(isinstance(term, regularizer.Callable) and not term.smooth for term in terms)
