import numpy as np
import pytest

from wassflow import WassflowError
from wassflow.functional import Functional, NeuronFeatures, SpikeFeatures, SquaredLoss, regularizer
from wassflow.functional.evaluation import SortedReluFeatures, TabulatedFeatures, evaluated

LINE = np.column_stack([np.linspace(-1.0, 1.0, 100), np.ones(100)])


def functional(features):
    return Functional(features, SquaredLoss(np.zeros(features.size)), regularizer.Zero())


def choose(features, evaluation, points):
    lower = np.zeros(features.dim)
    return evaluated(functional(features), evaluation, lower, lower + 1.0, points).features


@pytest.mark.parametrize(
    ("features", "fast"),
    [
        (NeuronFeatures(LINE, "sigmoid"), TabulatedFeatures),
        (SpikeFeatures("dirichlet", order=50), TabulatedFeatures),
        (NeuronFeatures(LINE, "relu"), SortedReluFeatures),
    ],
)
def test_fast_evaluation_where_it_pays(features, fast):
    assert type(choose(features, "auto", 10**6)) is fast
    assert type(choose(features, "fast", 10)) is fast
    assert choose(features, "auto", 10) is features
    assert choose(features, "direct", 10**6) is features


def test_what_has_no_fast_way_is_evaluated_directly_or_refused():
    features = NeuronFeatures(np.random.default_rng(0).normal(size=(600, 3)), "relu")
    assert choose(features, "auto", 10**9) is features
    with pytest.raises(WassflowError, match="sorting"):
        choose(features, "fast", 10**9)


def test_features_that_are_fast_already_stay_as_they_are():
    features = TabulatedFeatures(NeuronFeatures(LINE, "tanh"), np.zeros(3), np.ones(3), tolerance=1e-4)
    assert choose(features, "fast", 10**9) is features


def test_unknown_evaluation_is_refused():
    with pytest.raises(ValueError, match="evaluation"):
        choose(NeuronFeatures(LINE, "tanh"), "slow", 10)
