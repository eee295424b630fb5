"""Projections on directions keep what homogeneous functions see."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.measure import weighted_directions


def test_two_homogeneous_integrals_are_kept():
    rng = np.random.default_rng(0)
    cloud = wf.ParticleCloud(rng.standard_normal((50, 3)), rng.random(50))

    def homogeneous(u):
        return np.abs(u[:, 0]) * np.linalg.norm(u, axis=1) + u[:, 1] * u[:, 2]

    image = wf.sphere_projection(cloud)
    np.testing.assert_allclose(np.linalg.norm(image.points, axis=1), 1.0, rtol=1e-14)
    assert image.mass == pytest.approx(cloud.second_moment(), rel=1e-13)
    assert image.integrate(homogeneous) == pytest.approx(cloud.integrate(homogeneous), rel=1e-12)


def test_a_density_is_projected_to_the_accuracy_of_the_rule():
    mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(8, 8), cell="triangle")
    mu = wf.MeshDensity.uniform(mesh)
    image = wf.sphere_projection(mu)
    assert image.mass == pytest.approx(mu.second_moment(), rel=1e-13)
    assert image.integrate(lambda u: u[:, 0] ** 2) == pytest.approx(1.0 / 3.0, rel=1e-12)


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_directions_of_extreme_points_are_right(size):
    image = wf.sphere_projection(wf.ParticleCloud([[3.0 * size, 4.0 * size]]))
    np.testing.assert_allclose(image.points, [[0.6, 0.8]], rtol=1e-15)


def test_mass_at_the_origin_has_no_direction():
    assert wf.sphere_projection(wf.ParticleCloud([[0.0, 0.0], [1.0, 0.0]])).size == 1
    with pytest.raises(ValueError, match="mass away from the origin"):
        wf.sphere_projection(wf.ParticleCloud([[0.0, 0.0]]))
    with pytest.raises(ValueError, match="mu must be a MeshDensity or a ParticleCloud"):
        wf.sphere_projection(np.zeros((1, 2)))


def test_signed_directions_keep_what_is_linear_in_the_weight():
    rng = np.random.default_rng(1)
    cloud = wf.ParticleCloud(rng.standard_normal((30, 3)), rng.random(30))
    theta, masses = weighted_directions(cloud)
    direct = cloud.integrate(lambda u: u[:, 0] * np.cos(u[:, 1] + u[:, 2]))
    assert masses @ np.cos(theta.sum(axis=1)) == pytest.approx(direct, rel=1e-12)
