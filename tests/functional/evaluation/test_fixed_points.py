import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.functional import CallableFeatures, NeuronFeatures, SpikeFeatures
from wassflow.functional.evaluation import FixedPoints

INPUTS = np.column_stack([np.linspace(-2.0, 2.0, 7), np.ones(7)])
KINDS = {
    "sigmoid, d = 3": NeuronFeatures(INPUTS, "sigmoid"),
    "relu, d = 3": NeuronFeatures(INPUTS, "relu"),
    "signed square, d = 2": NeuronFeatures(INPUTS[:, :1], "tanh", parametrization="signed-square"),
    "without weight, d = 2": NeuronFeatures(INPUTS, "sigmoid", output_weight=False),
    "spikes, d = 2": SpikeFeatures("dirichlet", order=3),
    "spikes, d = 3": SpikeFeatures("dirichlet", order=2, dim=2),
}


def lattice(generator, dim, planes):
    """Points of a lattice with irregular planes, in any order, off by rounding errors."""
    axes = [np.sort(generator.uniform(-1.0, 1.0, planes)) for _ in range(dim)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
    points = points[generator.permutation(len(points))]
    return points * (1.0 + generator.integers(-1, 2, points.shape) * np.finfo(float).eps)


@settings(max_examples=40)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1), st.integers(4, 9), st.booleans())
def test_points_on_few_fibres_are_evaluated_as_any_points(kind, seed, planes, scattered):
    features, generator = KINDS[kind], np.random.default_rng(seed)
    dim = 3 if kind.endswith("3") else 2
    points = lattice(generator, dim, planes)
    if scattered:
        points = generator.uniform(-1.0, 1.0, points.shape)
    fixed = FixedPoints(features, points, threads=2)
    assert fixed.fibres <= len(points)
    g = generator.standard_normal(features.size)
    masses = generator.uniform(0.0, 1.0, len(points)) * (generator.random(len(points)) < 0.7)
    expected = features.moment(points, masses)
    assert fixed.moment(masses) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    for chosen in (np.arange(len(points)), np.flatnonzero(generator.random(len(points)) < 0.3)):
        found = fixed.pair_gradient(g, chosen).rows()
        assert found == pytest.approx(features.pair_gradient(points[chosen], g), rel=1e-11, abs=1e-11)


def test_a_lattice_has_as_many_fibres_as_lines():
    points = lattice(np.random.default_rng(0), 3, 12)
    assert FixedPoints(KINDS["sigmoid, d = 3"], points).fibres == pytest.approx(12**2, abs=12)


def test_without_a_weight_or_repetition_every_point_is_alone():
    points = np.random.default_rng(0).uniform(size=(100, 2))
    constant = CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    assert FixedPoints(KINDS["spikes, d = 2"], points).fibres == 100
    assert FixedPoints(constant, np.zeros((100, 2))).fibres == 100
    none = FixedPoints(KINDS["spikes, d = 2"], np.zeros((0, 2)))
    assert np.array_equal(none.moment(np.zeros(0)), np.zeros(7))
    assert none.pair_gradient(np.ones(7), np.arange(0)).rows().shape == (0, 2)
