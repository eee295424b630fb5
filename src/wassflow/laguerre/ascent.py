"""Regularised Newton ascent of the Kantorovich dual: slower than damped Newton, but it needs no start with
full cells.

The dual g(psi) = sum_i nu_i psi_i + int min_i (|x - y_i|^2 - psi_i) dmu is concave with continuous gradient
nu - M(psi) and generalised Hessian -L, L the Laplacian of the facets. Empty cells and disconnected supports
only make L singular, so steps (L + t D) p = nu - M, D = diag(nu) / length^2, with t steered as in Levenberg
and Marquardt, climb from anywhere. Used where the damped Newton iteration stops short.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wassflow.laguerre.bounds import Flow
from wassflow.laguerre.cells import Cells, Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.linear import solve_shifted
from wassflow.laguerre.newton import NewtonState
from wassflow.laguerre.source import Source


def climb(
    source: Source,
    seeds: Seeds,
    weights: Array,
    psi: Array,
    cells: Cells,
    done: Callable[[NewtonState], bool],
    deadline: Deadline,
    longest: int = 300,
) -> NewtonState:
    """Ascend from ``psi`` until ``done(state)``, no progress beyond rounding, or the deadline."""
    low, high = source.bounds
    # potentials vary by the extent of the source times that of the sites
    reach = float(np.linalg.norm(high - low))
    metric = weights / (reach * (reach + float(np.linalg.norm(np.ptp(seeds.positions, axis=0)))))
    shift = 1.0
    state = NewtonState(psi, cells, None, 0, False)
    for iteration in range(longest):
        residual = weights - cells.mass
        value = float(np.sum(cells.second) + psi @ residual)
        accepted = False
        while not accepted:
            step = solve_shifted(cells.graph, shift * metric, residual, source.dim)
            state = NewtonState(psi, cells, Flow(step), iteration, False)
            if done(state):
                return NewtonState(psi, cells, Flow(step), iteration, True)
            if deadline.passed:
                return state
            edges = cells.graph @ step
            degree = np.asarray(cells.graph.sum(axis=1)).ravel()
            predicted = float(step @ residual - 0.5 * step @ (degree * step - edges))
            trial = psi + step
            trial -= trial @ weights
            trial_cells = measure_cells(source, seeds, trial)
            trial_residual = weights - trial_cells.mass
            gain = float(np.sum(trial_cells.second) + trial @ trial_residual) - value
            noise = 1e-15 * (abs(value) + float(np.abs(trial) @ np.maximum(weights, trial_cells.mass)))
            if predicted <= noise:
                # the value cannot tell any more: accept what brings the masses closer
                accepted = bool(np.sum(np.abs(trial_residual)) < 0.9 * np.sum(np.abs(residual)))
                if not accepted and shift > 1e6:
                    return state
                ratio = 1.0 if accepted else 0.0
            else:
                ratio = gain / predicted
                accepted = ratio > 1e-3
            if ratio > 0.75:
                shift /= 8.0
            elif ratio < 0.25:
                shift *= 4.0
            if shift > 1e30:
                return state
        psi, cells = trial, trial_cells
    return state
