"""Magnitudes on fixed positions: against closed forms, optimality conditions and another solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import wassflow as wf
from wassflow.cases.random_problems import family
from wassflow.study.fixed_positions import minimize_magnitudes


def test_one_spike_is_shortened_by_the_penalty():
    spike = wf.SpikeFeatures("dirichlet", order=3)
    norm = spike.kernel_norm_squared
    target = spike.value([[2.0, 0.25]])[0]
    functional = wf.Functional(spike, wf.SquaredLoss(target), wf.regularizer.AbsWeight(0.7))
    found = minimize_magnitudes(functional, [[0.25]])
    assert found.magnitudes == pytest.approx([2.0 - 0.7 / norm])
    assert found.value == pytest.approx(0.7 * 2.0 - 0.7**2 / (2.0 * norm))


def test_a_penalty_above_all_pairings_leaves_nothing():
    functional = wf.Functional(
        wf.NeuronFeatures(np.eye(2), "relu"), wf.SquaredLoss([1.0, 1.0]), wf.regularizer.AbsWeight(2.0)
    )
    found = minimize_magnitudes(functional, np.eye(2))
    assert np.array_equal(found.magnitudes, [0.0, 0.0])
    assert found.value == 1.0


@st.composite
def lassos(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    size, count = rng.integers(1, 8), rng.integers(1, 10)
    features = wf.NeuronFeatures(rng.normal(size=(size, 2)), "relu")
    loss = wf.SquaredLoss(rng.normal(size=size), weights=rng.uniform(0.1, 2.0, size), scale=3.0)
    V = draw(st.sampled_from([wf.regularizer.AbsWeight(0.3), wf.regularizer.WeightTimesNorm(0.2)]))
    return wf.Functional(features, loss, V), rng.normal(size=(count, 2))


@given(lassos())
def test_the_optimality_conditions_hold(problem):
    functional, theta = problem
    found = minimize_magnitudes(functional, theta)
    units = np.column_stack([np.ones(len(theta)), theta])
    moment = found.magnitudes @ functional.features.value(units)
    slopes = functional.features.value(units) @ functional.loss.gradient(moment)
    penalties = functional.regularizer.value(units)
    assert np.all(np.abs(slopes) <= penalties + 1e-9)
    used = found.magnitudes != 0.0
    assert slopes[used] == pytest.approx(-np.sign(found.magnitudes[used]) * penalties[used], abs=1e-9)


@given(lassos())
def test_no_descent_finds_less(problem):
    functional, theta = problem
    found = minimize_magnitudes(functional, theta)
    units = np.column_stack([np.ones(len(theta)), theta])
    rows, penalties = functional.features.value(units), functional.regularizer.value(units)

    def objective(halves):
        up, down = np.split(halves, 2)
        moment = (up - down) @ rows
        slopes = rows @ functional.loss.gradient(moment)
        value = functional.loss.value(moment) + penalties @ (up + down)
        return value, np.concatenate([slopes + penalties, -slopes + penalties])

    zero = np.zeros(2 * len(theta))
    bounds, options = [(0.0, None)] * zero.size, {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 20_000}
    other = minimize(objective, zero, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    assert found.value <= other.fun + 1e-10
    # L-BFGS-B may stop short of the minimum: a duality gap tells that ours is there
    assert found.gap <= 1e-9 * max(1.0, found.value)


def test_more_positions_never_do_harm():
    problem = family("deconvolution").problem(0)
    values = [
        minimize_magnitudes(problem.functional, 2.0 * np.pi * np.arange(m)[:, None] / m).value
        for m in (5, 10, 20, 40, 80, 160)
    ]
    assert np.all(np.diff(values) <= 1e-12)
    best = wf.minimize_over_measures(problem.functional, problem.domain)
    assert values[-1] >= best.lower_bound


def test_refuses_other_losses():
    functional = wf.Functional(
        wf.NeuronFeatures(np.eye(2), "relu"), wf.LogisticLoss([1, -1]), wf.regularizer.AbsWeight(0.1)
    )
    with pytest.raises(ValueError, match="SquaredLoss"):
        minimize_magnitudes(functional, np.eye(2))
