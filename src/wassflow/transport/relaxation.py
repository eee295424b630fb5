"""Transport on given arcs to a wanted accuracy: prices relaxed in steps of eps, and updated globally.

The eps-relaxation method of Bertsekas (Bertsekas and Eckstein, Math. Program. 42 (1988) 203; with equal
masses it is his auction), for masses that go from sources to sinks along uncapacitated arcs, with the
global updates of Goldberg (J. Algorithms 22 (1997) 1): without them, prices far from a place that lacks
mass rise step by step. Always u_i + v_j <= c_ij + eps on all arcs, and >= c_ij - eps where mass flows, so
that a flow that leaves nothing over costs at most 2 eps more than the cheapest, per unit of mass. The time
is about linear in the number of arcs, where the network simplex is quadratic in the number of atoms; but
the answer is not exact.
"""

import time
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numba import njit

from wassflow.arguments import Array
from wassflow.transport.plans import Indices, Plan

#: share of the mass that may be left over; it is repaired by the caller
LEFT_OVER = 1e-12
#: global updates after which a problem is given up
MOST_UPDATES = 1000


@dataclass(frozen=True)
class Arcs:
    """Arcs from sources to sinks, sorted by source.

    Those of source i are ``out[i]`` to ``out[i + 1]``, those of sink j are ``back[into[j]]`` to
    ``back[into[j + 1] - 1]``.
    """

    tails: Indices
    heads: Indices
    costs: Array
    out: Indices
    into: Indices
    back: Indices

    @classmethod
    def between(cls, n: int, k: int, tails: Indices, heads: Indices, costs: Array) -> "Arcs":
        """Index arcs that are sorted by their tails."""
        back = np.argsort(heads, kind="stable")
        out, into = np.searchsorted(tails, np.arange(n + 1)), np.searchsorted(heads[back], np.arange(k + 1))
        return cls(tails, heads, costs, out, into, back)


def relaxed_plan(arcs: Arcs, a: Array, b: Array, v: Array, eps: float, deadline: float) -> tuple[Array, Plan]:
    """Return prices of the sinks and a plan between a and b, up to what the deadline leaves over.

    Args:
        arcs: they must hold a feasible plan.
        a, b: masses of sources and sinks.
        v: prices of the sinks to begin with; every source must have an arc.
        eps: step of the prices.
        deadline: value of ``time.monotonic()`` after which it stops.
    """
    v = v.copy()
    u = np.minimum.reduceat(arcs.costs - v[arcs.heads], arcs.out[:-1])
    flow = np.zeros(len(arcs.heads))
    excess = np.concatenate([a, -b])
    none = LEFT_OVER / len(excess)
    graph = (arcs.out, arcs.heads, arcs.tails, arcs.costs, arcs.into, arcs.back)
    visits = len(excess)
    for _ in range(MOST_UPDATES):
        _discharge(*graph, flow, excess, none, u, v, eps, visits)
        if excess[excess > 0.0].sum() <= LEFT_OVER or time.monotonic() > deadline:
            break
        _update_prices(*graph, flow, excess, none, u, v, eps)
        visits = max(len(excess) // 4, 4 * int(np.count_nonzero(excess > none)))
    held = flow > 0.0
    return v, Plan(arcs.tails[held], arcs.heads[held], flow[held])


@njit(cache=True)
def _discharge(out, heads, tails, costs, into, back, flow, excess, none, u, v, eps, visits):
    """Push excesses along arcs of negative reduced cost, in turn; relabel where there are none.

    ``excess`` holds the sources first, then the sinks.
    """
    n = u.size
    queue = np.empty(excess.size, dtype=np.int64)
    waiting = np.zeros(excess.size, dtype=np.bool_)
    first, count = 0, 0
    for node in range(excess.size):
        if excess[node] > none:
            queue[count] = node
            waiting[node] = True
            count += 1
    while count > 0 and visits > 0:
        visits -= 1
        node = queue[first]
        first = (first + 1) % excess.size
        count -= 1
        waiting[node] = False
        while excess[node] > none:
            chosen, best = -1, np.inf
            if node < n:
                for e in range(out[node], out[node + 1]):
                    reduced = costs[e] - v[heads[e]]
                    if reduced < best:
                        chosen, best = e, reduced
                if best >= u[node]:
                    u[node] = best + eps
                other, moved = n + heads[chosen], excess[node]
                flow[chosen] += moved
            else:
                # what came at the worst terms goes back first
                for g in range(into[node - n], into[node - n + 1]):
                    e = back[g]
                    if flow[e] > 0.0 and u[tails[e]] - costs[e] < best:
                        chosen, best = e, u[tails[e]] - costs[e]
                if chosen < 0:
                    break
                if -best <= v[node - n]:
                    v[node - n] = -best - eps
                other, moved = tails[chosen], min(flow[chosen], excess[node])
                flow[chosen] -= moved
            excess[node] -= moved
            excess[other] += moved
            if excess[other] > none and not waiting[other]:
                queue[(first + count) % excess.size] = other
                waiting[other] = True
                count += 1


@njit(cache=True)
def _update_prices(out, heads, tails, costs, into, back, flow, excess, none, u, v, eps):
    """Change all prices by as many steps as the way to the nearest sink that lacks mass is long.

    The length of an arc is the number of steps until mass may take it (Dijkstra, from all such sinks at once,
    until every excess is reached; what lies beyond is moved as far as the last).
    """
    n = u.size
    length = np.full(excess.size, np.inf)
    settled = np.zeros(excess.size, dtype=np.bool_)
    heap = [(0.0, 0) for _ in range(0)]
    wanted = 0
    for node in range(excess.size):
        wanted += excess[node] > none
        if excess[node] < -none:
            length[node] = 0.0
            heappush(heap, (0.0, node))
    last = 0.0
    while len(heap) > 0 and wanted > 0:
        far, node = heappop(heap)
        if settled[node]:
            continue
        settled[node] = True
        last = far
        wanted -= excess[node] > none
        arcs = (out[node], out[node + 1]) if node < n else (into[node - n], into[node - n + 1])
        for g in range(arcs[0], arcs[1]):
            e = g if node < n else back[g]
            # mass may come to a source only from a sink to which it has sent some
            if node < n and flow[e] <= 0.0:
                continue
            other = n + heads[e] if node < n else tails[e]
            reduced = costs[e] - u[tails[e]] - v[heads[e]]
            new = far + max(np.floor((-reduced if node < n else reduced) / eps) + 1.0, 0.0)
            if not settled[other] and new < length[other]:
                length[other] = new
                heappush(heap, (new, other))
    for i in range(n):
        u[i] += eps * (length[i] if settled[i] else last)
    for j in range(v.size):
        v[j] -= eps * (length[n + j] if settled[n + j] else last)
