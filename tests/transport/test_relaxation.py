"""Relaxation of prices: the cheapest plan up to twice the step, whatever the masses."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wassflow.transport import discrete
from wassflow.transport.discrete import solve_discrete
from wassflow.transport.relaxation import LEFT_OVER, Arcs, relaxed_plan


@settings(max_examples=60)
@given(st.integers(0, 10**9), st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.3, 0.05, 1e-3]))
def test_costs_at_most_two_steps_more_than_the_linear_program(seed, n, k, eps):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.full(n, 0.3)), rng.dirichlet(np.full(k, 0.3))
    a, b = np.maximum(a, 1e-6) / np.maximum(a, 1e-6).sum(), np.maximum(b, 1e-6) / np.maximum(b, 1e-6).sum()
    costs = rng.random((n, k))
    tails, heads = np.divmod(np.arange(n * k), k)
    arcs = Arcs.between(n, k, tails, heads, costs.ravel())
    v, plan = relaxed_plan(arcs, a, b, rng.random(k), eps, np.inf)
    table = np.zeros((n, k))
    np.add.at(table, (plan.rows, plan.columns), plan.masses)
    assert np.abs(table.sum(axis=1) - a).max() <= 2 * LEFT_OVER
    assert np.abs(table.sum(axis=0) - b).max() <= 2 * LEFT_OVER
    rows, columns = np.kron(np.eye(n), np.ones(k)), np.kron(np.ones(n), np.eye(k))
    exact = linprog(
        costs.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.concatenate([a, b[:-1]]), method="highs"
    ).fun
    u = (costs - v).min(axis=1)
    assert a @ u + b @ v <= exact + 1e-9
    assert np.sum(table * costs) <= a @ u + b @ v + 2 * eps + 1e-9


def test_few_arcs_are_enough_if_they_hold_a_plan():
    # a path: the mass of the first source must pass through all others
    n = 50
    tails = np.concatenate([np.arange(n), np.arange(1, n)])
    heads = np.concatenate([np.arange(n), np.arange(n - 1)])
    order = np.lexsort((heads, tails))
    arcs = Arcs.between(n, n, tails[order], heads[order], np.ones(len(tails)))
    a, b = np.full(n, 1.0 / n), np.append(np.full(n - 1, 1.0 / n), 1.0 / n)
    a[0], a[-1] = 0.5 / n, 1.5 / n
    _, plan = relaxed_plan(arcs, a, b, np.zeros(n), 0.1, np.inf)
    assert np.abs(np.bincount(plan.columns, plan.masses, n) - b).max() <= LEFT_OVER


@pytest.mark.parametrize("dim", [2, 3])
def test_large_problems_meet_a_rough_gap_by_relaxation_alone(dim, monkeypatch):
    rng = np.random.default_rng(dim)
    n = 3000
    x, y, masses = rng.random((n, dim)), rng.random((n, dim)), np.full(n, 1.0 / n)
    exact = solve_discrete(x, masses, y, masses, np.zeros(dim))

    solve_simplex = discrete._network_simplex

    def on_the_coarsest_level_only(clouds, *others):
        assert len(clouds.x) <= discrete.COARSEST
        return solve_simplex(clouds, *others)

    monkeypatch.setattr(discrete, "_network_simplex", on_the_coarsest_level_only)
    rough = solve_discrete(x, masses, y, masses, np.zeros(dim), gap=0.02)
    assert rough.upper - rough.lower <= 0.02 * rough.upper
    assert rough.lower <= exact.upper * (1 + 1e-12)
    assert exact.lower <= rough.upper * (1 + 1e-12)


def test_the_deadline_ends_it_with_a_true_bracket():
    rng = np.random.default_rng(0)
    n = 4000
    x, y, masses = rng.random((n, 2)), rng.random((n, 2)), np.full(n, 1.0 / n)
    solve_discrete(x, masses, y, masses, np.zeros(2), gap=0.1)  # compiled from here on
    begun = time.monotonic()
    hasty = solve_discrete(x, masses, y, masses, np.zeros(2), gap=1e-10, deadline=begun)
    assert hasty.lower <= hasty.upper
    assert hasty.rounds == 0
