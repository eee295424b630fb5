"""Sparse transport plans: along a line, refined from a coarse one, repaired to meet their marginals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Masses sent from atom ``rows`` to atom ``columns``."""

    rows: Indices
    columns: Indices
    masses: Array


def overlay(first: Array, second: Array) -> Plan:
    """Couple two lists of masses of the same sum monotonically in the order in which they are listed.

    It is the north-west corner rule: at most n + k - 1 entries.

    >>> plan = overlay(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    >>> plan.rows.tolist(), plan.columns.tolist(), plan.masses.tolist()
    ([0, 0, 1], [0, 1, 1], [0.25, 0.25, 0.5])
    """
    if len(first) == 0 or len(second) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Plan(empty, empty, np.zeros(0))
    ends, other = np.cumsum(first), np.cumsum(second)
    total = max(ends[-1], other[-1])
    ends[-1] = other[-1] = total
    cuts = np.unique(np.concatenate([[0.0], ends, other]))
    masses = np.diff(cuts)
    middle = cuts[:-1] + 0.5 * masses
    rows = np.minimum(np.searchsorted(ends, middle), len(first) - 1)
    columns = np.minimum(np.searchsorted(other, middle), len(second) - 1)
    return Plan(rows.astype(np.int64), columns.astype(np.int64), masses)


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
        sums = np.bincount(index, weights=masses, minlength=len(wanted))
        factor = np.ones(len(wanted))
        over = sums > wanted
        factor[over] = wanted[over] / sums[over]
        masses *= factor[index]
    left = np.maximum(first - np.bincount(plan.rows, weights=masses, minlength=len(first)), 0.0)
    right = np.maximum(second - np.bincount(plan.columns, weights=masses, minlength=len(second)), 0.0)
    missing, waiting = np.flatnonzero(left), np.flatnonzero(right)
    extra = overlay(left[missing], right[waiting])
    return Plan(
        np.concatenate([plan.rows, missing[extra.rows]]),
        np.concatenate([plan.columns, waiting[extra.columns]]),
        np.concatenate([masses, extra.masses]),
    )
