"""What every convex Omega can be asked for."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array, as_points


class Domain(ABC):
    """A convex closed set of R^d, where some axes of a box may be periodic.

    Attributes:
        dim: the dimension d.
        lower, upper: the corners of the bounding box, shape (d,).
        periodic: for each axis whether it is periodic, d booleans.
        volume: the Lebesgue measure, ``inf`` for an unbounded box.
    """

    dim: int
    lower: Array
    upper: Array
    periodic: tuple[bool, ...]
    volume: float

    @property
    def period(self) -> Array:
        """Length of the period along each axis, ``inf`` where the axis is not periodic; shape (d,)."""
        return np.where(self.periodic, self.upper - self.lower, np.inf)

    @abstractmethod
    def contains(self, u: ArrayLike, tol: float = 1e-12) -> NDArray[np.bool_]:
        """Tell for each point (n, d) whether it is in Omega, up to ``tol`` times the size of Omega; (n,).

        Every value of a periodic coordinate is inside.
        """

    @abstractmethod
    def project(self, u: ArrayLike) -> Array:
        """Return the nearest points of Omega, (n, d).

        Periodic coordinates stay as they are, so that paths stay continuous: see :meth:`wrap`.
        """

    def slide(self, u: ArrayLike, targets: ArrayLike) -> Array:
        """Return where paths from points u (n, d) of Omega straight to the targets (n, d) end, (n, d).

        A path that meets a wall goes on with the velocity that the walls leave it
        (:meth:`project_velocity`) until its time is over: the flow of a constant velocity in Omega, exactly.
        Where walls are orthogonal that is the projection of the target.
        """
        return self.project(targets)

    @abstractmethod
    def project_velocity(self, u: ArrayLike, v: ArrayLike, tol: float = 0.0) -> Array:
        """Project velocities (n, d) on the tangent cones of Omega at the points u (n, d).

        The cone is {v : n_i . v <= 0 for every wall i that u touches}; a wall is touched at a distance of at
        most ``tol`` (and of rounding errors, where walls are oblique). What is removed is the projection on
        the normal cone, so the result is the velocity of least norm among v minus normal vectors.
        """

    def wrap(self, u: ArrayLike) -> Array:
        """Move periodic coordinates of points (n, d) into [lower, upper); the others stay as they are."""
        points = as_points("u", u, self.dim)
        if not any(self.periodic):
            return points.copy()
        axes = np.flatnonzero(self.periodic)
        wrapped = points.copy()
        lower, period = self.lower[axes], self.period[axes]
        moved = lower + np.mod(points[:, axes] - lower, period)
        # a tiny negative remainder rounds up to the whole period
        wrapped[:, axes] = np.where(moved < self.upper[axes], moved, lower)
        return wrapped

    def difference(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Return x - y, on periodic axes the shortest representative; shapes (..., d) are broadcast."""
        delta = np.asarray(x, dtype=np.float64) - np.asarray(y, dtype=np.float64)
        if delta.shape[-1:] != (self.dim,):
            raise ValueError(f"x - y must have a last axis of length {self.dim}, found shape {delta.shape}")
        if any(self.periodic):
            axes = np.flatnonzero(self.periodic)
            period = self.period[axes]
            delta[..., axes] -= period * np.round(delta[..., axes] / period)
        return delta


def same_shape(points: Array, velocities: Array) -> None:
    """Refuse velocities that do not belong to points."""
    if points.shape != velocities.shape:
        raise ValueError(f"v must have the shape of u, {points.shape}, found {velocities.shape}")


def coordinate_scale(lower: Array, upper: Array) -> float:
    """Largest finite coordinate: rounding errors of positions are relative to it."""
    bounds = np.abs(np.concatenate([lower, upper]))
    return float(np.max(bounds, initial=0.0, where=np.isfinite(bounds))) or 1.0
