import numpy as np
import pytest

from wassflow.functional import CallableFeatures
from wassflow.functional import features as features_module


def polynomial():
    """Phi(u) = (u_1 u_2, u_1^2, u_2^3)."""

    def value(u):
        return np.stack([u[:, 0] * u[:, 1], u[:, 0] ** 2, u[:, 1] ** 3], axis=1)

    def gradient(u):
        zero = np.zeros(len(u))
        return np.stack(
            [
                np.stack([u[:, 1], 2 * u[:, 0], zero], axis=1),
                np.stack([u[:, 0], zero, 3 * u[:, 1] ** 2], axis=1),
            ],
            axis=1,
        )

    return CallableFeatures(value, gradient, size=3)


@pytest.mark.parametrize("block", [1, 10, 1 << 20])
def test_blocks_give_the_sums_and_pairings_of_the_dense_arrays(monkeypatch, block):
    rng = np.random.default_rng(1)
    u, weights, g = rng.normal(size=(23, 2)), rng.random(23), rng.normal(size=3)
    features = polynomial()
    monkeypatch.setattr(features_module, "BLOCK_FLOATS", block)
    np.testing.assert_allclose(features.moment(u, weights), weights @ features.value(u), rtol=1e-13)
    np.testing.assert_allclose(features.pair(u, g), features.value(u) @ g, rtol=1e-13)
    np.testing.assert_allclose(features.pair_gradient(u, g), features.gradient(u) @ g, rtol=1e-13)


def test_a_block_never_holds_more_than_its_floats(monkeypatch):
    rows = []
    features = CallableFeatures(
        lambda u: rows.append(len(u)) or np.zeros((len(u), 5)), lambda u: np.zeros((*u.shape, 5)), size=5
    )
    monkeypatch.setattr(features_module, "BLOCK_FLOATS", 20)
    features.moment(np.zeros((9, 3)), np.ones(9))
    assert rows == [4, 4, 1]


def test_no_points_need_no_call():
    def refuse(u):
        raise AssertionError("called without points")

    features = CallableFeatures(refuse, refuse, size=2)
    empty = np.zeros((0, 3))
    np.testing.assert_array_equal(features.moment(empty, np.zeros(0)), np.zeros(2))
    assert features.pair(empty, np.ones(2)).shape == (0,)
    assert features.pair_gradient(empty, np.ones(2)).shape == (0, 3)
    assert features.value(empty).shape == (0, 2)


def test_what_a_user_function_returns_is_checked():
    wrong_shape = CallableFeatures(lambda u: u[:, 0], lambda u: u, size=2)
    with pytest.raises(ValueError, match=r"value\(u\) .* \(n, N\) = \(4, 2\) for points .* found \(4,\)"):
        wrong_shape.moment(np.ones((4, 3)), np.ones(4))
    with pytest.raises(ValueError, match=r"gradient\(u\) .* \(4, 3, 2\) .* found \(4, 3\)"):
        wrong_shape.pair_gradient(np.ones((4, 3)), np.ones(2))
    words = CallableFeatures(lambda u: "abc", lambda u: u, size=2)
    with pytest.raises(ValueError, match=r"value.*real numbers, found str"):
        words.value(np.ones((4, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": 3}, "value must be a function, found int"),
        ({"gradient": None}, "gradient must be a function, found NoneType"),
        ({"size": 0}, "size must be an integer, at least 1, found 0"),
        ({"dim": 1.5}, "dim must be an integer, at least 1, found 1.5"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    good = {"value": lambda u: u, "gradient": lambda u: u, "size": 2, "dim": 2}
    with pytest.raises(ValueError, match=message):
        CallableFeatures(**(good | arguments))


def test_points_and_weights_of_the_wrong_shape_are_refused():
    features = CallableFeatures(lambda u: u, lambda u: u, size=2, dim=2)
    with pytest.raises(ValueError, match=r"u must have shape \(n, 2\), found shape \(4, 3\)"):
        features.value(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"weights must have shape \(4,\).*found \(3,\)"):
        features.moment(np.ones((4, 2)), np.ones(3))
    with pytest.raises(ValueError, match=r"g must have shape \(2,\), found shape \(3,\)"):
        features.pair(np.ones((4, 2)), np.ones(3))
