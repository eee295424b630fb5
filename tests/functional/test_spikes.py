import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.functional import SpikeFeatures

KINDS = [
    {"kernel": "dirichlet", "order": 0},
    {"kernel": "dirichlet", "order": 7},
    {"kernel": "dirichlet", "order": 3, "dim": 2, "period": 2 * np.pi},
    {"kernel": "dirichlet", "order": 2, "samples": 9, "dim": 2},
    {"kernel": "gaussian", "order": 6, "width": 0.08, "dim": 2},
    {"kernel": "gaussian", "samples": 11, "width": 0.1, "period": 1.5},
    {"kernel": "gaussian", "samples": [0.1, 0.5, 0.55], "width": 0.07, "dim": 2},
]


def kernel(features, x):
    """Return psi(x) in one axis by its definition."""
    if features.kernel == "dirichlet":
        k = np.arange(-features.order, features.order + 1)
        return np.exp(2j * np.pi * np.multiply.outer(x, k) / features.period).sum(axis=-1).real
    images = features.period * np.arange(-10, 11)
    return np.exp(-0.5 * (np.subtract.outer(x, images) / features.width) ** 2).sum(axis=-1)


def random_points(features, rng, n):
    return rng.normal(size=(n, features.dim)) * features.period


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradient_is_that_of_the_value(kind, seed):
    features = SpikeFeatures(**kind)
    u = random_points(features, np.random.default_rng(seed), 5)
    h = 1e-5
    differences = np.stack(
        [(features.value(u + h * e) - features.value(u - h * e)) / (2 * h) for e in np.eye(features.dim)],
        axis=1,
    )
    # Truncation h^2/6 |Phi'''| with |Phi'''| up to 3 |w| (2 pi order)^3.
    np.testing.assert_allclose(features.gradient(u), differences, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 5000])
def test_blocked_is_dense(kind, n):
    features = SpikeFeatures(**kind)
    rng = np.random.default_rng(n)
    u, weights, g = random_points(features, rng, n), rng.random(n) / 5000, rng.normal(size=features.size)
    weights[::3] = 0.0
    value, gradient = features.value(u), features.gradient(u)
    scale = max(1.0, float(np.abs(gradient).max(initial=0.0)))
    np.testing.assert_allclose(features.moment(u, weights), weights @ value, atol=1e-13 * scale)
    np.testing.assert_allclose(features.pair(u, g), value @ g, atol=1e-13 * scale)
    np.testing.assert_allclose(features.pair_gradient(u, g), gradient @ g, atol=1e-12 * scale)


@pytest.mark.parametrize("kind", [k for k in KINDS if "samples" in k])
def test_samples_are_values_of_the_kernel(kind):
    features = SpikeFeatures(**kind)
    u = random_points(features, np.random.default_rng(3), 4)
    factors = [kernel(features, features.samples - theta[:, None]) for theta in u[:, 1:].T]
    expected = (
        factors[0] if features.dim == 2 else (factors[0][:, :, None] * factors[1][:, None, :]).reshape(4, -1)
    )
    np.testing.assert_allclose(features.value(u), u[:, :1] * expected, atol=1e-12)


@pytest.mark.parametrize("kind", [k for k in KINDS if "samples" not in k and k["kernel"] == "dirichlet"])
def test_coefficients_carry_the_signal_and_its_norm(kind):
    features = SpikeFeatures(**kind)
    rng = np.random.default_rng(5)
    u, weights = random_points(features, rng, 3), rng.random(3)
    f = features.moment(u, weights)
    # A grid on which trigonometric polynomials of twice the order are integrated exactly.
    axis = np.arange(4 * features.order + 1) * features.period / (4 * features.order + 1)
    x = np.stack(np.meshgrid(*[axis] * (features.dim - 1), indexing="ij"), axis=-1).reshape(
        -1, features.dim - 1
    )
    kernels = [
        np.prod([kernel(features, x[:, a] - theta[a]) for a in range(features.dim - 1)], axis=0)
        for theta in u[:, 1:]
    ]
    signal = (weights * u[:, 0]) @ np.array(kernels)
    np.testing.assert_allclose(features.signal(f, x), signal, atol=1e-12 * np.abs(signal).max())
    cell = (features.period / axis.size) ** (features.dim - 1)
    np.testing.assert_allclose(f @ f, cell * (signal @ signal), rtol=1e-12)
    np.testing.assert_allclose(features.kernel_norm_squared, cell * (kernels[0] @ kernels[0]), rtol=1e-12)


def test_a_truncated_gaussian_of_high_order_is_the_gaussian():
    features = SpikeFeatures("gaussian", order=40, width=0.05)
    x = np.linspace(0.0, 1.0, 50)[:, None]
    signal = features.signal(features.value([[1.5, 0.3]])[0], x)
    np.testing.assert_allclose(signal, 1.5 * kernel(features, x[:, 0] - 0.3), atol=1e-13)
    # The squared L2 norm of a narrow Gaussian is width sqrt(pi).
    np.testing.assert_allclose(features.kernel_norm_squared, 0.05 * np.sqrt(np.pi), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_any_representative_of_a_point_of_the_torus_will_do(kind):
    features = SpikeFeatures(**kind)
    u = random_points(features, np.random.default_rng(6), 4)
    shifted = u.copy()
    shifted[:, 1:] += features.period * np.array([[3], [-2], [1], [5]])
    value = features.value(u)
    np.testing.assert_allclose(features.value(shifted), value, atol=1e-12 * np.abs(value).max())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": "box"}, "kernel must be one of 'dirichlet', 'gaussian', found 'box'"),
        ({"kernel": "dirichlet"}, "order must be given for the dirichlet kernel"),
        ({"kernel": "dirichlet", "order": -1}, "order must be an integer, at least 0, found -1"),
        ({"kernel": "dirichlet", "order": 2, "width": 0.1}, "width belongs to the gaussian kernel"),
        ({"kernel": "dirichlet", "order": 2, "dim": 3}, "dim must be one of 1, 2, found 3"),
        ({"kernel": "dirichlet", "order": 2, "period": 0}, "period must be .*above 0.0, found 0"),
        ({"kernel": "gaussian", "order": 2}, "width must be given for the gaussian kernel"),
        ({"kernel": "gaussian", "width": 0.1}, "order or samples must be given"),
        ({"kernel": "gaussian", "width": -0.1, "order": 2}, "width must be .*above 0.0, found -0.1"),
        ({"kernel": "gaussian", "width": 0.1, "samples": 0}, "samples must be an integer, at least 1"),
        ({"kernel": "gaussian", "width": 0.1, "samples": []}, "samples must hold at least one position"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpikeFeatures(**arguments)


def test_samples_do_not_determine_a_signal():
    features = SpikeFeatures("gaussian", samples=5, width=0.1)
    with pytest.raises(ValueError, match="signal needs features that are Fourier coefficients"):
        features.signal(np.zeros(5), [[0.1]])
