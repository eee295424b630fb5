"""One axis of a table: a spectral basis, and its expansion into polynomials on cells.

Functions along an axis are combinations of n basis functions, which resolve them to almost any accuracy.
For evaluation at many points they are expanded into polynomials on cells of equal length, through Lobatto
points, so that neighbours agree at the point they share. The transpose of the expansion turns what was
collected on the cells into sums against the basis.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from scipy import fft

from wassflow.arguments import Array


class Axis(ABC):
    """A basis of ``size`` functions on an interval, and cells on it.

    Attributes:
        lower, upper: ends of the interval.
        size: n.
        cells: number of cells.
        width: number of coefficients of the polynomial on a cell.
        periodic: whether the functions have the length of the interval as a period.
    """

    periodic: bool

    def __init__(self, lower: float, upper: float, size: int, cells: int, width: int) -> None:
        self.lower, self.upper, self.size = lower, upper, size
        self.cells, self.width = cells, width
        # where the polynomial on a cell is the function, in its local coordinate, both ends among them
        self._lobatto = -np.cos(np.pi * np.arange(width) / (width - 1.0))
        # from values there to the coefficients of monomials
        self._to_monomials = np.linalg.inv(polynomial.polyvander(self._lobatto, width - 1))

    @abstractmethod
    def with_cells(self, cells: int) -> "Axis":
        """Return the same basis with at least so many cells."""

    @abstractmethod
    def expand(self, coefficients: Array) -> Array:
        """Return the monomials of functions, ``(n, k)`` to ``(cells, width, k)``."""

    @abstractmethod
    def collect(self, monomials: Array) -> Array:
        """Apply the transpose of :meth:`expand`, ``(cells, width, k)`` to ``(n, k)``."""

    def evaluate(self, coefficients: Array, t: Array) -> tuple[Array, Array]:
        """Return functions ``(n, k)`` and their derivatives at t ``(m,)`` as their expansions have them."""
        per_length = self.cells / (self.upper - self.lower)
        cell = np.clip(((t - self.lower) * per_length).astype(np.int64), 0, self.cells - 1)
        powers = polynomial.polyvander(2.0 * ((t - self.lower) * per_length - cell) - 1.0, self.width - 1)
        slopes = np.zeros_like(powers)
        slopes[:, 1:] = 2.0 * per_length * np.arange(1, self.width) * powers[:, :-1]
        monomials = self.expand(coefficients)[cell]
        return np.einsum("ma,mak->mk", powers, monomials), np.einsum("ma,mak->mk", slopes, monomials)


class ChebyshevAxis(Axis):
    """Polynomials in one variable, by their values at Chebyshev points ``nodes``.

    >>> axis = ChebyshevAxis(0.0, 2.0, size=4, cells=3)
    >>> values, slopes = axis.evaluate(axis.nodes[:, None] ** 3, np.array([1.5]))
    >>> round(float(values[0, 0]), 12), round(float(slopes[0, 0]), 12)
    (3.375, 6.75)
    """

    periodic = False

    def __init__(self, lower: float, upper: float, size: int, cells: int = 1, width: int = 8) -> None:
        super().__init__(lower, upper, size, cells, width)
        x = np.cos((np.arange(size) + 0.5) * (np.pi / size))
        self.nodes = lower + 0.5 * (1.0 + x) * (upper - lower)
        steps = np.arange(cells)[:, None] + 0.5 * (1.0 + self._lobatto)
        values, _ = self.basis(lower + (upper - lower) / cells * steps.ravel())
        self._expansion = (self._to_monomials @ values.reshape(cells, width, size)).reshape(-1, size)

    def with_cells(self, cells: int) -> Axis:
        """Return the same basis with another number of cells."""
        return ChebyshevAxis(self.lower, self.upper, self.size, cells, self.width)

    def basis(self, t: Array) -> tuple[Array, Array]:
        """Return the Lagrange polynomials of the nodes and their derivatives at t ``(m,)``, ``(m, n)``."""
        n, per_length = self.size, 2.0 / (self.upper - self.lower)
        # sum over k of T_k(x) T_k(node) 2/n, half of it for k = 0: the T_k are orthogonal on the nodes
        there = np.cos(np.outer(np.arange(n), (np.arange(n) + 0.5) * (np.pi / n))) * (2.0 / n)
        there[0] *= 0.5
        here = chebyshev.chebvander((t - self.lower) * per_length - 1.0, n - 1)
        slope = per_length * chebyshev.chebder(there) if n > 1 else np.zeros((1, n))
        return here @ there, here[:, : max(n - 1, 1)] @ slope

    def expand(self, coefficients: Array) -> Array:
        """Return the monomials of functions, ``(n, k)`` to ``(cells, width, k)``."""
        return (self._expansion @ coefficients).reshape(self.cells, self.width, -1)

    def collect(self, monomials: Array) -> Array:
        """Apply the transpose of :meth:`expand`, ``(cells, width, k)`` to ``(n, k)``."""
        return self._expansion.T @ monomials.reshape(self.cells * self.width, -1)


class FourierAxis(Axis):
    """Trigonometric polynomials 1, cos 1, ..., cos K, sin 1, ..., sin K on [0, period]; n = 2 K + 1.

    Values at equidistant points, one in each cell, are a Fourier transform: an expansion costs as much as
    ``width`` of them. There are more than 2 K cells, of a number that transforms are fast for.

    >>> axis = FourierAxis(2.0, order=1, cells=16)
    >>> values, slopes = axis.evaluate(np.array([[0.0], [0.0], [1.0]]), np.array([0.25]))
    >>> round(float(values[0, 0]), 9), round(float(slopes[0, 0] / np.pi), 7)
    (0.707106781, 0.7071068)
    """

    periodic = True

    def __init__(self, period: float, order: int, cells: int, width: int = 8) -> None:
        cells = int(fft.next_fast_len(max(cells, 2 * order + 1), real=True))
        super().__init__(0.0, period, 2 * order + 1, cells, width)
        self.order = order
        turns = 0.5 * (1.0 + self._lobatto[:-1, None]) / cells * np.arange(order + 1)
        self._phases = np.exp(2j * np.pi * np.mod(turns, 1.0))[:, None]

    def with_cells(self, cells: int) -> Axis:
        """Return the same basis with at least so many cells."""
        return FourierAxis(self.upper, self.order, cells, self.width)

    def expand(self, coefficients: Array) -> Array:
        """Return the monomials of functions, ``(n, k)`` to ``(cells, width, k)``."""
        waves = np.ascontiguousarray(coefficients[: self.order + 1].T, dtype=complex)
        waves[:, 1:] -= 1j * coefficients[self.order + 1 :].T
        waves[:, 1:] *= 0.5
        values = np.empty((self.width, coefficients.shape[1], self.cells))
        values[:-1] = fft.irfft(self._phases * waves, n=self.cells, norm="forward")
        values[-1] = np.roll(values[0], -1, axis=-1)  # where the next cell begins
        monomials = self._to_monomials @ values.reshape(self.width, -1)
        return np.ascontiguousarray(monomials.reshape(values.shape).transpose(2, 0, 1))

    def collect(self, monomials: Array) -> Array:
        """Apply the transpose of :meth:`expand`, ``(cells, width, k)`` to ``(n, k)``."""
        count = monomials.shape[2]
        values = self._to_monomials.T @ monomials.transpose(1, 2, 0).reshape(self.width, -1)
        values = values.reshape(self.width, count, self.cells)
        values[0] += np.roll(values[-1], 1, axis=-1)
        # sums of values times exp(2 pi i times turns)
        waves = fft.rfft(values[:-1])[..., : self.order + 1].conj()
        waves = (self._phases * waves).sum(axis=0).T
        return np.concatenate([waves.real, waves[1:].imag])
