"""Two densities that may be closer than a cell: bounds that do not depend on the size of the cells.

Below there is the potential half-way (:mod:`wassflow.transport.midpoint`), above, on different meshes, the
flow of mass between common boxes (:mod:`wassflow.transport.shared_boxes`). Neither solves a transport
problem. Both are sharp where the densities are smooth or close to each other, and hold always; where mass
has to go far, or around voids, transport to a quantisation is better above.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from wassflow.transport.bounds import Bounds, root
from wassflow.transport.engines import Request
from wassflow.transport.lattice import Lattice
from wassflow.transport.marginals import Problem
from wassflow.transport.midpoint import midpoint_bound
from wassflow.transport.shared_boxes import boxes_bound

#: boxes of the splines, by dimension: smoother ones are better where mass goes far, finer ones elsewhere
SPLINES = {2: (2_000, 16_000), 3: (1_000, 8_000)}
#: simplices that densities are split into for the lower bound, and boxes of the upper one, by dimension,
#: without a time limit (some seconds)
NODES = 200_000
BOXES = {2: 64_000, 3: 30_000}
#: share of the time limit that the lower bound may take, and share of the upper bound below which finer
#: splines are not tried
SHARE, HOPELESS = 0.25, 0.7


def close_bounds(problem: Problem, request: Request, near: Bounds | None) -> Bounds:
    """Bracket W2 between two densities; ``near`` is what is known from a common mesh already."""
    patience = request.patience(most=1.0)
    best = near or boxes_bound(problem, Lattice.around(problem, int(BOXES[problem.dim] * patience)))
    if best is None:
        best = Bounds(0.0, np.inf, np.inf, "")
    deadline = np.inf if request.remaining is None else time.monotonic() + SHARE * request.remaining
    for boxes in SPLINES[problem.dim]:
        if best.relative_width <= request.rtol or time.monotonic() > deadline:
            break
        found = midpoint_bound(problem, boxes, int(NODES * patience), deadline)
        lower = root(found.square - found.rounding)
        if lower > best.lower:
            above = best.method.rpartition("below")[2].removeprefix(", ")
            method = f"a potential half-way below, {above}".removesuffix(", ")
            best = replace(best, method=method).improved(lower=lower)
        if lower < HOPELESS * best.upper:
            break
    return best
