"""The bounded-Lipschitz distance between measures of any sign and mass, as a bracket."""

import numpy as np
import ot

from wassflow.arguments import Array, as_integer, one_of
from wassflow.domain import Domain
from wassflow.rounding import EPS
from wassflow.transport.bracket import Bracket
from wassflow.transport.signed_atoms import PROJECTIONS, SignedAtoms, SignedMeasure

_ITERATIONS = 200_000_000


def bounded_lipschitz(
    mu: SignedMeasure,
    nu: SignedMeasure,
    projection: str | None = None,
    domain: Domain | None = None,
    atoms: int = 1500,
) -> Bracket:
    """Bracket sup { int phi d(mu - nu) : |phi| <= 1, |phi(x) - phi(y)| <= d(x, y) }.

    It metrises weak convergence of measures whose masses differ, in which Chizat and Bach (2018, section 3
    and appendix C.5) let the projections of a flow converge. Its dual is a transport from the positive to the
    negative part of mu - nu, where mass may also be created and destroyed at a cost of 1: one atom more on
    each side makes it a transport problem, solved by network simplex. The lower bound is the value of a
    function that has been made feasible, the upper bound the cost of the plan with every mismatch of its
    marginals at cost 1; both hold whatever the solver returned. Up to ``atoms`` atoms of either sign they
    agree to rounding; larger measures are gathered in clusters, and densities replaced by nodes of
    quadrature, and what either may change is added to the bracket.

    Args:
        mu, nu: a cloud, a density, or a pair of points ``(n, d)`` and masses ``(n,)`` of any sign.
        projection: ``None``: d is the Euclidean distance. "sphere": h(mu) and h(nu) are compared, int phi dh
            = int |u|^2 phi(u/|u|) dmu (:func:`wassflow.sphere_projection`), d is the geodesic distance.
            "weight": the signed measures int phi dh1 = int w phi(theta) dmu, u = (w, theta), d is Euclidean
            in theta.
        domain: its periodic axes make d that of the flat torus; for Euclidean distances.
        atoms: number of atoms of either sign beyond which they are clustered.

    Raises:
        ValueError: an argument of another kind, dimensions that differ, a mass at the origin only.

    >>> from wassflow import ParticleCloud
    >>> bounded_lipschitz(ParticleCloud([[0.0, 0.0]]), ParticleCloud([[0.3, 0.4]])).value
    0.5
    >>> bounded_lipschitz(ParticleCloud([[0.0, 0.0]]), ParticleCloud([[3.0, 4.0]], [0.25])).value
    1.25
    """
    one_of("projection", projection, PROJECTIONS)
    count = as_integer("atoms", atoms, least=2)
    one, other = SignedAtoms.of("mu", mu, projection), SignedAtoms.of("nu", nu, projection)
    dim = one.points.shape[1]
    if other.points.shape[1] != dim:
        raise ValueError(f"nu must have the dimension of mu, {dim}, found {other.points.shape[1]}")
    distance = _Distance(dim, projection, domain)
    difference = one.minus(other)
    positive = SignedAtoms(*_part(difference, 1.0))
    negative = SignedAtoms(*_part(difference, -1.0))
    error = difference.error
    sides = []
    for side in (positive, negative):
        centres, masses, label = side.clustered(count)
        if projection == "sphere" and len(centres) < len(side.points):
            centres = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), EPS)
        error += float(side.masses @ distance.pairwise(side.points, centres[label]))
        sides.append((centres, masses))
    lower, upper = _solve(*sides[0], *sides[1], distance)
    total = float(np.abs(difference.masses).sum())
    rounding = EPS * (8.0 + np.log2(1.0 + len(difference.masses))) * total
    exact = error == 0.0
    return Bracket(
        max(lower - error - rounding, 0.0),
        upper + error + rounding,
        "network simplex" if exact else "network simplex, with a bound of what nodes and clusters change",
        value=0.5 * (lower + upper),
        rounding=rounding,
        distance="BL",
    )


class _Distance:
    """d, cut off at 2: mass moved further is better destroyed and created anew."""

    def __init__(self, dim: int, projection: str | None, domain: Domain | None) -> None:
        self.sphere = projection == "sphere"
        self.period = np.zeros(dim)
        if domain is None:
            return
        period = domain.period[1:] if projection == "weight" else domain.period
        if len(period) != dim and not self.sphere:
            raise ValueError(f"domain must have the dimension of the measures, found {domain!r}")
        if not self.sphere:
            self.period = np.where(np.isfinite(period), period, 0.0)

    def pairwise(self, x: Array, y: Array) -> Array:
        """Return the distances between rows of x and y, broadcast."""
        squares = np.zeros(np.broadcast_shapes(x.shape[:-1], y.shape[:-1]))
        for axis, period in enumerate(self.period):
            step = x[..., axis] - y[..., axis]
            if period > 0.0:
                step = step - period * np.rint(step / period)
            squares += step * step
        lengths = np.sqrt(squares)
        if self.sphere:
            lengths = 2.0 * np.arcsin(np.minimum(0.5 * lengths, 1.0))
        return np.minimum(lengths, 2.0)

    def matrix(self, x: Array, y: Array) -> Array:
        """Return all distances, ``(n, k)``."""
        return self.pairwise(x[:, None], y[None])


def _part(atoms: SignedAtoms, sign: float) -> tuple[Array, Array]:
    held = sign * atoms.masses > 0.0
    return atoms.points[held], sign * atoms.masses[held]


def _solve(x: Array, a: Array, y: Array, b: Array, distance: _Distance) -> tuple[float, float]:
    """Return bounds of the distance of sum a_i delta_{x_i} and sum b_j delta_{y_j}, all masses positive."""
    if not len(x) or not len(y):
        return (float(a.sum() + b.sum()),) * 2
    costs = distance.matrix(x, y)
    # what is destroyed goes to the last column, what is created comes from the last row
    augmented = np.pad(costs, ((0, 1), (0, 1)), constant_values=1.0)
    augmented[-1, -1] = 0.0
    # POT's tolerances are absolute: give it masses of size one
    unit = (a.sum() + b.sum()) / (len(a) + len(b))
    supply, demand = np.append(a, b.sum()) / unit, np.append(b, a.sum()) / unit
    plan, log = ot.emd(
        supply, demand * (supply.sum() / demand.sum()), augmented, numItermax=_ITERATIONS, log=True
    )
    moved = np.maximum(np.asarray(plan)[:-1, :-1] * unit, 0.0)
    mismatch = np.abs(a - moved.sum(axis=1)).sum() + np.abs(b - moved.sum(axis=0)).sum()
    upper = float((costs * moved).sum() + mismatch)
    potential = np.asarray(log["v"], dtype=np.float64)
    heights = potential[-1] - potential[:-1] if np.all(np.isfinite(potential)) else np.zeros(len(b))
    lower = float(a @ _extended(costs, heights) - b @ _extended(distance.matrix(y, y), heights))
    return min(lower, upper), upper


def _extended(costs: Array, heights: Array) -> Array:
    """Return min_j heights_j + d(x, y_j), cut to [-1, 1]: it has Lip <= 1 whatever the heights are."""
    return np.clip((costs + heights).min(axis=1), -1.0, 1.0)
