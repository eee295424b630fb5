"""Between two densities: semi-discrete transport to finer and finer quantisations of one of them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from wassflow.arguments import Array
from wassflow.laguerre.costs import cheapest
from wassflow.rounding import EPS
from wassflow.transport.bounds import Bounds, root
from wassflow.transport.engines.laguerre_cells import Solved, laguerre_plan, semidiscrete
from wassflow.transport.engines.nodes import at_nodes, between_nodes, of_owners
from wassflow.transport.engines.request import Request
from wassflow.transport.engines.resolution import NARROW, wanted_simplices
from wassflow.transport.marginals import Cells, Problem
from wassflow.transport.plans import Plan, refined, repaired
from wassflow.transport.sandwich import Discretized, clustered, contracted, expanded

#: simplices that a density is split into at most, by dimension, when it is handed as atoms to the
#: semi-discrete engine without a time limit (20 s for both bounds); three times as many are clustered
SITES = {2: 10_000, 3: 3_000}
#: the same where only the bound above is looked for
FINE_SITES = {2: 40_000, 3: 25_000}


def density_to_density(problem: Problem, request: Request, known: Bounds | None = None) -> Bounds:
    """Transport from mu to quantisations of nu, finer and finer until ``rtol``, the largest size or the time.

    The first level is a guess; the next is 2^d times as large, and takes about as many times longer. Bounds
    that are ``known`` count too, and where they are narrow from below only the upper bound is improved.
    """
    known = known or Bounds(0.0, np.inf, np.inf, "")
    if 2.0 * contracted(problem.mu).square < contracted(problem.nu).square:
        # the side with much finer cells is quantised
        return density_to_density(problem.swapped(), request, known.swapped()).swapped()
    # more time, finer cells
    sites = int(SITES[problem.dim] * request.patience(most=30.0))
    most = sites if request.remaining is None else int(SITES[problem.dim] * 30.0)
    narrow = known.relative_width < NARROW
    if narrow and request.remaining is None:
        most = FINE_SITES[problem.dim]
        sites = most // 3
    # with a time limit the first level is what the time is enough for
    first = most if request.remaining is None else sites
    count = wanted_simplices(problem, request, first, known)
    if narrow and not (request.plan or request.potential):
        # the bound above is that far from W2^2, at least
        loss = 2.0 * contracted(problem.nu, count).square
        if known.lower**2 + loss >= known.upper**2:
            return known
    best: Bounds | None = None
    while True:
        begun = time.monotonic()
        bounds = _quantised(problem, request, count, sites, known)
        best = bounds if best is None else bounds.improved(best.lower, best.upper)
        count <<= problem.dim
        longer = (time.monotonic() - begun) * 2**problem.dim
        if (
            best.relative_width <= request.rtol
            or count > most
            or time.monotonic() + longer > request.deadline
        ):
            return best
        sites = max(sites, count)


def _quantised(problem: Problem, request: Request, count: int, sites: int, known: Bounds) -> Bounds:
    """Semi-discrete transport from mu to the centroids of nu (above) and to its vertices (below).

    nu is split into ``count`` simplices; where it has more than three times ``sites`` they are clustered.
    Bounds from below that cannot be expected to help beside those ``known`` are not looked for.
    """
    mu, nu = problem.mu, problem.nu
    assert isinstance(mu, Cells)

    def solve(atoms: Discretized) -> Solved:
        inner = replace(request, rtol=0.1 * request.rtol, enough=request.rtol, deadline=_halfway(request))
        return semidiscrete(problem, mu, atoms.points, atoms.masses, inner)

    fine = contracted(nu, count)
    above, label = clustered(fine, 3 * sites)
    one = solve(above)
    radius = np.sqrt(above.square)
    upper = min(root(one.upper**2 + above.square), one.upper + radius)
    bounds = Bounds(
        max(one.lower - radius, 0.0),
        upper,
        min(0.5 * (one.lower + one.upper), upper),
        f"semi-discrete transport to {len(above.masses)} centroids",
    )
    # to leading order, W2^2 exceeds the bound from the vertices by dim times the second moment of the cells
    hopeless = known.lower**2 > one.upper**2 - (problem.dim + 1) * above.square
    if not hopeless and (above is not fine or (one.upper - one.lower) > request.rtol * one.upper):
        found = dual_at_vertices(problem, above.points, one.potential)
        bounds = replace(bounds, rounding=16.0 * EPS).improved(lower=root(found))
    if not hopeless and above is fine and not request.expired:
        below = expanded(nu, count)
        other = solve(below)
        lower = root(other.lower**2 - below.square)
        estimate = root(0.5 * (upper**2 + lower**2))
        method = f"{bounds.method} above, to {len(below.masses)} vertices below"
        rounding = bounds.rounding + 16.0 * EPS * (upper**2 + below.square)
        bounds = replace(bounds, estimate=estimate, method=method, rounding=rounding).improved(lower=lower)
    bounds = bounds.with_known(known)
    if not (request.plan or request.potential):
        return bounds
    nearest, transform = cheapest(mu.centroids, above.points, one.potential, problem.period, 1)
    coupling = None
    if request.plan:
        plan = laguerre_plan(problem, mu, above.points, one.potential, nearest[:, 0])
        plan = repaired(plan, above.masses, mu.masses)
        if above is not fine:
            plan = refined(plan, label, fine.masses, np.arange(len(mu.masses)), mu.masses)
        coupling = between_nodes(problem, Plan(plan.columns, fine.owner[plan.rows], plan.masses))
    second = of_owners(nu, fine, one.potential[label])
    return replace(
        bounds, coupling=coupling, first=at_nodes(mu, transform[:, 0]), second=at_nodes(nu, second)
    )


def dual_at_vertices(problem: Problem, sites: Array, potential: Array) -> float:
    """Return a lower bound of W2^2 from any potential on any sites near nu.

    Its c-transform on the vertices of mu, and the c-transform of that on the vertices of nu, are feasible
    between the vertices, which is enough (see :mod:`wassflow.transport.sandwich`). It costs two searches.
    """
    one, other = expanded(problem.mu), expanded(problem.nu)
    _, first = cheapest(one.points, sites, potential, problem.period, 1)
    _, second = cheapest(other.points, one.points, first[:, 0], problem.period, 1)
    return float(one.masses @ first[:, 0] + other.masses @ second[:, 0]) - one.square - other.square


def _halfway(request: Request) -> float:
    """Return when half of the remaining time is over."""
    return np.inf if request.remaining is None else request.deadline - 0.5 * request.remaining


def common_mass_bound(problem: Problem) -> float:
    """Return an upper bound of W2 for densities on the same cells: what they share stays, the rest moves."""
    mu, nu = problem.mu, problem.nu
    if not (isinstance(mu, Cells) and isinstance(nu, Cells) and np.array_equal(mu.simplices, nu.simplices)):
        return np.inf
    # the masses themselves are rounded
    moved = 0.5 * (1.0 + 4.0 * EPS) * float(np.abs(mu.masses - nu.masses).sum())
    held = mu.simplices[(mu.masses > 0.0) | (nu.masses > 0.0)].reshape(-1, problem.dim)
    return float(np.sqrt(moved) * np.linalg.norm(held.max(axis=0) - held.min(axis=0)))
