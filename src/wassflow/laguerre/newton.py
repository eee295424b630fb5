"""Damped Newton iteration for the Kantorovich potential.

Kitagawa, Merigot and Thibert, J. Eur. Math. Soc. 21 (2019), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from wassflow.laguerre.bounds import Flow
from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.lifting import POOR, SLIVER, lift_poor_cells, touched_cells
from wassflow.laguerre.linear import solve_laplacian
from wassflow.laguerre.source import Source

# A step this short brings nothing on: the residual is rounding, or another method is wanted.
SHORTEST = 2.0**-12
# Length of the first step where more than this share of the mass is in wrong cells: the full one overshoots,
# and empties cells (at 1e4 sites drawn from a density in space, .7 to .8 leave a third of what 1 leaves after
# the next step).
FIRST_STEP, FAR = 0.75, 0.1
# Share of the cells that a step may leave poor: the next one lifts them, where a round of lifting would
# measure all cells once more.
FEW = 1e-3
# Cells that give a poor one what it lacks: one alone seldom has enough.
GIVERS = 8


@dataclass(frozen=True)
class NewtonState:
    """A potential, its cells, and the flow of the Newton step from there (for the upper bound)."""

    psi: Array
    cells: Cells
    flow: Flow | None
    iterations: int
    converged: bool


def least_ratio(cells: Cells, weights: Array) -> float:
    """Return min_i mass_i / weight_i: positive if every cell meets the source."""
    return float(np.min(cells.mass / weights))


def _least_but_few(cells: Cells, weights: Array) -> float:
    """Return the least mass_i / weight_i of all cells but the share ``FEW``."""
    few = int(FEW * weights.size)
    return float(np.partition(cells.mass / weights, few)[few])


def newton_step(seeds: Seeds, psi: Array, cells: Cells, weights: Array, dim: int) -> tuple[Array, Flow]:
    """Return the Newton step, and the flow that it stands for.

    The facets of poor cells say nothing about the way to their weight. They are lifted to where they reach
    another cell, which gives them what they lack and has to get it from its neighbours.
    """
    graph, residual = cells.graph, weights - cells.mass
    poor = cells.mass < POOR * weights
    if not poor.any() or poor.all():
        step = solve_laplacian(graph, residual, dim)
        return step, Flow(step)
    givers, touching = touched_cells(seeds, psi, cells, poor, GIVERS)
    rich, takers = np.flatnonzero(~poor), np.flatnonzero(poor)
    wanted = residual.copy()
    np.add.at(wanted, givers, residual[takers, None] / givers.shape[1])
    step = np.zeros(weights.size)
    step[rich] = solve_laplacian(sp.csr_matrix(graph[rich][:, rich]), wanted[rich], dim)
    flow = Flow(step.copy(), takers, givers)
    step[takers] = np.maximum(touching[:, 0] - psi[takers], 0.0) + step[givers[:, 0]]
    return step, flow


def solve_newton(
    source: Source,
    seeds: Seeds,
    weights: Array,
    psi: Array,
    done: Callable[[NewtonState], bool],
    deadline: Deadline,
    cells: Cells | None = None,
    longest: int = 200,
    measure: Callable[[Array], Cells] | None = None,
) -> NewtonState:
    """Iterate from ``psi``, whose cells should all have mass, until ``done(state)``, no progress, or the
    deadline.

    A step is halved until the residual drops by the Armijo share of the paper and no cell, but for a few
    among many, falls below half of what the least one had, relative to its weight. Where a step leaves more
    of them poor they are lifted first, which costs a measurement, as halving does, but keeps the step long;
    half of the drop must be left then. ``measure`` may do more than measure the cells of a step.
    """
    measure = measure or partial(measure_cells, source, seeds)
    if cells is None:
        cells = measure(psi)
    far = 0.5 * float(np.sum(np.abs(weights - cells.mass))) > FAR
    step = 0.25 * FIRST_STEP if far else 1.0
    state = NewtonState(psi, cells, None, 0, False)
    for iteration in range(longest):
        residual = weights - cells.mass
        size = float(np.linalg.norm(residual))
        direction, flow = newton_step(seeds, psi, cells, weights, source.dim)
        state = NewtonState(psi, cells, flow, iteration, False)
        if done(state):
            return NewtonState(psi, cells, flow, iteration, True)
        if deadline.passed or size == 0.0:
            return state
        floor = 0.5 * min(_least_but_few(cells, weights), POOR)
        step = min(1.0, 4.0 * step)
        while True:
            trial = psi + step * direction
            trial -= trial @ weights
            trial_cells = measure(trial)
            left = np.linalg.norm(weights - trial_cells.mass) / size
            if left <= 1.0 - 0.5 * step and _least_but_few(trial_cells, weights) < max(floor, SLIVER):
                trial, trial_cells = lift_poor_cells(
                    source, seeds, weights, trial, trial_cells, rounds=2, deadline=deadline
                )
                left = np.linalg.norm(weights - trial_cells.mass) / size - 0.25 * step
            if left <= 1.0 - 0.5 * step and _least_but_few(trial_cells, weights) >= floor:
                psi, cells = trial, trial_cells
                break
            step *= 0.5
            if step < SHORTEST or deadline.passed:
                return state
    return state
