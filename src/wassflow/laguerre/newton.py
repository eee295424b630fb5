"""Damped Newton iteration for the Kantorovich potential.

Kitagawa, Merigot and Thibert, J. Eur. Math. Soc. 21 (2019), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.lifting import POOR, SLIVER, lift_poor_cells
from wassflow.laguerre.linear import solve_laplacian
from wassflow.laguerre.source import Source

# A step this short brings nothing on: the residual is rounding, or another method is wanted.
SHORTEST = 2.0**-12


@dataclass(frozen=True)
class NewtonState:
    """A potential, its cells, and the Newton direction there (the flow potential of the upper bound)."""

    psi: Array
    cells: Cells
    direction: Array | None
    iterations: int
    converged: bool


def least_ratio(cells: Cells, weights: Array) -> float:
    """Return min_i mass_i / weight_i: positive if every cell meets the source."""
    return float(np.min(cells.mass / weights))


def _direction(cells: Cells, weights: Array, dim: int) -> Array:
    """Return the Newton step; slivers, whose facets say nothing about the way to their weight, go along."""
    graph, residual = cells.graph, weights - cells.mass
    sliver = cells.mass < SLIVER * weights
    if not sliver.any() or sliver.all():
        return solve_laplacian(graph, residual, dim)
    rich = np.flatnonzero(~sliver)
    step = np.zeros(weights.size)
    step[rich] = solve_laplacian(sp.csr_matrix(graph[rich][:, rich]), residual[rich], dim)
    towards = graph[sliver][:, rich]
    total = np.asarray(towards.sum(axis=1)).ravel()
    step[sliver] = (towards @ step[rich]) / np.where(total > 0.0, total, 1.0)
    return step


def solve_newton(
    source: Source,
    seeds: Seeds,
    weights: Array,
    psi: Array,
    done: Callable[[NewtonState], bool],
    deadline: Deadline,
    cells: Cells | None = None,
    longest: int = 200,
) -> NewtonState:
    """Iterate from ``psi``, whose cells should all have mass, until ``done(state)``, no progress, or the
    deadline.

    A step is halved until the residual drops by the Armijo share of the paper and no cell falls below half
    of what the least one had, relative to its weight. Cells that a step leaves poor are lifted first, which
    costs a measurement, as halving does, but keeps the step long; half of the drop must be left then.
    """
    if cells is None:
        cells = measure_cells(source, seeds, psi)
    step = 1.0
    state = NewtonState(psi, cells, None, 0, False)
    for iteration in range(longest):
        residual = weights - cells.mass
        size = float(np.linalg.norm(residual))
        direction = _direction(cells, weights, source.dim)
        state = NewtonState(psi, cells, direction, iteration, False)
        if done(state):
            return NewtonState(psi, cells, direction, iteration, True)
        if deadline.passed or size == 0.0:
            return state
        floor = 0.5 * min(least_ratio(cells, weights), POOR)
        step = min(1.0, 4.0 * step)
        while True:
            trial = psi + step * direction
            trial -= trial @ weights
            trial_cells = measure_cells(source, seeds, trial)
            left = np.linalg.norm(weights - trial_cells.mass) / size
            if left <= 1.0 - 0.5 * step and least_ratio(trial_cells, weights) < max(floor, SLIVER):
                trial, trial_cells = lift_poor_cells(
                    source, seeds, weights, trial, trial_cells, rounds=2, deadline=deadline
                )
                left = np.linalg.norm(weights - trial_cells.mass) / size - 0.25 * step
            if left <= 1.0 - 0.5 * step and least_ratio(trial_cells, weights) >= floor:
                psi, cells = trial, trial_cells
                break
            step *= 0.5
            if step < SHORTEST or deadline.passed:
                return state
    return state
