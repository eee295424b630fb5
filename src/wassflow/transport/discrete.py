"""Exact transport between atoms: network simplex on few arcs, priced on all, certified from both sides.

Arcs are generated as needed: the linear program is solved on the arcs that look cheap, its potentials
price *all* arcs, and those that would improve the plan are added, until none is left. Whatever the solver
returned, the bounds stand on their own: the lower one on potentials made feasible by a c-transform over
all pairs, the upper one on a plan whose marginals have been repaired.
"""

import time
import warnings
from dataclasses import dataclass

import numpy as np
import ot
import scipy.sparse

from wassflow.arguments import Array
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.laguerre.costs import cheapest, squared_distances
from wassflow.rounding import EPS
from wassflow.transport.plans import Indices, Plan, overlay, refined, repaired
from wassflow.transport.relaxation import Arcs, relaxed_plan

#: arcs kept per atom in the first round, and added in the later ones
FIRST_ARCS, LATER_ARCS = 8, 5
#: problems of at most this many atoms on a side are started from scratch, larger ones from a coarser level
COARSEST = 1000
#: ratio of the numbers of atoms of successive levels
COARSENING = 5
#: gap at which relaxation stops, and to which coarser levels are solved
ROUGH_GAP = 5e-3
#: rounds of relaxation at most; its step begins at this share of the gap that there is, and is divided from
#: round to round
RELAXATIONS = 8
FIRST_STEP, STEP_RATIO = 0.05, 4.0
#: seconds of the network simplex over the square of the number of atoms, before it is known (measured)
PACE = 4e-9


@dataclass(frozen=True)
class DiscreteSolution:
    """Bounds of the squared cost between atoms of mass one, and what they stand on.

    Attributes:
        lower, upper: bounds of W2^2, before the widening by ``rounding``.
        first, second: feasible potentials, first_i + second_j <= c_ij.
        plan: a plan with the right marginals.
        rounding: estimate of the rounding error of either bound.
        rounds: sets of arcs on the finest level.
    """

    lower: float
    upper: float
    first: Array
    second: Array
    plan: Plan
    rounding: float
    rounds: int


def solve_discrete(
    x: Array,
    a: Array,
    y: Array,
    b: Array,
    period: Array,
    gap: float = 1e-10,
    deadline: float = np.inf,
) -> DiscreteSolution:
    """Transport atoms x with masses a to atoms y with masses b, both of mass one.

    Args:
        x, y: ``(n, d)``, ``(k, d)``.
        a, b: positive masses, each of sum one.
        period: length of the period of each axis, 0 where it is not periodic.
        gap: stop when upper - lower <= gap * upper.
        deadline: value of ``time.monotonic()`` after which no further round is started.
    """
    clouds = _Clouds(x, a, y, b, period)
    if max(len(x), len(y)) <= COARSEST:
        return _generate_arcs(clouds, np.zeros(len(y)), overlay(a, b), gap, deadline, 0.0)
    start, plan = _from_coarser(clouds, gap, deadline)
    if min(len(x), len(y)) <= COARSEST:
        # few atoms on one side: the simplex has little to do
        return _generate_arcs(clouds, start, plan, gap, deadline, PACE)
    relaxed = _relaxed(clouds, start, plan, max(gap, ROUGH_GAP), deadline)
    if relaxed.upper - relaxed.lower <= gap * relaxed.upper or time.monotonic() > deadline:
        return relaxed
    return _generate_arcs(clouds, relaxed.second, relaxed.plan, gap, deadline, PACE)


@dataclass(frozen=True)
class _Clouds:
    """Atoms x with masses a, atoms y with masses b, and the period of each axis."""

    x: Array
    a: Array
    y: Array
    b: Array
    period: Array

    def costs(self, rows: Indices, columns: Indices) -> Array:
        return squared_distances(self.x, self.y, rows, columns, self.period)

    def cheapest_from_x(self, second: Array, count: int) -> tuple[Indices, Array]:
        """Return for every x_i the atoms of y of least c_ij - second_j, and these."""
        return cheapest(self.x, self.y, second, self.period, count)

    def cheapest_from_y(self, first: Array, count: int) -> tuple[Indices, Array]:
        """Return for every y_j the atoms of x of least c_ij - first_i, and these."""
        return cheapest(self.y, self.x, first, self.period, count)


def _bounds(clouds: _Clouds, first: Array, second: Array, plan: Plan, rounds: int) -> DiscreteSolution:
    """Return the bounds that feasible potentials and a plan with the right marginals prove."""
    a, b = clouds.a, clouds.b
    costs = clouds.costs(plan.rows, plan.columns)
    upper = float(plan.masses @ costs)
    # potentials are defined up to a constant: take the one with the smallest values, hence the least rounding
    shift = 0.5 * (float(a @ first) - float(b @ second))
    first, second = first - shift, second + shift
    lower = float(a @ first + b @ second)
    # A relative error eps of each mass and each sum moves W2^2 by eps * sum m |potential| to first order: the
    # potentials are the derivatives of W2^2 with respect to the masses.
    size = float(a @ np.abs(first) + b @ np.abs(second))
    rounding = EPS * ((clouds.x.shape[1] + 4.0) * upper + (4.0 + np.log2(len(a) + len(b))) * size)
    return DiscreteSolution(min(lower, upper), upper, first, second, plan, rounding, rounds)


def _from_coarser(clouds: _Clouds, gap: float, deadline: float) -> tuple[Array, Plan]:
    """Return a potential on y and a feasible plan from the solution between clusters."""
    x, a, y, b, period = clouds.x, clouds.a, clouds.y, clouds.b, clouds.period
    rows = clusters(x, a, max(COARSEST // 2, len(x) // COARSENING))
    columns = clusters(y, b, max(COARSEST // 2, len(y) // COARSENING))
    left, left_masses = barycentres(x, a, rows)
    right, right_masses = barycentres(y, b, columns)
    coarse = solve_discrete(left, left_masses, right, right_masses, period, max(gap, ROUGH_GAP), deadline)
    # the c-transform of the coarse potential is a potential everywhere
    _, second = cheapest(y, left, coarse.first, period, 1)
    return second[:, 0], refined(coarse.plan, rows, a, columns, b)


def _relaxed(clouds: _Clouds, second: Array, plan: Plan, gap: float, deadline: float) -> DiscreteSolution:
    """Relax the prices in smaller and smaller steps, on arcs that look cheap at the prices of the moment."""
    n, k = len(clouds.x), len(clouds.y)
    plan = repaired(plan, clouds.a, clouds.b)
    # the coarse potential may do, and one neighbour is found sooner than several
    _, least = clouds.cheapest_from_x(second, 1)
    best = _bounds(clouds, least[:, 0], second, plan, 0)
    if best.upper - best.lower <= gap * best.upper or time.monotonic() > deadline:
        return best
    to, least = clouds.cheapest_from_x(second, FIRST_ARCS)
    eps = FIRST_STEP * (best.upper - best.lower)
    for rounds in range(1, RELAXATIONS + 1):
        # steps below the rounding of prices lead nowhere
        smallest = 1e3 * EPS * (best.upper + float(np.abs(second).max()))
        if best.upper - best.lower <= gap * best.upper or eps < smallest or time.monotonic() > deadline:
            break
        back, _ = clouds.cheapest_from_y(least[:, 0], FIRST_ARCS)
        keys = _cheap_keys(to, back, plan, k)
        rows, columns = keys // k, keys % k
        arcs = Arcs.between(n, k, rows, columns, clouds.costs(rows, columns))
        second, plan = relaxed_plan(arcs, clouds.a, clouds.b, second, eps, deadline)
        plan = repaired(plan, clouds.a, clouds.b)
        to, least = clouds.cheapest_from_x(second, FIRST_ARCS)
        best = _better(best, _bounds(clouds, least[:, 0], second, plan, rounds))
        eps /= STEP_RATIO
    return best


def _generate_arcs(
    clouds: _Clouds, second: Array, plan: Plan, gap: float, deadline: float, pace: float
) -> DiscreteSolution:
    n, k = len(clouds.x), len(clouds.y)
    plan = repaired(plan, clouds.a, clouds.b)
    to, least = clouds.cheapest_from_x(second, FIRST_ARCS)
    best = _bounds(clouds, least[:, 0], second, plan, 0)
    dense = n * k <= 4 * FIRST_ARCS * (n + k)
    if dense:
        arcs = np.arange(n * k)
    else:
        back, _ = clouds.cheapest_from_y(best.first, FIRST_ARCS)
        arcs = _cheap_keys(to, back, plan, k)
    rounds = 0
    size = float(n + k) ** 2
    # the network simplex cannot be interrupted: start it only when its time, quadratic in the atoms, is there
    while best.upper - best.lower > gap * best.upper and time.monotonic() + pace * size < deadline:
        rounds += 1
        begun = time.monotonic()
        solved = _network_simplex(clouds, arcs, best)
        if solved is None:
            break
        pace = (time.monotonic() - begun) / size
        second, plan = solved
        plan = repaired(plan, clouds.a, clouds.b)
        to, least = clouds.cheapest_from_x(second, LATER_ARCS)
        first = least[:, 0]
        back, transformed = clouds.cheapest_from_y(first, LATER_ARCS)
        current = _bounds(clouds, first, transformed[:, 0], plan, rounds)
        progress = current.lower > best.lower or current.upper < best.upper
        best = _better(best, current)
        new = np.setdiff1d(np.concatenate([_keys_out(to, k), _keys_in(back, k)]), arcs)
        if dense or len(new) == 0 or not progress:
            break
        arcs = np.union1d(arcs, new)
    return best


def _cheap_keys(to: Indices, back: Indices, plan: Plan, k: int) -> Indices:
    """Return the arcs that look cheap from either side, and those of a plan, which make them feasible."""
    return np.unique(np.concatenate([_keys_out(to, k), _keys_in(back, k), plan.rows * k + plan.columns]))


def _keys_out(to: Indices, k: int) -> Indices:
    return (np.arange(len(to))[:, None] * k + to).ravel()


def _keys_in(back: Indices, k: int) -> Indices:
    return (back * k + np.arange(len(back))[:, None]).ravel()


def _better(one: DiscreteSolution, other: DiscreteSolution) -> DiscreteSolution:
    """Return the higher lower bound with the lower upper bound."""
    dual, primal = (one if one.lower >= other.lower else other), (one if one.upper <= other.upper else other)
    return DiscreteSolution(
        dual.lower,
        primal.upper,
        dual.first,
        dual.second,
        primal.plan,
        max(one.rounding, other.rounding) if dual is not primal else dual.rounding,
        other.rounds,
    )


def _network_simplex(clouds: _Clouds, arcs: Indices, start: DiscreteSolution) -> tuple[Array, Plan] | None:
    """Solve the linear program on a set of arcs; None when the solver gives nothing usable."""
    a, b = clouds.a, clouds.b
    n, k = len(a), len(b)
    rows, columns = arcs // k, arcs % k
    costs = clouds.costs(rows, columns)
    # POT's tolerances are absolute: give it costs and masses of size one
    unit = float(costs.mean())
    if unit == 0.0:
        unit = 1.0
    graph = scipy.sparse.coo_matrix((costs / unit, (rows, columns)), shape=(n, k))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flow, log = ot.emd(
            a * n,
            b * (n * (a.sum() / b.sum())),
            graph,
            numItermax=200_000_000,
            log=True,
            center_dual=False,
            check_marginals=False,
            potentials_init=(start.first / unit, start.second / unit),
        )
    second = np.asarray(log["v"]) * unit
    if not np.all(np.isfinite(second)):
        return None
    flow = scipy.sparse.coo_array(flow)
    held = flow.data > 0.0
    plan = Plan(flow.row[held].astype(np.int64), flow.col[held].astype(np.int64), flow.data[held] / n)
    return second, plan
