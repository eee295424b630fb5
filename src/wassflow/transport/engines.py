"""The engines behind :func:`wasserstein2`: each takes a problem of unit mass and size and returns bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre import LaguerreDiagram, semidiscrete_transport
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.laguerre.costs import cheapest
from wassflow.measure.simplex_quadrature import simplex_volumes
from wassflow.rounding import EPS
from wassflow.transport.bounds import Bounds, NodeCoupling, root
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.gathered import by_clusters
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.plans import Plan, overlay, refined, repaired
from wassflow.transport.sandwich import Discretized, clustered, contracted, expanded

#: atoms on a side up to which the discrete problem is solved to rounding (10 to 20 s for so many), not just
#: to ``rtol``
EXACT_ATOMS = 10_000
#: simplices that a density is split into at most, by dimension, when it is handed as atoms to the
#: semi-discrete engine without a time limit (20 s for both bounds); three times as many are clustered
SITES = {2: 10_000, 3: 3_000}
#: the same where only the bound above is looked for
FINE_SITES = {2: 40_000, 3: 25_000}
#: atoms with less than this share of the mean mass are gathered onto their neighbours where that is harmless
TINY = 1e-4
#: relative width below which bounds that are known choose how two densities are split
NARROW = 0.5
#: relative width below which more work is lost on rounding
FINEST = 1e-10


@dataclass(frozen=True)
class Request:
    """What is wanted: relative width, when to stop, and whether plan and potentials are to be returned.

    ``enough`` is a larger width with which an engine is content when less costs much more work.
    """

    rtol: float
    deadline: float
    enough: float = 0.0
    plan: bool = False
    potential: bool = False

    @property
    def remaining(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if np.isinf(self.deadline) else max(self.deadline - time.monotonic(), 0.0)

    def patience(self, most: float) -> float:
        """Return how much more work than 20 seconds of it the time is enough for: 1 without a limit."""
        return 1.0 if self.remaining is None else float(np.clip(self.remaining / 40.0, 0.1, most))

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.deadline


# ---------------------------------------------------------------- clouds


def cloud_to_cloud(problem: Problem, request: Request) -> Bounds:
    """Exact discrete transport; to ``rtol`` only, or between barycentres, when there are many atoms."""
    mu, nu = problem.mu, problem.nu
    assert isinstance(mu, Atoms)
    assert isinstance(nu, Atoms)
    small = max(len(mu.masses), len(nu.masses)) <= EXACT_ATOMS
    rough = None if small else _between_clusters(problem, request, cloud_to_cloud)
    if rough is not None:
        return rough
    # the gap of W2^2 that leaves W2 the wanted width
    rtol = min(request.rtol, 1.0)
    gap = FINEST if small else max(rtol * (2.0 - rtol), FINEST)
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


def _between_clusters(
    problem: Problem, request: Request, solve: Callable[[Problem, Request], Bounds]
) -> Bounds | None:
    """Return bounds from barycentres of clusters, if they reach ``rtol`` or the time, and nothing else is
    wanted.
    """
    if request.plan or request.potential:
        return None
    inner = replace(request, rtol=0.05 * request.rtol)
    width = request.rtol * rough_distance(problem, 500)
    rough = by_clusters(problem, width, lambda smaller: solve(smaller, inner))
    enough = rough is not None and (rough.relative_width <= request.rtol or request.expired)
    return rough if enough else None


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
    atoms are kept, and the better bounds of the two count.
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
    lower, upper = 0.0, np.inf
    if tiny.any():
        heavy = np.flatnonzero(~tiny)
        near, squares = cheapest(points[tiny], points[heavy], np.zeros(len(heavy)), problem.period, 1)
        gathered = masses.copy()
        gathered[tiny] = 0.0
        np.add.at(gathered, heavy[near[:, 0]], masses[tiny])
        moved = root(float(masses[tiny] @ squares[:, 0]))
        rough = solve(points[heavy], gathered[heavy])
        lower, upper = max(rough.lower - moved, 0.0), rough.upper + moved
        if upper - lower <= max(request.rtol, request.enough) * upper or request.expired:
            potential = np.empty(len(points))
            potential[heavy] = rough.potential
            potential[tiny] = rough.potential[near[:, 0]]
            return Solved(lower, upper, potential, f"{rough.method}, {tiny.sum()} light atoms gathered")
    found = solve(points, masses)
    return replace(
        found, lower=min(max(lower, found.lower), found.upper), upper=max(min(upper, found.upper), lower)
    )


def cloud_to_density(problem: Problem, request: Request) -> Bounds:
    """Semi-discrete transport from the density to the atoms; ``problem.nu`` is the density."""
    atoms, density = problem.mu, problem.nu
    assert isinstance(atoms, Atoms)
    assert isinstance(density, Cells)
    exact = len(atoms.masses) <= EXACT_ATOMS
    rough = None if exact else _between_clusters(problem, request, cloud_to_density)
    if rough is not None:
        return rough
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
    second = _of_owners(nu, fine, one.potential[label])
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


def wanted_simplices(problem: Problem, request: Request, most: int, known: Bounds) -> int:
    """Return how many simplices nu has to be split into for ``rtol``, at most ``most``."""
    dim = problem.dim
    if known.relative_width < NARROW:
        # only the bound above is left to be improved: it exceeds W2^2 by twice the second moment of cells
        rough, loss = known.estimate, 2
    else:
        rough, loss = rough_distance(problem, 500), dim + 2
    square = contracted(problem.nu).square * loss
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
            first=at_nodes(problem.mu, _of_owners(problem.mu, fine[0], upper.first[rows])),
            second=at_nodes(problem.nu, _of_owners(problem.nu, fine[1], upper.second[columns])),
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


def _of_owners(side: Atoms | Cells, atoms: Discretized, values: Array) -> Array:
    """Return the mean of values of atoms for each simplex they stand for, -inf for one without mass."""
    held = np.bincount(atoms.owner, weights=atoms.masses, minlength=len(side.masses))
    total = np.bincount(atoms.owner, weights=atoms.masses * values, minlength=len(side.masses))
    return np.where(held > 0.0, total / np.where(held > 0.0, held, 1.0), -np.inf)


# ---------------------------------------------------------------- what holds for all


def common_mass_bound(problem: Problem) -> float:
    """Return an upper bound of W2 for densities on the same cells: what they share stays, the rest moves."""
    mu, nu = problem.mu, problem.nu
    if not (isinstance(mu, Cells) and isinstance(nu, Cells) and np.array_equal(mu.simplices, nu.simplices)):
        return np.inf
    # the masses themselves are rounded
    moved = 0.5 * (1.0 + 4.0 * EPS) * float(np.abs(mu.masses - nu.masses).sum())
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
