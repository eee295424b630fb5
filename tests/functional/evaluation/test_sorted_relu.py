import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow import WassflowError
from wassflow.functional import NeuronFeatures
from wassflow.functional.evaluation import SortedReluFeatures


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 30),
    columns=st.integers(1, 2),
    bias=st.booleans(),
    output_weight=st.booleans(),
    parametrization=st.sampled_from(["linear", "signed-square"]),
)
def test_sums_are_those_over_all_inputs(seed, size, columns, bias, output_weight, parametrization):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-3, 4, (size, columns)).astype(float)  # repeated, opposite and zero inputs
    inputs += rng.choice([0.0, 1e-9, 0.3], (size, 1)) * rng.normal(size=(size, columns))
    if bias:
        inputs[:, -1] = 1.0
    features = NeuronFeatures(inputs, "relu", output_weight, parametrization)
    fast = SortedReluFeatures(features)
    u = rng.normal(size=(40, features.dim))
    u[rng.uniform(size=u.shape) < 0.1] = 0.0
    g, w = rng.normal(size=size), rng.normal(size=40)
    scale = np.abs(inputs).sum() * np.abs(g).max() + 1.0
    tolerance = 1e-14 * scale * (1.0 + np.abs(u).max()) ** 3
    np.testing.assert_allclose(fast.pair(u, g), features.pair(u, g), rtol=0.0, atol=tolerance)
    np.testing.assert_allclose(fast.moment(u, w), features.moment(u, w), rtol=0.0, atol=40 * tolerance)
    np.testing.assert_allclose(
        fast.pair_gradient(u, g), features.pair_gradient(u, g), rtol=0.0, atol=tolerance
    )
    np.testing.assert_array_equal(fast.value(u), features.value(u))
    np.testing.assert_array_equal(fast.gradient(u), features.gradient(u))


def test_integrals_are_the_transpose_of_pairings():
    rng = np.random.default_rng(0)
    fast = SortedReluFeatures(NeuronFeatures(rng.normal(size=(500, 2)), "relu"))
    u, g, w = rng.normal(size=(300, 3)), rng.normal(size=500), rng.normal(size=300)
    pairs, integrals = fast.pair(u, g) * w, fast.moment(u, w) * g
    assert abs(pairs.sum() - integrals.sum()) <= 1e-13 * np.abs(pairs).sum()


@pytest.mark.parametrize(("activation", "columns"), [("relu", 3), ("tanh", 2)])
def test_other_neurons_are_refused(activation, columns):
    with pytest.raises(WassflowError, match="one or two input columns"):
        SortedReluFeatures(NeuronFeatures(np.ones((4, columns)), activation))
