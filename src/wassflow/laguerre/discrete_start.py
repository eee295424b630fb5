"""A potential for few sites from exact transport to atoms that stand for the source.

Where the source is in pieces, or in masses joined by next to nothing, how much the potential differs between
them is all that matters, and Newton's method finds it last: the masses do not react until a cell reaches over
to another piece. The linear program between the sites and some barycentres of the source has no such trouble,
and leaves only what lies within a cell to be found.
"""

from __future__ import annotations

import warnings

import numpy as np
import ot

from wassflow.laguerre.cells import Seeds
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.laguerre.geometry import Array
from wassflow.laguerre.source import Source

# Atoms of the source per site: with more of them fewer cells begin empty, and the program costs more.
ATOMS_PER_SITE = 4
# Seconds that the program takes per pair of a site and an atom (.4 seconds for 512 sites).
SECONDS_PER_PAIR = 4e-7


def expected_seconds(sites: int) -> float:
    """Return about how long :func:`discrete_potential` takes; once begun it cannot be stopped."""
    return SECONDS_PER_PAIR * ATOMS_PER_SITE * sites**2


def discrete_potential(source: Source, seeds: Seeds, weights: Array) -> Array:
    """Return the potential (m,) on the sites of the exact discrete transport; some cells may be empty.

    Source: network simplex of Bonneel et al., ACM Trans. Graph. 30 (2011) 158, as POT has it.
    """
    centroids = source.simplices[source.active].mean(axis=1)
    masses = source.masses[source.active]
    label = clusters(centroids, masses, ATOMS_PER_SITE * seeds.size)
    atoms, sums = barycentres(centroids, masses, label)
    steps = seeds.shortest((atoms[None] - seeds.positions[:, None]).reshape(-1, source.dim))
    costs = np.einsum("nd,nd->n", steps, steps).reshape(seeds.size, len(atoms))
    # POT's tolerances are absolute: give it costs and masses of size one
    unit = float(costs.mean()) or 1.0
    supply, demand = seeds.size * weights / weights.sum(), seeds.size * sums / sums.sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a program stopped early: any potential is a start
        _, log = ot.emd(supply, demand, costs / unit, numItermax=10**7, log=True, check_marginals=False)
    psi = unit * np.nan_to_num(log["u"])
    return np.asarray(psi - weights @ psi)
