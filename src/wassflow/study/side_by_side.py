"""Independent problems with the same features, moved together: one flow of many small ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_vector
from wassflow.cases.random_problems import Problem
from wassflow.errors import WassflowError
from wassflow.functional import Features, Functional, SquaredLoss


class SeparateFeatures(Features):
    """Features of which every one of ``copies`` equal runs of points has its own, (Phi, ..., Phi).

    Points come in ``copies`` consecutive runs of the same length. The flow of F_1(mu_1) + F_2(mu_2) + ...
    moves every mu_r as that of F_r does; what is gained is that a step costs one call for all.

    Args:
        features: Phi.
        copies: number of runs.

    >>> from wassflow.functional import CallableFeatures
    >>> identity = CallableFeatures(lambda u: u, lambda u: np.ones((len(u), 1, 1)), size=1, dim=1)
    >>> SeparateFeatures(identity, 2).moment([[1.0], [2.0], [3.0], [4.0]], np.ones(4))
    array([3., 7.])
    """

    def __init__(self, features: Features, copies: int) -> None:
        self.features = features
        self.copies = as_integer("copies", copies, least=1)
        self.size = self.copies * features.size
        self.dim = features.dim
        self.smooth = features.smooth

    def value(self, u: ArrayLike) -> Array:
        """Return Phi in the columns of each point's own copy, ``(n, copies N)``."""
        u = self._points(u)
        result = np.zeros((self.copies, len(u) // self.copies, self.copies, self.features.size))
        own = np.arange(self.copies)
        result[own, :, own] = self._runs(self.features.value(u))
        return result.reshape(len(u), self.size)

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives, ``(n, d, copies N)``."""
        u = self._points(u)
        result = np.zeros((self.copies, len(u) // self.copies, u.shape[1], self.copies, self.features.size))
        own = np.arange(self.copies)
        result[own, :, :, own] = self._runs(self.features.gradient(u))
        return result.reshape(*u.shape, self.size)

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return the moments of the runs one after the other, ``(copies N,)``."""
        u = self._points(u)
        masses = self._runs(self._masses(u, weights))
        return np.matmul(masses[:, None, :], self._runs(self.features.value(u))).ravel()

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g_r, Phi(u_i)>, r the run of point i, ``(n,)``."""
        u = self._points(u)
        return np.matmul(self._runs(self.features.value(u)), self._slopes(g)[:, :, None]).ravel()

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g_r, d_j Phi(u_i)>, ``(n, d)``."""
        u = self._points(u)
        gradients = self._runs(self.features.gradient(u))
        return np.matmul(gradients, self._slopes(g)[:, None, :, None]).reshape(u.shape)

    def _points(self, u: ArrayLike) -> Array:
        points = super()._points(u)
        if len(points) % self.copies:
            raise ValueError(f"u must hold {self.copies} runs of the same length, found {len(points)} points")
        return points

    def _runs(self, values: Array) -> Array:
        return values.reshape(self.copies, len(values) // self.copies, *values.shape[1:])

    def _slopes(self, g: ArrayLike) -> Array:
        return as_vector("g", g, self.size).reshape(self.copies, self.features.size)


def side_by_side(problems: Sequence[Problem]) -> Functional:
    """Return the sum of the functionals of problems that differ in the targets of their squared losses only.

    Raises:
        WassflowError: a loss that is not a squared one with the scale of the others.
    """
    first = problems[0].functional
    if len(problems) == 1:
        return first
    losses = [problem.functional.loss for problem in problems]
    squared = [loss for loss in losses if isinstance(loss, SquaredLoss) and loss.weights.ndim == 1]
    if len(squared) < len(losses) or len({loss.scale for loss in squared}) > 1:
        raise WassflowError("problems that are moved together must have squared losses of the same scale")
    loss = SquaredLoss(
        np.concatenate([loss.target for loss in squared]),
        weights=np.concatenate([loss.weights for loss in squared]),
        scale=squared[0].scale,
    )
    return Functional(SeparateFeatures(first.features, len(problems)), loss, first.regularizer)
