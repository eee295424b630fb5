"""The element of least norm of -dG(u) - N(u) from values of G alone: a check on every formula for it."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

from wassflow.arguments import Array
from wassflow.domain import Box, Domain, Polytope

# Gradients are taken this far from u, at half and at a quarter of it, and extrapolated to u.
_REACH = 1e-3
# Directions are turned by this much, or a gradient would be asked for on a kink.
_TURN = 1e-4
# Central differences: far less than _REACH * _TURN.
_DIFFERENCE = 1e-8
# How far differences of two lengths are apart where G is smooth, and how often another ray is tried.
_SAME, _TURNS = 1e-6, 50
# A point this close to a wall is on it.
_ON_WALL = 1e-12
# Gradients that no longer shorten v by more than what differences resolve, so many times running, are enough.
_GAP = 1e-13
_PATIENCE = 12
_ITERATIONS = 200


def least_norm(value: Callable[[Array], Array], u: Array, normals: Array) -> Array:
    """Return the element of least norm of -dG(u) - cone(normals), ``(d,)``, to about 1e-4.

    dG(u) is the closed convex hull of limits of gradients near u (Clarke 1983, Theorem 2.5.1), for a G that
    is a convex function plus a smooth one. Of all g in dG(u) the one with the largest product with v is the
    limit of gradients at u + s v: so conditional gradients with full correction (Holloway 1974) find v, each
    step adding one gradient to a hull over which the least element is a quadratic problem. Only differences
    of values of G enter, which limits the accuracy.

    Args:
        value: G, ``(n, d) -> (n,)``.
        u: the point, ``(d,)``.
        normals: generators of the normal cone at u, ``(k, d)``.

    >>> v = least_norm(lambda u: np.abs(u[:, 0]) - 3.0 * u[:, 1], np.zeros(2), np.zeros((0, 2)))
    >>> v.round(5) + 0.0
    array([0., 3.])
    """
    rng = np.random.default_rng(0)
    gradients = [_gradient(value, u, rng.normal(size=u.size), rng) for _ in range(u.size + 1)]
    patience = _PATIENCE
    for _ in range(_ITERATIONS):
        v, nearest = _least_of_hull(np.array(gradients), normals)
        length = float(np.linalg.norm(v))
        if length <= np.sqrt(_GAP) or not patience:
            break
        gradients.append(_gradient(value, u, v / length, rng))
        patience = patience - 1 if v @ (gradients[-1] - nearest) <= _GAP else _PATIENCE
    return v


def normal_cone(domain: Domain, u: Array) -> Array:
    """Return the outward normals of the walls on which u lies, ``(k, d)``, one per flat wall.

    >>> normal_cone(Box([0.0, 0.0], [1.0, 1.0]), np.array([0.0, 0.5])) + 0.0
    array([[-1.,  0.]])
    """
    if isinstance(domain, Box):
        axes = np.eye(domain.dim)
        held = [
            sign * axes[axis]
            for axis in range(domain.dim)
            if not domain.periodic[axis]
            for sign, wall in ((-1.0, domain.lower[axis]), (1.0, domain.upper[axis]))
            if u[axis] == wall
        ]
        return np.array(held).reshape(-1, domain.dim)
    if isinstance(domain, Polytope):
        return domain.normals[domain.offsets - domain.normals @ u <= _ON_WALL]
    raise ValueError(f"domain must be a Box or a Polytope, found {type(domain).__name__}")


def _gradient(value: Callable[[Array], Array], u: Array, direction: Array, rng: np.random.Generator) -> Array:
    """The limit of the gradients of G along a ray into u, beside the given direction."""
    for _ in range(_TURNS):
        turned = direction + _TURN * rng.normal(size=u.size)
        ray = _REACH * turned / np.linalg.norm(turned)
        points = (u + ray, u + 0.5 * ray, u + 0.25 * ray)
        far, middle, near = (_differences(value, point, _DIFFERENCE) for point in points)
        longer = [_differences(value, point, 3.0 * _DIFFERENCE) for point in points]
        # across a kink a difference is no gradient, and depends on its length
        change = np.abs(np.array([far, middle, near]) - longer).max()
        if change <= _SAME * (1.0 + np.abs(near).max()):
            break
    return (8.0 * near - 6.0 * middle + far) / 3.0


def _differences(value: Callable[[Array], Array], point: Array, length: float) -> Array:
    """Central differences of G along the axes."""
    steps = length * np.eye(point.size)
    return (value(point + steps) - value(point - steps)) / (2.0 * length)


def _least_of_hull(gradients: Array, normals: Array) -> tuple[Array, Array]:
    """The least element of -hull(gradients) - cone(normals), and the point of the hull it leaves."""
    # Coefficients s (c, k), c on the simplex and k >= 0, of the nonnegative least-squares problem with one
    # more row for their sum: minimising |s v|^2 + (1 - s)^2 over s as well leaves the least |v|.
    rows = np.vstack([gradients, normals])
    sums = np.concatenate([np.ones(len(gradients)), np.zeros(len(normals))])
    coefficients, _ = nnls(
        np.vstack([rows.T, sums]), np.append(np.zeros(rows.shape[1]), 1.0), maxiter=100 * len(rows)
    )
    coefficients /= coefficients @ sums
    nearest = coefficients[: len(gradients)] @ gradients
    return -nearest - coefficients[len(gradients) :] @ normals, nearest
