"""What cannot be compared is refused by name."""

import numpy as np
import pytest

import wassflow as wf

MESH = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(3, 3), cell="triangle")
TORUS = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False)), cells=(3, 3), cell="triangle")
CLOUD = wf.ParticleCloud([[0.0, 0.0]])


@pytest.mark.parametrize(
    ("mu", "nu", "options", "message"),
    [
        (CLOUD, wf.ParticleCloud([[0.0, 0.0]], [2.0]), {}, "mu and nu must have the same mass"),
        (CLOUD, wf.MeshDensity.uniform(MESH, mass=1.0 + 1e-7), {}, "mu and nu must have the same mass"),
        (
            CLOUD,
            wf.ParticleCloud([[0.0, 0.0, 0.0]]),
            {},
            "mu and nu must have the same dimension, found 2 and 3",
        ),
        (CLOUD, np.zeros((1, 2)), {}, "nu must be a MeshDensity or a ParticleCloud, found ndarray"),
        ([1.0], CLOUD, {}, "mu must be a MeshDensity or a ParticleCloud, found list"),
        (wf.MeshDensity.uniform(MESH), wf.MeshDensity.uniform(TORUS), {}, "domains with the same periods"),
        (
            CLOUD,
            CLOUD,
            {"domain": wf.Box([0.0] * 3, [1.0] * 3)},
            "domain must have the dimension of mu and nu",
        ),
        (CLOUD, CLOUD, {"rtol": -1.0}, "rtol must be"),
        (CLOUD, CLOUD, {"rtol": float("nan")}, "rtol must be"),
        (CLOUD, CLOUD, {"time_limit": 0.0}, "time_limit must be"),
        (CLOUD, CLOUD, {"engine": "sinkhorn"}, "engine must be one of 'semi-discrete', 'discrete'"),
        (CLOUD, CLOUD, {"engine": "semi-discrete"}, "engine must be 'discrete' or None for two clouds"),
    ],
)
def test_refused(mu, nu, options, message):
    with pytest.raises(ValueError, match=message):
        wf.wasserstein2(mu, nu, **options)


def test_masses_that_differ_by_rounding_are_fine():
    weights = np.full(7, 0.1 / 7)
    w = wf.wasserstein2(wf.ParticleCloud(np.zeros((7, 2)), weights), wf.ParticleCloud([[0.0, 1.0]], [0.1]))
    assert w.value == pytest.approx(np.sqrt(0.1), rel=1e-12)


def test_a_domain_settles_which_cost_is_meant():
    w = wf.wasserstein2(wf.MeshDensity.uniform(MESH), wf.MeshDensity.uniform(TORUS), domain=TORUS.domain)
    assert w.lower == 0.0
