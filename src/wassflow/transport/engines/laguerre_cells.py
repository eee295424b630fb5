"""Between a cloud and a density: the semi-discrete engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre import LaguerreDiagram, semidiscrete_transport
from wassflow.laguerre.costs import cheapest
from wassflow.measure.simplex_quadrature import simplex_volumes
from wassflow.transport.bounds import Bounds, root
from wassflow.transport.engines.gathered import by_clusters, few_atoms
from wassflow.transport.engines.nodes import at_nodes, between_nodes
from wassflow.transport.engines.request import FINEST, Request
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.plans import Plan, repaired

#: atoms with less than this share of the mean mass are gathered onto their neighbours where that is harmless
TINY = 1e-4


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
    exact = few_atoms(problem)
    rough = None if exact else by_clusters(problem, request, cloud_to_density)
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
