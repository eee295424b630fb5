"""Families of random problems: what is drawn is what the docstrings say, and always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wassflow as wf
from wassflow.cases.random_problems import FAMILIES, RandomSpikes, TeacherNetwork, family


@given(st.integers(0, 10_000))
def test_spikes_are_separated_and_of_total_weight_one(number):
    problems = RandomSpikes(separation=0.4)
    spikes = problems.problem(number).teacher.points
    angles = np.sort(spikes[:, 1])
    assert np.diff(angles, append=angles[0] + 2.0 * np.pi).min() >= 0.4 - 1e-12
    weights = np.abs(spikes[:, 0])
    assert weights.sum() == pytest.approx(1.0)
    assert weights.max() <= 3.0 * weights.min() * (1.0 + 1e-12)


def test_the_loss_is_the_mean_square_over_two_lambda():
    problems = RandomSpikes(regularization=0.5)
    problem = problems.problem(4)
    x = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    signal = sum(
        w * (1.0 + 2.0 * sum(np.cos(k * (x - theta)) for k in range(1, problems.order + 1)))
        for w, theta in problem.teacher.points
    )
    zero = np.zeros(problem.functional.features.size)
    assert problem.functional.loss.value(zero) == pytest.approx((signal**2).mean() / (2.0 * 0.5), rel=1e-10)


def test_the_length_of_the_circle_changes_the_metric_only():
    long, short = RandomSpikes(period=2.0 * np.pi), RandomSpikes(period=1.0)
    one, other = long.problem(2), short.problem(2)
    assert one.teacher.points[:, 1] / (2.0 * np.pi) == pytest.approx(other.teacher.points[:, 1])
    start, same = long.start(2, 7), short.start(2, 7)
    assert one.functional.value(start) == pytest.approx(other.functional.value(same))
    assert one.functional.value(one.teacher) == pytest.approx(other.functional.value(other.teacher))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_teacher_fits_its_data(name):
    problem = family(name, **({} if name == "deconvolution" else {"dim": 5})).problem(1)
    functional = problem.functional
    assert functional.loss.value(functional.moment(problem.teacher)) == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_networks_are_relative_to_their_data(activation):
    functional = TeacherNetwork(activation, dim=4).problem(0).functional
    assert functional.loss.value(np.zeros(functional.features.size)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", FAMILIES)
def test_problems_repeat(name):
    problems = family(name, **({} if name == "deconvolution" else {"dim": 3}))
    assert np.array_equal(problems.problem(3).teacher.points, problems.problem(3).teacher.points)
    assert not np.array_equal(problems.problem(3).teacher.points, problems.problem(4).teacher.points)
    assert np.array_equal(problems.start(3, 6).points, problems.start(3, 6).points)
    assert isinstance(problems.start(3, 6), wf.ParticleCloud)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("spikes", {}, "family of problems"),
        ("relu", {"order": 3}, "the parameter of relu"),
        ("deconvolution", {"separation": 1.0}, "separation must be"),
        ("relu", {"norm": 0.0}, "norm must be"),
    ],
)
def test_refusals(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        family(name, **parameters)
