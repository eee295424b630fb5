import numpy as np
import pytest
from laguerre.meshes import cube, square

from wassflow.laguerre import quantize, quantized_points, stratified_points


def test_constant_in_2d():
    """m W2^2: .1604 for ideal hexagons, 1/6 for squares; .17 is known to be reached, the rim adds some."""
    simplices = square(4)
    q = quantize(simplices, np.full(32, 1 / 32), 900, steps=15)
    assert 0.1604 < 900 * q.transport.value**2 < 0.175
    assert q.transport.converged


def test_constant_in_3d():
    simplices = cube(2)
    q = quantize(simplices, np.full(48, 1 / 48), 300, steps=10)
    np.testing.assert_array_equal(quantized_points(simplices, np.full(48, 1 / 48), 300, steps=10), q.points)
    assert 0.2356 < 300 ** (2 / 3) * q.transport.value**2 < 0.27


def test_torus_and_voids():
    simplices = square(12)
    c = simplices.mean(axis=1)
    masses = np.exp(-8 * np.sum((c - 0.4) ** 2, axis=1)) * (c[:, 0] < 0.5)
    start = quantize(simplices, masses, 300, steps=0, period=[1.0, 1.0])
    q = quantize(simplices, masses, 300, steps=10, period=[1.0, 1.0])
    assert q.transport.converged
    assert q.transport.upper < 0.8 * start.transport.lower
    assert q.points.shape == (300, 2)


@pytest.mark.parametrize("m", [1, 2, 1000])
def test_stratified_points_follow_the_density(m):
    simplices = square(3)
    masses = np.arange(18.0)
    points = stratified_points(simplices, masses, m, seed=1)
    assert points.shape == (m, 2)
    assert np.all((points >= 0) & (points <= 1))
    assert np.array_equal(points, stratified_points(simplices, masses, m, seed=1))
    if m == 1000:
        mean = masses @ simplices.mean(axis=1) / masses.sum()
        # iid points would be off by 1e-2; strata are 30 times better
        np.testing.assert_allclose(points.mean(axis=0), mean, atol=2e-3)


def test_refusals_name_the_argument():
    with pytest.raises(ValueError, match="m must be"):
        quantize(square(1), [1.0, 1.0], 0)
    with pytest.raises(ValueError, match="masses must have a positive sum"):
        quantize(square(1), [0.0, 0.0], 3)
