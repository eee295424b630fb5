"""Upper bound of W2 between densities on different meshes: both are carried to the same boxes.

On a box Q of longest edge L a density rho of mean m becomes m at little cost. From a flux w with div w =
rho - m in Q, none of it through the walls of Q, follows a cost of at most g int |w|^2 / m dx, with g =
(int_0^1 ds / sqrt(theta + (1 - theta) s))^2 = 4 / (1 + sqrt theta)^2, theta = min rho / m: the formula of
:mod:`wassflow.transport.nearby` with the best s(t). The least int |w|^2 is at most (L / pi)^2 int (rho -
m)^2, since (pi / L)^2 is the first eigenvalue of Q (Payne and Weinberger, Arch. Ration. Mech. Anal. 5
(1960) 286; on boxes it is this). A density between l and u with the mean m has a variance of at most (u -
m) (m - l), and of just this when it takes no other values. So

    W2(mu, its boxes)^2 <= (L / pi)^2 sum_Q |Q| g_Q (u_Q - m_Q) (m_Q - l_Q) / m_Q,

which is nothing where the boxes lie within the cells, and W2(mu, nu) is at most the sum of both such
distances and that between the boxes.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from wassflow.arguments import Array
from wassflow.domain import Box
from wassflow.measure import MeshDensity
from wassflow.mesh.boxes import box
from wassflow.transport.bounds import Bounds
from wassflow.transport.lattice import TOUCHING, Lattice, densities_in_boxes, masses_in_boxes
from wassflow.transport.marginals import Cells, Problem
from wassflow.transport.nearby import nearby_densities


def distance_to_boxes(lattice: Lattice, masses: Array, least: Array, largest: Array) -> float:
    """Return an upper bound of W2 between a density, of these bounds in the boxes, and its means there."""
    held = masses > 0.0
    mean = masses[held] / float(np.prod(lattice.spacing))
    # densities of 1e-300 beside others: what overflows is bounded by the diameter of the box
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = least[held] / mean, largest[held] / mean
        # slivers thinner than TOUCHING are left out of the bounds
        variance = np.maximum((high - 1.0) * (1.0 - low), 0.0) + 4.0 * TOUCHING
        square = (lattice.spacing.max() / np.pi) ** 2 * variance * 4.0 / (1.0 + np.sqrt(low)) ** 2
    return float(np.sqrt(masses[held] @ np.fmin(square, np.sum(lattice.spacing**2))))


def boxes_bound(problem: Problem, lattice: Lattice) -> Bounds | None:
    """Bracket W2 between two densities by way of the boxes of a lattice; None if there is no upper bound."""
    mu, nu = problem.mu, problem.nu
    assert isinstance(mu, Cells)
    assert isinstance(nu, Cells)
    parts = [masses_in_boxes(lattice, side) for side in (mu, nu)]
    detour = sum(
        distance_to_boxes(lattice, part, *densities_in_boxes(lattice, side))
        for part, side in zip(parts, (mu, nu), strict=True)
    )
    domain = Box(lattice.lower, lattice.upper, periodic=lattice.periodic)
    cell = "quadrilateral" if lattice.dim == 2 else "hexahedron"
    mesh = box(domain, cells=lattice.shape, cell=cell, comm=MPI.COMM_SELF)
    index = tuple(lattice.boxes_of(mesh.centroids).T)
    found = nearby_densities(*(MeshDensity(mesh, part[index]) for part in parts))
    if found is None:
        return None
    return Bounds(max(found.lower - detour, 0.0), found.upper + detour, found.value, found.method)
