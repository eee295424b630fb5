"""W2 between any two measures, as a bracket."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import scipy.sparse

from wassflow.arguments import as_number, one_of
from wassflow.domain import Domain
from wassflow.measure import MeshDensity
from wassflow.rounding import EPS
from wassflow.transport.bounds import Bounds
from wassflow.transport.bracket import Bracket, Potential
from wassflow.transport.close_densities import close_bounds
from wassflow.transport.engines import (
    Request,
    by_atoms,
    cloud_to_cloud,
    cloud_to_density,
    common_mass_bound,
    density_to_density,
)
from wassflow.transport.marginals import Atoms, Measure, Problem, communicator, make_problem
from wassflow.transport.nearby import nearby_densities

ENGINES = ("semi-discrete", "discrete")


def wasserstein2(
    mu: Measure,
    nu: Measure,
    domain: Domain | None = None,
    rtol: float = 0.01,
    time_limit: float | None = None,
    plan: bool = False,
    potential: bool = False,
    engine: str | None = None,
) -> Bracket:
    """Bracket the distance W2(mu, nu), the root of the least int |x - y|^2 over all plans between mu and nu.

    Args:
        mu, nu: a :class:`~wassflow.MeshDensity` or a :class:`~wassflow.ParticleCloud` each, of the same
            mass. W2 grows with the root of the mass. Distributed measures are gathered; every rank gets
            the same answer.
        domain: periodic axes give the distance on the flat torus. Default: the domain of the mesh, when
            there is one.
        rtol: wanted width of the bracket relative to its upper end. Problems that are small are solved to
            rounding; where ``rtol`` cannot be reached the bracket is wider, and true all the same. Two
            densities that are smooth or close to each other get bounds that do not depend on the size of
            their cells (:mod:`wassflow.transport.close_densities`): a percent or less in two dimensions, a
            few in three. Where mass has to go far, or around voids, the width is that of the cells into
            which one of them is split, squared, over W2.
        time_limit: in seconds, for two densities also time that may be used to reach ``rtol``. It is looked
            at between the steps of the solvers; overrun are the step that is under way, and what any bracket
            needs: starts, and passes over all atoms and cells. Over fifty problems on a busy machine that
            was below 0.5 s for most with 1e3 particles, 2 s for hard ones (on a wall, weights over six
            decades; 3.5 s in three dimensions), and 9 s with 3e4 and more.
        plan: return the transport plan between particles and cells, a sparse array of masses. Its
            marginals are those of mu and nu; where a density takes part it is optimal up to the size of
            the cells.
        potential: return the Kantorovich potentials.
        engine: None chooses; ``"semi-discrete"`` (Laguerre cells; a density must take part) or
            ``"discrete"`` (atoms alone; densities between their centroids and their vertices).

    Returns:
        a :class:`Bracket`, whose ``method`` says how it was found.

    Raises:
        ValueError: measures of different masses (beyond 1e-9 relative), dimensions or periods; non-finite
        or empty ones.

    Sources: Peyre and Cuturi, Computational Optimal Transport (2019), section 3.5 for the network simplex,
    section 5 for the semi-discrete dual; Kitagawa, Merigot and Thibert (J. Eur. Math. Soc. 2019) for its
    solution.

    >>> import wassflow as wf
    >>> wasserstein2(wf.ParticleCloud([[0.0, 0.0]]), wf.ParticleCloud([[3.0, 4.0]])).value
    5.0
    """
    rtol = as_number("rtol", rtol, least=0.0)
    if time_limit is not None:
        time_limit = as_number("time_limit", time_limit, above=0.0)
    if engine is not None:
        one_of("engine", engine, ENGINES)
    deadline = np.inf if time_limit is None else time.monotonic() + time_limit
    request = Request(max(rtol, 1e-15), deadline, plan=plan, potential=potential)
    problem = make_problem(mu, nu, domain)
    if engine == "semi-discrete" and isinstance(problem.mu, Atoms) and isinstance(problem.nu, Atoms):
        raise ValueError("engine must be 'discrete' or None for two clouds, found 'semi-discrete'")
    comm = communicator(mu, nu)
    mass = 0.5 * mu.mass + 0.5 * nu.mass
    if comm is None:
        near = _nearby(mu, nu, problem) if engine is None else None
        return _bracket(problem, request, engine, mass, near)
    # one rank computes: a time limit would let the ranks take different decisions
    answer: Any = None
    if comm.rank == 0:
        try:
            answer = _bracket(problem, request, engine, mass, None)
        except Exception as error:
            answer = error
    _wait_for_root(comm)
    answer = comm.bcast(answer, root=0)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _wait_for_root(comm: Any) -> None:
    """Wait until rank 0 is here without keeping a core busy, as a blocking call of MPI would."""
    arrived = comm.Ibarrier()
    while not arrived.Test():
        time.sleep(1e-3)


def _nearby(mu: Measure, nu: Measure, problem: Problem) -> Bounds | None:
    """Return the bounds for densities on the same mesh, if its periods are those of the cost."""
    if not (isinstance(mu, MeshDensity) and isinstance(nu, MeshDensity)):
        return None
    if not np.array_equal(mu.mesh.domain.periodic, problem.period > 0.0):
        return None
    found = nearby_densities(mu, nu)
    if found is None:
        return None
    # in the units of the problem, and widened by rounding already
    scale = problem.scale
    return Bounds(found.lower / scale, found.upper / scale, found.value / scale, found.method)


def _bracket(
    problem: Problem, request: Request, engine: str | None, mass: float, near: Bounds | None
) -> Bracket:
    bounds = _solve(problem, request, engine, near)
    lower, upper = _widened(bounds, problem.rounding)
    rounding = 0.5 * (upper - lower - (bounds.upper - bounds.lower))
    # nothing to add where nothing moves
    upper = min(upper, common_mass_bound(problem))
    lower = min(lower, upper)
    scale = problem.scale
    value = min(max(bounds.estimate, lower), upper)
    coupling = None
    if request.plan and bounds.coupling is not None:
        found = bounds.coupling
        shape = (problem.mu.num_nodes, problem.nu.num_nodes)
        coupling = scipy.sparse.coo_array((found.masses * mass, (found.rows, found.columns)), shape=shape)
        coupling.sum_duplicates()
    potentials = None
    if request.potential and bounds.first is not None and bounds.second is not None:
        square = scale / np.sqrt(mass)
        potentials = Potential(bounds.first * square * square, bounds.second * square * square)
    return Bracket(
        lower * scale,
        upper * scale,
        bounds.method,
        value=value * scale,
        rounding=rounding * scale,
        plan=coupling,
        potential=potentials,
    )


def _solve(problem: Problem, request: Request, engine: str | None, near: Bounds | None) -> Bounds:
    clouds = [isinstance(side, Atoms) for side in (problem.mu, problem.nu)]
    if all(clouds):
        return cloud_to_cloud(problem, request)
    if engine == "discrete" or problem.dim not in (2, 3):
        return by_atoms(problem, request)
    if clouds[1]:
        return cloud_to_density(problem.swapped(), request).swapped()
    if clouds[0]:
        return cloud_to_density(problem, request)
    if engine is not None:
        return density_to_density(problem, request)
    known = close_bounds(problem, request, near)
    enough = known.relative_width <= request.rtol or request.expired
    if enough and np.isfinite(known.upper) and not (request.plan or request.potential):
        return known
    return density_to_density(problem, request, known)


def _widened(bounds: Bounds, shift: float) -> tuple[float, float]:
    """Return the bounds of W2, moved apart by the rounding of W2^2 and of the positions."""
    slack = shift + 4.0 * EPS * bounds.upper
    lower = np.sqrt(max(bounds.lower**2 - bounds.rounding, 0.0)) - slack
    upper = np.sqrt(bounds.upper**2 + bounds.rounding) + slack
    return max(float(lower), 0.0), float(upper)
