"""Lower bound of W2 from a smooth potential half-way between two measures.

For any function theta on a convex set Z that holds the middle of every two points of the supports, let

    f(x) = min_z 2 |x - z|^2 + theta(z),      g(y) = min_z 2 |y - z|^2 - theta(z),      z in Z.

With z = (x + y) / 2 the sum is f(x) + g(y) <= |x - y|^2, so that int f dmu + int g dnu <= W2^2
(Kantorovich duality). It is an equality for the potential that moves the middle of the geodesic to both
ends, x = z + grad theta / 4 and y = z - grad theta / 4, whose Hessian lies between -4 and 4. To second
order in theta the bound is

    int theta d(mu - nu) - 1/8 int |grad theta|^2 d(mu + nu),

largest for the solution of -div((mu + nu) grad theta) = 4 (mu - nu): the first of some Newton steps. The
later ones have on the right what is left of mu - nu when both measures have been moved to the middle.

theta is a quadratic spline on a lattice, and a > -4 a lower bound of the eigenvalues of its Hessian (for
g: of that of -theta):

- F(z) = 2 |x - z|^2 + theta(z) is convex with the constant 4 + a, so that f(x) >= F(z) - |grad F(z)|^2 /
  (2 (4 + a)) for any z, however the minimum was looked for. A component of the gradient that points out of
  Z counts as 0.
- f(x) + sum_i b_i x_i^2 / 2 is convex where the Hessian is above diag(a_i), b_i = -4 a_i / (4 + a_i),
  since F(x, z) plus this is, jointly. So a simplex K of mass m and centroid c has int_K f dmu >= m (f(c) -
  sum_i b_i V_i / 2), V_i the variance of coordinate i on K (Jensen). Here a_i has to hold only where the
  middles of K are, which are no more than 4 / (4 + a) times as far from that of c as the vertices of K
  from c.

What is lost on a cell is how much the curvature of the *displacement* varies around it, where bounds from
vertices lose all of the curvature of |x|^2.

Sources: McCann, Adv. Math. 128 (1997) 153, for the middle of a geodesic; Jacobs and Leger, Numer. Math.
146 (2020) 513, for steps of the dual problem in the H^-1 metric.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.ndimage import maximum_filter, minimum_filter

from wassflow.arguments import Array
from wassflow.laguerre.geometry import barycentres
from wassflow.laguerre.linear import solve_laplacian
from wassflow.rounding import EPS
from wassflow.transport.lattice import Lattice, masses_in_boxes
from wassflow.transport.marginals import Atoms, Cells, Problem
from wassflow.transport.sandwich import subdivided

#: share of the mean density that is added where the potential is looked for: it goes on smoothly into voids
FLOOR = 1e-2
#: steps of the search for the middle of a point, each shorter by the Hessian over 4
LONGEST_SEARCH = 30
#: share of the square of the step to the middle that may be lost where the search ends
SEARCHED = 1e-4
#: Newton steps at most, the shortest share of one, and the relative gain of W2^2 that is not worth another
MOST_STEPS, SHORTEST, ENOUGH = 8, 0.1, 1e-3


@dataclass(frozen=True)
class Nodes:
    """Centroids and masses of parts of a measure; the variances (n, d) and largest extent of each part."""

    points: Array
    masses: Array
    variances: Array
    reach: float

    @classmethod
    def of(cls, side: Atoms | Cells, count: int) -> Nodes:
        """Split a density into up to ``count`` simplices; a cloud stays as it is."""
        if isinstance(side, Atoms):
            return cls(side.points, side.masses, np.zeros_like(side.points), 0.0)
        simplices, masses, _ = subdivided(side, count)
        corners = simplices.shape[1]
        points = barycentres(simplices)
        offsets = simplices - points[:, None]
        reach = float(np.sqrt(np.max(np.sum(offsets**2, axis=2))))
        return cls(points, masses, np.sum(offsets**2, axis=1) / (corners * (corners + 1)), reach)


@dataclass(frozen=True)
class Spline:
    """The quadratic spline with these coefficients: one per box, and a row around the walls."""

    lattice: Lattice
    coefficients: Array

    @classmethod
    def around(cls, lattice: Lattice, values: Array) -> Spline:
        """Take values at the centres of the boxes as coefficients; go on linearly beyond the walls."""
        for axis, periodic in enumerate(lattice.periodic):
            values = np.moveaxis(values, axis, 0)
            if periodic:
                before, after = values[-1], values[0]
            elif len(values) == 1:
                before = after = values[0]
            else:
                before, after = 2.0 * values[0] - values[1], 2.0 * values[-1] - values[-2]
            values = np.moveaxis(np.concatenate([before[None], values, after[None]]), 0, axis)
        return cls(lattice, values)

    def curvatures(self) -> Array:
        """Return a_i (d, \\*shape) in each box such that the Hessian is above diag(a_i) there.

        Second derivatives in a box are means of the second differences of the coefficients around it; mixed
        ones are made up for on the diagonal (Gershgorin).
        """
        dim, spacing, c = self.lattice.dim, self.lattice.spacing, self.coefficients
        found = np.empty((dim, *self.lattice.shape))
        for i in range(dim):
            size = [1 if axis == i else 3 for axis in range(dim)]
            inner = tuple(slice(None) if axis == i else slice(1, -1) for axis in range(dim))
            second = np.diff(c, n=2, axis=i) / spacing[i] ** 2
            found[i] = minimum_filter(second, size=size, mode="nearest")[inner]
        for i, j in itertools.combinations(range(dim), 2):
            steps = np.abs(np.diff(np.diff(c, axis=i), axis=j)) / (spacing[i] * spacing[j])
            size = [2 if axis in (i, j) else 3 for axis in range(dim)]
            # windows of two end at their place, those of three have it in the middle
            inner = tuple(slice(1, None) if axis in (i, j) else slice(1, -1) for axis in range(dim))
            mixed = maximum_filter(steps, size=size, mode="nearest")[inner]
            found[i] -= mixed
            found[j] -= mixed
        return found

    def middles(self, points: Array, convexity: float) -> tuple[Array, Array, Array]:
        """Return z (n, d) near the minimum of 2 |x - z|^2 + theta(z), a lower bound (n,), and how far (n,)
        from z it may be.
        """
        lattice, ahead = self.lattice, 3 - self.lattice.dim
        return _middles(
            points,
            convexity,
            self.coefficients.reshape((1,) * ahead + self.coefficients.shape),
            lattice.lower,
            lattice.spacing,
            np.array(lattice.periodic),
            LONGEST_SEARCH,
        )


@njit(cache=True, error_model="numpy")
def _middles(points, convexity, coefficients, lower, spacing, periodic, longest):
    """See :meth:`Spline.middles`; ``coefficients`` have three axes, in the plane the first of length one."""
    n, dim = points.shape
    ahead = 3 - dim
    middles, bounds, errors = np.empty((n, dim)), np.empty(n), np.empty(n)
    z, gradient = np.empty(dim), np.empty(3)
    weights, slopes = np.ones((3, 3)), np.zeros((3, 3))
    first = np.zeros(3, dtype=np.int64)
    rows = 3 if dim == 3 else 1
    for p in range(n):
        best = -np.inf
        z[:] = points[p]
        for _ in range(longest):
            for axis in range(dim):
                boxes = coefficients.shape[axis + ahead] - 2
                place = (z[axis] - lower[axis]) / spacing[axis]
                if periodic[axis]:
                    place -= boxes * np.floor(place / boxes)
                box = min(max(int(np.floor(place)), 0), boxes - 1)
                s = place - box - 0.5
                first[axis + ahead] = box
                weights[axis + ahead, 0] = 0.5 * (0.5 - s) ** 2
                weights[axis + ahead, 1] = 0.75 - s * s
                weights[axis + ahead, 2] = 0.5 * (0.5 + s) ** 2
                slopes[axis + ahead, 0] = (s - 0.5) / spacing[axis]
                slopes[axis + ahead, 1] = -2.0 * s / spacing[axis]
                slopes[axis + ahead, 2] = (s + 0.5) / spacing[axis]
            value = 0.0
            gradient[:] = 0.0
            for i in range(rows):
                for j in range(3):
                    along, rise = 0.0, 0.0
                    for k in range(3):
                        c = coefficients[first[0] + i, first[1] + j, first[2] + k]
                        along += weights[2, k] * c
                        rise += slopes[2, k] * c
                    value += weights[0, i] * weights[1, j] * along
                    gradient[0] += slopes[0, i] * weights[1, j] * along
                    gradient[1] += weights[0, i] * slopes[1, j] * along
                    gradient[2] += weights[0, i] * weights[1, j] * rise
            bound, lost, moved = value, 0.0, 0.0
            for axis in range(dim):
                step = z[axis] - points[p, axis]
                moved += step * step
                low = lower[axis]
                high = low + spacing[axis] * (coefficients.shape[axis + ahead] - 2)
                slope = 4.0 * step + gradient[axis + ahead]
                outward = (z[axis] <= low and slope > 0.0) or (z[axis] >= high and slope < 0.0)
                if periodic[axis] or not outward:
                    lost += 0.5 * slope * slope / convexity
            bound += 2.0 * moved - lost
            if bound > best:
                best = bound
                middles[p] = z
                errors[p] = np.sqrt(2.0 * lost / convexity)
            if lost <= SEARCHED * moved:
                break
            for axis in range(dim):
                z[axis] = points[p, axis] - 0.25 * gradient[axis + ahead]
                if not periodic[axis]:
                    low = lower[axis]
                    high = low + spacing[axis] * (coefficients.shape[axis + ahead] - 2)
                    z[axis] = min(max(z[axis], low), high)
        bounds[p] = best
    return middles, bounds, errors


@dataclass(frozen=True)
class MidpointBound:
    """A lower bound of W2^2, the estimate of its rounding, and both measures' nodes moved to the middle."""

    square: float
    rounding: float
    first: Array
    second: Array


def proved_by(lattice: Lattice, theta: Array, mu: Nodes, nu: Nodes) -> MidpointBound:
    """Return the bound that the spline with the coefficients ``theta`` proves."""
    total, size = 0.0, 0.0
    middles = []
    for side, sign in ((mu, 1.0), (nu, -1.0)):
        spline = Spline.around(lattice, sign * theta)
        curvatures = spline.curvatures()
        least = float(curvatures.min())
        convexity = 4.0 + least
        if convexity <= 0.0:
            return MidpointBound(-np.inf, 0.0, mu.points, nu.points)
        z, bounds, errors = spline.middles(side.points, convexity)
        far = 4.0 / convexity * side.reach + float(errors.max())
        # no further than the whole lattice, wherever it is seen from
        window = 2 * np.minimum(np.ceil(far / lattice.spacing), lattice.shape).astype(int) + 1
        modes = ["wrap" if periodic else "nearest" for periodic in lattice.periodic]
        local = np.stack([minimum_filter(a, size=window, mode=modes) for a in curvatures])
        a = local[:, *lattice.boxes_of(z).T]
        total += float(side.masses @ (bounds + 2.0 * np.sum((a / (4.0 + a)).T * side.variances, axis=1)))
        size += float(side.masses @ np.abs(bounds))
        middles.append(z)
    return MidpointBound(total, 64.0 * EPS * size, *middles)


def midpoint_bound(problem: Problem, boxes: int, atoms: int, deadline: float = np.inf) -> MidpointBound:
    """Return the best bound found with a spline on about ``boxes`` boxes.

    Densities are split into up to ``atoms`` simplices for the bound, into 2^d times fewer for the steps
    towards it; none of them begins after the ``deadline`` of ``time.monotonic()``.
    """
    lattice = Lattice.around(problem, boxes)
    sides = (problem.mu, problem.nu)
    rough = [Nodes.of(side, atoms >> problem.dim) for side in sides]
    # the masses of the boxes are exact where cells are large, those of the nodes follow them to the middle
    masses = [
        masses_in_boxes(lattice, side)
        if isinstance(side, Cells)
        else lattice.deposited(side.points, side.masses)
        for side in sides
    ]
    start = [lattice.deposited(nodes.points, nodes.masses) for nodes in rough]
    first, second = masses
    theta = np.zeros(lattice.shape)
    best = MidpointBound(0.0, 0.0, rough[0].points, rough[1].points)
    for _ in range(MOST_STEPS):
        density = np.maximum(first + second, 0.0) / np.prod(lattice.spacing)
        graph = lattice.conductances(density + FLOOR * density.mean())
        step = solve_laplacian(graph, 4.0 * (first - second).ravel(), lattice.dim).reshape(lattice.shape)
        found, share = best, 2.0
        while not found.square > best.square and share > SHORTEST:
            share *= 0.5
            found = proved_by(lattice, theta + share * step, *rough)
        if not found.square > best.square:
            break
        theta += share * step
        enough = found.square - best.square <= ENOUGH * found.square
        best = found
        if enough or time.monotonic() > deadline:
            break
        first, second = (
            mass + lattice.deposited(middles, nodes.masses) - before
            for mass, middles, nodes, before in zip(
                masses, (best.first, best.second), rough, start, strict=True
            )
        )
    if best.square == 0.0:
        return best
    fine = proved_by(lattice, theta, *(Nodes.of(side, atoms) for side in sides))
    return fine if fine.square > best.square else best
