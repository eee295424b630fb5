"""Spikes at the points of a lattice on the torus, as those of a regular mesh are: Fourier transforms."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from wassflow.arguments import Array
from wassflow.functional.spikes import SpikeFeatures

# Positions, in periods, are the same if they differ by less: by rounding.
_ROUNDING = 2.0**-46
# A lattice is not worth while if it has more points than this for each one that is asked for.
_POINTS_PER_PLACE = 8
# The smallest gap between two positions may be so many steps of the lattice.
_STEPS = 4


class SpikesOnLattice:
    """<g, D Phi> and integrals of spikes Phi(w, theta) at w = 1 and fixed theta, up to rounding.

    Frequencies whose waves agree on the lattice are added up before a transform of its length: with M points
    along an axis, N features cost O(N + M log M) operations, and hardly more than a few.

    Args:
        features: Phi.
        axes: first position, in periods, and number of points of the lattice along each axis of the torus.
        places: which points of the lattice are asked for, one array for each axis.

    >>> features = SpikeFeatures("dirichlet", order=500)
    >>> theta = np.array([[0.125], [0.625], [0.375]])
    >>> lattice = SpikesOnLattice.through(features, theta)
    >>> u, g = np.hstack([np.ones((3, 1)), theta]), np.cos(np.arange(1001.0))
    >>> lattice.shape, bool(np.allclose(lattice.pair_gradient(g), features.pair_gradient(u, g)))
    ((4,), True)
    """

    def __init__(
        self,
        features: SpikeFeatures,
        axes: list[tuple[float, int]],
        places: tuple[NDArray[np.int64], ...],
    ) -> None:
        self._features = features
        self.shape = tuple(length for _, length in axes)
        self._places = np.ravel_multi_index(places, self.shape)
        self._frequencies = frequencies = np.arange(features.order + 1)
        self._phases = [np.exp(2j * np.pi * np.mod(first * frequencies, 1.0))[:, None] for first, _ in axes]
        turning = 2j * np.pi / features.period * frequencies[:, None]
        self._derived_phases = [turning * phases for phases in self._phases]

    @classmethod
    def through(cls, features: SpikeFeatures, theta: Array) -> Self | None:
        """Return spikes at theta ``(n, torus dimension)``; None if these are not on a small lattice."""
        axes, places = [], []
        for turns in np.mod(theta.T / features.period, 1.0):
            found = _lattice(turns)
            if found is None:
                return None
            axes.append(found)
            first, length = found
            places.append(np.rint((turns - first) * length).astype(np.int64) % length)
        if np.prod([length for _, length in axes]) > _POINTS_PER_PLACE * len(theta):
            return None
        return cls(features, axes, tuple(places))

    def pair_gradient(self, g: Array) -> Array:
        """Return <g, D Phi(1, theta)>, ``(n, d)``, for g ``(N,)``."""
        form = self._features.polynomial(g)
        dim = len(self.shape)
        # the value is the derivative along w
        columns = [self._values(form, derived) for derived in (None, *range(dim))]
        return np.column_stack([column.ravel()[self._places] for column in columns])

    def moment(self, weights: Array) -> Array:
        """Return sum_i weights_i Phi(1, theta_i), ``(N,)``, for weights ``(n,)``."""
        sums = np.bincount(self._places, weights, minlength=int(np.prod(self.shape)))
        for length, phases in zip(self.shape, self._phases, strict=True):
            # the first axis is transformed and goes to the end
            waves = fft.fft(sums.reshape(length, -1), axis=0).conj()
            waves = phases * waves[self._frequencies % length]
            sums = np.concatenate([waves.real, waves[1:].imag]).T
        return self._features.observe(sums.reshape((2 * self._features.order + 1,) * len(self.shape)))

    def _values(self, form: Array, derived: int | None) -> Array:
        """Return a trigonometric polynomial, or its derivative along an axis, on the lattice."""
        count = self._frequencies.size
        for axis, length in enumerate(self.shape):
            # the first axis is transformed and goes to the end
            form = form.reshape(2 * count - 1, -1)
            waves = np.zeros((-(-count // length) * length, form.shape[1]), dtype=complex)
            waves.real[:count] = form[:count]
            waves.imag[1:count] = -form[count:]
            waves[:count] *= (self._derived_phases if axis == derived else self._phases)[axis]
            folded = waves.reshape(-1, length, form.shape[1]).sum(axis=0)
            form = fft.ifft(folded, axis=0, norm="forward").real.T
        return form


def _lattice(turns: Array) -> tuple[float, int] | None:
    """Return the first position and the number of points of a lattice through positions in [0, 1)."""
    positions = np.unique(turns)
    gaps = np.diff(positions, append=positions[0] + 1.0)
    gap = gaps[gaps > _ROUNDING].min()
    for steps in range(1, _STEPS + 1):
        length = round(steps / gap)
        along = (positions - positions[0]) * length
        if np.all(np.abs(along - np.rint(along)) <= _ROUNDING * length):
            return float(positions[0]), length
    return None
