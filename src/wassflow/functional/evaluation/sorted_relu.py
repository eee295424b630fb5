"""ReLU neurons of inputs in the plane, exactly, by sorting: O((n + N) log N) for n points and N inputs.

theta switches on the inputs within a right angle of its direction. In the order of their angles these are
consecutive, so that sums over them are differences of cumulative sums.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_vector
from wassflow.errors import WassflowError
from wassflow.functional.evaluation.wrapped import WrappedFeatures
from wassflow.functional.neurons import NeuronFeatures


class SortedReluFeatures(WrappedFeatures):
    """ReLU neurons with one or two input columns, evaluated without a loop over inputs at each point.

    Args:
        features: the neurons, for example of one input and a bias.

    Raises:
        WassflowError: for another activation or more columns.

    >>> neurons = NeuronFeatures([[1.0, 1.0], [2.0, -9.0]], "relu")
    >>> SortedReluFeatures(neurons).pair_gradient([[2.0, 3.0, 1.0]], [1.0, 1.0])
    array([[4., 2., 2.]])
    """

    dim: int

    def __init__(self, features: NeuronFeatures) -> None:
        columns = features.inputs.shape[1]
        if features.activation != "relu" or columns > 2:
            raise WassflowError(
                "sorting is for relu neurons of one or two input columns, "
                f"found {features.activation} and {columns}"
            )
        super().__init__(features)
        self._neurons = features
        inputs = np.zeros((self.size, 2))
        inputs[:, :columns] = features.inputs
        angles = np.arctan2(inputs[:, 1], inputs[:, 0])
        self._order = np.argsort(angles)
        # twice around, so that what is on is consecutive
        self._angles = np.concatenate([angles[self._order], angles[self._order] + 2.0 * np.pi])
        self._inputs = np.tile(inputs[self._order], (2, 1))

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i Phi(u_i), shape ``(N,)``, for points ``(n, d)`` and weights ``(n,)``."""
        u = self._points(u)
        weight, theta, _ = self._split(u)
        changes = np.zeros((2 * self.size + 1, 2))
        _switch(self._angles, self._inputs, theta, self._masses(u, weights) * weight, changes)
        sums = np.cumsum(changes[:-1], axis=0)
        result = np.empty(self.size)
        result[self._order] = np.einsum("ij,ij->i", self._inputs, sums).reshape(2, self.size).sum(axis=0)
        return result

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, shape ``(n,)``, for points ``(n, d)`` and g ``(N,)``."""
        weight, theta, _ = self._split(self._points(u))
        return weight * np.einsum("ij,ij->i", theta, self._sums(theta, g))

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, shape ``(n, d)``, for points ``(n, d)`` and g ``(N,)``."""
        u = self._points(u)
        weight, theta, chain = self._split(u)
        sums = self._sums(theta, g)
        result = np.empty(u.shape)
        first = int(self.weighted)
        if self.weighted:
            np.einsum("ij,ij->i", theta, sums, out=result[:, 0])
        np.multiply(sums[:, : self.dim - first], (weight * chain.T).T, out=result[:, first:])
        return result

    def _split(self, u: Array) -> tuple[Array, Array, Array]:
        """Return w, theta with two columns, and the derivative of the parametrisation."""
        weight, theta, chain = self._neurons.split(u)
        if theta.shape[1] < 2:
            theta = np.hstack([theta, np.zeros_like(theta)])
        return weight, theta, chain

    def _sums(self, theta: Array, g: ArrayLike) -> Array:
        """Return the sum of g_j x_j over the inputs that are on, ``(n, 2)``."""
        ordered = as_vector("g", g, self.size)[self._order]
        cumulative = np.zeros((2 * self.size + 1, 2))
        np.cumsum(np.tile(ordered, 2)[:, None] * self._inputs, axis=0, out=cumulative[1:])
        result = np.empty(theta.shape)
        _sum_over_active(self._angles, self._inputs, theta, cumulative, result)
        return result


@njit(cache=True, nogil=True, error_model="numpy")
def _active(angles, inputs, theta):
    """Return the range of inputs, in their order, for which <theta, x> > 0."""
    size = angles.size // 2
    start = np.arctan2(theta[1], theta[0]) - 0.5 * np.pi
    if start < -np.pi:
        start += 2.0 * np.pi
    first = np.searchsorted(angles, start)
    last = np.searchsorted(angles, start + np.pi)
    # angles are rounded: the sign of the product decides
    while first < last and theta[0] * inputs[first, 0] + theta[1] * inputs[first, 1] <= 0.0:
        first += 1
    while last > first and theta[0] * inputs[last - 1, 0] + theta[1] * inputs[last - 1, 1] <= 0.0:
        last -= 1
    while (
        first > 0
        and last - first < size
        and theta[0] * inputs[first - 1, 0] + theta[1] * inputs[first - 1, 1] > 0.0
    ):
        first -= 1
    while (
        last < 2 * size
        and last - first < size
        and theta[0] * inputs[last, 0] + theta[1] * inputs[last, 1] > 0.0
    ):
        last += 1
    return first, last


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_over_active(angles, inputs, theta, cumulative, result):
    for i in range(theta.shape[0]):
        first, last = _active(angles, inputs, theta[i])
        for k in range(2):
            result[i, k] = cumulative[last, k] - cumulative[first, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _switch(angles, inputs, theta, weights, changes):
    """Add weights times theta where the inputs that are on begin, and take it away where they end."""
    for i in range(theta.shape[0]):
        if weights[i] != 0.0:
            first, last = _active(angles, inputs, theta[i])
            for k in range(2):
                changes[first, k] += weights[i] * theta[i, k]
                changes[last, k] -= weights[i] * theta[i, k]
