"""The two measures of a transport problem as plain arrays: checked, of mass one, and scaled to unit size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.measure.simplex_quadrature import simplex_inertia
from wassflow.rounding import EPS

#: masses may differ by this much relative to the larger one: rounding of long sums, not a different mass
MASS_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Atoms:
    """Distinct points with positive masses that sum to one.

    ``nodes`` says which atom each of the ``num_nodes`` given particles went to, -1 for one without weight;
    ``weights`` are the masses of these particles.
    """

    points: Array
    masses: Array
    nodes: NDArray[np.int64]
    weights: Array

    @property
    def num_nodes(self) -> int:
        """Number of particles given."""
        return len(self.nodes)


@dataclass(frozen=True)
class Cells:
    """Simplices with masses that sum to one (some may be zero), and the node (cell) each is cut from."""

    simplices: Array
    masses: Array
    cells: NDArray[np.int64]
    num_nodes: int

    @property
    def centroids(self) -> Array:
        """Centroids ``(ns, d)``."""
        return self.simplices.mean(axis=1)

    @property
    def inertia(self) -> Array:
        """Mean squared distance to the centroid, ``(ns,)``."""
        return simplex_inertia(self.simplices)


@dataclass(frozen=True)
class Problem:
    """Two measures of mass one in coordinates of unit size.

    Attributes:
        mu, nu: the measures.
        period: length of the period of each axis, 0 where it is not periodic, ``(d,)``.
        scale: W2 of the original measures is ``scale`` times that of these.
        rounding: bound on the error of W2 made by wrapping positions, in the units of these measures.
    """

    mu: Atoms | Cells
    nu: Atoms | Cells
    period: Array
    scale: float
    rounding: float

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.period)

    def swapped(self) -> Problem:
        """Return the same problem seen from the other side."""
        return Problem(self.nu, self.mu, self.period, self.scale, self.rounding)


Measure = MeshDensity | ParticleCloud


def communicator(mu: Measure, nu: Measure) -> Any:
    """Return the communicator over which either measure is distributed, or None."""
    for measure in (mu, nu):
        comm = measure.comm if isinstance(measure, ParticleCloud) else measure.mesh.comm
        if comm is not None and comm.size > 1:
            return comm
    return None


def checked(name: str, measure: Any) -> tuple[Array, Array, NDArray[np.int64] | None]:
    """Return points and weights of a cloud, or simplices, masses and nodes of a density: the whole of it."""
    if isinstance(measure, MeshDensity):
        source = measure.simplicial()
        support, masses, cells = source.simplices, source.masses, source.nodes
    elif isinstance(measure, ParticleCloud):
        whole = measure.gather()
        support, masses, cells = whole.points, whole.weights, None
    else:
        raise ValueError(f"{name} must be a MeshDensity or a ParticleCloud, found {type(measure).__name__}")
    if len(masses) == 0:
        raise ValueError(f"{name} must hold at least one point or cell, found none")
    for what, values in (("positions", support), ("masses", masses)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} must have finite {what}, found {values[~np.isfinite(values)][0]}")
    if masses.min() < 0.0:
        raise ValueError(f"{name} must have nonnegative masses, found {masses.min()}")
    if not masses.max() > 0.0:
        raise ValueError(f"{name} must have positive mass, found zero")
    return support, masses, cells


def resolve_domain(mu: Measure, nu: Measure, domain: Domain | None) -> Domain | None:
    """Return the domain whose periodic axes define the cost: the given one, else that of the meshes."""
    if domain is not None:
        if domain.dim != mu.dim:
            raise ValueError(f"domain must have the dimension of mu and nu, {mu.dim}, found {domain.dim}")
        return domain
    domains = [
        (name, measure.mesh.domain)
        for name, measure in (("mu", mu), ("nu", nu))
        if isinstance(measure, MeshDensity) and measure.mesh.domain is not None
    ]
    if len(domains) == 2:
        (_, one), (_, other) = domains
        same = tuple(one.periodic) == tuple(other.periodic) and all(
            abs(p - q) <= 1e-12 * p
            for p, q, periodic in zip(
                one.upper - one.lower, other.upper - other.lower, one.periodic, strict=True
            )
            if periodic
        )
        if not same:
            raise ValueError(
                f"mu and nu must live on domains with the same periods, found {one} and {other}; "
                "give domain= to say which cost is meant"
            )
    return domains[0][1] if domains else None


def make_problem(mu: Measure, nu: Measure, domain: Domain | None) -> Problem:
    """Check two measures and return them with mass one and unit size.

    Translations are exact in floating point, scalings are by powers of two: the positions are those given,
    except where a periodic coordinate has to be wrapped.

    Raises:
        ValueError: wrong type, empty, zero mass, non-finite; different dimensions, masses or periods.
    """
    sides = [checked("mu", mu), checked("nu", nu)]
    if mu.dim != nu.dim:
        raise ValueError(f"mu and nu must have the same dimension, found {mu.dim} and {nu.dim}")
    if abs(mu.mass - nu.mass) > MASS_TOLERANCE * max(mu.mass, nu.mass):
        raise ValueError(
            f"mu and nu must have the same mass up to {MASS_TOLERANCE:g} relative, "
            f"found {mu.mass!r} and {nu.mass!r}"
        )
    domain = resolve_domain(mu, nu, domain)
    dim = mu.dim
    periodic = np.zeros(dim, dtype=bool) if domain is None else np.asarray(domain.periodic, dtype=bool)
    period = np.zeros(dim)
    low = np.minimum(*(support.reshape(-1, dim).min(axis=0) for support, _, _ in sides))
    high = np.maximum(*(support.reshape(-1, dim).max(axis=0) for support, _, _ in sides))
    if domain is not None and periodic.any():
        period[periodic] = (domain.upper - domain.lower)[periodic]
        low = np.where(periodic, domain.lower, low)
        high = np.where(periodic, domain.upper, high)
    # halves first: the difference of huge coordinates may leave the float range
    radius = 0.5 * high - 0.5 * low
    centre = 0.5 * high + 0.5 * low
    # a translation by a point that is far away compared to the size is exact (Sterbenz), and is not needed
    # otherwise
    shift = np.where(np.abs(centre) > 4.0 * radius, centre, 0.0)
    size = float(np.max(np.maximum(np.abs(high - shift), np.abs(low - shift))))
    exponent = int(np.frexp(size)[1]) if size > 0.0 else 0

    def placed(points: Array) -> Array:
        return np.ldexp(points - shift, -exponent)

    rounding = 0.0
    lower = placed(np.where(periodic, domain.lower, 0.0)) if domain is not None else np.zeros(dim)
    period = np.ldexp(period, -exponent)
    if periodic.any():
        # wrapping takes off multiples of the period, which are rounded like the far points themselves
        reach = max(float(np.abs(placed(support)).max()) for support, _, _ in sides)
        rounding = 4.0 * EPS * np.sqrt(dim) * max(float(period.max()), reach)
    measures: list[Atoms | Cells] = []
    for support, masses, cells in sides:
        # scaled by a power of two first: the sum of huge masses may leave the float range
        shares = np.ldexp(masses, -int(np.frexp(masses.max())[1]))
        shares = shares / shares.sum()
        if cells is None:
            points = placed(support)
            for axis in np.flatnonzero(periodic):
                points[:, axis] = wrapped(points[:, axis], lower[axis], period[axis])
            measures.append(merged(points, shares))
        else:
            measures.append(Cells(placed(support), shares, cells, int(cells.max()) + 1))
    scale = float(np.ldexp(np.sqrt(0.5 * mu.mass + 0.5 * nu.mass), exponent))
    if not np.isfinite(scale) or scale == 0.0:
        raise ValueError(
            f"mu and nu must have positions and masses whose W2 is a float, found size {size}, mass {mu.mass}"
        )
    return Problem(measures[0], measures[1], period, scale, rounding)


def wrapped(values: Array, lower: float, period: float) -> Array:
    """Return coordinates moved by multiples of the period into [lower, lower + period)."""
    moved = values - period * np.floor((values - lower) / period)
    return np.where(moved >= lower + period, lower, np.maximum(moved, lower))


def merged(points: Array, masses: Array) -> Atoms:
    """Return the atoms of a cloud: coincident points merged, points without mass left out."""
    points = points + 0.0  # -0.0 and 0.0 are the same place
    order = np.lexsort(points.T[::-1])
    held = order[masses[order] > 0.0]
    inside = points[held]
    new = np.ones(len(held), dtype=bool)
    new[1:] = np.any(inside[1:] != inside[:-1], axis=1)
    group = np.cumsum(new) - 1
    nodes = np.full(len(points), -1, dtype=np.int64)
    nodes[held] = group
    total = np.bincount(group, weights=masses[held])
    return Atoms(np.ascontiguousarray(inside[new]), total, nodes, masses)
