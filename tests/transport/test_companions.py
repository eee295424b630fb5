"""Sliced W2 and the Sinkhorn divergence: what they are, and that they are not W2."""

import numpy as np
import pytest

import wassflow as wf

TORUS = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False))


def test_sliced_distance_of_a_translation():
    points = np.random.default_rng(0).random((60, 3))
    moved = wf.ParticleCloud(points + np.array([0.0, 2.0, 0.0]))
    sliced = wf.sliced_wasserstein2(wf.ParticleCloud(points), moved, projections=4000)
    # E (direction . shift)^2 = |shift|^2 / d; five standard deviations of the mean
    assert sliced == pytest.approx(2.0 / np.sqrt(3.0), rel=0.04)


def test_sliced_distance_is_at_most_w2_and_scales_with_the_mass():
    rng = np.random.default_rng(1)
    x, y = rng.random((30, 2)), rng.random((20, 2)) ** 2
    mu, nu = wf.ParticleCloud(x), wf.ParticleCloud(y)
    sliced = wf.sliced_wasserstein2(mu, nu, seed=4)
    assert 0.0 < sliced <= wf.wasserstein2(mu, nu).upper
    heavy = wf.sliced_wasserstein2(
        wf.ParticleCloud(x, np.full(30, 4.0 / 30)), wf.ParticleCloud(y, np.full(20, 4.0 / 20)), seed=4
    )
    assert heavy == pytest.approx(2.0 * sliced, rel=1e-12)
    assert wf.sliced_wasserstein2(mu, mu) == 0.0


def test_sinkhorn_divergence_tends_to_w2():
    rng = np.random.default_rng(2)
    mu, nu = wf.ParticleCloud(rng.random((30, 2))), wf.ParticleCloud(rng.random((30, 2)) + 0.5)
    exact = wf.wasserstein2(mu, nu).value
    errors = [abs(wf.sinkhorn_divergence(mu, nu, blur=b) - exact) for b in (0.5, 0.05)]
    assert errors[1] < 0.01 * exact
    assert errors[1] < errors[0]
    assert wf.sinkhorn_divergence(mu, mu) == pytest.approx(0.0, abs=1e-7)


def test_densities_take_part_by_their_centroids():
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(12, 12), cell="quadrilateral")
    mu, centre = wf.MeshDensity.uniform(mesh), wf.ParticleCloud([[0.5, 0.5]])
    assert wf.sinkhorn_divergence(centre, mu) == pytest.approx(1 / np.sqrt(6), rel=0.05)
    assert wf.sliced_wasserstein2(centre, mu) == pytest.approx(1 / np.sqrt(12), rel=0.05)


@pytest.mark.parametrize("companion", [wf.sliced_wasserstein2, wf.sinkhorn_divergence])
def test_periodic_axes_are_refused(companion):
    cloud = wf.ParticleCloud([[0.1, 0.1]])
    with pytest.raises(ValueError, match="without periodic axes"):
        companion(cloud, cloud, domain=TORUS)
