"""Between g in R^N and coefficients on the tensor basis of the axes of a table, both ways.

For phi(t) = sum over basis functions b of C_b b(t), C_b in R^N, a core applies C to g and its transpose to
sums against the basis.
"""

from abc import ABC, abstractmethod

import numpy as np

from wassflow.arguments import Array
from wassflow.functional.spikes import SpikeFeatures


class Core(ABC):
    """The map C and its transpose."""

    @abstractmethod
    def apply(self, g: Array) -> Array:
        """Return the coefficients of <g, phi>, ``(n_1, ..., n_q)``, for g ``(N,)``."""

    @abstractmethod
    def transpose(self, sums: Array) -> Array:
        """Return the sum over b of sums_b C_b, ``(N,)``."""


class ReducedCore(Core):
    """C = coefficients times the transpose of an orthonormal basis of the space that phi spans.

    Args:
        coefficients: of the components of phi in that basis, ``(n_1, ..., n_q, r)``.
        span: the basis, ``(N, r)``; ``None`` for that of R^N.

    >>> core = ReducedCore(np.array([[1.0], [2.0]]), np.array([[0.6], [0.8]]))
    >>> core.apply(np.array([1.0, 1.0])), core.transpose(np.array([1.0, 0.0]))
    (array([1.4, 2.8]), array([0.6, 0.8]))
    """

    def __init__(self, coefficients: Array, span: Array | None) -> None:
        self._shape = coefficients.shape[:-1]
        self._matrix = np.ascontiguousarray(coefficients.reshape(-1, coefficients.shape[-1]))
        self._span = span

    def apply(self, g: Array) -> Array:
        """Return the coefficients of <g, phi>."""
        reduced = g if self._span is None else g @ self._span
        return (self._matrix @ reduced).reshape(self._shape)

    def transpose(self, sums: Array) -> Array:
        """Return the sum over b of sums_b C_b."""
        reduced = sums.ravel() @ self._matrix
        return reduced if self._span is None else self._span @ reduced


class SpikeCore(Core):
    """The trigonometric polynomials of spikes: C is known, and diagonal but for their samples."""

    def __init__(self, features: SpikeFeatures) -> None:
        self._features = features

    def apply(self, g: Array) -> Array:
        """Return the coefficients of <g, phi>."""
        return self._features.polynomial(g)

    def transpose(self, sums: Array) -> Array:
        """Return the sum over b of sums_b C_b."""
        return self._features.observe(sums)
