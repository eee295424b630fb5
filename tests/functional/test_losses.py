import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.functional import LogisticLoss, SquaredLoss


def losses(rng, size):
    root = rng.normal(size=(size, size))
    labels = rng.choice([-1.0, 1.0], size=size)
    target = rng.normal(size=size)
    return [
        SquaredLoss(target),
        SquaredLoss(target, weights=rng.random(size), scale=0.7),
        SquaredLoss(target, weights=root @ root.T, scale=2.0),
        SquaredLoss(target, scale=0.0),
        LogisticLoss(labels),
        LogisticLoss(labels, weights=rng.random(size)),
    ]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 8))
def test_gradient_and_curvature_are_those_of_the_value(seed, size):
    rng = np.random.default_rng(seed)
    f, df = rng.normal(size=size), rng.normal(size=size)
    for loss in losses(rng, size):
        h = 1e-4
        slope = (loss.value(f + h * df) - loss.value(f - h * df)) / (2 * h)
        np.testing.assert_allclose(loss.gradient(f) @ df, slope, rtol=1e-6, atol=1e-6)
        second = (loss.gradient(f + h * df) - loss.gradient(f - h * df)) @ df / (2 * h)
        if loss.quadratic:
            np.testing.assert_allclose(loss.curvature(df), second, rtol=1e-7, atol=1e-9)
        else:
            assert second <= loss.curvature(df) * (1 + 1e-7)


def test_squared_loss_is_the_definition():
    loss = SquaredLoss([1.0, 2.0], weights=[3.0, 4.0], scale=0.5)
    assert loss.value([2.0, 4.0]) == 0.25 * (3.0 * 1.0 + 4.0 * 4.0)
    full = SquaredLoss([1.0, 2.0], weights=[[2.0, 1.0], [1.0, 2.0]])
    assert full.value([2.0, 3.0]) == 3.0


def test_logistic_loss_is_stable_and_its_curvature_is_attained():
    loss = LogisticLoss([1, -1])
    assert loss.value([1e4, -1e4]) == 0.0
    assert loss.value([-1e4, 1e4]) == 2e4
    np.testing.assert_array_equal(loss.gradient([-1e4, 1e4]), [-1.0, 1.0])
    h = 1e-4
    second = (loss.gradient([h, 0.0])[0] - loss.gradient([-h, 0.0])[0]) / (2 * h)
    np.testing.assert_allclose(loss.curvature([1.0, 0.0]), second, rtol=1e-7)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SquaredLoss([[1.0]]), r"target must have shape \(n,\)"),
        (lambda: SquaredLoss([1.0, np.inf]), "target must be finite, found inf at index"),
        (
            lambda: SquaredLoss([1.0, 2.0], weights=[1.0]),
            r"weights must have shape \(2,\), found shape \(1,\)",
        ),
        (
            lambda: SquaredLoss([1.0, 2.0], weights=[1.0, -1.0]),
            "weights must be nonnegative, found -1.0 at index 1",
        ),
        (lambda: SquaredLoss([1.0, 2.0], weights=np.eye(3)), r"weights must have shape \(2, 2\)"),
        (lambda: SquaredLoss([1.0, 2.0], weights=[[1.0, 0.5], [0.0, 1.0]]), "weights must be symmetric"),
        (
            lambda: SquaredLoss([1.0, 2.0], weights=np.diag([1.0, -1.0])),
            "weights must be positive semidefinite",
        ),
        (lambda: SquaredLoss([1.0], scale=-1.0), "scale must be a finite number, at least 0.0, found -1.0"),
        (lambda: LogisticLoss([1.0, 0.0]), r"labels must be -1 or \+1, found 0.0 at index 1"),
        (lambda: LogisticLoss([1.0, -1.0], weights=[1.0]), "weights must have shape"),
        (lambda: SquaredLoss([1.0]).value([1.0, 2.0]), r"f must have shape \(1,\), found shape \(2,\)"),
        (lambda: LogisticLoss([1.0]).curvature([1.0, 2.0]), r"df must have shape \(1,\), found shape \(2,\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_matrix_that_is_singular_up_to_rounding_is_accepted():
    column = np.random.default_rng(0).normal(size=(6, 1))
    loss = SquaredLoss(np.zeros(6), weights=column @ column.T)
    np.testing.assert_allclose(loss.curvature(column[:, 0]), (column**2).sum() ** 2, rtol=1e-13)
