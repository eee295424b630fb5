"""Choosing a table for features: the span of phi, a tensor basis that resolves it, cells fine enough.

Each choice is the least of a growing sequence whose error, measured at random points as the norm of a vector
of R^N relative to the largest one, is below a goal.
"""

from collections import abc

import numpy as np

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.functional.evaluation.axes import Axis, ChebyshevAxis, FourierAxis
from wassflow.functional.evaluation.cores import ReducedCore, SpikeCore
from wassflow.functional.evaluation.table import Table
from wassflow.functional.features import BLOCK_FLOATS, Features
from wassflow.functional.spikes import SpikeFeatures

# Lines parallel to an axis along which phi is looked at, and points on each.
_LINES, _POINTS = 8, 48
# The largest core and the largest table, in numbers: 128 MiB each.
_LARGEST = 1 << 24
# Singular values of sampled phi below this share of the goal, or at the level of rounding, are left out.
_NEGLIGIBLE, _ROUNDING = 1e-4, 1e-15
# The longest spectral basis of an axis; matrices of its square are formed.
_MOST_NODES = 512
# Fresh points at which the span is checked.
_CHECKS = 32
# Coefficients of polynomials along an axis, by the number of axes: fewer are faster at a point, more need
# fewer cells, which is what counts for the many waves of spikes on a torus: with 12, hardly more cells than
# waves have extrema, and transforms of a third of the length that 8 need.
_WIDTHS, _SPIKE_WIDTH = {1: 6, 2: 8, 3: 8}, 12
# Frequencies of spikes that stand for all of them.
_FREQUENCIES = 16


class Shape:
    """phi of Phi(w, theta) = w phi(theta), or Phi itself, and its gradient; ``dim`` is q."""

    def __init__(self, features: Features, dim: int) -> None:
        self._features = features
        self._first = int(features.weighted)
        self.dim, self.size = dim, features.size

    def value(self, t: Array) -> Array:
        """Return phi at points ``(n, q)``, ``(n, N)``."""
        return _evaluated(self._features.value, self._points(t))

    def slope(self, t: Array, axis: int) -> Array:
        """Return the derivative of phi along an axis at points ``(n, q)``, ``(n, N)``."""
        return _evaluated(self._features.gradient, self._points(t))[:, self._first + axis]

    def _points(self, t: Array) -> Array:
        return np.hstack([np.ones((len(t), self._first)), t])


def tabulate_spikes(features: SpikeFeatures, goal: float) -> Table:
    """Return a table of spikes: the basis is known, cells must resolve the frequencies that are heard."""
    order = features.order
    axis: Axis = FourierAxis(features.period, order, 2 * order, _SPIKE_WIDTH)
    frequencies = np.unique(np.linspace(0, order, min(_FREQUENCIES, order + 1)).astype(int))
    columns = np.zeros((axis.size, frequencies.size))
    # frequencies between two of the chosen ones count as the upper one does
    count = np.diff(frequencies, prepend=-1)
    columns[frequencies, range(frequencies.size)] = features.amplitudes[frequencies] * np.sqrt(count)
    # one equispaced point in each of some cells, at varying places, is as good as any
    t = np.random.default_rng(0).uniform(0.0, features.period, _LINES * _POINTS)
    turns = 2.0 * np.pi / features.period * frequencies
    values = columns.sum(axis=0) * np.cos(t[:, None] * turns)
    slopes = -turns * columns.sum(axis=0) * np.sin(t[:, None] * turns)
    axis = _with_enough_cells(axis, columns, t, values, slopes, goal)
    return Table((axis,) * features.torus_dim, SpikeCore(features))


def tabulate_smooth(features: Features, lower: Array, upper: Array, goal: float, seed: int) -> Table:
    """Return a table of any smooth features on a box ``(q,)``.

    Raises:
        WassflowError: if it would be too large.
    """
    shape = Shape(features, lower.size)
    generator = np.random.default_rng(seed)
    span = _span(shape, lower, upper, goal, generator)
    axes: list[Axis] = []
    nodes: list[Array] = []
    for k in range(shape.dim):
        axis, points = _resolved_axis(shape, span, lower, upper, k, goal, generator)
        axes.append(axis)
        nodes.append(points)
        needed = np.prod([axis.size for axis in axes]) * (shape.size if span is None else span.shape[1])
        if max(needed, np.prod([axis.cells * axis.width for axis in axes])) > _LARGEST:
            raise WassflowError(
                f"a table of the features would need {needed:.3g} numbers: they vary too fast"
            )
    grid = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1)
    coefficients = _reduced(shape.value, grid.reshape(-1, shape.dim), shape.size, span)
    return Table(tuple(axes), ReducedCore(coefficients.reshape(*grid.shape[:-1], -1), span))


def _span(
    shape: Shape, lower: Array, upper: Array, goal: float, generator: np.random.Generator
) -> Array | None:
    """Return an orthonormal basis ``(N, r)`` of what phi and its gradient span; None for that of R^N."""
    checks = generator.uniform(lower, upper, (_CHECKS, shape.dim))
    wanted = [shape.value(checks), *(shape.slope(checks, k) for k in range(shape.dim))]
    samples = 128
    while samples <= shape.size // 2:
        seen = shape.value(generator.uniform(lower, upper, (samples, shape.dim)))
        _, sizes, rows = np.linalg.svd(seen, full_matrices=False)
        # far below the goal: what is rare among the samples, or small but steep, counts as well
        rank = int(np.count_nonzero(sizes > max(_NEGLIGIBLE * goal, _ROUNDING) * sizes[0]))
        span = np.ascontiguousarray(rows[:rank].T)
        if _largest_error([part @ span @ span.T for part in wanted], wanted) <= goal:
            return span
        samples *= 2
    return None


def _resolved_axis(
    shape: Shape,
    span: Array | None,
    lower: Array,
    upper: Array,
    axis: int,
    goal: float,
    generator: np.random.Generator,
) -> tuple[Axis, Array]:
    """Return a basis and cells along one axis for phi on lines parallel to it, and the nodes of the basis."""
    bases = generator.uniform(lower, upper, (_LINES, shape.dim))
    bases[0], bases[1] = lower, upper
    least, largest = float(lower[axis]), float(upper[axis])
    t = np.concatenate([[least, largest], generator.uniform(least, largest, _POINTS)])

    def along(function: abc.Callable[[Array], Array], positions: Array) -> Array:
        points = np.repeat(bases[None], positions.size, axis=0)
        points[:, :, axis] = positions[:, None]
        reduced = _reduced(function, points.reshape(-1, shape.dim), shape.size, span)
        return reduced.reshape(positions.size, -1)

    values, slopes = along(shape.value, t), along(lambda u: shape.slope(u, axis), t)
    size = 2
    while True:
        trial = ChebyshevAxis(least, largest, size, width=_WIDTHS[shape.dim])
        coefficients = along(shape.value, trial.nodes)
        found = [basis @ coefficients for basis in trial.basis(t)]
        if _largest_error(found, (values, slopes), _LINES) <= goal:
            break
        size += 2 + size // 4
        if size > _MOST_NODES:
            raise WassflowError(f"features are not resolved by {size} points along axis {axis}")
    return _with_enough_cells(trial, coefficients, t, values, slopes, goal, _LINES), trial.nodes


def _with_enough_cells(
    axis: Axis, coefficients: Array, t: Array, values: Array, slopes: Array, goal: float, lines: int = 1
) -> Axis:
    """Return the axis with cells on which values and slopes at t come out as given."""
    cells = axis.cells
    while True:
        trial = axis.with_cells(cells)
        error = _largest_error(trial.evaluate(coefficients, t), (values, slopes), lines)
        if error <= goal:
            return trial
        cells = trial.cells + 1 + trial.cells // 8
        if cells * coefficients.shape[1] * axis.width > _LARGEST:
            raise WassflowError(
                f"features are not resolved by {cells} cells along an axis, error {error:.1e}"
            )


def _reduced(function: abc.Callable[[Array], Array], t: Array, size: int, span: Array | None) -> Array:
    """Return function(t) in the basis ``span``, block by block."""
    step = max(1, BLOCK_FLOATS // size)
    blocks = [function(t[start : start + step]) for start in range(0, len(t), step)]
    if span is not None:
        blocks = [block @ span for block in blocks]
    return np.concatenate(blocks)


def _evaluated(function: abc.Callable[[Array], Array], u: Array) -> Array:
    """Return function(u), a function of the user's perhaps, which need not be defined in all of a box."""
    try:
        with np.errstate(all="ignore"):
            values = function(u)
    except Exception as error:
        raise WassflowError(f"features are not defined in all of the box of a table: {error}") from error
    if not np.all(np.isfinite(values)):
        raise WassflowError("features are not finite in all of the box of a table")
    return values


def _largest_error(found: abc.Sequence[Array], right: abc.Sequence[Array], parts: int = 1) -> float:
    """Return the largest norm of a vector of errors over that of the right vectors; rows hold ``parts``."""

    def largest(rows: Array) -> float:
        return float(np.linalg.norm(rows.reshape(rows.shape[0], parts, -1), axis=2).max())

    least = np.finfo(np.float64).tiny
    return max(
        largest(one - other) / max(largest(other), least) for one, other in zip(found, right, strict=True)
    )
