"""Damped Newton iteration for the Kantorovich potential.

Kitagawa, Merigot and Thibert, J. Eur. Math. Soc. 21 (2019), Algorithm 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.linear import solve_laplacian
from wassflow.laguerre.source import Source


@dataclass
class Deadline:
    """A time limit shared by all stages of a solve."""

    end: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Start the clock; ``None`` means no limit."""
        return cls(np.inf if seconds is None else time.perf_counter() + seconds)

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.end


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
    """Iterate from ``psi``, whose cells must all have mass, until ``done(state)``, no progress, or the
    deadline.

    A step is halved until no cell falls below half of what it had (relative to its weight, at most half of
    the weight) and the residual drops by the Armijo share of the paper.
    """
    if cells is None:
        cells = measure_cells(source, seeds, psi)
    floor = 0.5 * min(least_ratio(cells, weights), 1.0)
    step = 1.0
    state = NewtonState(psi, cells, None, 0, False)
    for iteration in range(longest):
        residual = weights - cells.mass
        size = float(np.linalg.norm(residual))
        direction = solve_laplacian(cells.graph, residual, source.dim)
        state = NewtonState(psi, cells, direction, iteration, False)
        if done(state):
            return NewtonState(psi, cells, direction, iteration, True)
        if deadline.passed or size == 0.0 or floor <= 0.0:
            return state
        step = min(1.0, 4.0 * step)
        while True:
            trial = psi + step * direction
            trial -= trial @ weights
            trial_cells = measure_cells(source, seeds, trial)
            if (
                least_ratio(trial_cells, weights) >= floor
                and np.linalg.norm(weights - trial_cells.mass) <= (1.0 - 0.5 * step) * size
            ):
                psi, cells = trial, trial_cells
                break
            step *= 0.5
            if step < 2.0**-30 or deadline.passed:
                return state
    return state
