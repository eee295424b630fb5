"""The engines behind :func:`wasserstein2`: each takes a problem of unit mass and size and returns bounds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre import LaguerreDiagram, semidiscrete_transport
from wassflow.measure.simplex_quadrature import simplex_volumes
from wassflow.transport.bounds import Bounds, NodeCoupling, root
from wassflow.transport.coarsening import barycentres, clusters, spread
from wassflow.transport.costs import cheapest
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.plans import Plan, overlay, repaired
from wassflow.transport.sandwich import Discretized, contracted, expanded

#: atoms on a side up to which the discrete problem is solved to rounding (5 s at this size), not just to
# ``rtol``
EXACT_ATOMS = 10_000
#: simplices a density may be split into before its centroids are handed to a solver, by dimension
SITES = {2: 40_000, 3: 10_000}
#: atoms with less than this share of the mean mass are gathered onto their neighbours where that is harmless
TINY = 1e-3
#: relative width below which more work is lost on rounding
FINEST = 1e-10


@dataclass(frozen=True)
class Request:
    """What is wanted: relative width, when to stop, and whether plan and potentials are to be returned."""

    rtol: float
    deadline: float
    plan: bool = False
    potential: bool = False

    @property
    def remaining(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if np.isinf(self.deadline) else max(self.deadline - time.monotonic(), 0.0)

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.deadline


# ---------------------------------------------------------------- clouds


def cloud_to_cloud(problem: Problem, request: Request) -> Bounds:
    """Exact discrete transport; to ``rtol`` only when there are many atoms."""
    mu, nu = problem.mu, problem.nu
    small = max(len(mu.masses), len(nu.masses)) <= EXACT_ATOMS
    gap = FINEST if small else max(request.rtol, FINEST)
    solved = solve_discrete(mu.points, mu.masses, nu.points, nu.masses, problem.period, gap, request.deadline)
    lower, upper = root(solved.lower), root(solved.upper)
    name = f"discrete transport ({len(mu.masses)} x {len(nu.masses)} atoms, {solved.rounds} rounds of arcs)"
    coupling = None
    if request.plan:
        coupling = between_nodes(problem, solved.plan)
    return Bounds(
        lower,
        upper,
        0.5 * (lower + upper),
        name,
        solved.rounding,
        coupling,
        at_nodes(mu, solved.first),
        at_nodes(nu, solved.second),
    )


# ---------------------------------------------------------------- a cloud and a density


@dataclass(frozen=True)
class Solved:
    """Bounds of W2 from the semi-discrete engine, and a potential on the atoms."""

    lower: float
    upper: float
    potential: Array
    method: str


def semidiscrete(problem: Problem, density: Cells, points: Array, masses: Array, request: Request) -> Solved:
    """Bracket W2 between a density and atoms; those of very little mass are put on neighbours first.

    Newton's method keeps all cells positive, which is slow when some have to be tiny. Moving the masses m_i
    by d_i changes W2 by at most sqrt(sum m_i d_i^2), which widens the bracket; where that is too much all
    atoms are kept.
    """

    def solve(points: Array, masses: Array) -> Solved:
        found = semidiscrete_transport(
            density.simplices,
            density.masses,
            points,
            masses,
            period=np.where(problem.period > 0.0, problem.period, np.inf),
            rtol=max(request.rtol, FINEST),
            time_limit=request.remaining,
        )
        return Solved(found.lower, found.upper, found.potential, found.method)

    tiny = masses < TINY / len(masses)
    if tiny.any():
        heavy = np.flatnonzero(~tiny)
        near, squares = cheapest(points[tiny], points[heavy], np.zeros(len(heavy)), problem.period, 1)
        gathered = masses.copy()
        gathered[tiny] = 0.0
        np.add.at(gathered, heavy[near[:, 0]], masses[tiny])
        moved = root(float(masses[tiny] @ squares[:, 0]))
        rough = solve(points[heavy], gathered[heavy])
        lower, upper = max(rough.lower - moved, 0.0), rough.upper + moved
        if upper - lower <= request.rtol * upper or request.expired:
            potential = np.empty(len(points))
            potential[heavy] = rough.potential
            potential[tiny] = rough.potential[near[:, 0]]
            return Solved(lower, upper, potential, f"{rough.method}, {tiny.sum()} light atoms gathered")
    return solve(points, masses)


def cloud_to_density(problem: Problem, request: Request) -> Bounds:
    """Semi-discrete transport from the density to the atoms; ``problem.nu`` is the density."""
    atoms, density = problem.mu, problem.nu
    exact = len(atoms.masses) <= EXACT_ATOMS
    solved = semidiscrete(
        problem, density, atoms.points, atoms.masses, replace(request, rtol=FINEST) if exact else request
    )
    name = f"{solved.method} ({len(atoms.masses)} atoms, {np.count_nonzero(density.masses)} simplices)"
    bounds = Bounds(solved.lower, solved.upper, 0.5 * (solved.lower + solved.upper), name)
    if not (request.plan or request.potential):
        return bounds
    nearest, transform = cheapest(density.centroids, atoms.points, solved.potential, problem.period, 1)
    coupling = None
    if request.plan:
        plan = laguerre_plan(problem, density, atoms.points, solved.potential, nearest[:, 0])
        coupling = between_nodes(problem, repaired(plan, atoms.masses, density.masses))
    first, second = at_nodes(atoms, solved.potential), at_nodes(density, transform[:, 0])
    return replace(bounds, coupling=coupling, first=first, second=second)


def laguerre_plan(
    problem: Problem, density: Cells, sites: Array, potential: Array, nearest: NDArray[np.int64]
) -> Plan:
    """Return the masses that sites get from simplices: the pieces of the Laguerre cells.

    In three dimensions, where the diagram does not keep its pieces, each simplex goes whole to the site
    ``nearest`` to its centroid; the marginals are repaired by the caller.
    """
    if problem.dim != 2:
        return Plan(nearest, np.arange(len(nearest)), density.masses)
    period = np.where(problem.period > 0.0, problem.period, np.inf)
    diagram = LaguerreDiagram(density.simplices, density.masses, sites, potential, period)
    polygons = diagram.polygons()
    vertices = np.concatenate(polygons)
    counts = np.array([len(polygon) for polygon in polygons])
    starts = np.cumsum(counts) - counts
    following = np.arange(1, len(vertices) + 1)
    following[starts + counts - 1] = starts
    # relative to a vertex of the piece: pieces are small and may be far from the origin
    first = np.repeat(vertices[starts], counts, axis=0)
    p, q = vertices - first, vertices[following] - first
    areas = 0.5 * np.abs(np.add.reduceat(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0], starts))
    volumes = simplex_volumes(density.simplices)
    simplices = diagram.piece_simplices.astype(np.int64)
    masses = areas / volumes[simplices] * density.masses[simplices]
    return Plan(diagram.piece_sites.astype(np.int64), simplices, masses)


# ---------------------------------------------------------------- two densities


def density_to_density(problem: Problem, request: Request) -> Bounds:
    """Semi-discrete transport from mu to the centroids of nu (above) and to its vertices (below)."""
    mu, nu = problem.mu, problem.nu
    sites = SITES[problem.dim]
    count = wanted_simplices(problem, request, sites)

    def solve(atoms: Discretized) -> Solved:
        inner = replace(request, rtol=0.1 * request.rtol, deadline=_halfway(request))
        return semidiscrete(problem, mu, atoms.points, atoms.masses, inner)

    above = contracted(nu, count)
    one = solve(above)
    upper_square = one.upper**2 + above.square
    radius = np.sqrt(above.square)
    bounds = Bounds(
        max(one.lower - radius, 0.0),
        min(root(upper_square), one.upper + radius),
        0.5 * (one.lower + one.upper),
        f"semi-discrete transport to {len(above.masses)} centroids",
    )
    below = expanded(nu, count)
    if not request.expired:
        other = solve(below)
        lower_square = other.lower**2 - below.square
        estimate = root(0.5 * (upper_square + lower_square))
        bounds = replace(
            bounds,
            estimate=estimate,
            method=f"{bounds.method} above, to {len(below.masses)} vertices below",
        ).improved(lower=root(lower_square))
    if not (request.plan or request.potential):
        return bounds
    nearest, transform = cheapest(mu.centroids, above.points, one.potential, problem.period, 1)
    held = np.bincount(above.owner, weights=above.masses, minlength=len(nu.masses))
    mean = np.bincount(above.owner, weights=above.masses * one.potential, minlength=len(nu.masses))
    second = np.full(len(nu.masses), -np.inf)
    second[held > 0.0] = mean[held > 0.0] / held[held > 0.0]
    coupling = None
    if request.plan:
        plan = laguerre_plan(problem, mu, above.points, one.potential, nearest[:, 0])
        fixed = repaired(plan, above.masses, mu.masses)
        coupling = between_nodes(problem, Plan(fixed.columns, above.owner[fixed.rows], fixed.masses))
    return replace(
        bounds, coupling=coupling, first=at_nodes(mu, transform[:, 0]), second=at_nodes(nu, second)
    )


def _halfway(request: Request) -> float:
    """Return when half of the remaining time is over."""
    return np.inf if request.remaining is None else request.deadline - 0.5 * request.remaining


def wanted_simplices(problem: Problem, request: Request, most: int) -> int:
    """Return how many simplices nu has to be split into for ``rtol``, at most ``most``."""
    rough = rough_distance(problem, 500)
    dim = problem.dim
    square = contracted(problem.nu).square * (dim + 2)
    count = int(np.count_nonzero(problem.nu.masses))
    # the width of W2 is about that of W2^2 over 2 W2
    wanted = 2.0 * request.rtol * max(rough**2, 1e-12)
    while square > wanted and count << dim <= most:
        square /= 4.0
        count <<= dim
    return count


def rough_distance(problem: Problem, count: int) -> float:
    """Return W2 between clusters of both measures: no bound, good enough to choose a resolution."""
    sides = []
    for side in (problem.mu, problem.nu):
        atoms = contracted(side)
        label = clusters(atoms.points, atoms.masses, count)
        sides.append(barycentres(atoms.points, atoms.masses, label))
    (x, a), (y, b) = sides
    return root(solve_discrete(x, a, y, b, problem.period, 1e-2).upper)


# ---------------------------------------------------------------- anything, by atoms alone


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
    above = [contracted(side, count) for side in (problem.mu, problem.nu)]
    atoms = max(len(side.masses) for side in above)
    moved = [np.sqrt(side.square) for side in above]
    clustered = [side for side in range(2) if len(above[side].masses) > most]
    for side in clustered:
        fine = above[side]
        label = clusters(fine.points, fine.masses, most)
        centres, sums = barycentres(fine.points, fine.masses, label)
        square = fine.square + spread(fine.points, fine.masses, label, centres)
        above[side] = Discretized(centres, sums, square, label)
        moved[side] = np.sqrt(square)
    (x, a), (y, b) = ((side.points, side.masses) for side in above)
    square = above[0].square + above[1].square
    upper = solve_discrete(x, a, y, b, problem.period, 0.1 * request.rtol, request.deadline)
    high = root(upper.upper + square)
    low = max(root(upper.lower) - moved[0] - moved[1], 0.0)
    name = f"discrete transport between {len(a)} x {len(b)} centroids"
    bounds = Bounds(low, min(high, root(upper.upper) + moved[0] + moved[1]), high, name, upper.rounding)
    if clustered or request.expired or square == 0.0:
        return bounds.improved(), atoms
    below = [expanded(side, count) for side in (problem.mu, problem.nu)]
    (x, a), (y, b) = ((side.points, side.masses) for side in below)
    lower = solve_discrete(x, a, y, b, problem.period, 0.1 * request.rtol, request.deadline)
    excess = below[0].square + below[1].square
    low_square = lower.lower - excess
    estimate = root(high**2 - square / (square + excess) * (high**2 - low_square))
    bounds = replace(
        bounds,
        estimate=estimate,
        rounding=max(upper.rounding, lower.rounding),
        method=f"{name} above, {len(a)} x {len(b)} vertices below",
    )
    return bounds.improved(lower=root(low_square)), atoms


# ---------------------------------------------------------------- what holds for all


def common_mass_bound(problem: Problem) -> float:
    """Return an upper bound of W2 for densities on the same cells: what they share stays, the rest moves."""
    mu, nu = problem.mu, problem.nu
    if not (isinstance(mu, Cells) and isinstance(nu, Cells) and np.array_equal(mu.simplices, nu.simplices)):
        return np.inf
    moved = 0.5 * float(np.abs(mu.masses - nu.masses).sum())
    held = mu.simplices[(mu.masses > 0.0) | (nu.masses > 0.0)].reshape(-1, problem.dim)
    return float(np.sqrt(moved) * np.linalg.norm(held.max(axis=0) - held.min(axis=0)))


def node_of(side: Atoms | Cells) -> NDArray[np.int64]:
    """Return a node (particle or cell) for each atom or simplex."""
    if isinstance(side, Cells):
        return side.cells
    node = np.zeros(len(side.masses), dtype=np.int64)
    held = np.flatnonzero(side.nodes >= 0)
    node[side.nodes[held]] = held
    return node


def at_nodes(side: Atoms | Cells, values: Array) -> Array:
    """Return values of atoms or simplices at the nodes they come from: particles, or cells (the mean)."""
    if isinstance(side, Atoms):
        return np.append(values, -np.inf)[side.nodes]
    finite = np.isfinite(values)
    count = np.bincount(side.cells[finite], minlength=side.num_nodes)
    total = np.bincount(side.cells[finite], weights=values[finite], minlength=side.num_nodes)
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)


def between_nodes(problem: Problem, plan: Plan) -> NodeCoupling:
    """Return a plan between atoms or simplices as one between particles or cells.

    Particles that coincide share by weight what comes to their atom: monotonically, particle by particle.
    """
    rows, columns, masses = plan.rows, plan.columns, plan.masses
    rows, columns, masses = _spread_over_particles(problem.mu, rows, columns, masses)
    columns, rows, masses = _spread_over_particles(problem.nu, columns, rows, masses)
    return NodeCoupling(rows, columns, masses)


def _spread_over_particles(
    side: Atoms | Cells, index: NDArray[np.int64], other: NDArray[np.int64], masses: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    if isinstance(side, Cells):
        return side.cells[index], other, masses
    held = np.flatnonzero(side.nodes >= 0)
    if len(held) == len(side.masses):
        return node_of(side)[index], other, masses
    members = held[np.argsort(side.nodes[held], kind="stable")]
    entries = np.argsort(index, kind="stable")
    pieces = overlay(side.weights[members], masses[entries])
    return members[pieces.rows], other[entries[pieces.columns]], pieces.masses
