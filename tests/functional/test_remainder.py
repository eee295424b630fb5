"""Lower bounds of <g, Phi> on boxes, and degrees of homogeneity, against values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.cases.features import CosineFeatures
from wassflow.errors import WassflowError
from wassflow.functional import CallableFeatures, NeuronFeatures, SpikeFeatures, regularizer

INPUTS = np.random.default_rng(3).standard_normal((7, 2))
FEATURES = {
    **{
        f"{activation}, {parametrization}, {'w' if weight else 'no w'}": NeuronFeatures(
            INPUTS, activation, weight, parametrization
        )
        for activation in ("sigmoid", "tanh", "softplus", "relu")
        for parametrization in ("linear", "signed-square")
        for weight in (True, False)
    },
    "spikes": SpikeFeatures("dirichlet", order=3),
    "spikes on a torus": SpikeFeatures("gaussian", samples=4, width=0.2, dim=2),
    "cosines": CosineFeatures(2),
}


@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 2.0), flat=st.booleans())
def test_values_stay_above_the_tangent_plane_minus_the_remainder(features, seed, size, flat):
    rng = np.random.default_rng(seed)
    u, g = rng.uniform(-2.0, 2.0, (1, features.dim)), rng.standard_normal(features.size)
    radius = size * rng.random((1, features.dim))
    if flat:
        radius[0, rng.integers(features.dim)] = 0.0
    x = u + radius * rng.uniform(-1.0, 1.0, (400, features.dim))
    x[:200] = u + radius * np.sign(x[:200] - u)  # half of them in the corners
    tangent = features.pair(u, g) + (x - u) @ features.pair_gradient(u, g)[0]
    fall = tangent - features.pair(x, g)
    assert fall.max() <= features.remainder(u, radius, g)[0] + 1e-12 * (1.0 + np.abs(tangent).max())


def test_the_remainder_of_smooth_neurons_is_of_second_order_and_that_of_convex_creases_vanishes():
    u = np.array([[1.0, 0.3, -0.2]])
    for name in ("tanh, linear, w", "softplus, signed-square, w"):
        features, g = FEATURES[name], np.ones(7)
        coarse, fine = (features.remainder(u, np.full((1, 3), h), g)[0] for h in (1e-2, 1e-3))
        assert 0.008 < fine / coarse < 0.02
    relu = FEATURES["relu, linear, w"]
    flat = np.array([[0.0, 0.5, 0.5]])
    assert relu.remainder(u, flat, np.ones(7))[0] == 0.0
    assert relu.remainder(u, flat, -np.ones(7))[0] > 0.0


def test_features_of_the_user_do_not_know_theirs():
    features = CallableFeatures(lambda u: u**2, lambda u: 2.0 * u[:, :, None] * np.eye(2), size=2)
    with pytest.raises(WassflowError, match="give it as lipschitz"):
        features.remainder(np.zeros((1, 2)), np.ones((1, 2)), np.ones(2))
    assert not features.homogeneous(2, "all")


REGULARIZERS = [
    regularizer.Zero(),
    regularizer.AbsWeight(0.3),
    regularizer.Norm(0.3),
    regularizer.WeightTimesNorm(0.3),
    regularizer.SquaredNorm(0.3),
    regularizer.SquaredNorm(0.3, weight_column=True),
    regularizer.Linear([1.0, -2.0, 0.5]),
    regularizer.Quadratic(np.diag([1.0, -2.0, 0.5])),
    regularizer.Sum(regularizer.SquaredNorm(0.1), regularizer.WeightTimesNorm(0.3)),
    regularizer.Sum(regularizer.AbsWeight(0.1), regularizer.WeightTimesNorm(0.3)),
    regularizer.Callable(lambda u: u[:, 0], gradient=lambda u: np.ones_like(u)),
]


@pytest.mark.parametrize(
    "what", [*FEATURES.values(), *REGULARIZERS], ids=[*FEATURES, *map(repr, REGULARIZERS)]
)
@pytest.mark.parametrize("part", ["weight", "theta", "all"])
def test_degrees_of_homogeneity_are_those_of_the_values(what, part):
    dim = getattr(what, "dim", None) or 3
    u = np.random.default_rng(1).uniform(-1.0, 1.0, (20, dim))
    columns = {"weight": slice(0, 1), "theta": slice(1, None), "all": slice(None)}[part]
    if isinstance(what, NeuronFeatures) and not what.output_weight:
        columns = {"weight": slice(0, 0), "theta": slice(None), "all": slice(None)}[part]
    scaled = u.copy()
    scaled[:, columns] *= 1.7
    for degree in (1, 2, 3):
        if what.homogeneous(degree, part):
            assert np.allclose(what.value(scaled), 1.7**degree * what.value(u), rtol=1e-12, atol=1e-14)


def test_the_degrees_that_the_theorems_need_are_known():
    assert FEATURES["relu, signed-square, no w"].homogeneous(2, "all")
    assert FEATURES["relu, linear, w"].homogeneous(2, "all")
    assert FEATURES["relu, linear, w"].homogeneous(1, "theta")
    assert all(FEATURES[name].homogeneous(1, "weight") for name in ("sigmoid, linear, w", "spikes"))
    assert not FEATURES["sigmoid, linear, no w"].homogeneous(1, "weight")
    assert regularizer.WeightTimesNorm(1.0).homogeneous(2, "all")
    assert REGULARIZERS[9].homogeneous(1, "weight")
    assert not REGULARIZERS[9].homogeneous(1, "theta")
