"""Features evaluated from tables, at a cost that does not depend on their number."""

from collections import abc

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_vector, frozen
from wassflow.errors import WassflowError
from wassflow.functional.evaluation.polynomials import GRADIENT, SPREAD, VALUE
from wassflow.functional.evaluation.table import Table
from wassflow.functional.evaluation.tabulation import tabulate_smooth, tabulate_spikes
from wassflow.functional.evaluation.threads import over_rows
from wassflow.functional.evaluation.vectors import lanes_of
from wassflow.functional.evaluation.wrapped import WrappedFeatures
from wassflow.functional.features import Features
from wassflow.functional.spikes import SpikeFeatures

# The tolerance is met if parts of a table are made to this share of it; if not, to smaller ones.
_SHARES = (0.25, 0.025, 0.0025)
# Coordinates beside the weight.
_MOST_AXES = 3
# Random points and vectors g with which a table is compared with direct sums.
_POINTS, _VECTORS = 1024, 4
# How far a box that points have left is extended beyond them, in its length.
_MARGIN = 0.25


class TabulatedFeatures(WrappedFeatures):
    """Features Phi whose integrals and pairings come from piecewise polynomials, to a verified tolerance.

    <g, Phi(u)> is a smooth function of few variables. For each g it is tabulated as polynomials of low
    degree on a tensor grid of cells, and a point costs some 8^q multiplications whatever N is, q the number
    of coordinates without the weight w, in which Phi is linear. The grid comes from g through a reduced basis
    (the space spanned by the values of Phi has a numerical rank of a few dozen) and a spectral basis in each
    coordinate: Chebyshev polynomials, or for spikes their own frequencies and FFTs. Integrals are spread and
    collected on the same grid, the exact transpose, as nonuniform FFTs do (Dutt and Rokhlin, SIAM J. Sci.
    Comput. 14 (1993) 1368).

    What is computed belongs to one map, close to Phi: a continuous function, its gradient, its integrals. So
    a functional of it is a functional like any other, whose energy decreases along its flow. Flows make
    tables by themselves (``evaluation="fast"``); a functional can be given one of another tolerance.

    Args:
        features: Phi; smooth, with at most 3 coordinates beside w.
        lower, upper: corners ``(d,)`` of the box of the points; where w is a factor, it has no bounds, and
            spikes have a period instead. When points are outside, a larger table is made and ``revision``
            goes up.
        tolerance: of <g, Phi> and of each of its derivatives, relative to their largest over the box, for
            random g. Measured against direct sums at random points; what misses it is refined, or refused.
        threads: for large numbers of points.
        fallback: what to do if points leave the box and no larger table meets the tolerance: evaluate
            directly from then on, or raise.

    Attributes:
        error: the largest error that was measured.
        table: polynomials and bases.

    Raises:
        ValueError: for an argument out of range.
        WassflowError: if the features have kinks or too many coordinates, or if the tolerance is not met by a
            table of reasonable size. `evaluation="direct"` in a flow needs no table.

    >>> from wassflow.functional import NeuronFeatures
    >>> inputs = np.column_stack([np.linspace(-1.0, 1.0, 1000), np.ones(1000)])
    >>> features = NeuronFeatures(inputs, "sigmoid")
    >>> fast = TabulatedFeatures(features, [0.0, -2.0, -2.0], [1.0, 2.0, 2.0])
    >>> u, g = [[1.0, 0.5, -1.5], [-3.0, 2.0, 2.0]], np.cos(np.arange(1000))
    >>> bool(np.allclose(fast.pair(u, g), features.pair(u, g), rtol=1e-8)), fast.error < 1e-8
    (True, True)
    """

    dim: int

    def __init__(
        self,
        features: Features,
        lower: ArrayLike,
        upper: ArrayLike,
        tolerance: float = 1e-8,
        threads: int = 1,
        fallback: bool = False,
    ) -> None:
        if not isinstance(features, Features):
            raise ValueError(f"features must be a Features object, found {type(features).__name__}")
        lower = as_vector("lower", lower, features.dim)
        upper = as_vector("upper", upper, lower.size)
        self.tolerance = as_number("tolerance", tolerance, above=0.0)
        self.threads = as_integer("threads", threads, least=1)
        super().__init__(features)
        self.dim = lower.size
        self.fallback = bool(fallback)
        self._direct = False
        self._last: tuple[Array, Array] | None = None
        self._axes = self.dim - int(self.weighted)
        if not features.smooth:
            raise WassflowError("features with kinks have no table: evaluate them directly")
        if not 1 <= self._axes <= _MOST_AXES:
            raise WassflowError(f"tables are for 1, 2 or 3 coordinates beside the weight, found {self._axes}")
        if np.any(lower[-self._axes :] > upper[-self._axes :]):
            raise ValueError(f"upper must not be below lower, found {upper} and {lower}")
        self.table, self.error = self._verified(lower[-self._axes :], upper[-self._axes :])

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i Phi(u_i), shape ``(N,)``, for points ``(n, d)`` and weights ``(n,)``."""
        u, weights = frozen(self._points(u)), frozen(self._masses(u, weights))
        if self._direct:
            return self.features.moment(u, weights)
        sums, outside = self._spread(u, weights)
        if outside:
            if not self._extend(u[weights != 0.0]):
                return self.features.moment(u, weights)
            sums, _ = self._spread(u, weights)
        return self.table.collect(sums)

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, shape ``(n,)``, for points ``(n, d)`` and g ``(N,)``."""
        u, g = frozen(self._points(u)), as_vector("g", g, self.size)
        out = np.empty(u.shape[0])
        return out if self._evaluated(VALUE, u, g, out) else self.features.pair(u, g)

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, shape ``(n, d)``, for points ``(n, d)`` and g ``(N,)``."""
        u, g = frozen(self._points(u)), as_vector("g", g, self.size)
        out = np.empty(u.shape)
        return out if self._evaluated(GRADIENT, u, g, out) else self.features.pair_gradient(u, g)

    def _evaluated(
        self, kernels: abc.Mapping[int, abc.Callable[..., int]], u: Array, g: Array, out: Array
    ) -> bool:
        """Write what one of the kernels finds to ``out``; whether there is a table for all points."""
        if self._direct:
            return False
        if self._evaluate(kernels, u, g, out):
            if not self._extend(u):
                return False
            self._evaluate(kernels, u, g, out)
        return True

    def _evaluate(
        self, kernels: abc.Mapping[int, abc.Callable[..., int]], u: Array, g: Array, out: Array
    ) -> int:
        """Write what one of the kernels finds to ``out``; return how many points are outside."""
        monomials, kernel = self._monomials(g), kernels[self._axes]
        parts = over_rows(
            lambda part: kernel(u[part], *self._grid, monomials, out[part]), u.shape[0], self.threads
        )
        return sum(parts)

    def _spread(self, u: Array, weights: Array) -> tuple[Array, int]:
        """Return sums of weights times monomials on the cells, and how many points are outside."""

        def work(part: slice) -> tuple[Array, int]:
            sums = np.zeros(self.table.shape)
            return sums, SPREAD[self._axes](u[part], weights[part], *self._grid, sums)

        parts = over_rows(work, u.shape[0], self.threads)
        return sum((sums for sums, _ in parts[1:]), parts[0][0]), sum(outside for _, outside in parts)

    def _monomials(self, g: Array) -> Array:
        """Return the polynomials of <g, phi>; those of the last g are kept."""
        if self._last is None or not np.array_equal(g, self._last[0]):
            self._last = g.copy(), self.table.monomials(g)
        return self._last[1]

    def _extend(self, u: Array) -> bool:
        """Make a table for a box that has the points u as well; whether that was possible."""
        t = u[:, u.shape[1] - self._axes :]
        if not np.all(np.isfinite(t)):
            return False
        lower, upper = (
            np.minimum(self.table.lower, t.min(axis=0)),
            np.maximum(self.table.upper, t.max(axis=0)),
        )
        margin = _MARGIN * (upper - lower)
        lower[lower < self.table.lower] -= margin[lower < self.table.lower]
        upper[upper > self.table.upper] += margin[upper > self.table.upper]
        self.revision += 1
        before = self.table
        try:
            self.table, self.error = self._verified(lower, upper)
        except WassflowError:
            self._use(before)
            if not self.fallback:
                raise
            self._direct = True
        return not self._direct

    def _verified(self, lower: Array, upper: Array) -> tuple[Table, float]:
        """Return a table and its error, which is below the tolerance."""
        # a coordinate that all points share gets a length
        flat = upper - lower <= 1e-6 * np.maximum(np.abs(lower), np.abs(upper))
        lower, upper = lower - np.where(flat, 0.5, 0.0), upper + np.where(flat, 0.5, 0.0)
        error = np.inf
        for seed, share in enumerate(_SHARES):
            if isinstance(self.features, SpikeFeatures):
                table = tabulate_spikes(self.features, share * self.tolerance)
            else:
                table = tabulate_smooth(self.features, lower, upper, share * self.tolerance, seed)
            self._use(table)
            error = self._measured_error(table, seed)
            if error <= self.tolerance:
                return table, error
        raise WassflowError(
            f"the tolerance of fast evaluation must be at least {error:.1e} for these features, "
            f"found {self.tolerance:.1e}"
        )

    def _use(self, table: Table) -> None:
        cells = np.array([axis.cells for axis in table.axes])
        periodic = np.array([axis.periodic for axis in table.axes])
        lanes = lanes_of(table.axes[0].width)
        self._grid = (table.lower, cells / (table.upper - table.lower), periodic, lanes)
        self._last = None
        self.table = table

    def _measured_error(self, table: Table, seed: int) -> float:
        """Compare with direct sums at random points of the box, for random g."""
        generator = np.random.default_rng([seed, self.size])
        t = generator.uniform(table.lower, table.upper, (_POINTS, self._axes))
        u = np.hstack([np.ones((_POINTS, int(self.weighted))), t])
        error = 0.0
        for g in generator.standard_normal((_VECTORS, self.size)):
            value, gradient = self.features.pair(u, g), self.features.pair_gradient(u, g)
            found = np.column_stack([self.pair(u, g), self.pair_gradient(u, g)])
            direct = np.column_stack([value, gradient])
            worst = np.abs(found - direct).max(axis=0) / np.maximum(
                np.abs(direct).max(axis=0), np.finfo(float).tiny
            )
            error = max(error, float(worst.max()))
        return error
