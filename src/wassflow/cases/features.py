"""Features of the exact solutions: classes, so that cases built on them can be sent to other processes."""

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_vector
from wassflow.functional import Features
from wassflow.functional.features import metric_norm


class _Coordinatewise(Features):
    """Phi(u)_j = phi(u_j) in dimension d = N."""

    def __init__(self, dim: int) -> None:
        self.dim: int = as_integer("dim", dim, least=1)
        self.size = self.dim

    @abstractmethod
    def slopes(self, u: Array) -> Array:
        """Return phi'(u_j), ``(n, d)``."""

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives, ``(n, d, d)``, diagonal."""
        u = self._points(u)
        result = np.zeros((len(u), self.size, self.size))
        diagonal = np.arange(self.size)
        result[:, diagonal, diagonal] = self.slopes(u)
        return result

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return g_j phi'(u_j), ``(n, d)``."""
        return as_vector("g", g, self.size) * self.slopes(self._points(u))


class MeanFeatures(_Coordinatewise):
    """Phi(u) = u in dimension ``dim``.

    >>> MeanFeatures(2).moment([[1.0, 2.0], [3.0, 0.0]], [0.5, 0.5])
    array([2., 1.])
    """

    def value(self, u: ArrayLike) -> Array:
        """Return u."""
        return self._points(u).copy()

    def slopes(self, u: Array) -> Array:
        """Return ones."""
        return np.ones_like(u)

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return 0."""
        return 0.0


class CosineFeatures(_Coordinatewise):
    """Phi(u) = (cos u_1, .., cos u_d).

    >>> CosineFeatures(2).value([[0.0, np.pi]])
    array([[ 1., -1.]])
    """

    def value(self, u: ArrayLike) -> Array:
        """Return the cosines, ``(n, d)``."""
        return np.cos(self._points(u))

    def slopes(self, u: Array) -> Array:
        """Return minus the sines."""
        return -np.sin(u)

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return the root of the largest eigenvalue of the metric: D^2 Phi[e, e] = -(cos u_j e_j^2)_j."""
        weights = np.asarray(metric, dtype=np.float64)
        return float(np.sqrt(weights.max() if weights.ndim == 1 else np.linalg.eigvalsh(weights)[-1]))


class HalfSquaredNorm(Features):
    """Phi(u) = |u|^2/2, N = 1.

    >>> HalfSquaredNorm(2).value([[3.0, 4.0]])
    array([[12.5]])
    """

    def __init__(self, dim: int) -> None:
        self.dim: int = as_integer("dim", dim, least=1)
        self.size = 1

    def value(self, u: ArrayLike) -> Array:
        """Return |u|^2/2, ``(n, 1)``."""
        u = self._points(u)
        return 0.5 * np.einsum("ij,ij->i", u, u)[:, None]

    def gradient(self, u: ArrayLike) -> Array:
        """Return u, ``(n, d, 1)``."""
        return self._points(u)[:, :, None].copy()

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return the root of the metric: D^2 Phi[e, e] = |e|^2."""
        return metric_norm(metric, np.ones(1))
