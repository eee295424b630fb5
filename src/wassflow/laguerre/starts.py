"""Potentials to start from, and what leads to them for sources with voids.

Newton's method needs a start whose cells all carry mass. Where the source has voids no simple start has
that. Many sites are then started from fewer, heavier ones (:mod:`wassflow.laguerre.prolongation`), few sites
from a linear program (:mod:`wassflow.laguerre.discrete_start`). Where that fails the source is smoothed (a
diffusion, positive everywhere) as little as one of the starts needs; the smoothing then goes to zero in steps
taken as large as the cells allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from wassflow.laguerre.ascent import climb
from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.discrete_start import discrete_potential, expected_seconds
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.lifting import lift_poor_cells
from wassflow.laguerre.newton import NewtonState, least_ratio, solve_newton
from wassflow.laguerre.prolongation import COARSEST, RATIOS, coarser, prolong
from wassflow.laguerre.source import Source

# A start is good enough for Newton's method to be fast when its least cell has this share of its weight, a
# smaller one of many sites, whose least cell is small by chance; and good enough for a stage of the
# continuation when it has that one.
FAST_RATIO = 0.05
GOOD_RATIO = 1e-3
# The continuation gives up when a step may not even shorten the smoothing by this factor.
SLOWEST = 0.9
# Mass that may be in the wrong cells on a coarse level, and rounds of lifting after a prolongation.
COARSE_RESIDUAL = 0.01
LIFTS = 10
# Sites among which a start may show that it leaves cells empty, before all of them are tried.
SAMPLED = 1_000


def _square_root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def starting_potentials(source: Source, seeds: Seeds, weights: Array) -> list[tuple[str, Array]]:
    """Return named potentials: Voronoi, the affine map between covariances, the affine map between boxes.

    An affine map y -> A (y - c) + b with A symmetric positive is the gradient of a convex function g, and
    psi = |y|^2 - 2 g(y) makes the Laguerre cell of y the preimage of a Voronoi-like cell around its image.
    """
    y = seeds.positions
    starts = [("voronoi", np.zeros(seeds.size))]
    if np.any(np.isfinite(source.period)):
        return starts
    centre = weights @ y
    offset = y - centre
    covariance = (offset * weights[:, None]).T @ offset
    values = np.linalg.eigvalsh(covariance)
    if values[0] > 1e-8 * values[-1]:
        root = _square_root(covariance)
        inverse = np.linalg.inv(root)
        stretch = inverse @ _square_root(root @ source.covariance @ root) @ inverse
        stretch = 0.5 * (stretch + stretch.T)
        g = 0.5 * np.einsum("nd,de,ne->n", offset, stretch, offset) + y @ source.mean
        starts.append(("affine", np.einsum("nd,nd->n", y, y) - 2.0 * g))
    low, high = source.bounds
    span = y.max(axis=0) - y.min(axis=0)
    # keep the images a little inside the box; where all seeds share a coordinate any stretch will do
    ratio = np.where(
        span > 1e-9 * span.max(initial=1e-300), 0.98 * (high - low) / np.maximum(span, 1e-300), 1.0
    )
    offset = y - 0.5 * (y.max(axis=0) + y.min(axis=0))
    g = 0.5 * np.einsum("nd,d,nd->n", offset, ratio, offset) + y @ (0.5 * (low + high))
    starts.append(("box", np.einsum("nd,nd->n", y, y) - 2.0 * g))
    return [(name, psi - weights @ psi) for name, psi in starts]


def _hopeless(source: Source, seeds: Seeds, weights: Array, psi: Array) -> bool:
    """Return whether cells have next to no mass already among fewer sites: they only shrink as more join."""
    some = slice(None, None, -(-seeds.size // SAMPLED))
    fewer = Seeds.around(source, np.ascontiguousarray(seeds.positions[some]))
    cells = measure_cells(source, fewer, np.ascontiguousarray(psi[some]))
    return least_ratio(cells, weights[some] / weights[some].sum()) < GOOD_RATIO


def _best_start(
    source: Source, seeds: Seeds, weights: Array, starts: list[tuple[str, Array]], enough: float
) -> tuple[float, str, Array, Cells] | None:
    """Return (least ratio, name, psi, cells) of the best start; None when a sample of many sites rules all
    out.
    """
    best: tuple[float, str, Array, Cells] | None = None
    for name, psi in starts:
        if seeds.size > COARSEST and _hopeless(source, seeds, weights, psi):
            continue
        cells = measure_cells(source, seeds, psi)
        ratio = least_ratio(cells, weights)
        if best is None or ratio > best[0]:
            best = (ratio, name, psi, cells)
        if ratio >= enough:
            break
    return best


def solve_with_continuation(
    source: Source,
    seeds: Seeds,
    weights: Array,
    starts: list[tuple[str, Array]],
    done: Callable[[NewtonState], bool],
    observe: Callable[[Array, Cells, None], None] | None,
    deadline: Deadline,
    loose: float = 0.1,
    measure: Callable[[Array], Cells] | None = None,
) -> tuple[NewtonState, str]:
    """Solve for ``source``: from one of ``starts``, if one has all its cells on the support, else from fewer
    sites or a linear program, else through smoothed sources.

    ``observe`` sees every potential that may give a bound for the true source; ``measure`` is that of
    :func:`solve_newton`. Returns the last state and the
    name of the way taken.
    """
    enough = max(FAST_RATIO * np.sqrt(min(COARSEST / seeds.size, 1.0)), GOOD_RATIO)
    best = _best_start(source, seeds, weights, starts, enough)
    ratio = 0.0
    if best is not None:
        ratio, name, psi, cells = best
        if observe is not None:
            observe(psi, cells, None)
    iterations = 0
    solved = False
    if ratio < enough:
        for psi, name in _better_starts(source, seeds, weights, best, deadline):
            cells = measure_cells(source, seeds, psi)
            if observe is not None:
                observe(psi, cells, None)
            psi, cells = lift_poor_cells(source, seeds, weights, psi, cells, rounds=LIFTS, deadline=deadline)
            state = solve_newton(source, seeds, weights, psi, done, deadline, cells, measure=measure)
            psi, cells, iterations = state.psi, state.cells, iterations + state.iterations
            solved = _residual(state, weights) <= loose
            starts = [*starts, (name, psi)]
            if solved or deadline.passed:
                break
    if ratio < enough and not solved and not deadline.passed:
        found = _continue_from_smoothed(source, seeds, weights, starts, observe, deadline, loose)
        if found is not None:
            psi, more, start = found
            iterations += more
            name = f"{start}, smoothed"
            cells = measure_cells(source, seeds, psi)
    if not solved:
        state = solve_newton(source, seeds, weights, psi, done, deadline, cells, measure=measure)
        iterations += state.iterations
    if not state.converged and not deadline.passed:
        name += ", regularised"
        state = climb(source, seeds, weights, state.psi, state.cells, done, deadline)
        iterations += state.iterations
    return NewtonState(state.psi, state.cells, state.flow, iterations, state.converged), name


def _residual(state: NewtonState, weights: Array) -> float:
    return float(np.sum(np.abs(weights - state.cells.mass)))


def _better_starts(
    source: Source,
    seeds: Seeds,
    weights: Array,
    best: tuple[float, str, Array, Cells] | None,
    deadline: Deadline,
) -> Iterator[tuple[Array, str]]:
    """Yield potentials that are dearer than a formula, and their names, or ``best`` for want of time."""
    if seeds.size > COARSEST:
        for ratio in RATIOS:
            yield _start_from_coarser(source, seeds, weights, ratio, deadline)
    elif expected_seconds(seeds.size) <= deadline.remaining:
        yield discrete_potential(source, seeds, weights), "discrete transport"
    elif best is not None:
        yield best[2], best[1]


def _start_from_coarser(
    source: Source, seeds: Seeds, weights: Array, ratio: int, deadline: Deadline
) -> tuple[Array, str]:
    """Return the potential prolonged from clusters of the sites, and the name of the coarsest start."""
    fewer, sums = coarser(source, seeds, weights, ratio)

    def nearly(state: NewtonState) -> bool:
        return _residual(state, sums) <= COARSE_RESIDUAL and least_ratio(state.cells, sums) >= 0.5

    starts = starting_potentials(source, fewer, sums)
    state, name = solve_with_continuation(source, fewer, sums, starts, nearly, None, deadline)
    psi = prolong(fewer, state.psi, state.cells, seeds)
    return psi - weights @ psi, f"{name.removesuffix(', multilevel')}, multilevel"


def _continue_from_smoothed(
    source: Source,
    seeds: Seeds,
    weights: Array,
    starts: list[tuple[str, Array]],
    observe: Callable[[Array, Cells, None], None] | None,
    deadline: Deadline,
    loose: float,
) -> tuple[Array, int, str] | None:
    """Return the potential for a source smoothed so little that the true one can take over, or None."""
    low, high = source.simplices.min(axis=(0, 1)), source.simplices.max(axis=(0, 1))
    extent = float(np.max(high - low))
    length = 2.0 * source.cell_size
    while True:
        blurred = source.smoothed(length)
        best = _best_start(blurred, seeds, weights, starts, GOOD_RATIO)
        if (best is not None and best[0] >= GOOD_RATIO) or length > 4.0 * extent or deadline.passed:
            break
        length *= 4.0
    if best is None or best[0] <= 0.0:
        return None
    _, name, psi, cells = best

    def nearly(state: NewtonState) -> bool:
        # the least cell decides how far the next stage can go
        return _residual(state, weights) <= loose and least_ratio(state.cells, weights) >= 0.5

    iterations = 0
    factor = 0.25
    while not deadline.passed:
        state = solve_newton(blurred, seeds, weights, psi, nearly, deadline, cells, longest=40)
        iterations += state.iterations
        psi = state.psi
        if not state.converged or length < 1e-3 * source.cell_size:
            break
        cells = measure_cells(source, seeds, psi)
        if observe is not None:
            observe(psi, cells, None)
        if least_ratio(cells, weights) >= GOOD_RATIO:
            break
        # the true source leaves cells empty: smooth less, as far as the cells allow
        while factor <= SLOWEST:
            blurred = source.smoothed(length * factor)
            cells = measure_cells(blurred, seeds, psi)
            if least_ratio(cells, weights) >= GOOD_RATIO:
                break
            factor = np.sqrt(factor)
        if factor > SLOWEST:
            break
        length *= factor
        factor = factor**1.5
    return psi, iterations, name
