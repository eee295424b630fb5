"""Large clouds replaced by the barycentres of clusters of nearby atoms: a wider bracket in less time.

With mu_c the masses at the barycentres and r(mu)^2 = int |x|^2 d(mu - mu_c), the cost of moving mu there,

    W2(mu_c, nu_c) - r(mu) - r(nu)  <=  W2(mu, nu)  <=  sqrt(W2^2(mu_c, nu_c) + r(mu)^2 + r(nu)^2)

by the triangle inequality below, and above as in :mod:`wassflow.transport.sandwich`; a density stays as it
is (r = 0). For the wanted width r has to be a share of W2, and for measures far apart few clusters do.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wassflow.rounding import EPS
from wassflow.transport.bounds import Bounds, root
from wassflow.transport.engines.request import Request
from wassflow.transport.engines.resolution import rough_distance
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.sandwich import clustered, contracted

#: atoms on a side up to which the problem is solved to rounding (10 to 20 s for so many), not just to
#: ``rtol``
EXACT_ATOMS = 10_000
#: clusters that are tried first; they tell how many are needed
FIRST = 1_024
#: least number of atoms per cluster: with fewer the whole problem is not much dearer
LEAST_GATHERED = 8
#: share of the wanted width that may be lost on gathering; the rest is left to the engine and the estimate
SHARE = 0.9


def few_atoms(problem: Problem) -> bool:
    """Whether the clouds are small enough for a solution to rounding."""
    return all(len(side.masses) <= EXACT_ATOMS for side in _clouds(problem))


def by_clusters(
    problem: Problem, request: Request, solve: Callable[[Problem, Request], Bounds]
) -> Bounds | None:
    """Return bounds from barycentres of clusters, if they reach ``rtol`` or the time, and nothing else is
    wanted.
    """
    if request.plan or request.potential:
        return None
    inner = replace(request, rtol=0.05 * request.rtol)
    width = request.rtol * rough_distance(problem, 500)
    rough = _between_clusters(problem, width, lambda smaller: solve(smaller, inner))
    enough = rough is not None and (rough.relative_width <= request.rtol or request.expired)
    return rough if enough else None


def _between_clusters(problem: Problem, width: float, solve: Callable[[Problem], Bounds]) -> Bounds | None:
    """Return bounds from ``solve`` between barycentres, which lose ``SHARE * width`` of W2 at most.

    ``None`` where that takes too many clusters.
    """
    count, most = FIRST, max(len(side.masses) for side in _clouds(problem)) // LEAST_GATHERED
    for _ in range(3):
        if count > most:
            return None
        (mu, one), (nu, other) = (_gathered(side, count) for side in (problem.mu, problem.nu))
        radius = root(one) + root(other)
        if radius <= SHARE * width:
            inner = solve(replace(problem, mu=mu, nu=nu))
            upper = root(inner.upper**2 + one + other)
            return Bounds(
                max(inner.lower - radius, 0.0),
                upper,
                min(inner.estimate, upper),
                f"{inner.method} in place of {_sizes(problem)}",
                inner.rounding + 64.0 * EPS * (upper + upper**2),
            )
        # r goes with the size of the clusters, whose number is a power of two
        ratio = min(radius / (SHARE * width), 1e3) if width > 0.0 else 1e3
        count <<= max(math.ceil(problem.dim * math.log2(ratio)), 1)
    return None


def _gathered(side: Atoms | Cells, count: int) -> tuple[Atoms | Cells, float]:
    if isinstance(side, Cells):
        return side, 0.0
    atoms, _ = clustered(contracted(side), count)
    return Atoms(atoms.points, atoms.masses, np.arange(len(atoms.masses)), atoms.masses), atoms.square


def _sizes(problem: Problem) -> str:
    sizes = [str(len(side.masses)) for side in _clouds(problem)]
    return f"{' and '.join(sizes)} atoms"


def _clouds(problem: Problem) -> list[Atoms]:
    return [side for side in (problem.mu, problem.nu) if isinstance(side, Atoms)]
