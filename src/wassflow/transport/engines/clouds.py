"""Between two clouds: exact discrete transport, to rounding where there are few atoms."""

from __future__ import annotations

from wassflow.transport.bounds import Bounds, root
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.engines.gathered import by_clusters, few_atoms
from wassflow.transport.engines.nodes import at_nodes, between_nodes
from wassflow.transport.engines.request import FINEST, Request
from wassflow.transport.marginals import Atoms, Problem


def cloud_to_cloud(problem: Problem, request: Request) -> Bounds:
    """Exact discrete transport; to ``rtol`` only, or between barycentres, when there are many atoms."""
    mu, nu = problem.mu, problem.nu
    assert isinstance(mu, Atoms)
    assert isinstance(nu, Atoms)
    small = few_atoms(problem)
    rough = None if small else by_clusters(problem, request, cloud_to_cloud)
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
