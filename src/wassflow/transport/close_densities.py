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
#: boxes per cell from which they are tried on a common mesh too: on few cells the flow is too stiff
COARSE = 8
#: share of the time limit that the lower bound may take, and share of the upper bound below which finer
#: splines are not tried
SHARE, HOPELESS = 0.4, 0.7


def close_bounds(problem: Problem, request: Request, near: Bounds | None) -> Bounds:
    """Bracket W2 between two densities; ``near`` is what is known from a common mesh already."""
    patience = request.patience(most=1.0)
    boxes = int(BOXES[problem.dim] * patience)
    below, above = "means and covariances", "a flow of mass between cells"
    best = near
    if best is None:
        best, above = _between_boxes(problem, boxes)
    deadline = np.inf if request.remaining is None else time.monotonic() + SHARE * request.remaining
    flat = Lattice.around(problem, 1).flat
    for count in () if flat else SPLINES[problem.dim]:
        if best.relative_width <= request.rtol or time.monotonic() > deadline:
            break
        tried = midpoint_bound(problem, count, int(NODES * patience), deadline)
        proved = root(tried.square - tried.rounding)
        if proved > best.lower:
            best, below = best.improved(lower=proved), "a potential half-way"
        if proved < HOPELESS * best.upper:
            break
    coarse = near is not None and not flat and COARSE * problem.mu.num_nodes < boxes
    if coarse and best.relative_width > request.rtol and time.monotonic() < deadline:
        found, name = _between_boxes(problem, boxes)
        if found.upper < best.upper:
            best, above = replace(best, estimate=found.estimate).improved(upper=found.upper), name
    return replace(best, method=f"{below} below" + (f", {above} above" if np.isfinite(best.upper) else ""))


def _between_boxes(problem: Problem, count: int) -> tuple[Bounds, str]:
    """Return the bounds by way of boxes, without an upper one if there is none, and their name."""
    lattice = Lattice.around(problem, count)
    found = None if lattice.flat else boxes_bound(problem, lattice)
    found = found or Bounds(0.0, np.inf, np.inf, "")
    return found, f"a flow of mass between {'x'.join(map(str, lattice.shape))} boxes"
