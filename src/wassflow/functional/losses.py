"""Losses R: R^N -> R, convex functions of the moment f = int Phi dmu."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from wassflow.arguments import Array, as_number, as_points, as_vector, as_weights


class Loss(ABC):
    """The convex, differentiable loss R of F(mu) = R(int Phi dmu) + int V dmu.

    Attributes:
        size: N, number of features the loss expects.
        quadratic: whether R is a quadratic function, so that :meth:`curvature` is exact.
        infimum: a lower bound of R, for duality gaps.
    """

    size: int
    quadratic: bool
    infimum: float = -np.inf

    @abstractmethod
    def value(self, f: ArrayLike) -> float:
        """Return R(f) for f ``(N,)``."""

    @abstractmethod
    def gradient(self, f: ArrayLike) -> Array:
        """Return R'(f), shape ``(N,)``."""

    @abstractmethod
    def curvature(self, df: ArrayLike) -> float:
        """Return a bound of <R''(f) df, df> from above, valid for every f (the value if R is quadratic)."""

    @property
    def metric(self) -> Array:
        """The metric of ||f||^2 = <f, metric f>, ``(N,)`` or ``(N, N)``; :meth:`slope_norm` is its dual."""
        return np.ones(self.size)

    def slope_norm(self, f: ArrayLike) -> float:
        """Return the dual norm of R'(f): |<R'(f), r>| <= slope_norm(f) ||r|| for every r."""
        return float(np.linalg.norm(self.gradient(f)))

    def _moment(self, name: str, f: ArrayLike) -> Array:
        moment = np.asarray(f, dtype=np.float64)
        if moment.shape != (self.size,):
            raise ValueError(f"{name} must have shape ({self.size},), found shape {moment.shape}")
        return moment


class SquaredLoss(Loss):
    """R(f) = scale/2 <f - target, W (f - target)>.

    Args:
        target: y, shape ``(N,)``.
        weights: nonnegative ``(N,)`` for a diagonal W, or a symmetric positive semidefinite ``(N, N)``
            matrix; the identity if not given.
        scale: nonnegative factor; 0 makes R vanish.

    Raises:
        ValueError: for a shape that does not fit, a negative weight, a matrix that is not symmetric or not
            positive semidefinite (beyond rounding), a negative scale.

    >>> loss = SquaredLoss([1.0, 0.0], weights=[2.0, 1.0])
    >>> loss.value([0.0, 1.0]), loss.gradient([0.0, 1.0]), loss.curvature([1.0, 1.0])
    (1.5, array([-2.,  1.]), 3.0)
    """

    quadratic = True
    infimum = 0.0

    def __init__(self, target: ArrayLike, weights: ArrayLike | None = None, scale: float = 1.0):
        self.target = as_vector("target", target)
        self.size = self.target.size
        self.scale = as_number("scale", scale, least=0.0)
        self.weights: Array
        if weights is None:
            self.weights = np.ones(self.size)
        elif np.ndim(weights) == 2:
            self.weights = _positive_semidefinite("weights", weights, self.size)
        else:
            self.weights = as_weights("weights", weights, self.size)

    def value(self, f: ArrayLike) -> float:
        """Return R(f) for f ``(N,)``."""
        return 0.5 * self.curvature(self._moment("f", f) - self.target)

    def gradient(self, f: ArrayLike) -> Array:
        """Return R'(f), shape ``(N,)``."""
        return self.scale * self._weighted(self._moment("f", f) - self.target)

    def curvature(self, df: ArrayLike) -> float:
        """Return <R'' df, df>, the same for every f."""
        df = self._moment("df", df)
        return float(self.scale * (df @ self._weighted(df)))

    @property
    def metric(self) -> Array:
        """scale W, so that R is half a squared norm."""
        return self.scale * self.weights

    def slope_norm(self, f: ArrayLike) -> float:
        """Return the dual norm of R'(f), which is ||f - target|| = sqrt(2 R(f))."""
        return float(np.sqrt(2.0 * self.value(f)))

    def _weighted(self, df: Array) -> Array:
        return self.weights * df if self.weights.ndim == 1 else self.weights @ df


class LogisticLoss(Loss):
    """R(f) = sum_j weights_j log(1 + exp(-labels_j f_j)).

    Args:
        labels: ``(N,)``, each -1 or +1.
        weights: nonnegative ``(N,)``; ones if not given (1/N makes R a mean).

    Raises:
        ValueError: for a label other than -1 and +1, a negative weight, a shape that does not fit.

    >>> loss = LogisticLoss([1, -1])
    >>> round(loss.value([0.0, 0.0]), 6), loss.gradient([0.0, 0.0])
    (1.386294, array([-0.5,  0.5]))
    >>> loss.value([-1000.0, 0.0]) > 1000.0
    True
    """

    quadratic = False
    infimum = 0.0

    def __init__(self, labels: ArrayLike, weights: ArrayLike | None = None):
        self.labels = as_vector("labels", labels)
        self.size = self.labels.size
        wrong = np.flatnonzero(np.abs(self.labels) != 1.0)
        if wrong.size:
            raise ValueError(f"labels must be -1 or +1, found {self.labels[wrong[0]]} at index {wrong[0]}")
        self.weights = np.ones(self.size) if weights is None else as_weights("weights", weights, self.size)

    def value(self, f: ArrayLike) -> float:
        """Return R(f) for f ``(N,)``."""
        return float(self.weights @ np.logaddexp(0.0, -self.labels * self._moment("f", f)))

    def gradient(self, f: ArrayLike) -> Array:
        """Return R'(f), shape ``(N,)``."""
        return -self.weights * self.labels * expit(-self.labels * self._moment("f", f))

    def curvature(self, df: ArrayLike) -> float:
        """Return 1/4 sum_j weights_j df_j^2, the largest <R''(f) df, df>, attained at f = 0."""
        return float(0.25 * (self.weights @ self._moment("df", df) ** 2))

    @property
    def metric(self) -> Array:
        """The weights."""
        return self.weights

    def slope_norm(self, f: ArrayLike) -> float:
        """Return the dual norm of R'(f), at most the root of the sum of the weights."""
        return float(np.sqrt(self.weights @ expit(-self.labels * self._moment("f", f)) ** 2))


def _positive_semidefinite(name: str, value: ArrayLike, size: int) -> Array:
    """Return a symmetric positive semidefinite ``(size, size)`` matrix."""
    matrix = symmetric_matrix(name, value, size)
    eigenvalues = np.linalg.eigvalsh(matrix)
    # An eigenvalue that is zero in exact arithmetic comes out at a few rounding errors of the largest.
    if eigenvalues.size and eigenvalues[0] < -size * 1e-14 * np.abs(eigenvalues).max():
        raise ValueError(f"{name} must be positive semidefinite, found the eigenvalue {eigenvalues[0]}")
    return matrix


def symmetric_matrix(name: str, value: ArrayLike, size: int | None = None) -> Array:
    """Return a finite symmetric matrix, made exactly symmetric; ``size`` fixes its number of rows."""
    matrix = as_points(name, value)
    if matrix.shape[0] != matrix.shape[1] or (size is not None and matrix.shape[0] != size):
        wanted = "square" if size is None else f"({size}, {size})"
        raise ValueError(f"{name} must have shape {wanted}, found shape {matrix.shape}")
    defect = np.abs(matrix - matrix.T).max(initial=0.0)
    if defect > 1e-12 * np.abs(matrix).max(initial=0.0):
        raise ValueError(
            f"{name} must be symmetric, found entries that differ by {defect} from their transpose"
        )
    return 0.5 * (matrix + matrix.T)
