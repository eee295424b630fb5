"""The rule is exact to degree 5, symmetric and positive; refinement finds kinks and jumps."""

from itertools import product
from math import factorial

import numpy as np
import pytest

from wassflow.measure import simplex_quadrature
from wassflow.measure.simplex_quadrature import (
    adaptive_integrals,
    bisected,
    cell_means,
    rule,
    simplex_inertia,
    simplex_volumes,
)


def unit_simplex(dim):
    return np.vstack([np.zeros(dim), np.eye(dim)])[None]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_rule_is_exact_for_every_monomial_of_degree_five(dim):
    _, weights = rule(dim)
    assert weights.min() > 0.0
    simplex = unit_simplex(dim)
    for powers in product(range(6), repeat=dim):
        if sum(powers) > 5:
            continue
        mean = cell_means(simplex, lambda u, p=powers: np.prod(u ** np.array(p), axis=1))[0]
        # Dirichlet integral over the unit simplex, divided by its volume 1/d!
        exact = np.prod([factorial(p) for p in powers]) * factorial(dim) / factorial(dim + sum(powers))
        assert mean == pytest.approx(exact, abs=2e-16 * 8)


@pytest.mark.parametrize("dim", [2, 3])
def test_rule_does_not_depend_on_the_order_of_the_vertices(dim):
    rng = np.random.default_rng(3)
    simplex = rng.random((1, dim + 1, dim))

    def rough(u):
        return np.exp(3.0 * u[:, 0]) * np.abs(u[:, 1] - 0.4)

    means = [cell_means(simplex[:, rng.permutation(dim + 1)], rough)[0] for _ in range(6)]
    np.testing.assert_allclose(means, means[0], rtol=1e-13)


def test_a_dimension_without_a_rule_is_refused():
    with pytest.raises(ValueError, match="dim must be 1, 2 or 3, found 4"):
        rule(4)


@pytest.mark.parametrize("dim", [2, 3])
def test_inertia_is_the_mean_square_distance_to_the_centroid(dim):
    simplices = np.random.default_rng(0).random((7, dim + 1, dim))
    for simplex, inertia in zip(simplices, simplex_inertia(simplices), strict=True):
        centre = simplex.mean(axis=0)
        assert inertia == pytest.approx(
            cell_means(simplex[None], lambda u, c=centre: ((u - c) ** 2).sum(axis=1))[0]
        )


@pytest.mark.parametrize("dim", [2, 3])
def test_bisection_keeps_the_volume_and_halves_it(dim):
    simplices = np.random.default_rng(1).random((5, dim + 1, dim))
    halves = simplex_volumes(bisected(simplices)).reshape(5, 2)
    np.testing.assert_allclose(
        halves, np.repeat(simplex_volumes(simplices)[:, None] / 2, 2, axis=1), rtol=1e-13
    )


def test_refinement_resolves_a_jump():
    simplex = unit_simplex(2)

    def jump(u):
        return (u[:, 0] < 0.3).astype(float)

    exact = 0.5 - 0.5 * 0.7**2
    errors = [
        abs(adaptive_integrals(simplex, jump, levels, lambda i: 1e-12)[0] - exact) for levels in (0, 3, 6)
    ]
    # the error of a jump is of the size of the layer of cells across it
    assert errors[2] < 0.05 * errors[0]
    assert errors[2] < 2e-3


@pytest.mark.parametrize("dim", [2, 3])
def test_refinement_in_blocks_changes_nothing(dim, monkeypatch):
    simplices = unit_simplex(dim)
    for _ in range(6):
        simplices = bisected(simplices)

    def jump(u):
        return (u.sum(axis=1) < 0.45).astype(float)

    whole = adaptive_integrals(simplices, jump, 3, lambda i: 1e-12)
    monkeypatch.setattr(simplex_quadrature, "BLOCK", 5 << dim)
    assert adaptive_integrals(simplices, jump, 3, lambda i: 1e-12) == pytest.approx(whole, abs=1e-16)
    assert np.count_nonzero(whole) > 5
