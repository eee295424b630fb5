import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.functional import NeuronFeatures, neurons

ACTIVATIONS = ("sigmoid", "tanh", "softplus", "relu")
KINDS = [
    (activation, output_weight, parametrization)
    for activation in ACTIVATIONS
    for output_weight in (True, False)
    for parametrization in ("linear", "signed-square")
]


@pytest.mark.parametrize(("activation", "output_weight", "parametrization"), KINDS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 40), columns=st.integers(1, 4))
def test_gradient_is_that_of_the_value(activation, output_weight, parametrization, seed, size, columns):
    rng = np.random.default_rng(seed)
    features = NeuronFeatures(rng.normal(size=(size, columns)), activation, output_weight, parametrization)
    u = rng.normal(size=(6, features.dim))
    u += np.copysign(1e-3, u)  # signed squares have no second derivative at 0
    h = 1e-5
    differences = np.stack(
        [(features.value(u + h * e) - features.value(u - h * e)) / (2 * h) for e in np.eye(features.dim)],
        axis=1,
    )
    gradient = features.gradient(u)
    if activation == "relu":
        # Across the kink a difference quotient is between the two slopes: compare away from it.
        smooth = np.abs(argument(features, u)) > 1e-3
        differences, gradient = (np.where(smooth[:, None, :], x, 0.0) for x in (differences, gradient))
    # Truncation h^2/6 |Phi'''| (up to about 1e2 with the squares) and rounding 1e-15/h.
    np.testing.assert_allclose(gradient, differences, atol=1e-7)


def argument(features, u):
    """Return <s(theta), x_j>, ``(n, N)``, by its definition."""
    theta = u[:, 1:] if features.output_weight else u
    if features.parametrization == "signed-square":
        theta = theta * np.abs(theta)
    return theta @ features.inputs.T


@pytest.mark.parametrize(("activation", "output_weight", "parametrization"), KINDS)
def test_value_is_the_definition(activation, output_weight, parametrization):
    rng = np.random.default_rng(4)
    features = NeuronFeatures(rng.normal(size=(30, 2)), activation, output_weight, parametrization)
    u = rng.normal(size=(7, features.dim))
    sigma = {
        "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
        "tanh": np.tanh,
        "softplus": lambda z: np.log1p(np.exp(z)),
        "relu": lambda z: np.maximum(z, 0.0),
    }[activation]
    weight = u[:, :1] if output_weight else 1.0
    np.testing.assert_allclose(
        features.value(u), weight * sigma(argument(features, u)), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize(("activation", "output_weight", "parametrization"), KINDS)
@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 20),
    size=st.sampled_from([1, 3, 1023, 1024, 1025, 2500]),
    columns=st.integers(1, 7),
)
def test_fused_is_dense(activation, output_weight, parametrization, seed, n, size, columns):
    rng = np.random.default_rng(seed)
    features = NeuronFeatures(rng.normal(size=(size, columns)), activation, output_weight, parametrization)
    u, weights, g = rng.normal(size=(n, features.dim)), rng.random(n), rng.normal(size=size)
    weights[::3] = 0.0
    # Sums of up to 2500 numbers of size 10 in another order.
    np.testing.assert_allclose(features.moment(u, weights), weights @ features.value(u), atol=1e-12)
    np.testing.assert_allclose(features.pair(u, g), features.value(u) @ g, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(features.pair_gradient(u, g), features.gradient(u) @ g, rtol=1e-12, atol=1e-11)


def test_long_sums_keep_their_digits():
    rng = np.random.default_rng(9)
    features = NeuronFeatures([[0.3], [2.0]], "sigmoid", output_weight=False)
    u, weights = rng.normal(size=(100_000, 1)), np.full(100_000, 1e-5)
    exact = [math.fsum(column) for column in (weights[:, None] * features.value(u)).T]
    # Added one after the other the numbers would be wrong by 5e-15.
    np.testing.assert_allclose(features.moment(u, weights), exact, rtol=2e-15)


def test_frozen_arrays_do_not_compile_anew():
    inputs, u, weights, g = np.ones((4, 1)), np.ones((3, 1)), np.ones(3), np.ones(4)
    for array in (inputs, u, weights, g):
        array.flags.writeable = False
    features = NeuronFeatures(inputs, "tanh", output_weight=False)
    features.moment(u, weights), features.pair(u, g), features.pair_gradient(u, g)
    for kernel in (neurons._moment, neurons._pair, neurons._pair_gradient):
        assert len(kernel.signatures) == 1


def test_relu_with_signed_squares_is_2_homogeneous():
    rng = np.random.default_rng(2)
    features = NeuronFeatures(
        rng.normal(size=(20, 2)), "relu", output_weight=False, parametrization="signed-square"
    )
    u = rng.normal(size=(5, 2))
    np.testing.assert_allclose(features.value(3.0 * u), 9.0 * features.value(u), rtol=1e-14)
    # Euler: <u, grad Phi> = 2 Phi.
    np.testing.assert_allclose(
        np.einsum("nd,ndj->nj", u, features.gradient(u)), 2.0 * features.value(u), rtol=1e-14
    )


def test_large_arguments_stay_finite():
    for activation in ACTIVATIONS:
        features = NeuronFeatures([[1.0], [-1.0]], activation)
        u = np.array([[1.0, 1e5], [1.0, -1e5]])
        assert np.all(np.isfinite(features.value(u)))
        assert np.all(np.isfinite(features.gradient(u)))


MEMORY = """
import resource
import numpy as np
from wassflow.functional import NeuronFeatures

rng = np.random.default_rng(0)
features = NeuronFeatures(rng.normal(size=(1000, 2)), "sigmoid")
warm, g = rng.normal(size=(10, 3)), rng.normal(size=1000)
u, weights = rng.normal(size=(200_000, 3)), rng.random(200_000)
for kernel in (lambda u: features.moment(u, weights[: len(u)]), lambda u: features.pair(u, g),
               lambda u: features.pair_gradient(u, g)):
    kernel(warm)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
features.moment(u, weights)
features.pair(u, g)
features.pair_gradient(u, g)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_the_matrix_is_never_formed():
    # A process of its own: the peak of this one may already be high. The dense Phi would take 1600 MB; a few
    # arrays of the size of the points (5 MB) are needed.
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 40.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": [1.0, 2.0]}, r"inputs must have shape \(n, d\), found shape \(2,\)"),
        ({"inputs": [[1.0, np.nan]]}, "inputs must be finite"),
        ({"inputs": np.zeros((0, 2))}, "inputs must not be empty"),
        (
            {"activation": "step"},
            "activation must be one of 'sigmoid', 'tanh', 'softplus', 'relu', found 'step'",
        ),
        (
            {"parametrization": "cube"},
            "parametrization must be one of 'linear', 'signed-square', found 'cube'",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        NeuronFeatures(**({"inputs": [[1.0, 2.0]], "activation": "relu"} | arguments))


def test_points_of_another_dimension_are_refused():
    features = NeuronFeatures([[1.0, 2.0]], "tanh")
    with pytest.raises(ValueError, match=r"u must have shape \(n, 3\), found shape \(1, 2\)"):
        features.pair([[1.0, 2.0]], [1.0])
