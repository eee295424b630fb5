import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.domain import Box, Polytope
from wassflow.functional import (
    CallableFeatures,
    Functional,
    LogisticLoss,
    NeuronFeatures,
    SpikeFeatures,
    SquaredLoss,
)
from wassflow.functional.regularizer import (
    AbsWeight,
    Linear,
    Quadratic,
    SquaredNorm,
    Sum,
    WeightTimesNorm,
    Zero,
)


class Atoms:
    """A finite sum of Diracs, possibly a share of one that other ranks hold too."""

    def __init__(self, points, weights, others=()):
        self.points, self.weights, self.others = np.asarray(points, float), np.asarray(weights, float), others
        self.sums = 0

    @property
    def dim(self):
        return self.points.shape[1]

    def quadrature(self):
        return self.points, self.weights

    def allsum(self, local):
        self.sums += 1
        return local + sum(self.others)


def functionals():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(12, 2))
    return {
        "sigmoid": Functional(
            NeuronFeatures(inputs, "sigmoid"), SquaredLoss(rng.normal(size=12), scale=0.5), AbsWeight(0.1)
        ),
        "relu": Functional(
            NeuronFeatures(inputs, "relu"), LogisticLoss(rng.choice([-1, 1], size=12)), WeightTimesNorm(0.2)
        ),
        "squares": Functional(
            NeuronFeatures(inputs, "relu", output_weight=False, parametrization="signed-square"),
            SquaredLoss(rng.normal(size=12)),
            SquaredNorm(0.3),
        ),
        "spikes": Functional(
            SpikeFeatures("dirichlet", order=3, dim=2),
            SquaredLoss(rng.normal(size=49), weights=rng.random(49)),
            Sum(AbsWeight(0.1), Linear([0.1, 0.2, 0.3])),
        ),
    }


def atoms(F, seed, n=5):
    rng = np.random.default_rng(seed)
    return Atoms(rng.normal(size=(n, F.dim)), rng.random(n) / n), rng


@pytest.mark.parametrize("name", functionals())
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_first_variation_is_the_derivative_in_the_direction_of_a_dirac(name, seed):
    F = functionals()[name]
    mu, rng = atoms(F, seed)
    u = rng.normal(size=(3, F.dim))
    h = 1e-4
    for row, found in zip(u, F.first_variation(mu, u), strict=True):
        points = np.vstack([mu.points, row])
        up, down = (F.value(Atoms(points, np.append(mu.weights, sign * h))) for sign in (1.0, -1.0))
        # R is smooth: the central quotient is right to h^2 R''', exactly so for a squared loss.
        np.testing.assert_allclose(found, (up - down) / (2 * h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", functionals())
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_velocity_is_minus_the_gradient_of_the_first_variation(name, seed):
    F = functionals()[name]
    mu, rng = atoms(F, seed)
    u = rng.normal(size=(8, F.dim))
    variation, h = F.linearize(F.moment(mu)), 1e-6
    found = variation.velocity(u)
    steps = h * np.eye(F.dim)
    differences = -np.stack([(variation(u + e) - variation(u - e)) / (2 * h) for e in steps], axis=1)
    # Kinks: of V at w = 0 and theta = 0, of ReLU where <theta, x_j> = 0.
    smooth = np.abs(u).min(axis=1) > 1e-4
    if name in ("relu", "squares"):
        theta = u[:, -2:] if name == "relu" else u * np.abs(u)
        smooth &= np.abs(theta @ F.features.inputs.T).min(axis=1) > 1e-4
    # Rounding: values up to 1e3 give 1e-13/h.
    np.testing.assert_allclose(found[smooth], differences[smooth], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found, F.velocity(mu, u), rtol=1e-14)
    np.testing.assert_array_equal(
        variation.explicit_velocity(u), variation.smooth_velocity(u) - F.regularizer.smooth_gradient(u)
    )


@pytest.mark.parametrize("name", ["sigmoid", "spikes", "squares"])
def test_the_particle_flow_loses_energy_at_the_rate_of_its_dissipation(name):
    F = functionals()[name]
    mu, _ = atoms(F, 3)
    v = F.velocity(mu, mu.points)
    h = 1e-5 / np.abs(v).max()
    ahead, behind = (F.value(Atoms(mu.points + s * h * v, mu.weights)) for s in (1.0, -1.0))
    np.testing.assert_allclose((ahead - behind) / (2 * h), -mu.weights @ (v**2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("name", functionals())
def test_shares_of_a_measure_add_up(name):
    F = functionals()[name]
    mu, _ = atoms(F, 4, n=7)
    parts = [Atoms(mu.points[rows], mu.weights[rows]) for rows in (slice(0, 3), slice(3, 7))]
    moments = [F.moment(part) for part in parts]
    np.testing.assert_allclose(sum(moments), F.moment(mu), atol=1e-14)
    rest = np.append(moments[1], F.regularization(parts[1]))
    shared = Atoms(parts[0].points, parts[0].weights, others=[rest])
    moment, regularization = F.moment_and_regularization(shared)
    np.testing.assert_allclose(moment, F.moment(mu), atol=1e-14)
    np.testing.assert_allclose(regularization, F.regularization(mu), rtol=1e-14)
    np.testing.assert_allclose(F.value(shared), F.value(mu), rtol=1e-13)
    assert shared.sums == 2  # one sum over ranks for each evaluation


@pytest.mark.parametrize("name", functionals())
def test_a_rank_without_points_takes_part(name):
    F = functionals()[name]
    nothing = Atoms(np.zeros((0, F.dim)), np.zeros(0))
    np.testing.assert_array_equal(F.moment(nothing), np.zeros(F.features.size))
    assert F.value(nothing) == F.loss.value(np.zeros(F.features.size))
    assert F.velocity(nothing, nothing.points).shape == (0, F.dim)


def test_value_is_loss_plus_regularization():
    F = functionals()["sigmoid"]
    mu, _ = atoms(F, 5)
    f = mu.weights @ F.features.value(mu.points)
    expected = F.loss.value(f) + 0.1 * mu.weights @ np.abs(mu.points[:, 0])
    np.testing.assert_allclose(F.value(mu), expected, rtol=1e-14)


def test_a_spike_alone_satisfies_the_optimality_of_the_blasso():
    # One spike without noise: w* = wbar - lambda / |psi|^2 at the true position, and F' >= 0 everywhere.
    features = SpikeFeatures("dirichlet", order=5)
    strength, height = 0.3, 1.2
    target = features.value([[height, 0.37]])[0]
    F = Functional(features, SquaredLoss(target), AbsWeight(strength))
    norm = features.kernel_norm_squared
    optimal = Atoms([[height - strength / norm, 0.37]], [1.0])
    np.testing.assert_allclose(F.value(optimal), strength * height - strength**2 / (2 * norm), rtol=1e-12)
    np.testing.assert_allclose(F.velocity(optimal, optimal.points), [[0.0, 0.0]], atol=1e-12)
    positions = np.linspace(0.0, 1.0, 101)
    for sign in (1.0, -1.0):
        assert F.first_variation(optimal, np.column_stack([np.full(101, sign), positions])).min() >= -1e-12


@pytest.mark.parametrize(
    "domain", [Box([-1.0, 0.0], [1.0, 1.0]), Polytope([[-1, 0], [1, 0], [0, -1], [0, 1]], [1, 1, 0, 1])]
)
def test_kinks_and_walls_of_the_domains_of_the_package(domain):
    identity = CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2, dim=2)
    variation = Functional(identity, SquaredLoss([0.0, 0.0]), AbsWeight(0.5)).linearize([0.3, -2.0])
    u = np.array([[0.0, 0.5], [0.0, 1.0], [0.5, 1.0], [-1.0, 0.5], [1.0, 0.0]])
    expected = [[0.0, 2.0], [0.0, 0.0], [-0.8, 0.0], [0.2, 2.0], [-0.8, 2.0]]
    np.testing.assert_allclose(variation.velocity(u, domain), expected, atol=1e-15)


class Corner:
    """The corner of the orthant u <= 0 at the origin."""

    def project_velocity(self, u, v):
        return np.where(u >= 0.0, np.minimum(v, 0.0), v)


def test_the_domain_takes_part_in_the_projection():
    identity = CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2, dim=2)
    F = Functional(identity, SquaredLoss([1.0, 1.0], scale=0.0), Linear([-1.0, -2.0]))
    mu = Atoms([[-1.0, -1.0]], [1.0])
    u = np.array([[-1.0, -1.0], [0.0, -1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(F.velocity(mu, u, Corner()), [[1.0, 2.0], [0.0, 2.0], [0.0, 0.0]])


def test_parts_that_do_not_fit_are_refused_by_name():
    features, loss = SpikeFeatures("dirichlet", order=1), SquaredLoss(np.zeros(3))
    with pytest.raises(ValueError, match="loss must have the size of the features, 3, found 2"):
        Functional(features, SquaredLoss(np.zeros(2)), Zero())
    with pytest.raises(ValueError, match="regularizer must have the dimension of the features, 2, found 3"):
        Functional(features, loss, Quadratic(np.eye(3)))
    with pytest.raises(ValueError, match="regularizer must be a Regularizer object, found NoneType"):
        Functional(features, loss, None)
    with pytest.raises(ValueError, match="mu must live in dimension 2, found 3"):
        Functional(features, loss, Zero()).value(Atoms([[1.0, 2.0, 3.0]], [1.0]))
    with pytest.raises(ValueError, match=r"f must have shape \(3,\), found shape \(2,\)"):
        Functional(features, loss, Zero()).linearize(np.zeros(2))
