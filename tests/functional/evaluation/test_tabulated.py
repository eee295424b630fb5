import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow import WassflowError
from wassflow.functional import CallableFeatures, NeuronFeatures, SpikeFeatures
from wassflow.functional.evaluation import TabulatedFeatures

TOLERANCE = 1e-8


def line(size, reach=2.0):
    return np.column_stack([np.linspace(-reach, reach, size), np.ones(size)])


def waves(u):
    return np.column_stack([np.sin(u @ [1.0, 2.0]), np.exp(-(u**2).sum(axis=1)), u[:, 0] ** 3])


def wave_gradient(u):
    first = np.cos(u @ [1.0, 2.0])[:, None] * np.array([1.0, 2.0])
    second = -2.0 * np.exp(-(u**2).sum(axis=1))[:, None] * u
    third = np.column_stack([3.0 * u[:, 0] ** 2, np.zeros(len(u))])
    return np.stack([first, second, third], axis=2)


SPACE = np.random.default_rng(7).uniform(-1.0, 1.0, (40, 3))
# features, and a box of the points
KINDS = {
    "sigmoid, d = 3": (NeuronFeatures(line(300), "sigmoid"), [-2.0, -3.0, -2.5], [4.0, 3.0, 2.5]),
    "sigmoid, d = 2": (NeuronFeatures(line(300)[:, :1], "sigmoid"), [-2.0, -3.0], [4.0, 1.0]),
    "sigmoid without weight, d = 1": (
        NeuronFeatures(line(50)[:, :1], "sigmoid", output_weight=False),
        [-3.0],
        [2.0],
    ),
    "tanh, d = 3": (NeuronFeatures(line(50, 1.0), "tanh"), [-1.0, -2.0, -2.0], [1.0, 2.0, 2.0]),
    "softplus without weight, d = 2": (
        NeuronFeatures(line(50), "softplus", output_weight=False),
        [-2.0, 0.5],
        [2.0, 1.0],
    ),
    "sigmoid without weight, d = 3": (
        NeuronFeatures(SPACE, "sigmoid", output_weight=False),
        [-1.0, -1.0, -1.0],
        [1.0, 1.0, 1.0],
    ),
    "dirichlet, d = 2": (SpikeFeatures("dirichlet", order=9, period=3.0), [-1.0, 0.0], [1.0, 3.0]),
    "dirichlet, d = 3": (SpikeFeatures("dirichlet", order=3, dim=2), [-1.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
    "gaussian, d = 2": (SpikeFeatures("gaussian", samples=31, width=0.05), [-1.0, 0.0], [1.0, 1.0]),
    "gaussian, d = 3": (
        SpikeFeatures("gaussian", samples=7, dim=2, width=0.2),
        [-1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
    ),
    "the user's, d = 2": (CallableFeatures(waves, wave_gradient, size=3), [-1.0, -2.0], [2.0, 1.0]),
}


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    features, lower, upper = KINDS[request.param]
    return features, TabulatedFeatures(features, lower, upper, TOLERANCE), np.array(lower), np.array(upper)


def points_in(case, rng, count):
    features, _, lower, upper = case
    u = rng.uniform(lower, upper, (count, lower.size))
    if isinstance(features, SpikeFeatures):
        u[:, 1:] += features.period * rng.integers(-2, 3, (count, 1))  # any representative
    return u


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_tables_agree_with_direct_sums(case, seed):
    features, fast, *_ = case
    rng = np.random.default_rng(seed)
    u, g, w = points_in(case, rng, 200), rng.normal(size=features.size), rng.normal(size=200)
    assert 0.0 <= fast.error <= TOLERANCE
    for found, right in (
        (fast.pair(u, g), features.pair(u, g)),
        (fast.moment(u, w), features.moment(u, w)),
    ):
        np.testing.assert_allclose(found, right, rtol=0.0, atol=3.0 * TOLERANCE * np.abs(right).max())
    found, right = fast.pair_gradient(u, g), features.pair_gradient(u, g)
    # relative to each derivative; 200 points need not hit the largest one
    assert np.all(np.abs(found - right) <= 5.0 * TOLERANCE * np.abs(right).max(axis=0))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_integrals_are_the_exact_transpose_of_pairings(case, seed):
    features, fast, *_ = case
    rng = np.random.default_rng(seed)
    u, g, w = points_in(case, rng, 50), rng.normal(size=features.size), rng.normal(size=50)
    pairs, integrals = fast.pair(u, g) * w, fast.moment(u, w) * g
    rounding = 1e-13 * (np.abs(pairs).sum() + np.abs(integrals).sum())
    assert abs(pairs.sum() - integrals.sum()) <= rounding


def test_gradient_is_that_of_the_interpolant(case):
    features, fast, *_ = case
    rng = np.random.default_rng(3)
    u, g = points_in(case, rng, 40), rng.normal(size=features.size)
    e = rng.normal(size=u.shape[1])
    h = 1e-5
    difference = (fast.pair(u + h * e, g) - fast.pair(u - h * e, g)) / (2.0 * h)
    slope = fast.pair_gradient(u, g) @ e
    # truncation h^2/6 of the third derivative, rounding 1e-16/h
    np.testing.assert_allclose(difference, slope, rtol=0.0, atol=1e-6 * (1.0 + np.abs(slope).max()))


def test_threads_change_rounding_alone():
    features, lower, upper = KINDS["sigmoid, d = 3"]
    rng = np.random.default_rng(0)
    u, g, w = rng.uniform(lower, upper, (50_000, 3)), rng.normal(size=300), rng.uniform(size=50_000)
    one, two = (TabulatedFeatures(features, lower, upper, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.pair(u, g), two.pair(u, g))
    np.testing.assert_array_equal(one.pair_gradient(u, g), two.pair_gradient(u, g))
    np.testing.assert_allclose(one.moment(u, w), two.moment(u, w), rtol=1e-12)


def test_a_smaller_tolerance_gives_a_smaller_error():
    features, lower, upper = KINDS["sigmoid, d = 2"]
    rough, fine = (TabulatedFeatures(features, lower, upper, tolerance) for tolerance in (1e-4, 1e-10))
    assert fine.error <= 1e-10 < rough.error <= 1e-4
    assert fine.table.shape > rough.table.shape


def test_points_outside_give_a_larger_table_and_a_revision():
    features, lower, upper = KINDS["sigmoid, d = 3"]
    fast = TabulatedFeatures(features, lower, upper)
    rng = np.random.default_rng(2)
    u, g, w = rng.uniform(lower, upper, (100, 3)), rng.normal(size=300), rng.uniform(size=100)
    fast.pair_gradient(u, g)
    u[:, 0] = 1e3 * rng.normal(size=100)  # Phi is linear in w: there is no box for it
    fast.moment(u, w)
    assert fast.revision == 0
    u[7] = [1.0, 3.5, -4.0]
    np.testing.assert_allclose(fast.moment(u, w), features.moment(u, w), rtol=1e-7)
    assert fast.revision == 1
    found, right = fast.pair_gradient(u, g), features.pair_gradient(u, g)
    assert np.all(np.abs(found - right) <= 5.0 * TOLERANCE * np.abs(right).max(axis=0))
    assert fast.revision == 1


@pytest.mark.parametrize("fallback", [True, False])
def test_points_for_which_there_is_no_table(fallback):
    features, lower, upper = KINDS["sigmoid, d = 3"]
    fast = TabulatedFeatures(features, lower, upper, fallback=fallback)
    u, g = np.array([[1.0, 1e5, -1e5], [1.0, 0.5, 0.5]]), np.ones(300)
    if fallback:
        for _ in range(2):
            np.testing.assert_array_equal(fast.pair_gradient(u, g), features.pair_gradient(u, g))
            np.testing.assert_array_equal(fast.moment(u, g[:2]), features.moment(u, g[:2]))
        np.testing.assert_array_equal(fast.pair(u, g), features.pair(u, g))
        assert fast.revision == 1
    else:
        with pytest.raises(WassflowError, match="not resolved"):
            fast.pair_gradient(u, g)


def test_points_that_are_not_finite_are_left_to_direct_sums():
    features, lower, upper = KINDS["sigmoid, d = 3"]
    fast = TabulatedFeatures(features, lower, upper)
    g = np.ones(300)
    assert np.isnan(fast.pair([[1.0, np.nan, 0.0]], g)).all()
    assert fast.pair([[1.0, np.inf, 0.0]], g) == features.pair([[1.0, np.inf, 0.0]], g)
    assert fast.revision == 0


def test_a_box_without_length_is_enough():
    features, lower, _ = KINDS["sigmoid, d = 3"]
    fast = TabulatedFeatures(features, lower, lower)
    g = np.ones(300)
    np.testing.assert_allclose(fast.pair([lower], g), features.pair([lower], g), rtol=1e-8)


@pytest.mark.parametrize(
    ("features", "lower", "upper", "words"),
    [
        (NeuronFeatures(line(9), "relu"), [-1.0] * 3, [1.0] * 3, "kinks"),
        (NeuronFeatures(np.ones((9, 4)), "tanh"), [-1.0] * 5, [1.0] * 5, "coordinates"),
        # rounding errors of direct sums are larger
        (NeuronFeatures(line(9), "tanh"), [-1.0] * 3, [1.0] * 3, "tolerance|resolved|numbers"),
        # not as smooth as it says
        (
            CallableFeatures(lambda u: np.abs(u), lambda u: np.sign(u)[:, :, None] * np.eye(2), size=2),
            [-1.0, -2.0],
            [2.0, 1.0],
            "not resolved",
        ),
        (
            CallableFeatures(np.log, lambda u: np.eye(2) / u[:, :, None], size=2),
            [-1.0, -2.0],
            [2.0, 1.0],
            "not finite",
        ),
        (
            CallableFeatures(lambda u: 1 // 0, lambda u: 1 // 0, size=2),
            [-1.0, -2.0],
            [2.0, 1.0],
            "not defined in all of the box of a table: integer division",
        ),
    ],
)
def test_what_cannot_be_tabulated_is_refused(features, lower, upper, words):
    tolerance = 1e-18 if words.startswith("tolerance") else TOLERANCE
    with pytest.raises(WassflowError, match=words):
        TabulatedFeatures(features, lower, upper, tolerance)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("features", [0.0], [1.0]), "features"),
        ((KINDS["dirichlet, d = 2"][0], [0.0], [1.0]), "lower"),
        ((KINDS["dirichlet, d = 2"][0], [0.0, 0.0], [1.0, -1.0]), "upper"),
        ((KINDS["dirichlet, d = 2"][0], [0.0, 0.0], [1.0, 1.0], 0.0), "tolerance"),
        ((KINDS["dirichlet, d = 2"][0], [0.0, 0.0], [1.0, 1.0], 1e-8, 0), "threads"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        TabulatedFeatures(*arguments)
