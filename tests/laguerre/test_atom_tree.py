import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laguerre.meshes import squared_distances

from wassflow.laguerre.atom_tree import AtomTree


def check(x, y, v, period, count):
    wraps = np.where(period > 0.0, period, np.inf)
    reduced = squared_distances(x, y, wraps) - v
    found, costs = AtomTree.over(y, v, period).cheapest(x, count)
    size = 1.0 + np.abs(reduced).max()
    np.testing.assert_allclose(costs, np.sort(reduced, axis=1)[:, :count], rtol=0.0, atol=1e-14 * size)
    np.testing.assert_allclose(np.take_along_axis(reduced, found, axis=1), costs, rtol=0.0, atol=1e-14 * size)
    assert all(len(set(row)) == count for row in found.tolist())


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("stretch", [0.0, 1.0, 30.0])
def test_the_least_reduced_costs_are_found_for_convex_potentials(dim, stretch):
    rng = np.random.default_rng(dim)
    x, y = rng.random((200, dim)), rng.random((700, dim)) + 3.0
    v = y @ rng.random(dim) - stretch * np.sum(y**2, axis=1) + 0.3 * rng.random(700)
    check(x, y, v, np.zeros(dim), 5)


@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.sampled_from([0.0, 1e-9, 1.0, 1e6]),
    st.sampled_from(["spread", "line", "few places"]),
    st.booleans(),
)
def test_the_least_reduced_costs_are_found_for_any_values(seed, atoms, size, where, torus):
    rng = np.random.default_rng(seed)
    x, y = 3.0 * rng.random((30, 3)) - 1.0, rng.random((atoms, 3))
    if where == "line":
        y = y[:, :1] * np.array([1.0, -2.0, 0.5])
    if where == "few places":
        y = y[rng.integers(min(3, atoms), size=atoms)]
    period = np.array([1.0, 0.0, 2.0]) if torus else np.zeros(3)
    check(x, y, size * rng.standard_normal(atoms), period, min(3, atoms))


def test_many_queries_give_the_same_in_threads():
    rng = np.random.default_rng(4)
    x, y, v = rng.random((9_000, 2)), rng.random((50, 2)), 0.01 * rng.random(50)
    check(x, y, v, np.zeros(2), 2)
