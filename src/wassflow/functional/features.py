"""Features Phi: R^d -> R^N, and the integrals and pairings a flow needs of them."""

from abc import ABC, abstractmethod
from collections import abc

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array, as_integer, as_vector, shaped_points
from wassflow.errors import WassflowError

# Largest number of floats a block of Phi or of its gradient may hold (8 MiB): the memory of an evaluation
# does not depend on the number of points.
BLOCK_FLOATS = 1 << 20


class Features(ABC):
    """The map Phi: R^d -> R^N of F(mu) = R(int Phi dmu) + int V dmu (Chizat and Bach 2018, section 2).

    A subclass gives :meth:`value` and :meth:`gradient`. The integrals and pairings below are then evaluated
    block by block; a subclass with structure overrides them so that even a block is not formed.

    Attributes:
        size: N, number of features.
        dim: d, dimension of a point; ``None`` if the features do not know it.
        smooth: whether Phi has continuous derivatives of all orders, as a method of high order needs them.
        weighted: whether column 0 of u is a factor, Phi(w, theta) = w phi(theta).
        revision: what a flow evaluates before and after it changes may differ by more than rounding.
    """

    size: int
    dim: int | None
    smooth: bool = True
    weighted: bool = False
    revision: int = 0

    @abstractmethod
    def value(self, u: ArrayLike) -> Array:
        """Return Phi at points ``(n, d)`` as an ``(n, N)`` array."""

    @abstractmethod
    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives d_j Phi at points ``(n, d)`` as an ``(n, d, N)`` array."""

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i Phi(u_i), shape ``(N,)``, for points ``(n, d)`` and weights ``(n,)``."""
        u, weights = self._points(u), self._masses(u, weights)
        total = np.zeros(self.size)
        for rows in self._blocks(u.shape[0], self.size):
            total += weights[rows] @ self.value(u[rows])
        return total

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, shape ``(n,)``, for points ``(n, d)`` and g ``(N,)``."""
        u, g = self._points(u), as_vector("g", g, self.size)
        result = np.empty(u.shape[0])
        for rows in self._blocks(u.shape[0], self.size):
            result[rows] = self.value(u[rows]) @ g
        return result

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, shape ``(n, d)``, for points ``(n, d)`` and g ``(N,)``."""
        u, g = self._points(u), as_vector("g", g, self.size)
        result = np.empty(u.shape)
        for rows in self._blocks(u.shape[0], self.size * u.shape[1]):
            result[rows] = self.gradient(u[rows]) @ g
        return result

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return a bound of Lip(DPhi) in the box [lower, upper], for stability bounds.

        That is a number L with ||D^2 Phi(u)[e, e]|| <= L |e|^2 for u in the box, hence
        ||Phi(x) - Phi(y) - DPhi(y)(x - y)|| <= L/2 |x - y|^2.

        Args:
            lower, upper: corners of a box, ``(d,)``; infinite where the bound does not need them.
            metric: of the norm ||f||^2 = <f, metric f>: nonnegative ``(N,)``, or a positive semidefinite
                ``(N, N)`` matrix.

        Raises:
            WassflowError: if it is not known, or there is none.
        """
        raise WassflowError(f"Lip(DPhi) of {type(self).__name__} is not known: give it as lipschitz")

    def remainder(self, u: ArrayLike, radius: ArrayLike, g: ArrayLike) -> Array:
        """Bound how far <g, Phi> can fall below its tangent planes.

        That is r_i with <g, Phi(x)> >= <g, Phi(u_i)> + <grad, x - u_i> - r_i for |x - u_i| <= radius_i
        coordinatewise, here 1/2 |g| Lip(DPhi) |radius_i|^2 with the constant of the box around all of them.

        Args:
            u: points ``(n, d)``.
            radius: nonnegative ``(n, d)``.
            g: ``(N,)``.

        Returns:
            r ``(n,)``.

        Raises:
            WassflowError: if Lip(DPhi) is not known, or infinite.
        """
        u, radius = self._points(u), self._points(radius)
        g = as_vector("g", g, self.size)
        lipschitz = self.lipschitz_gradient(
            (u - radius).min(axis=0), (u + radius).max(axis=0), np.ones(self.size)
        )
        return 0.5 * float(np.linalg.norm(g)) * lipschitz * np.einsum("ij,ij->i", radius, radius)

    def creases(self, u: ArrayLike) -> Array:
        """Return functions of u in whose zeros the gradient of Phi jumps, ``(n, k)``; none if k = 0."""
        return np.zeros((len(np.asarray(u)), 0))

    def crease_gradient(self, u: ArrayLike, crease: NDArray[np.intp]) -> Array:
        """Return the gradient of function ``crease[i]`` of :meth:`creases` at u_i, ``(n, d)``."""
        raise WassflowError(f"{type(self).__name__} have no creases")

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether Phi is known to be positively homogeneous: Phi(r u) = r^degree Phi(u) for r > 0.

        Args:
            degree: of homogeneity.
            part: what is scaled: "weight" (column 0), "theta" (the other columns) or "all".
        """
        return False

    def _points(self, u: ArrayLike) -> Array:
        return shaped_points("u", u, self.dim)

    @staticmethod
    def _masses(u: ArrayLike, weights: ArrayLike) -> Array:
        masses = np.ascontiguousarray(weights, dtype=np.float64)
        if masses.shape != np.shape(u)[:1]:
            raise ValueError(
                f"weights must have shape {np.shape(u)[:1]}, one for each point, found {masses.shape}"
            )
        return masses

    @staticmethod
    def _blocks(rows: int, floats_per_row: int) -> abc.Iterator[slice]:
        step = max(1, BLOCK_FLOATS // max(1, floats_per_row))
        for start in range(0, rows, step):
            yield slice(start, min(start + step, rows))


class CallableFeatures(Features):
    """Features given by two functions of the user.

    Args:
        value: function of points ``(n, d)`` that returns Phi, ``(n, N)``.
        gradient: function of points ``(n, d)`` that returns the partial derivatives, ``(n, d, N)``.
        size: N.
        dim: d, if the functions work for one dimension only.

    Raises:
        ValueError: if an argument is not callable, or, at the call, if a function returns another shape or
            values that are not real numbers.

    >>> features = CallableFeatures(lambda u: u**2, lambda u: 2 * u[:, :, None] * np.eye(2), size=2)
    >>> features.moment([[1.0, 2.0], [3.0, 0.0]], [0.5, 0.5])
    array([5., 2.])
    >>> features.pair_gradient([[1.0, 2.0]], [1.0, 1.0])
    array([[2., 4.]])
    """

    def __init__(
        self,
        value: abc.Callable[[Array], ArrayLike],
        gradient: abc.Callable[[Array], ArrayLike],
        size: int,
        dim: int | None = None,
    ):
        self._value = checked_function("value", value)
        self._gradient = checked_function("gradient", gradient)
        self.size = as_integer("size", size, least=1)
        self.dim = None if dim is None else as_integer("dim", dim, least=1)

    def value(self, u: ArrayLike) -> Array:
        """Return Phi at points ``(n, d)`` as an ``(n, N)`` array."""
        u = self._points(u)
        return user_array("value(u) of CallableFeatures", self._value, u, (u.shape[0], self.size), "(n, N)")

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives d_j Phi at points ``(n, d)`` as an ``(n, d, N)`` array."""
        u = self._points(u)
        return user_array(
            "gradient(u) of CallableFeatures", self._gradient, u, (*u.shape, self.size), "(n, d, N)"
        )


def as_corner(name: str, value: ArrayLike, dim: int) -> Array:
    """Return the corner of a box, ``(dim,)``; infinite entries are allowed."""
    corner = np.asarray(value, dtype=np.float64)
    if corner.shape != (dim,) or np.any(np.isnan(corner)):
        raise ValueError(f"{name} must have shape ({dim},) and no NaN, found {value!r}")
    return corner


def metric_norm(metric: ArrayLike, bounds: Array) -> float:
    """Return the largest norm sqrt(<f, metric f>) of vectors with |f_j| <= bounds_j.

    >>> metric_norm([1.0, 4.0], np.array([3.0, 2.0])), metric_norm([[1.0, -0.5], [-0.5, 1.0]], np.ones(2))
    (5.0, 1.7320508075688772)
    """
    weights = np.abs(np.asarray(metric, dtype=np.float64))
    square = weights @ bounds**2 if weights.ndim == 1 else bounds @ weights @ bounds
    return float(np.sqrt(square))


def largest_quadratic(cross: float, square: float) -> float:
    """Return the largest 2 a b cross + b^2 square over the unit circle a^2 + b^2 = 1, both nonnegative.

    >>> largest_quadratic(0.0, 3.0), largest_quadratic(1.0, 0.0)
    (3.0, 1.0)
    """
    return 0.5 * (square + float(np.hypot(square, 2.0 * cross)))


def checked_function[Function: abc.Callable](name: str, function: Function) -> Function:
    """Return ``function`` if it can be called."""
    if not callable(function):
        raise ValueError(f"{name} must be a function, found {type(function).__name__}")
    return function


def user_array(
    name: str, function: abc.Callable[..., ArrayLike], u: Array, shape: tuple[int, ...], letters: str, *args
) -> Array:
    """Return ``function(u, *args)`` after a check of its shape; no points, no call."""
    if u.shape[0] == 0:
        return np.zeros(shape)
    result = function(u, *args)
    try:
        array = np.ascontiguousarray(result, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must return real numbers, found {type(result).__name__}: {error}") from None
    if array.shape != shape:
        raise ValueError(
            f"{name} must return shape {letters} = {shape} for points of shape {u.shape}, found {array.shape}"
        )
    return array
