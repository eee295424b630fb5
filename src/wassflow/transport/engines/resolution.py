"""How finely measures have to be split, from distances that are no bounds."""

from __future__ import annotations

import numpy as np

from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.transport.bounds import Bounds, root
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.engines.request import Request
from wassflow.transport.marginals import Problem
from wassflow.transport.sandwich import contracted

#: relative width below which bounds that are known choose how two densities are split
NARROW = 0.5


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
