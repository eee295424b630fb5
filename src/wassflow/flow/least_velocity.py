"""The element of least norm of velocities at points that do not move."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Box, Domain
from wassflow.flow.rows import rows
from wassflow.functional import regularizer
from wassflow.functional.evaluation import Pairings, over_rows
from wassflow.functional.subdifferential import Subdifferential
from wassflow.repetition import distinct_rows
from wassflow.vectorized import read, write

# Kinds of points whose intervals stay in a fast cache.
_MOST_KINDS = 1024


class LeastElement:
    """The element of least norm of vt - dV - N at fixed points, vt = -<R', D Phi>.

    Args:
        V: the regulariser.
        points: ``(n, d)``; not changed afterwards.
        domain: whose walls add their normal cones N.
        threads: for large numbers of points.
    """

    def __init__(self, V: regularizer.Regularizer, points: Array, domain: Domain, threads: int = 1) -> None:
        self._V, self._points, self._domain, self._threads = V, points, domain, threads
        self._subdifferential = None if velocities_alone(V) else V.subdifferential(points)
        self._intervals: Intervals | None = None
        known = self._subdifferential
        if known is not None and isinstance(domain, Box) and not _has_balls(known):
            self._intervals = Intervals(known, points, domain)
        self._velocity = np.empty(points.shape)

    def __call__(self, paired: Pairings, first: int, chosen: NDArray[np.integer]) -> Array:
        """Return the elements at the chosen points, ``(len(chosen), d)``; the next call overwrites them.

        Args:
            paired: <R', D Phi> at points whose numbers begin with ``first``.
            first: as said.
            chosen: ascending.
        """
        out = self._velocity[: chosen.size]
        if self._intervals is not None and paired.fibre is not None and paired.weights is not None:
            slopes = (paired.values, paired.fibre[first:], paired.weights[first:])
            leave = self._intervals.leave
            over_rows(lambda part: leave(*slopes, chosen[part], out[part]), chosen.size, self._threads)
            return out
        slopes_there = paired.rows(first + chosen)
        vt = np.negative(slopes_there, out=slopes_there)
        if self._intervals is not None:
            return self._intervals.subtract_from(vt, chosen)
        if not np.all(np.isfinite(vt)):  # domains refuse such velocities, with less to say than who asked
            return np.full_like(vt, np.nan)
        if self._subdifferential is not None and chosen.size == len(self._points):
            return self._subdifferential.least_velocity(self._points, vt, self._domain)
        return self._V.velocity(rows(self._points, chosen), vt, self._domain)


class Intervals:
    """dV + N where it is a product of intervals: an interval along w and the walls of a box.

    The element of least norm is then that of each coordinate.

    Args:
        subdifferential: dV at the points, without balls.
        points: ``(n, d)``.
        domain: the box.

    >>> upper = Subdifferential(np.zeros((2, 2)), np.array([1.0, 0.0]))
    >>> parts = Intervals(upper, np.array([[0.0, 0.0], [0.0, 1.0]]), Box([-1.0, -1.0], [1.0, 1.0]))
    >>> slopes, out = np.array([[-3.0, -1.0]]), np.empty((2, 2))  # both points on one fibre, weight one
    >>> parts.leave(slopes, np.zeros(2, dtype=np.int32), np.ones(2), np.arange(2), out)
    >>> print(out)
    [[2. 1.]
     [3. 0.]]
    """

    def __init__(self, subdifferential: Subdifferential, points: Array, domain: Box) -> None:
        lower = subdifferential.gradient.copy()
        upper = lower.copy()
        if subdifferential.weight_radius is not None:
            lower[:, 0] -= subdifferential.weight_radius
            upper[:, 0] += subdifferential.weight_radius
        ones = np.ones(points.shape)
        low, high = (
            domain.project_velocity(points, -ones) == 0.0,
            domain.project_velocity(points, ones) == 0.0,
        )
        # on a regular mesh there are few products
        found = distinct_rows(np.hstack([lower, upper, low, high]), _MOST_KINDS)
        everything = np.arange(len(points), dtype=np.int32)
        first, self._kind = (everything, everything) if found is None else found
        ends = np.hstack([np.where(low, -np.inf, lower), np.where(high, np.inf, upper)])
        self._ends = ends[first].reshape(-1)

    def subtract_from(self, velocity: Array, chosen: NDArray[np.integer]) -> Array:
        """Leave in ``velocity`` (len(chosen), d) the elements of least norm at the chosen points."""
        lower, upper = np.hsplit(self._ends.reshape(-1, 2 * velocity.shape[1])[self._kind[chosen]], 2)
        velocity -= np.clip(velocity, lower, upper)
        return velocity

    def leave(
        self, slopes: Array, fibre: NDArray[np.int32], weights: Array, chosen: NDArray[np.integer], out: Array
    ) -> None:
        """Write the elements of least norm of minus the slopes at the chosen points to ``out``.

        Args:
            slopes: on each fibre, ``(k, d)``, all but the first to be multiplied by the weight.
            fibre, weights: of all points, ``(n,)``.
            chosen: which points.
            out: ``(len(chosen), d)``.
        """
        leave = _kernel(out.shape[1])
        leave(slopes.reshape(-1), fibre, weights, self._kind, self._ends, chosen, out.reshape(-1))


@lru_cache
def _kernel(dim: int) -> Callable:
    @njit(cache=True, nogil=True)
    def leave(slopes, fibre, weights, kind, ends, chosen, out):  # type: ignore[no-untyped-def]
        for i in range(chosen.size):
            point = read(chosen, i)
            at, weight = np.int32(dim * read(fibre, point)), read(weights, point)
            bounds = np.int32(2 * dim * read(kind, point))
            for a in range(dim):
                v = -read(slopes, at + a)
                if a > 0:
                    v *= weight
                lower, upper = read(ends, bounds + a), read(ends, bounds + dim + a)
                # comparisons let pass what is not a number
                write(out, i * dim + a, v - (lower if v < lower else (upper if v > upper else v)))

    return leave


def _has_balls(subdifferential: Subdifferential) -> bool:
    balls = (subdifferential.theta_radius, subdifferential.radius)
    return any(radius is not None and bool(radius.any()) for radius in balls)


def velocities_alone(V: regularizer.Regularizer) -> bool:
    """Tell whether the user gives velocities for (a term of) V in place of its subdifferential."""
    terms = V.terms if isinstance(V, regularizer.Sum) else (V,)
    return any(isinstance(term, regularizer.Callable) and not term.smooth for term in terms)
