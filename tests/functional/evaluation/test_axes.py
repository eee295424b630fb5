import numpy as np
import pytest

from wassflow.functional.evaluation.axes import ChebyshevAxis, FourierAxis

AXES = [ChebyshevAxis(-1.0, 2.0, 12, cells=20), FourierAxis(2.5, 10, cells=150), FourierAxis(2.5, 0, cells=3)]


@pytest.mark.parametrize("axis", AXES, ids=["chebyshev", "fourier", "constant"])
def test_collecting_is_the_transpose_of_expanding(axis):
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(axis.size, 3))
    monomials = rng.normal(size=(axis.cells, axis.width, 3))
    products = axis.expand(coefficients) * monomials
    assert (
        abs(products.sum() - (axis.collect(monomials) * coefficients).sum()) < 1e-13 * np.abs(products).sum()
    )


@pytest.mark.parametrize("axis", AXES, ids=["chebyshev", "fourier", "constant"])
def test_neighbouring_polynomials_meet(axis):
    monomials = axis.expand(np.random.default_rng(1).normal(size=(axis.size, 2)))
    right, left = monomials.sum(axis=1), (monomials * (-1.0) ** np.arange(axis.width)[:, None]).sum(axis=1)
    np.testing.assert_allclose(right[:-1], left[1:], atol=1e-13)
    if axis.periodic:
        np.testing.assert_allclose(right[-1], left[0], atol=1e-13)


def test_waves_are_expanded_to_the_accuracy_of_the_cells():
    axis, t = AXES[1], np.linspace(0.0, 2.49, 77)
    coefficients = np.random.default_rng(2).normal(size=(21, 4))
    turns = 2.0 * np.pi / 2.5 * np.outer(t, np.arange(11))
    table = np.hstack([np.cos(turns), np.sin(turns[:, 1:])])
    values, _ = axis.evaluate(coefficients, t)
    # interpolation at 8 Lobatto points: (k h / 4)^8 / 8! to a factor, k h = 0.42 for the highest frequency
    np.testing.assert_allclose(values, table @ coefficients, rtol=0.0, atol=1e-10)
