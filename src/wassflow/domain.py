"""Omega, the convex closed set in which everything moves: boxes with periodic axes, convex polytopes.

A point is projected on Omega, a velocity on the tangent cone of Omega, both exactly: that is how a particle
meets a wall and slides along it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

from wassflow.arguments import Array, as_points, as_vector, frozen, shaped_points
from wassflow.errors import WassflowError


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
        self._scale = _coordinate_scale(self.lower, self.upper)
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
        _same_shape(points, velocities)
        projected = np.empty_like(points)
        if not _stop_at_walls(points, velocities, self._wall_lower + tol, self._wall_upper - tol, projected):
            as_points("u", points)  # one of them refuses
            as_points("v", velocities)
        return projected


class Polytope(Domain):
    """The bounded convex polytope {x : n_i . x <= b_i for all i}.

    Args:
        normals: outward normals n_i of any positive length, shape (k, d), d >= 2. Redundant walls are allowed
            and dropped.
        offsets: the b_i, shape (k,).

    Attributes:
        normals, offsets: the same walls with unit normals, without redundant ones.
        vertices: the corners, shape (p, d).
        center, radius: a largest inscribed ball; points in it are known to be inside without looking at the
            walls.

    Raises:
        ValueError: for an empty, flat or unbounded set.

    >>> triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    >>> round(triangle.volume, 12)
    0.5
    >>> triangle.project([[1.0, 1.0], [0.25, 0.25], [-1.0, -2.0]]).round(12) + 0.0
    array([[0.5 , 0.5 ],
           [0.25, 0.25],
           [0.  , 0.  ]])
    """

    def __init__(self, normals: ArrayLike, offsets: ArrayLike) -> None:
        directions = as_points("normals", normals)
        levels = as_vector("offsets", offsets, directions.shape[0])
        self.dim = directions.shape[1]
        if self.dim < 2:
            raise ValueError(f"a polytope needs a dimension of at least 2, found {self.dim}; use Box")
        lengths = np.linalg.norm(directions, axis=1)
        if not np.all(lengths > 0.0):
            raise ValueError(f"normals must not vanish, found a zero at row {int(np.argmin(lengths))}")
        directions, levels = directions / lengths[:, None], levels / lengths
        self.center, self.radius = _largest_ball(directions, levels)
        walls, self.vertices = _walls_and_vertices(directions, levels, self.center)
        self.normals = np.ascontiguousarray(directions[walls])
        self.offsets = np.ascontiguousarray(levels[walls])
        self.lower, self.upper = self.vertices.min(axis=0), self.vertices.max(axis=0)
        self.periodic = (False,) * self.dim
        self.volume = float(ConvexHull(self.vertices).volume)
        self._scale = _coordinate_scale(self.lower, self.upper)

    @classmethod
    def from_points(cls, points: ArrayLike) -> Self:
        """Return the convex hull of points (n, d).

        >>> square = Polytope.from_points([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
        >>> square.volume, len(square.offsets)
        (1.0, 4)
        """
        cloud = as_points("points", points)
        try:
            equations = ConvexHull(cloud).equations
        except (QhullError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"points must span the space, found {len(cloud)} points with no interior: {reason}"
            ) from None
        # Qhull splits a wall into simplices and repeats its equation for each
        _, first = np.unique(equations.round(10), axis=0, return_index=True)
        return cls(equations[first, :-1], -equations[first, -1])

    def __repr__(self) -> str:
        return f"Polytope(dim={self.dim}, {len(self.offsets)} walls, volume={self.volume:.6g})"

    def contains(self, u: ArrayLike, tol: float = 1e-12) -> NDArray[np.bool_]:
        """Tell for each point (n, d) whether it is in the polytope; see :meth:`Domain.contains`."""
        points = as_points("u", u, self.dim)
        return _inside(points, self.normals, self.offsets, self.center, self.radius, tol * self._scale)

    def project(self, u: ArrayLike) -> Array:
        """Return the nearest points of the polytope, (n, d), by a dual active-set method."""
        points = as_points("u", u, self.dim)
        nearest, failed = _nearest_points(points, self.normals, self.offsets, self.center, self.radius)
        if failed >= 0:
            raise WassflowError(
                f"the projection of {points[failed]} on {self!r} did not end; its walls are degenerate"
            )
        return nearest

    def project_velocity(self, u: ArrayLike, v: ArrayLike, tol: float = 0.0) -> Array:
        """Project velocities on the tangent cones; see :meth:`Domain.project_velocity`."""
        points, velocities = as_points("u", u, self.dim), as_points("v", v, self.dim)
        _same_shape(points, velocities)
        # projected points lie on their walls only up to rounding
        slack = tol + 1e-12 * self._scale
        projected, failed = _project_velocities(
            points, velocities, self.normals, self.offsets, self.center, self.radius, slack
        )
        if failed >= 0:
            raise WassflowError(
                f"the projection of a velocity at {points[failed]} on {self!r} did not end; its walls are "
                "degenerate"
            )
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


def _same_shape(points: Array, velocities: Array) -> None:
    if points.shape != velocities.shape:
        raise ValueError(f"v must have the shape of u, {points.shape}, found {velocities.shape}")


def _coordinate_scale(lower: Array, upper: Array) -> float:
    """Largest finite coordinate: rounding errors of positions are relative to it."""
    bounds = np.abs(np.concatenate([lower, upper]))
    return float(np.max(bounds, initial=0.0, where=np.isfinite(bounds))) or 1.0


def _largest_ball(normals: Array, offsets: Array) -> tuple[Array, float]:
    """Return centre and radius of a largest ball in {n.x <= b}, |n| = 1: a linear program."""
    dim = normals.shape[1]
    objective = np.zeros(dim + 1)
    objective[-1] = -1.0
    free = [(None, None)] * dim
    found = linprog(
        objective, np.column_stack([normals, np.ones(len(offsets))]), offsets, bounds=[*free, (0.0, None)]
    )
    if found.status == 2:
        raise ValueError("the walls leave no point: n.x <= b has no solution")
    if found.status == 3:
        raise ValueError("the polytope must be bounded: its walls leave a direction open")
    if not found.success:
        raise WassflowError(f"no inscribed ball found: {found.message}")
    center = found.x[:dim]
    radius = float(np.min(offsets - normals @ center))
    if radius <= 1e-12 * max(1.0, float(np.abs(offsets).max())):
        raise ValueError("the polytope must have an interior, found a flat one")
    return center, radius


def _walls_and_vertices(normals: Array, offsets: Array, center: Array) -> tuple[NDArray[np.intp], Array]:
    """Return which walls are not redundant, and the corners, by duality about an inner point."""
    dual = normals / (offsets - normals @ center)[:, None]
    open_direction = "the polytope must be bounded: its walls leave a direction open"
    try:
        hull = ConvexHull(dual)
    except (QhullError, ValueError):
        raise ValueError(open_direction) from None
    if not np.all(hull.equations[:, -1] < -1e-12):
        raise ValueError(open_direction)
    corners = center - hull.equations[:, :-1] / hull.equations[:, -1:]
    # a corner with more than d walls appears once for each simplex of its dual facet
    _, first = np.unique((corners / np.abs(corners).max()).round(10) + 0.0, axis=0, return_index=True)
    return np.sort(hull.vertices), corners[first]


@njit(cache=True)
def _in_ball(point, center, radius):
    """Whether the point is in the ball, up to a margin that keeps the walls themselves out."""
    square = 0.0
    for a in range(point.size):
        square += (point[a] - center[a]) ** 2
    return square < (radius * (1.0 - 1e-9)) ** 2


@njit(cache=True)
def _inside(points, normals, offsets, center, radius, slack):
    dim = points.shape[1]
    inside = np.ones(points.shape[0], dtype=np.bool_)
    for i in range(points.shape[0]):
        if _in_ball(points[i], center, radius):
            continue
        for k in range(offsets.size):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * points[i, a]
            if level > slack:
                inside[i] = False
                break
    return inside


@njit(cache=True)
def _nearest_in_halfspaces(u, normals, offsets, count, x):
    """Write into x the point nearest to u with normals[:count] . x <= offsets[:count]; tell if it worked.

    Dual active-set method for min |x - u|^2 / 2 (Goldfarb and Idnani, Math. Programming 27 (1983) 1-33,
    with the identity as Hessian): x = u - sum_j multiplier_j n_j holds all along, multipliers stay
    nonnegative, and the most violated wall is added until none is violated. It ends after finitely many
    steps with at most d walls active.
    """
    dim = u.size
    scale = 0.0
    for a in range(dim):
        x[a] = u[a]
        scale = max(scale, abs(u[a]))
    for k in range(count):
        scale = max(scale, abs(offsets[k]))
    rounding = 1e-14 * scale
    active = np.empty(dim, dtype=np.int64)
    multiplier = np.empty(dim)
    number = 0
    basis = np.empty((dim, dim))  # orthonormal basis of the active normals, by Gram-Schmidt
    triangle = np.empty((dim, dim))  # active normal j = sum_i triangle[i, j] basis[i]
    step = np.empty(dim)
    rate = np.empty(dim)
    for _ in range(20 * (count + dim)):
        added = -1
        violation = rounding
        for k in range(count):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * x[a]
            if level > violation:
                violation = level
                added = k
        if added < 0:
            break
        added_multiplier = 0.0
        while True:
            # step: the part of the new normal that is orthogonal to the active ones (projected twice, against
            # cancellation)
            for a in range(dim):
                step[a] = normals[added, a]
            for i in range(number):
                rate[i] = 0.0
            for _repeat in range(2):
                for i in range(number):
                    dot = 0.0
                    for a in range(dim):
                        dot += basis[i, a] * step[a]
                    rate[i] += dot
                    for a in range(dim):
                        step[a] -= dot * basis[i, a]
            for i in range(number - 1, -1, -1):
                for j in range(i + 1, number):
                    rate[i] -= triangle[i, j] * rate[j]
                rate[i] /= triangle[i, i]
            square = 0.0
            for a in range(dim):
                square += step[a] * step[a]
            full = violation / square if square > 1e-18 else np.inf
            length = full
            dropped = -1
            for j in range(number):
                if rate[j] > 0.0 and multiplier[j] / rate[j] < length:
                    length = multiplier[j] / rate[j]
                    dropped = j
            if length == np.inf:
                # the new wall is opposed to the active ones: only rounding can bring us here in a nonempty
                # polytope
                return violation < 1e-10 * scale
            if full < np.inf:
                for a in range(dim):
                    x[a] -= length * step[a]
            violation -= length * square
            added_multiplier += length
            for j in range(number):
                multiplier[j] -= length * rate[j]
            if dropped < 0:
                active[number] = added
                multiplier[number] = added_multiplier
                number += 1
            else:
                for j in range(dropped, number - 1):
                    active[j] = active[j + 1]
                    multiplier[j] = multiplier[j + 1]
                number -= 1
            for j in range(number):
                for a in range(dim):
                    basis[j, a] = normals[active[j], a]
                for i in range(j):
                    triangle[i, j] = 0.0
                for _repeat in range(2):
                    for i in range(j):
                        dot = 0.0
                        for a in range(dim):
                            dot += basis[i, a] * basis[j, a]
                        triangle[i, j] += dot
                        for a in range(dim):
                            basis[j, a] -= dot * basis[i, a]
                square = 0.0
                for a in range(dim):
                    square += basis[j, a] * basis[j, a]
                triangle[j, j] = np.sqrt(square)
                for a in range(dim):
                    basis[j, a] /= triangle[j, j]
            if dropped < 0:
                break
    else:
        return False
    # put x back on its active walls: steps from far away leave rounding errors of the size of u
    for _repeat in range(2 if number > 0 else 0):
        for j in range(number):
            rate[j] = offsets[active[j]]
            for a in range(dim):
                rate[j] -= normals[active[j], a] * x[a]
            for i in range(j):
                rate[j] -= triangle[i, j] * rate[i]
            rate[j] /= triangle[j, j]
        for j in range(number):
            for a in range(dim):
                x[a] += rate[j] * basis[j, a]
    return True


@njit(cache=True)
def _nearest_points(points, normals, offsets, center, radius):
    nearest = points.copy()
    for i in range(points.shape[0]):
        if _in_ball(points[i], center, radius):
            continue
        if not _nearest_in_halfspaces(points[i], normals, offsets, offsets.size, nearest[i]):
            return nearest, i
    return nearest, -1


@njit(cache=True)
def _project_velocities(points, velocities, normals, offsets, center, radius, slack):
    dim = points.shape[1]
    projected = velocities.copy()
    touched = np.empty_like(normals)
    zeros = np.zeros_like(offsets)
    for i in range(points.shape[0]):
        if slack < 1e-9 * radius and _in_ball(points[i], center, radius):
            continue
        count = 0
        for k in range(offsets.size):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * points[i, a]
            if level >= -slack:
                for a in range(dim):
                    touched[count, a] = normals[k, a]
                count += 1
        if count > 0 and not _nearest_in_halfspaces(velocities[i], touched, zeros, count, projected[i]):
            return projected, i
    return projected, -1
