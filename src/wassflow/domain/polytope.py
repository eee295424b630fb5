"""Bounded convex polytopes."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

from wassflow.arguments import Array, as_points, as_vector
from wassflow.domain.convex import Domain, coordinate_scale, same_shape
from wassflow.domain.halfspaces import inside, nearest_points, project_velocities, slide_along
from wassflow.errors import WassflowError


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
        self._scale = coordinate_scale(self.lower, self.upper)

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
        return inside(points, self.normals, self.offsets, self.center, self.radius, tol * self._scale)

    def project(self, u: ArrayLike) -> Array:
        """Return the nearest points of the polytope, (n, d), by a dual active-set method."""
        points = as_points("u", u, self.dim)
        nearest, failed = nearest_points(points, self.normals, self.offsets, self.center, self.radius)
        if failed >= 0:
            raise WassflowError(
                f"the projection of {points[failed]} on {self!r} did not end; its walls are degenerate"
            )
        return nearest

    def slide(self, u: ArrayLike, targets: ArrayLike) -> Array:
        """Return where paths straight to the targets end, sliding along walls; see :meth:`Domain.slide`.

        >>> corner = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
        >>> (corner.slide([[0.25, 0.5]], [[0.25, 1.5]]).round(12) + 0.0).tolist()
        [[0.0, 1.0]]
        """
        points, ends = as_points("u", u, self.dim), as_points("targets", targets, self.dim)
        same_shape(points, ends)
        moved, failed = slide_along(
            points, ends, self.normals, self.offsets, self.center, self.radius, 1e-12 * self._scale
        )
        if failed >= 0:
            raise WassflowError(
                f"the path from {points[failed]} to {ends[failed]} in {self!r} did not end; its walls are "
                "degenerate"
            )
        return moved

    def project_velocity(self, u: ArrayLike, v: ArrayLike, tol: float = 0.0) -> Array:
        """Project velocities on the tangent cones; see :meth:`Domain.project_velocity`."""
        points, velocities = as_points("u", u, self.dim), as_points("v", v, self.dim)
        same_shape(points, velocities)
        # projected points lie on their walls only up to rounding
        slack = tol + 1e-12 * self._scale
        projected, failed = project_velocities(
            points, velocities, self.normals, self.offsets, self.center, self.radius, slack
        )
        if failed >= 0:
            raise WassflowError(
                f"the projection of a velocity at {points[failed]} on {self!r} did not end; its walls are "
                "degenerate"
            )
        return projected


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
