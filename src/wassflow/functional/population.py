"""Neurons at Gaussian inputs: Phi(u) as an element of L2 of the law of the data, and the loss in it.

That space has no basis to compute in, so its elements are written as sums of neurons, sum_j c_j
sigma(<theta_j, .>): an array with a row (c_j, theta_j) for each, laid out flat and filled up with zeros. All
that a flow asks for are inner products of neurons, which are known in closed form. Unlike a loss on finitely
many inputs, the loss is differentiable along ReLU neurons too (Chizat and Bach 2018, section 4.2), and cannot
be brought to zero by fitting every input.
"""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_points, as_vector, one_of
from wassflow.errors import WassflowError
from wassflow.functional.features import Features
from wassflow.functional.losses import Loss

_TWO_PI = 2.0 * np.pi


class GaussianNeurons(Features):
    """Phi(w, theta) = w sigma(<theta, x>) as a function of x in L2 of the standard Gaussian law of R^p.

    Inner products: for "relu" |a| |b| (sin phi + (pi - phi) cos phi) / (2 pi), phi the angle of a and b
    (arc-cosine kernel of order 1: Cho and Saul, Kernel methods for deep learning, 2009); for "sigmoid", here
    the normal distribution function, 1/4 + arcsin(<a, b> / sqrt((1 + |a|^2) (1 + |b|^2))) / (2 pi) (Williams,
    Computing with infinite networks, 1997).

    Args:
        activation: "relu" or "sigmoid".
        inputs: p, so that points (w, theta) have p + 1 coordinates.
        capacity: the largest number of neurons in a sum.

    A moment has shape (capacity (p + 1),). Elements cannot be added entry by entry, so that clouds that are
    spread over ranks and densities are refused.

    >>> relu = GaussianNeurons("relu", inputs=2, capacity=3)
    >>> f = relu.moment([[2.0, 1.0, 0.0]], [1.0])  # E relu(x)^2 = 1/2
    >>> relu.pair([[3.0, 1.0, 0.0]], f).round(12)
    array([3.])
    """

    weighted = True
    dim: int

    def __init__(self, activation: str, inputs: int, capacity: int) -> None:
        self.activation = one_of("activation", activation, ("relu", "sigmoid"))
        self.dim = as_integer("inputs", inputs, least=1) + 1
        self.capacity = as_integer("capacity", capacity, least=1)
        self.size = self.capacity * self.dim

    def value(self, u: ArrayLike) -> Array:
        """Raise a WassflowError: there is no basis."""
        raise WassflowError(
            "neurons at Gaussian inputs have no finitely many features: use their moment and pairings"
        )

    def gradient(self, u: ArrayLike) -> Array:
        """Raise a WassflowError: there is no basis."""
        return self.value(u)

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i w_i sigma(<theta_i, .>) as a row of neurons, ``(size,)``."""
        u = self._points(u)
        return self.element(u[:, 1:], self._masses(u, weights) * u[:, 0])

    def element(self, theta: Array, coefficients: Array) -> Array:
        """Return sum_j coefficients_j sigma(<theta_j, .>), ``(size,)``."""
        held = coefficients != 0.0
        count = int(held.sum())
        if count > self.capacity:
            raise ValueError(
                f"capacity must be at least the number of neurons, {count}, found {self.capacity}"
            )
        rows = np.zeros((self.capacity, self.dim))
        rows[:count, 0] = coefficients[held]
        rows[:count, 1:] = theta[held]
        return rows.ravel()

    def neurons(self, f: ArrayLike) -> tuple[Array, Array]:
        """Return coefficients ``(k,)`` and directions ``(k, p)`` of the neurons of an element."""
        rows = as_vector("f", f, self.size).reshape(self.capacity, self.dim)
        rows = rows[rows[:, 0] != 0.0]
        return rows[:, 0], rows[:, 1:]

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, ``(n,)``."""
        u = self._points(u)
        coefficients, theta = self.neurons(g)
        return u[:, 0] * (self.products(u[:, 1:], theta) @ coefficients)

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, ``(n, d)``."""
        u = self._points(u)
        coefficients, b = self.neurons(g)
        a = u[:, 1:]
        result = np.empty_like(u)
        if self.activation == "relu":
            norms, others, cosines = _cosines(a, b)
            sines, turned = np.sqrt(1.0 - cosines * cosines), np.arccos(-cosines)
            products = norms[:, None] * others * (sines + turned * cosines) / _TWO_PI
            along = np.divide(
                sines @ (coefficients * others), norms, out=np.zeros_like(norms), where=norms > 0.0
            )
            result[:, 1:] = (along[:, None] * a + (turned * coefficients) @ b) / _TWO_PI
        else:
            # with s = <a, b> / sqrt(A B): d arcsin(s) = (b / sqrt(A B) - s a / A) / sqrt(1 - s^2)
            one, other, s = _shares(a, b)
            products = 0.25 + np.arcsin(s) / _TWO_PI
            slopes = coefficients / (_TWO_PI * np.sqrt(1.0 - s * s))
            along = (slopes * s).sum(axis=1) / one
            result[:, 1:] = (slopes / np.sqrt(one[:, None] * other)) @ b - along[:, None] * a
        result[:, 0] = products @ coefficients
        result[:, 1:] *= u[:, :1]
        return result

    def products(self, a: Array, b: Array) -> Array:
        """Return the inner products of sigma(<a_i, .>) and sigma(<b_j, .>), ``(n, k)``."""
        if self.activation == "sigmoid":
            return 0.25 + np.arcsin(_shares(a, b)[2]) / _TWO_PI
        norms, others, cosines = _cosines(a, b)
        sines, turned = np.sqrt(1.0 - cosines * cosines), np.arccos(-cosines)
        return norms[:, None] * others * (sines + turned * cosines) / _TWO_PI


def _cosines(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return norms of a and b, and the cosines of their angles (0 for a zero), ``(n, k)``."""
    norms, others = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    lengths = norms[:, None] * others
    cosines = np.divide(a @ b.T, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    return norms, others, np.clip(cosines, -1.0, 1.0)


def _shares(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return 1 + |a|^2, 1 + |b|^2 and <a, b> over the root of their products; the last is below 1."""
    one, other = 1.0 + np.einsum("ij,ij->i", a, a), 1.0 + np.einsum("ij,ij->i", b, b)
    return one, other, (a @ b.T) / np.sqrt(one[:, None] * other)


class PopulationLoss(Loss):
    """R(f) = scale/2 E (f(x) - y(x))^2 over Gaussian x, y a network of the same neurons.

    Args:
        features: Phi; its capacity must hold the neurons of f and y together.
        teacher: neurons (w, theta) of y, ``(k, p + 1)``.
        scale: nonnegative factor.

    >>> relu = GaussianNeurons("relu", inputs=1, capacity=2)
    >>> PopulationLoss(relu, [[2.0, 1.0]]).value(np.zeros(4)).__round__(12)
    1.0
    """

    quadratic = True
    infimum = 0.0

    def __init__(self, features: GaussianNeurons, teacher: ArrayLike, scale: float = 1.0) -> None:
        neurons = as_points("teacher", teacher, features.dim)
        self.features = features
        self.size = features.size
        self.scale = as_number("scale", scale, least=0.0)
        self.target = features.element(neurons[:, 1:], neurons[:, 0])

    def value(self, f: ArrayLike) -> float:
        """Return R(f)."""
        return 0.5 * self.curvature(self._difference(f))

    def gradient(self, f: ArrayLike) -> Array:
        """Return R'(f) = scale (f - y) as a sum of neurons."""
        rows = self._difference(f).reshape(self.features.capacity, self.features.dim)
        rows[:, 0] *= self.scale
        return rows.ravel()

    def curvature(self, df: ArrayLike) -> float:
        """Return scale E df(x)^2."""
        coefficients, theta = self.features.neurons(df)
        # a trial step may throw neurons far away: the flow then takes back what is not finite
        with np.errstate(over="ignore", invalid="ignore"):
            return self.scale * float(coefficients @ self.features.products(theta, theta) @ coefficients)

    def slope_norm(self, f: ArrayLike) -> float:
        """Return the dual norm of R'(f), sqrt(2 R(f))."""
        return float(np.sqrt(2.0 * self.value(f)))

    def _difference(self, f: ArrayLike) -> Array:
        coefficients, theta = self.features.neurons(self._moment("f", f))
        known, directions = self.features.neurons(self.target)
        return self.features.element(
            np.concatenate([theta, directions]), np.concatenate([coefficients, -known])
        )

    def coordinates(self, units: ArrayLike) -> tuple[Array, Array]:
        """Return rows ``(m, r)`` and a target ``(r,)`` with R(sum_i c_i Phi(u_i)) = |target - c rows|^2 / 2.

        They are coordinates in the span of these neurons and the teacher's, from the eigenvectors of their
        Gram matrix.
        """
        points = as_points("units", units, self.features.dim)
        known, directions = self.features.neurons(self.target)
        theta = np.concatenate([points[:, 1:], directions])
        eigenvalues, vectors = np.linalg.eigh(self.scale * self.features.products(theta, theta))
        coordinates = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
        rows = points[:, :1] * coordinates[: len(points)]
        return rows, known @ coordinates[len(points) :]
