"""Particles from a density: independent, stratified, or quantised. All deterministic given the seed."""

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.laguerre import quantized_points
from wassflow.measure.simplicial import SimplicialDensity
from wassflow.measure.space_filling import descend, hilbert_order

METHODS = ("iid", "stratified", "quantized")


def sample_points(source: SimplicialDensity, m: int, method: str, seed: int) -> Array:
    """Return m points ``(m, d)`` of equal weight by one of :data:`METHODS`."""
    if method == "iid":
        return iid_points(source, m, seed)
    if method == "stratified":
        return stratified_points(source, m, seed)
    return quantized_points(source.simplices, source.masses, m, seed=seed, period=source.period)


def uniform_in(simplices: Array, rng: np.random.Generator) -> Array:
    """Return one uniform point ``(n, d)`` in each simplex."""
    # normalised exponentials are uniform barycentric coordinates
    coordinates = rng.standard_exponential(simplices.shape[:2])
    coordinates /= coordinates.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkd->nd", coordinates, simplices)


def _locate(masses: Array, positions: Array) -> tuple[NDArray[np.int64], Array]:
    """Return which mass each position of [0, 1) falls in when all are lined up, and how far along it is."""
    ends = np.cumsum(masses)
    targets = positions * ends[-1]
    chosen = np.searchsorted(ends, targets, side="right")
    # rounding may point past the end: take the last piece that holds mass
    chosen = np.minimum(chosen, np.flatnonzero(masses > 0.0)[-1])
    starts = ends[chosen] - masses[chosen]
    share = (targets - starts) / masses[chosen]
    return chosen, np.clip(share, 0.0, np.nextafter(1.0, 0.0))


def iid_points(source: SimplicialDensity, m: int, seed: int) -> Array:
    """Return m independent points: a simplex by mass, then uniform in it."""
    rng = np.random.default_rng(seed)
    chosen, _ = _locate(source.masses, rng.random(m))
    return uniform_in(source.simplices[chosen], rng)


def stratified_points(source: SimplicialDensity, m: int, seed: int) -> Array:
    """Return one point in each of m strata of equal mass.

    The cells are lined up along a Hilbert curve, and each is run through by repeated bisection: the line
    is cut into m pieces of equal mass, which are compact sets in space, and a point is drawn in each. The
    expected empirical measure is the density itself, exactly.
    """
    rng = np.random.default_rng(seed)
    order = hilbert_order(source.centroids)
    simplices, masses = source.simplices[order], source.masses[order]
    chosen, share = _locate(masses, (np.arange(m) + rng.random(m)) / m)
    # as many halvings as make the pieces a quarter of a stratum: finer changes nothing
    strata = masses / masses.sum() * m
    levels = np.ceil(np.log2(np.maximum(strata, 2.0**-60))).astype(np.int64) + 2
    pieces, _ = descend(simplices[chosen], share, np.clip(levels[chosen], 0, 52))
    return uniform_in(pieces, rng)
