"""Between any two measures by atoms alone: centroids above, vertices below."""

from __future__ import annotations

from dataclasses import replace

from wassflow.arguments import Array
from wassflow.rounding import EPS
from wassflow.transport.bounds import Bounds, root
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.engines.densities import dual_at_vertices
from wassflow.transport.engines.nodes import at_nodes, between_nodes, of_owners
from wassflow.transport.engines.request import Request
from wassflow.transport.marginals import Problem
from wassflow.transport.plans import Plan, refined
from wassflow.transport.sandwich import clustered, contracted, expanded


def by_atoms(problem: Problem, request: Request, most: int = 20_000) -> Bounds:
    """Discrete transport between centroids (above) and vertices (below), refined until ``rtol`` or ``most``.

    Independent of the semi-discrete engine, and slower. What has too many atoms is clustered, and the
    triangle inequality takes the place of the lower bound.
    """
    best: Bounds | None = None
    count = 0
    while True:
        bounds, atoms = _by_atoms_once(problem, request, count, most)
        best = bounds if best is None else replace(bounds.improved(best.lower, best.upper))
        count = max(atoms, 1) << problem.dim
        if best.relative_width <= request.rtol or count > most or request.expired:
            return best


def _by_atoms_once(problem: Problem, request: Request, count: int, most: int) -> tuple[Bounds, int]:
    fine = [contracted(side, count) for side in (problem.mu, problem.nu)]
    atoms = max(len(side.masses) for side in fine)
    (one, rows), (other, columns) = (clustered(side, most) for side in fine)
    gap = 0.1 * request.rtol
    upper = solve_discrete(
        one.points, one.masses, other.points, other.masses, problem.period, gap, request.deadline
    )
    square = one.square + other.square
    moved = root(one.square) + root(other.square)
    high = min(root(upper.upper + square), root(upper.upper) + moved)
    name = f"discrete transport between {len(one.masses)} x {len(other.masses)} centroids"
    rounding = upper.rounding + 16.0 * EPS * high**2
    bounds = Bounds(max(root(upper.lower) - moved, 0.0), high, high, name, rounding)
    if request.plan or request.potential:
        plan = refined(upper.plan, rows, fine[0].masses, columns, fine[1].masses)
        plan = Plan(fine[0].owner[plan.rows], fine[1].owner[plan.columns], plan.masses)
        bounds = replace(
            bounds,
            coupling=between_nodes(problem, plan) if request.plan else None,
            first=at_nodes(problem.mu, of_owners(problem.mu, fine[0], upper.first[rows])),
            second=at_nodes(problem.nu, of_owners(problem.nu, fine[1], upper.second[columns])),
        )
    if atoms > most or request.expired:
        found = dual_at_vertices(problem, other.points, upper.second)
        return bounds.improved(lower=root(found)), atoms
    if square == 0.0:
        return bounds.improved(), atoms
    (x, a), (y, b), excess = _vertices(problem, count)
    lower = solve_discrete(x, a, y, b, problem.period, gap, request.deadline)
    low_square = lower.lower - excess
    bounds = replace(
        bounds,
        # the two gaps are as the two moments, to leading order
        estimate=root(high**2 - square / (square + excess) * (high**2 - low_square)),
        rounding=max(rounding, lower.rounding + 16.0 * EPS * (high**2 + excess)),
        method=f"{name} above, {len(a)} x {len(b)} vertices below",
    )
    return bounds.improved(lower=root(low_square)), atoms


def _vertices(problem: Problem, count: int) -> tuple[tuple[Array, Array], tuple[Array, Array], float]:
    one, other = expanded(problem.mu, count), expanded(problem.nu, count)
    return (one.points, one.masses), (other.points, other.masses), one.square + other.square
