"""Fitted rates: exact on exact powers, honest about chance, and floors kept out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassflow.study.rates import FLOOR_FACTOR, fit_rate, observed_orders, root_mean_square

MS = [16, 32, 64, 128, 256, 512, 1024, 2048]


@given(st.floats(-2.0, 2.0), st.floats(1e-3, 1e3), st.integers(1, 4))
def test_an_exact_power_is_found_exactly(exponent, constant, seeds):
    values = np.repeat(constant * np.array(MS, dtype=float)[:, None] ** exponent, seeds, axis=1)
    fit = fit_rate(MS, values, resamples=50)
    assert fit.exponent == pytest.approx(exponent, abs=1e-12)
    assert fit.constant == pytest.approx(constant, rel=1e-10)
    # Without any scatter the interval shrinks to the exponent.
    assert fit.low == pytest.approx(exponent, abs=1e-6)
    assert fit.high == pytest.approx(exponent, abs=1e-6)
    np.testing.assert_allclose(fit(MS), values[:, 0], rtol=1e-9)


def test_the_interval_covers_as_often_as_it_says():
    """6 seeds with the scatter of W2 measured for iid points of a square (W2^2: 27 percent)."""
    rng = np.random.default_rng(7)
    repeats = 300
    truth = -0.5
    hits = 0
    for _ in range(repeats):
        squares = rng.gamma(1.0 / 0.27**2, 0.27**2, size=(len(MS), 6)) / np.array(MS)[:, None]
        hits += fit_rate(MS, np.sqrt(squares), resamples=300).covers(truth)
    # 95 percent nominal; a binomial deviation at 300 repeats is 1.3 percent, and a bootstrap of six is known
    # to be a little short: not below 90 percent, and not useless wide (all of them covered).
    assert 0.90 * repeats <= hits < repeats


def test_true_exponents_exceed_the_lower_bound_as_often_as_it_says():
    """Errors of one normal observable, the most scattered there is, with three seeds at three m."""
    rng = np.random.default_rng(3)
    ms = (16, 64, 256)
    fits = [
        fit_rate(ms, np.abs(rng.standard_normal((3, 3))) / np.sqrt(ms)[:, None], resamples=200)
        for _ in range(300)
    ]
    # binomial deviations at 300 repeats are 1.3 and .6 percent
    assert 0.0 < np.mean([fit.lower_bound(0.95) > -0.5 for fit in fits]) < 0.09
    assert np.mean([fit.lower_bound(0.999) > -0.5 for fit in fits]) < 0.02
    assert all(fit.degrees == 6 for fit in fits)


def test_the_interval_of_a_ladder_is_students_t():
    """Residuals +-0.01 around slope -1/2 on three points: the interval in closed form."""
    ms = [10, 100, 1000]
    values = [[10 ** (-0.5 * k + e)] for k, e in zip([1, 2, 3], [0.01, -0.02, 0.01], strict=True)]
    fit = fit_rate(ms, values)
    assert fit.interval == "t"
    # slope error: sqrt(sum r^2 / (3 - 2) / sum (k - 2)^2) = sqrt(6e-4 / 2); t_{0.975} with one degree is
    # 12.7062
    assert fit.exponent == pytest.approx(-0.5, abs=1e-12)
    assert fit.high - fit.exponent == pytest.approx(12.7062047 * np.sqrt(3e-4), rel=1e-6)
    assert fit.lower_bound(0.975) == pytest.approx(fit.low, rel=1e-12)


def test_points_at_the_floor_are_left_out_and_named():
    floor = 0.05
    values = np.array(MS, dtype=float)[:, None] ** -0.5
    blurred = np.sqrt(values**2 + floor**2)
    fit = fit_rate(MS, blurred, floor=floor)
    assert fit.used == tuple(m for m, v in zip(MS, blurred[:, 0], strict=True) if v >= FLOOR_FACTOR * floor)
    assert fit.used + fit.left_out == tuple(MS)
    assert abs(fit.exponent + 0.5) < abs(fit_rate(MS, blurred).exponent + 0.5)


def test_nothing_is_fitted_to_fewer_than_two_points():
    fit = fit_rate([4, 8], [[1.0], [0.1]], floor=0.2)
    assert np.isnan(fit.exponent)
    assert np.isnan(fit.low)
    assert fit.interval == "none"
    assert fit.used == (4,)
    two = fit_rate([4, 16], [[1.0], [0.5]])
    assert two.exponent == pytest.approx(-0.5)
    assert np.isnan(two.low)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).uniform(1.0, 2.0, (8, 5))
    assert fit_rate(MS, values) == fit_rate(MS, values)
    assert fit_rate(MS, values, seed=1) != fit_rate(MS, values)


@pytest.mark.parametrize(
    ("ms", "values", "word"),
    [
        ([1, 2], [[1.0]], "shape"),
        ([2, 2], [[1.0], [1.0]], "different"),
        ([2, 3], [[1.0], [-1.0]], "nonnegative"),
        ([2, 3], [[1.0], [np.inf]], "finite"),
    ],
)
def test_bad_values_are_refused(ms, values, word):
    with pytest.raises(ValueError, match=word):
        fit_rate(ms, values)


def test_root_mean_square():
    assert root_mean_square([3.0, 4.0]) == pytest.approx(np.sqrt(12.5))


@given(st.floats(0.3, 2.5), st.floats(0.1, 10.0))
def test_orders_against_the_finest_mesh_are_not_flattered(order, constant):
    h = np.array([0.8, 0.4, 0.2])
    finest = 0.1
    errors = constant * (h**order - finest**order)
    pairwise, fitted = observed_orders(h, errors, finest)
    assert pairwise == pytest.approx([order, order], abs=1e-5)
    assert fitted == pytest.approx(order, abs=1e-5)
    naive, _ = observed_orders(h, errors)
    assert min(naive) > order


def test_differences_that_no_order_explains_have_none():
    """Order p > 0 makes the first difference at least (ln .8/.2) / (ln .4/.2) = 2 times the second."""
    _, order = observed_orders([0.8, 0.4], [1.5, 1.0], finest=0.2)
    assert np.isnan(order)


def test_orders_skip_errors_of_zero():
    pairwise, order = observed_orders([0.4, 0.2, 0.1], [0.4, 0.0, 0.1])
    assert np.all(np.isnan(pairwise))
    assert order == pytest.approx(1.0)
    with pytest.raises(ValueError, match="decrease"):
        observed_orders([0.1, 0.2], [1.0, 1.0])
