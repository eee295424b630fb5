"""Plans keep their marginals through overlay, refinement and repair."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.transport.plans import Plan, overlay, refined, repaired

seeds = st.integers(0, 10**9)


def marginals(plan, n, k):
    return np.bincount(plan.rows, plan.masses, n), np.bincount(plan.columns, plan.masses, k)


def masses(rng, n):
    values = rng.random(n) ** 4
    return values / values.sum()


@settings(max_examples=60)
@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_overlay_couples(seed, n, k):
    rng = np.random.default_rng(seed)
    a, b = masses(rng, n), masses(rng, k)
    plan = overlay(a, b)
    assert len(plan.masses) <= n + k
    first, second = marginals(plan, n, k)
    np.testing.assert_allclose(first, a, atol=1e-15)
    np.testing.assert_allclose(second, b, atol=1e-15)


@settings(max_examples=60)
@given(seeds, st.integers(2, 40), st.integers(2, 40))
def test_refinement_keeps_the_coarse_plan_and_the_fine_marginals(seed, n, k):
    rng = np.random.default_rng(seed)
    a, b = masses(rng, n), masses(rng, k)
    rows, columns = rng.integers(0, 5, n), rng.integers(0, 4, k)
    _, rows = np.unique(rows, return_inverse=True)
    _, columns = np.unique(columns, return_inverse=True)
    coarse_a, coarse_b = np.bincount(rows, a), np.bincount(columns, b)
    order = rng.permutation(len(coarse_a))
    line = overlay(coarse_a[order], coarse_b)
    coarse = Plan(order[line.rows], line.columns, line.masses)
    fine = refined(coarse, rows, a, columns, b)
    first, second = marginals(fine, n, k)
    np.testing.assert_allclose(first, a, atol=1e-14)
    np.testing.assert_allclose(second, b, atol=1e-14)
    table = np.zeros((len(coarse_a), len(coarse_b)))
    np.add.at(table, (rows[fine.rows], columns[fine.columns]), fine.masses)
    wanted = np.zeros_like(table)
    np.add.at(wanted, (coarse.rows, coarse.columns), coarse.masses)
    np.testing.assert_allclose(table, wanted, atol=1e-14)


@settings(max_examples=60)
@given(seeds, st.integers(1, 20), st.integers(1, 20))
def test_repair_meets_the_marginals_whatever_comes_in(seed, n, k):
    rng = np.random.default_rng(seed)
    a, b = masses(rng, n), masses(rng, k)
    size = rng.integers(0, 2 * (n + k))
    wild = Plan(rng.integers(0, n, size), rng.integers(0, k, size), rng.random(size) / max(size, 1))
    fixed = repaired(wild, a, b)
    assert fixed.masses.min() >= 0.0
    first, second = marginals(fixed, n, k)
    np.testing.assert_allclose(first, a, atol=1e-14)
    np.testing.assert_allclose(second, b, atol=1e-14)


def test_a_plan_that_is_right_is_not_changed():
    plan = Plan(np.array([0, 1]), np.array([1, 0]), np.array([0.25, 0.75]))
    fixed = repaired(plan, np.array([0.25, 0.75]), np.array([0.75, 0.25]))
    np.testing.assert_array_equal(fixed.masses[fixed.masses > 0.0], plan.masses)
