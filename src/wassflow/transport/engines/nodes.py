"""From atoms and simplices, between which engines solve, to the particles and cells that they come from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.transport.bounds import NodeCoupling
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.plans import Plan, overlay
from wassflow.transport.sandwich import Discretized


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


def of_owners(side: Atoms | Cells, atoms: Discretized, values: Array) -> Array:
    """Return the mean of values of atoms for each simplex they stand for, -inf for one without mass."""
    held = np.bincount(atoms.owner, weights=atoms.masses, minlength=len(side.masses))
    total = np.bincount(atoms.owner, weights=atoms.masses * values, minlength=len(side.masses))
    return np.where(held > 0.0, total / np.where(held > 0.0, held, 1.0), -np.inf)


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
