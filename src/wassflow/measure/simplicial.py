"""A density on a mesh as plain arrays on every rank: what sampling and transport work on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.measure.communication import gather_rows
from wassflow.measure.simplex_quadrature import simplex_volumes


@dataclass(frozen=True)
class SimplicialDensity:
    """A density that is constant on each of a set of simplices, whole on every rank.

    Attributes:
        simplices: vertices, ``(ns, d+1, d)``.
        masses: mass of each simplex, ``(ns,)``, nonnegative.
        nodes: the cell each simplex was cut from, ``(ns,)``: the owned cells of all ranks, rank after rank
            (on one rank simply the index into the masses of the density).
        period: period of each axis, ``inf`` where it is not periodic, ``(d,)``.

    The order is the same for every number of ranks: by cell in the numbering of the mesh's input, and the
    vertices and the simplices of a cell in lexicographic order.
    """

    simplices: Array
    masses: Array
    nodes: NDArray[np.int64]
    period: Array

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.simplices.shape[2]

    @property
    def centroids(self) -> Array:
        """Centroids ``(ns, d)``."""
        return self.simplices.mean(axis=1)


def gather_simplices(mesh: Any, masses: Array) -> SimplicialDensity:
    """Return a mesh density as simplices on every rank; those of a cell share its mass by volume."""
    simplices, parents = mesh.simplices
    volumes = simplex_volumes(simplices)
    cell_volumes = np.bincount(parents, weights=volumes, minlength=mesh.num_owned)
    shares = masses[parents] * (volumes / cell_volumes[parents])
    cells = gather_rows(
        mesh.comm, np.asarray(mesh.original_cell_index, dtype=np.int64)[: mesh.num_owned][parents]
    )
    before = 0 if mesh.comm is None else int(mesh.comm.exscan(mesh.num_owned) or 0)
    nodes = gather_rows(mesh.comm, parents.astype(np.int64) + before)
    simplices = sorted_vertices(gather_rows(mesh.comm, simplices))
    shares = gather_rows(mesh.comm, shares)
    first = simplices.reshape(len(simplices), -1)
    order = np.lexsort((*first.T[::-1], cells))
    return SimplicialDensity(
        np.ascontiguousarray(simplices[order]), shares[order], nodes[order], mesh.domain.period
    )


def sorted_vertices(simplices: Array) -> Array:
    """Return the simplices with the vertices of each in lexicographic order."""
    n, corners, dim = simplices.shape
    flat = simplices.reshape(-1, dim)
    owner = np.repeat(np.arange(n), corners)
    order = np.lexsort((*flat.T[::-1], owner))
    return flat[order].reshape(n, corners, dim)
