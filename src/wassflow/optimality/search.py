"""The global minimum of F' over a section, between two bounds: branch and bound on boxes.

On a box of halfwidths h about c, with p the gradient of the smooth part at c plus an element of dV(c),

    F'(u) >= F'(c) + <p, u - c> - r,      r = remainder of <g, Phi> + lambda_V/2 |h|^2

(V + lambda_V/2 |u|^2 is convex), so that the least value on the box is at least F'(c) - sum |p_j| h_j - r.
The bound is of second order in h: near a minimum that is not degenerate the number of boxes left per level
does not grow. Boxes above the least value found are dropped, the others halved.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Domain, Polytope
from wassflow.errors import WassflowError
from wassflow.functional import FirstVariation
from wassflow.functional.regularizer import Callable
from wassflow.optimality.section import Section

# Boxes along each axis at the start, by the number of axes that are not flat.
_START = {0: 1, 1: 64, 2: 24, 3: 10}
# With more axes, about so many boxes altogether.
_START_BOXES = 1000
# So many boxes of a level are looked at in a corner, too.
_CORNERS = 32
# Axes of a box are halved together if their lengths differ by less than this factor.
_SAME_LENGTH = 0.6
# But no more than so many at a time: a box has 2 to the power of that many children.
_HALVED = 3


@dataclass(frozen=True)
class Curvature:
    """Constants that the features or the regulariser do not know themselves.

    Attributes:
        lipschitz: bound of |<R'(f), D^2 Phi(u)[e, e]>| for unit vectors e, or ``None``: the features know.
        semiconvexity: lambda_V, or ``None``: the regulariser knows.
    """

    lipschitz: float | None = None
    semiconvexity: float | None = None


@dataclass(frozen=True, eq=False)
class Minimum:
    """lower <= min F' <= upper.

    Attributes:
        lower, upper: the bounds; F' is divided by the norm of the section, if it has one.
        minimizer: where ``upper`` was found, ``(d,)``.
        boxes: number of boxes looked at.
    """

    lower: float
    upper: float
    minimizer: Array
    boxes: int


def global_minimum(
    variation: FirstVariation,
    section: Section,
    tolerance: float,
    max_boxes: int,
    curvature: Curvature = Curvature(),
) -> Minimum:
    """Bracket the minimum of F'/norm over the section.

    Args:
        variation: F'.
        section: where.
        tolerance: ends when upper - lower is below; no less than what rounding leaves of F'.
        max_boxes: ends as well, with a bound that holds but is wider, when more boxes were looked at.
        curvature: constants that the functional does not know.
    """
    centers, radii = _start(section)
    rounding = _rounding(variation, centers)
    # values that differ by rounding only would be told apart for ever
    tolerance = max(tolerance, 8.0 * rounding)
    inherited = np.full(len(centers), -np.inf)
    upper, best = (np.inf, centers[0]) if section.zero is None else (0.0, section.zero)
    boxes, dropped = 0, np.inf
    while True:
        upper, best = _better(variation, section, centers, upper, best)
        slopes = _slopes(variation, section, centers, upper)
        bounds = np.maximum(inherited, _bounds(variation, section, centers, radii, slopes, upper, curvature))
        boxes += len(centers)
        # at a wall the least value is not at a centre: look at the corners to which the slopes point
        first = np.argsort(bounds)[:_CORNERS]
        corners = centers[first] - np.sign(slopes[first]) * radii[first]
        upper, best = _better(variation, section, corners, upper, best)
        left = (bounds < upper - 0.5 * tolerance) & radii.any(axis=1)
        lower = min(dropped, float(bounds.min())) - rounding
        if not left.any() or upper - lower <= tolerance or boxes >= max_boxes:
            return Minimum(lower, upper, best, boxes)
        dropped = min(dropped, float(bounds[~left].min(initial=np.inf)))
        centers, radii, inherited = _halved(section, centers[left], radii[left], bounds[left])


def _better(
    variation: FirstVariation, section: Section, points: Array, upper: float, best: Array
) -> tuple[float, Array]:
    """Return the least of ``upper`` and the values at points ``(n, d)``, and where it is."""
    if section.domain is not None:
        points = section.domain.project(points)
    values = variation(points) / section.norm(points)
    least = int(np.argmin(values))
    return (float(values[least]), points[least]) if values[least] < upper else (upper, best)


def _slopes(variation: FirstVariation, section: Section, u: Array, level: float) -> Array:
    """Return subgradients of F' - level norm at points ``(n, d)``."""
    V = variation.regularizer
    if isinstance(V, Callable) and not V.smooth:
        raise WassflowError(f"{V!r} has kinks: a certificate needs its subgradients")
    gradient = variation.features.pair_gradient(u, variation.slope) + V.subdifferential(u).gradient
    return gradient - level * section.norm_gradient(u)


def _bounds(
    variation: FirstVariation,
    section: Section,
    u: Array,
    radii: Array,
    slopes: Array,
    level: float,
    curvature: Curvature,
) -> Array:
    """Return lower bounds of F'/norm on boxes about ``u``, ``(n,)``.

    F' - level norm is bounded and divided by the norm, so that the bound is of second order where F'/norm is
    near ``level``, whichever the norm.
    """
    features, V, g = variation.features, variation.regularizer, variation.slope
    squares = np.einsum("ij,ij->i", radii, radii)
    if curvature.lipschitz is None:
        remainder = features.remainder(u, radii, g)
    else:
        remainder = 0.5 * curvature.lipschitz * squares
    semiconvexity = V.semiconvexity() if curvature.semiconvexity is None else curvature.semiconvexity
    # |u| is convex with second derivatives up to 1 where |u| >= 1, |u|^2 has second derivatives 2
    remainder += 0.5 * (max(semiconvexity, 0.0) + max(level, 0.0) * section.degree) * squares
    norm = section.norm(u)
    below = variation(u) - level * norm + _least_linear(section.domain, u, radii, slopes) - remainder
    if section.degree == 0:
        return level + below
    reach = np.linalg.norm(np.abs(u[:, section.first :]) + radii[:, section.first :], axis=1)
    # the norm is at least 1 on a face of the cube and at most that of the farthest corner
    return level + np.where(below < 0.0, below, below / reach**section.degree)


def _least_linear(domain: Domain | None, u: Array, radii: Array, slopes: Array) -> Array:
    """Return lower bounds of <slope, x - u> over the part of each box that is in Omega, ``(n,)``.

    Exact for boxes, and for one oblique wall n.x <= b: then it is the largest value over lambda >= 0 of the
    minimum over the box of <slope, x - u> + lambda (n.x - b), at a lambda where a coordinate of slope +
    lambda n vanishes. Without it every box on a wall along which F' is constant would be left.
    """
    least = -np.einsum("ij,ij->i", np.abs(slopes), radii)
    if not isinstance(domain, Polytope):
        return least
    for normal, offset in zip(domain.normals, domain.offsets, strict=True):
        outside = u @ normal - offset
        for axis in np.flatnonzero(normal):
            multiplier = np.maximum(-slopes[:, axis] / normal[axis], 0.0)
            tilted = np.abs(slopes + multiplier[:, None] * normal)
            least = np.maximum(least, multiplier * outside - np.einsum("ij,ij->i", tilted, radii))
    return least


def _start(section: Section) -> tuple[Array, Array]:
    """Return centres and halfwidths of the boxes of a section, divided into a grid, both ``(n, d)``."""
    centers, radii = [], []
    for lower, upper in zip(section.lower, section.upper, strict=True):
        free = np.flatnonzero(upper > lower)
        count = _START.get(free.size) or int(_START_BOXES ** (1.0 / free.size))
        parts = np.ones(section.dim, dtype=int)
        parts[free] = count
        radius = 0.5 * (upper - lower) / parts
        axes = [low + (2 * np.arange(n) + 1) * r for low, n, r in zip(lower, parts, radius, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, section.dim)
        centers.append(grid)
        radii.append(np.tile(radius, (len(grid), 1)))
    boxes = np.concatenate(centers), np.concatenate(radii)
    kept = _meets(section, *boxes)
    return boxes[0][kept], boxes[1][kept]


def _halved(section: Section, centers: Array, radii: Array, bounds: Array) -> tuple[Array, Array, Array]:
    """Return the boxes halved along their longest axes, with the bounds of their parents."""
    places = np.argsort(np.argsort(-radii, axis=1), axis=1)
    long = (radii >= _SAME_LENGTH * radii.max(axis=1, keepdims=True)) & (places < _HALVED)
    for axis in np.flatnonzero(long.any(axis=0)):
        rows = np.flatnonzero(long[:, axis])
        shift = np.zeros((rows.size, section.dim))
        radii[rows, axis] *= 0.5
        shift[:, axis] = radii[rows, axis]
        centers = np.concatenate([centers, centers[rows] + shift])
        centers[rows] -= shift
        radii, bounds = np.concatenate([radii, radii[rows]]), np.concatenate([bounds, bounds[rows]])
        long = np.concatenate([long, long[rows]])
    kept = _meets(section, centers, radii)
    return centers[kept], radii[kept], bounds[kept]


def _meets(section: Section, centers: Array, radii: Array) -> NDArray[np.bool_]:
    """Tell which boxes may meet Omega: those no farther from it than their half diagonal."""
    if section.domain is None:
        return np.ones(len(centers), dtype=bool)
    distance = np.linalg.norm(section.domain.project(centers) - centers, axis=1)
    return distance <= (1.0 + 1e-9) * np.linalg.norm(radii, axis=1)


def _rounding(variation: FirstVariation, u: Array) -> float:
    """Return a bound of the rounding errors of F', from the sizes of what it sums."""
    g = variation.slope
    terms = np.linalg.norm(g) * np.linalg.norm(variation.features.value(u), axis=1).max()
    return float(np.finfo(np.float64).eps * (g.size * terms + np.abs(variation.regularizer.value(u)).max()))
