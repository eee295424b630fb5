"""Distances on boxes and tori, and the search for the cheapest arc."""

import numpy as np
import pytest

from wassflow.laguerre import costs
from wassflow.laguerre.coarsening import clusters

PERIODS = [np.zeros(2), np.array([1.0, 0.0]), np.array([1.0, 2.0])]


def all_costs(x, y, period):
    images = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]) * period
    return np.min([np.sum((x[:, None] - y[None] - image) ** 2, axis=-1) for image in images], axis=0)


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("by_tree", [False, True])
def test_the_cheapest_arcs_are_found(period, by_tree, monkeypatch):
    if by_tree:
        monkeypatch.setattr(costs, "BRUTE_FORCE_PAIRS", 0)
    rng = np.random.default_rng(2)
    size = np.array([1.0, 2.0])
    x, y = rng.random((80, 2)) * size, rng.random((60, 2)) * size
    # far from constant: a shift, a dilation and noise
    v = 0.8 * y[:, 0] - 0.3 * y[:, 1] ** 2 + 0.05 * rng.random(60)
    reduced = all_costs(x, y, period) - v
    found, values = costs.cheapest(x, y, v, period, 4)
    np.testing.assert_allclose(values, np.sort(reduced, axis=1)[:, :4], atol=1e-13)
    np.testing.assert_allclose(np.take_along_axis(reduced, found, axis=1), values, atol=1e-13)


def test_no_more_arcs_than_atoms_are_returned():
    found, _ = costs.cheapest(np.zeros((3, 2)), np.ones((2, 2)), np.zeros(2), np.zeros(2), 5)
    assert found.shape == (3, 2)


@pytest.mark.parametrize("masses", [[1e-300, 1e-300, 1.0], [1.0, 1e-300, 1e-300], [1e-300, 1.0, 1e-300]])
def test_clusters_of_an_atom_that_outweighs_the_others(masses):
    """Halving by mass alone would put all of them on one side, for ever."""
    label = clusters(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), np.array(masses), 3)
    assert len(np.unique(label)) >= 2
