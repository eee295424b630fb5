"""Sparse transport plans: along a line, refined from a coarse one, repaired to meet their marginals."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.rounding import EPS

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Masses sent from atom ``rows`` to atom ``columns``."""

    rows: Indices
    columns: Indices
    masses: Array


def overlay(first: Array, second: Array) -> Plan:
    """Couple two lists of masses of the same sum monotonically in the order in which they are listed.

    It is the north-west corner rule: at most n + k - 1 entries. Sums that differ by rounding are fine.

    >>> plan = overlay(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    >>> plan.rows.tolist(), plan.columns.tolist(), plan.masses.tolist()
    ([0, 0, 1], [0, 1, 1], [0.25, 0.25, 0.5])
    """
    return Plan(*_north_west(np.ascontiguousarray(first), np.ascontiguousarray(second)))


@njit(cache=True)
def _north_west(first, second):
    """Walk along both lists; remainders are kept instead of cumulated sums, so that errors stay relative."""
    n, k = first.size, second.size
    rows = np.empty(n + k, dtype=np.int64)
    columns = np.empty(n + k, dtype=np.int64)
    masses = np.empty(n + k)
    count = 0
    if n == 0 or k == 0:
        return rows[:0], columns[:0], masses[:0]
    i, j, left, right = 0, 0, first[0], second[0]
    while True:
        # at the end of one list the other may have a rounding error left, or atoms lighter than that
        if i == n - 1 and j < k - 1:
            moved = right
        elif j == k - 1 and i < n - 1:
            moved = left
        elif i == n - 1 and j == k - 1:
            moved = max(left, right)
        else:
            moved = min(left, right)
        if moved > 0.0:
            rows[count], columns[count], masses[count] = i, j, moved
            count += 1
        left, right = max(left - moved, 0.0), max(right - moved, 0.0)
        if i == n - 1 and j == k - 1:
            break
        if j == k - 1 or (i < n - 1 and left <= right):
            i += 1
            left = first[i]
        else:
            j += 1
            right = second[j]
    return rows[:count], columns[:count], masses[:count]


@njit(cache=True)
def _sums(index, values, size):
    """Return the sums of values by index, compensated: an atom may have very many partners."""
    total = np.zeros(size)
    lost = np.zeros(size)
    for entry in range(index.size):
        i, value = index[entry], values[entry]
        grown = total[i] + value
        # the smaller of the two terms is the one that was rounded
        if total[i] >= value:
            lost[i] += (total[i] - grown) + value
        else:
            lost[i] += (value - grown) + total[i]
        total[i] = grown
    return total + lost


def refined(coarse: Plan, rows: Indices, row_masses: Array, columns: Indices, column_masses: Array) -> Plan:
    """Refine a plan between clusters to one between their members.

    Args:
        coarse: masses between clusters.
        rows, columns: the cluster of each member.
        row_masses, column_masses: the masses of the members.
    """

    def shares(cluster: Indices, masses: Array, line: Indices) -> Plan:
        """Couple members to the lines of the coarse plan, cluster by cluster."""
        members = np.argsort(cluster, kind="stable")
        lines = np.argsort(line, kind="stable")
        pieces = overlay(masses[members], coarse.masses[lines])
        member, entry = members[pieces.rows], lines[pieces.columns]
        order = np.argsort(entry, kind="stable")
        return Plan(member[order], entry[order], pieces.masses[order])

    left = shares(rows, row_masses, coarse.rows)
    right = shares(columns, column_masses, coarse.columns)
    pieces = overlay(left.masses, right.masses)
    return Plan(left.rows[pieces.rows], right.rows[pieces.columns], pieces.masses)


def repaired(plan: Plan, first: Array, second: Array) -> Plan:
    """Return a plan with marginals ``first`` and ``second``, close to the given one.

    Rows, then columns, that carry too much are scaled down; what is missing then is added monotonically
    (Altschuler, Weed and Rigollet 2017, Algorithm 2, with the north-west corner in place of the product:
    it stays sparse).
    """
    masses = plan.masses.copy()
    for index, wanted in ((plan.rows, first), (plan.columns, second)):
        sums = _sums(index, masses, len(wanted))
        factor = np.ones(len(wanted))
        over = sums > wanted
        factor[over] = wanted[over] / sums[over]
        masses *= factor[index]
    left = first - _sums(plan.rows, masses, len(first))
    right = second - _sums(plan.columns, masses, len(second))
    # less than rounding is not missing
    left[left <= 4.0 * EPS * first] = 0.0
    right[right <= 4.0 * EPS * second] = 0.0
    missing, waiting = np.flatnonzero(left), np.flatnonzero(right)
    extra = overlay(left[missing], right[waiting])
    return Plan(
        np.concatenate([plan.rows, missing[extra.rows]]),
        np.concatenate([plan.columns, waiting[extra.columns]]),
        np.concatenate([masses, extra.masses]),
    )
