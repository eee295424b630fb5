"""W2 between a piecewise constant density on simplices and weighted points, as a certified bracket."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from wassflow.arguments import as_points, as_weights
from wassflow.errors import WassflowError
from wassflow.laguerre.arguments import as_period, as_simplices
from wassflow.laguerre.bounds import Flow, bracket
from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array, barycentres, bounding_box, morton_order
from wassflow.laguerre.newton import NewtonState
from wassflow.laguerre.source import Source
from wassflow.laguerre.starts import solve_with_continuation, starting_potentials
from wassflow.rounding import EPS


@dataclass(frozen=True)
class SemidiscreteTransport:
    """Result of :func:`semidiscrete_transport`: ``lower <= W2 <= upper``.

    ``potential`` (m,) belongs to the sites as given (those without weight too) and proves ``lower``: the
    Laguerre cell of site i holds the points x where |x - y_i|^2 - potential_i is least. ``masses`` (m,) are
    the masses of these cells, equal to the weights when ``converged`` up to what the width of the bracket
    shows.
    """

    lower: float
    upper: float
    potential: Array
    masses: Array
    iterations: int
    converged: bool
    method: str

    @property
    def value(self) -> float:
        """Midpoint of the bracket."""
        return 0.5 * (self.lower + self.upper)


@dataclass(frozen=True)
class _Problem:
    """The problem in its own units: means at the origin (no period), extent about one, masses one."""

    source: Source
    seeds: Seeds
    weights: Array
    group: NDArray[np.int64]  # distinct site of each site as given, -1 if without weight
    length: float
    shift: Array  # mean of the sites minus mean of the source, in original units
    shift_square: float  # what the shift adds to W2^2, in original units
    moved: float  # how far sites were moved when near ones were merged
    dropped: float  # weight left out because it is below rounding
    diameter: float
    coordinate_rounding: float  # on W2, original units


def _unit_masses(name: str, masses: Array) -> tuple[Array, float, float]:
    """Return masses / total, and the total as ``scale * relative`` with no overflow."""
    scale = float(masses.max(initial=0.0))
    if scale == 0.0:
        raise ValueError(f"{name} must have a positive sum, found only zeros")
    relative = masses / scale
    total = math.fsum(relative)
    return relative / total, scale, total


def _merge(positions: Array, near: float) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Group sites within ``near``: (group of each site, representatives, largest distance moved)."""
    order = np.lexsort(positions.T)
    new = np.append(True, np.any(positions[order][1:] != positions[order][:-1], axis=1))
    group = np.empty(len(positions), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    distinct = order[new]
    pairs = cKDTree(positions[distinct]).query_pairs(near, output_type="ndarray")
    if len(pairs) == 0:
        return group, distinct, 0.0
    k = len(distinct)
    count, label = connected_components(
        coo_matrix((np.ones(len(pairs)), tuple(pairs.T)), (k, k)), directed=False
    )
    first = np.full(count, k)
    np.minimum.at(first, label, np.arange(k))
    moved = float(np.max(np.linalg.norm(positions[distinct] - positions[distinct[first[label]]], axis=1)))
    return label[group], distinct[first], moved


def _prepare(simplices: Array, masses: Array, sites: Array, weights: Array, period: Array) -> _Problem:
    d = simplices.shape[2]
    reach = max(float(np.max(np.abs(simplices))), float(np.max(np.abs(sites))))
    if reach > 1e150:
        raise ValueError(f"sites and simplices must lie within 1e150 of the origin, found {reach:g}")
    source = Source.from_arrays(simplices, masses, period)
    flat = source.volumes[source.active] <= 0.0
    if np.any(flat):
        raise ValueError(
            f"simplices with mass must have a positive volume, found {int(flat.sum())} flat ones; "
            "give their mass to a neighbour"
        )
    heavy = weights > 1e-16 / len(weights)
    # W2^2 = (W2 of the centred measures)^2 + |difference of means|^2 on every axis that does not wrap
    wraps = np.isfinite(period)
    low, high = bounding_box(source.simplices[source.active])
    centre = np.where(wraps, 0.5 * (low + high), source.mean)
    site_centre = np.where(wraps, centre, weights @ sites)
    y = sites - site_centre
    if np.any(wraps):
        # the two ends of a period are one place: snap, so that sites there merge
        turns = y[:, wraps] / period[wraps] + 0.5
        turns -= np.floor(turns)
        y[:, wraps] = (np.where(turns > 1.0 - 4.0 * EPS, 0.0, turns) - 0.5) * period[wraps]
    low, high = bounding_box(simplices)
    extent = max(float(np.max(np.maximum(centre - low, high - centre))), float(np.max(np.abs(y[heavy]))))
    length = 2.0 ** math.ceil(math.log2(extent)) if extent > 0.0 else 1.0
    y /= length
    source = source.moved(centre, length)
    shift = site_centre - centre
    # what rounding left in the centred means; no shift, no term, on axes that wrap
    left = weights[heavy] @ y[heavy] - source.masses @ barycentres(source.simplices)
    square = float(shift @ shift) + 2.0 * length * float(shift @ left)
    kept = np.flatnonzero(heavy)
    label, representative, moved = _merge(y[kept], 1e-13)
    distinct = y[kept][representative]
    merged = np.bincount(label, weights[kept])
    # seeds in Morton order: neighbours in space are neighbours in memory, and the fallback plan follows the
    # order
    order = morton_order(distinct)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    group = np.full(len(sites), -1, dtype=np.int64)
    group[kept] = rank[label]
    merged = merged[order]
    low = np.minimum(distinct.min(axis=0), source.bounds[0])
    high = np.maximum(distinct.max(axis=0), source.bounds[1])
    return _Problem(
        source=source,
        seeds=Seeds.around(source, np.ascontiguousarray(distinct[order])),
        weights=merged / merged.sum(),
        group=group,
        length=length,
        shift=shift,
        shift_square=square,
        moved=moved,
        dropped=float(np.sum(weights[~heavy])),
        diameter=float(np.linalg.norm(high - low)),
        coordinate_rounding=4.0 * EPS * math.sqrt(d) * reach,
    )


class _BestBracket:
    """Keeps the best of all bounds seen; each is valid on its own."""

    def __init__(self, problem: _Problem, rtol: float, callback: Callable[[int, float, float], None] | None):
        self.problem = problem
        self.rtol = rtol
        self.callback = callback
        self.lower, self.upper, self.rounding = 0.0, np.inf, 0.0
        self.psi = np.zeros(problem.seeds.size)
        self.cells: Cells | None = None
        self.seen = 0

    def observe(self, psi: Array, cells: Cells, flow: Flow | None) -> None:
        problem = self.problem
        bounds = bracket(problem.seeds, cells, psi, problem.weights, flow, problem.diameter)
        slack = 4.0 * problem.dropped * (problem.diameter**2 + float(np.max(np.abs(psi))))
        if bounds.lower - slack >= self.lower or self.cells is None:
            self.lower = max(bounds.lower - slack, 0.0)
            self.psi, self.cells, self.rounding = psi, cells, bounds.rounding + slack
        self.upper = min(self.upper, bounds.upper + slack)
        self.seen += 1
        if self.callback is not None:
            self.callback(self.seen, *self.on_distance())

    def done(self, state: NewtonState) -> bool:
        self.observe(state.psi, state.cells, state.flow)
        lower, upper = self.on_distance()
        return upper - lower <= self.rtol * upper or self.upper - self.lower <= 3.0 * self.rounding

    def measure(self, psi: Array) -> Cells:
        """Measure cells; certify them where they may be the last, so that it need not be done again.

        Near the end a step of Newton's method about squares the relative width.
        """
        lower, upper = self.on_distance()
        close = upper - lower <= math.sqrt(self.rtol) * upper < np.inf
        return measure_cells(self.problem.source, self.problem.seeds, psi, certify=close)

    def certify(self) -> None:
        """Take off the lower bound by how much any piece misses its least power distance."""
        problem = self.problem
        if self.cells is not None and self.cells.certified:
            return  # the rounding of its bounds has it
        cells = measure_cells(problem.source, problem.seeds, self.psi, certify=True)
        self.lower = max(self.lower - cells.excess, 0.0)

    def on_distance(self) -> tuple[float, float]:
        """Return the bracket of W2 in original units, masses one, widened by coordinate rounding."""
        problem = self.problem
        square = problem.length**2
        lower = math.sqrt(max(square * self.lower + problem.shift_square, 0.0))
        upper = math.sqrt(max(square * self.upper + problem.shift_square, 0.0))
        slack = problem.length * problem.moved + problem.coordinate_rounding
        return max(lower * (1.0 - 4.0 * EPS) - slack, 0.0), upper * (1.0 + 4.0 * EPS) + slack


def semidiscrete_transport(
    simplices: ArrayLike,
    masses: ArrayLike,
    sites: ArrayLike,
    weights: ArrayLike,
    period: ArrayLike | None = None,
    rtol: float = 1e-10,
    time_limit: float | None = None,
    callback: Callable[[int, float, float], None] | None = None,
) -> SemidiscreteTransport:
    """Bracket W2 between a piecewise constant density on simplices and weighted sites.

    Args:
        simplices: (ns, d + 1, d) vertices, d = 2 or 3; may be any set of simplices that do not overlap.
        Simplices
            without mass are welcome where the density has voids: the continuation spreads over them.
        masses: (ns,) mass of each simplex, spread evenly over it.
        sites: (m, d) points; they may coincide, lie outside the support, or carry no weight.
        weights: (m,) nonnegative, with the sum of ``masses`` (to 1e-8; both are divided by their sum).
        period: (d,) period of a flat torus, ``inf`` on axes that do not wrap.
        rtol: wanted width of the bracket over its upper end. It also stops at the level of rounding.
        time_limit: in seconds; the bracket reached by then is returned, true but wider.
        callback: called as ``callback(count, lower, upper)`` with the W2 bracket (for total mass one).

    Raises:
        ValueError: naming the argument that is wrong.

    Source: damped Newton of Kitagawa, Merigot and Thibert (J. Eur. Math. Soc. 21, 2019); the bounds are
    those of :mod:`wassflow.laguerre.bounds`, widened by a rounding estimate of 16 units in the last place of
    every term.

    >>> import numpy as np
    >>> square = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1.0]]])
    >>> w = semidiscrete_transport(square, [0.5, 0.5], [[0.5, 0.5]], [1.0])
    >>> bool(w.lower <= 1 / np.sqrt(6) <= w.upper), round(w.value, 6)
    (True, 0.408248)
    """
    x = as_simplices("simplices", simplices)
    d = x.shape[2]
    source_masses = as_weights("masses", masses, len(x))
    y = as_points("sites", sites, d)
    if len(y) == 0:
        raise ValueError("sites must hold at least one point, found none")
    nu = as_weights("weights", weights, len(y))
    torus = as_period("period", period, d)
    deadline = Deadline.after(time_limit)
    if not np.any(source_masses) and not np.any(nu):
        zero = np.zeros(len(y))
        return SemidiscreteTransport(0.0, 0.0, zero, zero, 0, True, "no mass")
    source_masses, scale, total = _unit_masses("masses", source_masses)
    nu, other_scale, other_total = _unit_masses("weights", nu)
    if not math.isclose(scale * (total / other_scale), other_total, rel_tol=1e-8):
        raise ValueError(
            f"weights must have the sum of masses, found {other_scale * other_total!r} and {scale * total!r}"
        )
    problem = _prepare(x, source_masses, y, nu, torus)
    best = _BestBracket(problem, rtol, callback)
    starts = starting_potentials(problem.source, problem.seeds, problem.weights)
    state, name = solve_with_continuation(
        problem.source,
        problem.seeds,
        problem.weights,
        starts,
        best.done,
        best.observe,
        deadline,
        measure=best.measure,
    )
    if best.cells is None:
        raise WassflowError("no potential was evaluated")
    best.certify()
    lower, upper = best.on_distance()
    size = math.sqrt(scale) * math.sqrt(total)
    return SemidiscreteTransport(
        lower=lower * size,
        upper=upper * size,
        potential=_original_potential(problem, best.psi, y),
        masses=_original_masses(problem, best.cells, nu) * (scale * total),
        iterations=state.iterations,
        converged=upper - lower <= rtol * upper,
        method=f"semi-discrete Newton from {name}",
    )


def _original_masses(problem: _Problem, cells: Cells, weights: Array) -> Array:
    """Share the mass of each distinct site among the given ones by weight."""
    kept = problem.group >= 0
    share = np.zeros(len(weights))
    group = problem.group[kept]
    share[kept] = weights[kept] / np.bincount(group, weights[kept])[group]
    share[kept] *= cells.mass[group]
    return share


def _original_potential(problem: _Problem, psi: Array, sites: Array) -> Array:
    """Return the potential of the sites as given, in their units; without weight the cell is empty."""
    y = problem.seeds.positions
    scaled = problem.length**2 * psi + 2.0 * problem.length * (y @ problem.shift)
    kept = problem.group >= 0
    potential = np.empty(len(sites))
    potential[kept] = scaled[problem.group[kept]]
    if not np.all(kept):
        # |x - y_i|^2 - |x - y_j|^2 >= -|y_i - y_j| (|x - y_i| + |x - y_j|) wherever x is
        donors = np.flatnonzero(kept)
        distance, nearest = cKDTree(sites[kept]).query(sites[~kept])
        reach = problem.length * problem.diameter + float(np.linalg.norm(problem.shift))
        potential[~kept] = potential[donors[nearest]] - distance * (2.0 * reach + distance)
    return potential
