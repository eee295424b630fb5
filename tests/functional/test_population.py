"""Neurons at Gaussian inputs: closed inner products against sampled ones, gradients, and the loss."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.errors import WassflowError
from wassflow.functional.population import GaussianNeurons, PopulationLoss

ACTIVATIONS = ("relu", "sigmoid")


def sampled(activation, theta, x):
    from scipy.special import ndtr

    z = theta @ x.T
    return np.maximum(z, 0.0) if activation == "relu" else ndtr(z)


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(5, 4))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_products_are_expectations(activation):
    # in the plane of two directions: Gauss-Hermite for the sigmoid is exact enough, angles for ReLU
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    angles = 2.0 * np.pi * (np.arange(4000) + 0.5) / 4000
    radii, weights = np.polynomial.legendre.leggauss(200)
    radii, weights = 6.0 * (radii + 1.0), 6.0 * weights
    x = (radii[:, None, None] * np.column_stack([np.cos(angles), np.sin(angles)])).reshape(-1, 2)
    density = np.repeat(weights * radii * np.exp(-0.5 * radii**2), 4000) / 4000
    expected = (sampled(activation, a, x) * density) @ sampled(activation, b, x).T
    found = GaussianNeurons(activation, 2, 1).products(a, b)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_differences(activation, points):
    features = GaussianNeurons(activation, 3, 5)
    g = features.moment(points[::-1], np.array([0.3, 1.0, 0.5, 0.2, 0.7]))
    u = np.random.default_rng(2).normal(size=(6, 4))
    step = 1e-6
    for axis in range(4):
        shift = step * np.eye(4)[axis]
        slope = (features.pair(u + shift, g) - features.pair(u - shift, g)) / (2.0 * step)
        assert features.pair_gradient(u, g)[:, axis] == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_loss_belongs_to_its_gradient(activation, points):
    features = GaussianNeurons(activation, 3, 10)
    F = wf.Functional(features, PopulationLoss(features, points[:2], scale=3.0), wf.regularizer.Zero())
    cloud = wf.ParticleCloud(points[2:])
    velocity = F.velocity(cloud, cloud.points)
    step = 1e-5
    ahead, behind = (wf.ParticleCloud(cloud.points + s * velocity) for s in (step, -step))
    slope = (F.value(ahead) - F.value(behind)) / (2.0 * step)
    assert slope == pytest.approx(-(cloud.weights @ (velocity**2).sum(axis=1)), rel=1e-7)


def test_a_sampled_loss_tends_to_it(points):
    features = GaussianNeurons("relu", 3, 10)
    population = PopulationLoss(features, points[:2])
    inputs = np.random.default_rng(3).normal(size=(200_000, 3))
    neurons = wf.NeuronFeatures(inputs, "relu")
    loss = wf.SquaredLoss(
        neurons.moment(points[:2], np.ones(2)), weights=np.full(len(inputs), 1.0 / len(inputs))
    )
    weights = np.full(3, 1.0 / 3.0)
    expected = loss.value(neurons.moment(points[2:], weights))
    assert population.value(features.moment(points[2:], weights)) == pytest.approx(expected, rel=0.02)


def test_relu_is_homogeneous_and_its_product_with_itself_half_its_square():
    features = GaussianNeurons("relu", 3, 1)
    a = np.array([[3.0, 0.0, 4.0]])
    assert features.products(a, a) == pytest.approx(12.5)
    assert features.products(2.0 * a, -a) == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_coordinates_reproduce_the_loss(activation, points):
    features = GaussianNeurons(activation, 3, 10)
    loss = PopulationLoss(features, points[:2], scale=0.7)
    rows, target = loss.coordinates(points[2:])
    c = np.array([0.3, 0.2, 1.1])
    assert 0.5 * np.sum((target - c @ rows) ** 2) == pytest.approx(loss.value(features.moment(points[2:], c)))


def test_what_has_no_basis_is_refused(points):
    features = GaussianNeurons("relu", 3, 3)
    with pytest.raises(WassflowError, match="no finitely many features"):
        features.value(points)
    with pytest.raises(ValueError, match="capacity must be at least"):
        features.moment(points, np.ones(5))
