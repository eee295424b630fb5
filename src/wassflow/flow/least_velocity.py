"""The velocity of least norm at points that do not move."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.rows import rows
from wassflow.functional import FirstVariation, Functional, regularizer
from wassflow.functional.evaluation import FixedPoints


class LeastVelocity:
    """v = vt - proj_{dV + N}(vt) at fixed points, with what is known of them beforehand.

    Args:
        functional: F.
        points: ``(n, d)``; not changed afterwards.
        domain: with walls, if its normal cones N take part.
    """

    def __init__(self, functional: Functional, points: Array, domain: Any = None) -> None:
        self._points, self._domain = FixedPoints(functional.features, points), domain
        V = functional.regularizer
        self._subdifferential = None if velocities_alone(V) else V.subdifferential(points)

    def __call__(self, variation: FirstVariation, chosen: NDArray[np.integer]) -> Array:
        """Return v at the chosen points, ``(len(chosen), d)``; as many as there are, are all in order."""
        smooth = -self._points.pair_gradient(variation.slope, chosen).rows()
        points = self._points.points
        if self._subdifferential is not None and chosen.size == len(points):
            return self._subdifferential.least_velocity(points, smooth, self._domain)
        return variation.regularizer.velocity(rows(points, chosen), smooth, self._domain)


def velocities_alone(V: regularizer.Regularizer) -> bool:
    """Tell whether the user gives velocities for (a term of) V in place of its subdifferential."""
    terms = V.terms if isinstance(V, regularizer.Sum) else (V,)
    return any(isinstance(term, regularizer.Callable) and not term.smooth for term in terms)
