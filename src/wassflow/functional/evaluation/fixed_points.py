"""Features at points that do not move, as those of a mesh.

Phi(w, theta) = w phi(theta): what points with the same theta have in common, a fibre, is looked at once. On
the cells and faces of a regular mesh some n^((d-1)/d) of n points differ in theta, so that what features
cost, even in direct sums, is little beside a pass over the points. Spikes on a regular mesh cost next to
nothing: their fibres are on a lattice.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.functional.evaluation.lattice import SpikesOnLattice
from wassflow.functional.evaluation.threads import over_rows
from wassflow.functional.evaluation.wrapped import WrappedFeatures
from wassflow.functional.features import Features
from wassflow.functional.spikes import SpikeFeatures
from wassflow.repetition import distinct_rows
from wassflow.vectorized import read

# Points to a fibre, on average, that make it worth while: below, the general way is as fast.
_LEAST_SHARED = 4
# Sums over a fibre at a time: neighbours often lie on the same one, and would wait for each other.
_SUMS = 4


@dataclass(frozen=True, eq=False)
class Pairings:
    """<g, D Phi> at points (w, theta): <g, phi> and w <g, D phi> along fibres.

    Attributes:
        values: <g, phi> and <g, D phi> on each fibre, ``(k, d)``; or <g, D Phi> at each point asked for.
        chosen: numbers of the points asked for, ``(c,)``.
        fibre: of every point, asked for or not, ``(n,)``; None if each point has a row of its own.
        weights: w of every point, ``(n,)``; None likewise.
    """

    values: Array
    chosen: NDArray[np.integer]
    fibre: NDArray[np.int32] | None = None
    weights: Array | None = None

    def rows(self, some: NDArray[np.integer] | None = None) -> Array:
        """Return <g, D Phi> at the points asked for or at some of them, in ascending order, ``(c, d)``."""
        if self.fibre is None or self.weights is None:
            return self.values if some is None else self.values[np.searchsorted(self.chosen, some)]
        at = self.chosen if some is None else some
        out = np.empty((at.size, self.values.shape[1]))
        _expand(self.values.reshape(-1), self.fibre, self.weights, at, out)
        return out


class FixedPoints:
    """Moments and pairings of features at points that are the same every time.

    Args:
        features: Phi.
        points: ``(n, d)``; not changed afterwards.
        threads: for large numbers of points.

    Attributes:
        points: as given.
        fibres: number of different theta; n where too few points share theirs, or w is not a factor.

    >>> from wassflow.functional import NeuronFeatures
    >>> features = NeuronFeatures([[1.0], [2.0]], "tanh")
    >>> fixed = FixedPoints(features, np.array([[w, t] for w in range(5) for t in (0.5, 0.7)]))
    >>> fixed.fibres, bool(np.allclose(fixed.moment(np.ones(10)), features.value(fixed.points).sum(axis=0)))
    (2, True)
    """

    def __init__(self, features: Features, points: Array, threads: int = 1) -> None:
        self.features, self.points, self._threads = features, points, threads
        self.fibres = len(points)
        most = len(points) // _LEAST_SHARED
        found = distinct_rows(points[:, 1:], most) if features.weighted and most and points.size else None
        self._shared = found is not None
        self._lattice: SpikesOnLattice | None = None
        if found is not None:
            first, self._fibre = found
            self.fibres = first.size
            self._weights = np.ascontiguousarray(points[:, 0])
            self._base = np.ascontiguousarray(points[first])
            self._base[:, 0] = 1.0
            spikes = features.features if isinstance(features, WrappedFeatures) else features
            if isinstance(spikes, SpikeFeatures):
                self._lattice = SpikesOnLattice.through(spikes, self._base[:, 1:])

    def pair_gradient(self, g: Array, chosen: NDArray[np.integer]) -> Pairings:
        """Return <g, D Phi> at the chosen points, for g ``(N,)``; as many as there are, are all in order."""
        if self._shared and chosen.size >= self.fibres:
            lattice = self._lattice
            values = lattice.pair_gradient(g) if lattice else self.features.pair_gradient(self._base, g)
            return Pairings(values, chosen, self._fibre, self._weights)
        at = self.points if chosen.size == len(self.points) else self.points[chosen]
        return Pairings(self.features.pair_gradient(at, g), chosen)

    def moment(self, masses: Array) -> Array:
        """Return sum_i masses_i Phi(u_i), ``(N,)``."""
        if self._shared:
            sums = self._sums(masses)
            return self._lattice.moment(sums) if self._lattice else self.features.moment(self._base, sums)
        held = np.flatnonzero(masses)
        if 2 * held.size > masses.size:  # it costs more to copy the others than to pass over zeros
            return self.features.moment(self.points, masses)
        return self.features.moment(self.points[held], masses[held])

    def _sums(self, masses: Array) -> Array:
        """Return the sum of mass times w on each fibre."""

        def work(part: slice) -> Array:
            sums = np.zeros(self.fibres * _SUMS)
            _spread(self._fibre[part], self._weights[part], masses[part], sums)
            return sums.reshape(-1, _SUMS).sum(axis=1)

        return np.sum(over_rows(work, masses.size, self._threads), axis=0)


@njit(cache=True, nogil=True)
def _spread(fibre, weights, masses, sums):  # type: ignore[no-untyped-def]
    # without a sign, an index is not looked at for being negative
    whole = fibre.size - fibre.size % _SUMS
    for i in range(0, whole, _SUMS):
        for k in range(_SUMS):
            at = np.uint64(_SUMS * np.uint32(read(fibre, i + k)) + k)
            sums[at] += read(weights, i + k) * read(masses, i + k)
    for i in range(whole, fibre.size):
        sums[_SUMS * fibre[i]] += weights[i] * masses[i]


@njit(cache=True, nogil=True)
def _expand(values, fibre, weights, chosen, out):  # type: ignore[no-untyped-def]
    dim = out.shape[1]
    for row in range(chosen.size):
        point = read(chosen, row)
        at, weight = dim * np.int64(read(fibre, point)), read(weights, point)
        out[row, 0] = read(values, at)
        for a in range(1, dim):
            out[row, a] = weight * read(values, at + a)
