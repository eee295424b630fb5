"""Boxes with periodic axes."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array, as_points, frozen, shaped_points
from wassflow.domain.convex import Domain, coordinate_scale, same_shape


class Box(Domain):
    """The box {lower <= u <= upper}, with any subset of axes periodic (a torus when all of them are).

    Args:
        lower, upper: the corners, shape (d,). An infinite bound means no wall; a periodic axis needs finite
            bounds.
        periodic: for each axis whether it is periodic; None for none.

    Raises:
        ValueError: when upper <= lower on some axis, for NaN, or for a periodic axis without a length.

    >>> strip = Box([-1.0, 0.0], [1.0, 2.0], periodic=(False, True))
    >>> strip.project([[3.0, 2.5]])
    array([[1. , 2.5]])
    >>> strip.wrap([[1.0, 2.5]])
    array([[1. , 0.5]])
    >>> strip.project_velocity([[1.0, 0.5]], [[2.0, 3.0]])
    array([[0., 3.]])
    """

    def __init__(self, lower: ArrayLike, upper: ArrayLike, periodic: Sequence[bool] | None = None) -> None:
        self.lower = _bounds("lower", lower)
        self.upper = _bounds("upper", upper)
        self.dim = self.lower.size
        if self.upper.size != self.dim:
            raise ValueError(f"upper must have {self.dim} entries as lower has, found {self.upper.size}")
        if not np.all(self.lower < self.upper):
            axis = int(np.flatnonzero(~(self.lower < self.upper))[0])
            raise ValueError(
                f"upper must be above lower on every axis, found {self.lower[axis]} and {self.upper[axis]} "
                f"on axis {axis}"
            )
        self.periodic = (False,) * self.dim if periodic is None else tuple(bool(p) for p in periodic)
        if len(self.periodic) != self.dim:
            raise ValueError(f"periodic must have {self.dim} entries, found {len(self.periodic)}")
        with np.errstate(invalid="ignore"):
            lengths = self.upper - self.lower
        if not np.all(np.isfinite(lengths[list(self.periodic)])):
            raise ValueError("a periodic axis must have finite bounds, found an infinite one")
        self.volume = float(np.prod(lengths))
        self._scale = coordinate_scale(self.lower, self.upper)
        # a periodic axis has no walls
        self._wall_lower = np.where(self.periodic, -np.inf, self.lower)
        self._wall_upper = np.where(self.periodic, np.inf, self.upper)

    def __repr__(self) -> str:
        axes = f", periodic={self.periodic}" if any(self.periodic) else ""
        return f"Box({self.lower.tolist()}, {self.upper.tolist()}{axes})"

    def contains(self, u: ArrayLike, tol: float = 1e-12) -> NDArray[np.bool_]:
        """Tell for each point (n, d) whether it is in the box; see :meth:`Domain.contains`."""
        points = as_points("u", u, self.dim)
        slack = tol * self._scale
        return np.all((points >= self._wall_lower - slack) & (points <= self._wall_upper + slack), axis=1)

    def project(self, u: ArrayLike) -> Array:
        """Return the nearest points of the box, (n, d): each coordinate is clipped."""
        points = frozen(shaped_points("u", u, self.dim))
        nearest = np.empty_like(points)
        if not _clip(points, self._wall_lower, self._wall_upper, nearest):
            as_points("u", points)  # refuses
        return nearest

    def project_velocity(self, u: ArrayLike, v: ArrayLike, tol: float = 0.0) -> Array:
        """Project velocities on the tangent cones: at a wall only the inward part of its axis is left."""
        points = frozen(shaped_points("u", u, self.dim))
        velocities = frozen(shaped_points("v", v, self.dim))
        same_shape(points, velocities)
        projected = np.empty_like(points)
        if not _stop_at_walls(points, velocities, self._wall_lower + tol, self._wall_upper - tol, projected):
            as_points("u", points)  # one of them refuses
            as_points("v", velocities)
        return projected


# A single pass over millions of particles, with the check that all numbers are finite.
@njit(cache=True, nogil=True, error_model="numpy")
def _clip(points, lower, upper, out):  # type: ignore[no-untyped-def]
    sound = True
    for i in range(points.shape[0]):
        for k in range(points.shape[1]):
            x = points[i, k]
            sound &= np.isfinite(x)
            out[i, k] = min(max(x, lower[k]), upper[k])
    return sound


@njit(cache=True, nogil=True, error_model="numpy")
def _stop_at_walls(points, velocities, lower, upper, out):  # type: ignore[no-untyped-def]
    sound = True
    for i in range(points.shape[0]):
        for k in range(points.shape[1]):
            x, v = points[i, k], velocities[i, k]
            sound &= np.isfinite(x) & np.isfinite(v)
            if x <= lower[k]:
                v = max(v, 0.0)
            if x >= upper[k]:
                v = min(v, 0.0)
            out[i, k] = v
    return sound


def _bounds(name: str, value: ArrayLike) -> Array:
    bounds = np.array(value, dtype=np.float64)
    if bounds.ndim != 1 or bounds.size == 0:
        raise ValueError(f"{name} must have shape (d,), found shape {bounds.shape}")
    if np.any(np.isnan(bounds)):
        raise ValueError(f"{name} must not be NaN, found {bounds.tolist()}")
    return bounds
