"""Flows commute with a change of the units of mass, time and length, to rounding."""

import numpy as np
import pytest

import wassflow as wf

TARGET, PULL = np.array([0.9, -0.6]), 0.2
SCHEMES = {
    "upwind": {},
    "ssprk2": {"integrator": "ssprk2"},
    "muscl": {"scheme": "muscl"},
    "monotone": {"scheme": "muscl", "limiter": "monotone"},
    "implicit": {"integrator": "implicit"},
}


def bump(u):
    return np.maximum(1.0 - ((u - [-0.3, 0.2]) ** 2).sum(axis=1) / 0.36, 0.0) ** 2


def functional(mass, rate, length):
    """Towards the mean ``length * TARGET``, ``rate`` times as fast, whatever the mass is."""
    mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    loss = wf.SquaredLoss(mass * length * TARGET, scale=rate / mass)
    return wf.Functional(mean, loss, wf.regularizer.SquaredNorm(rate * PULL))


def density(options, cell, mass=1.0, rate=1.0, length=1.0):
    box = wf.Box([-length] * 2, [length] * 2)
    mesh = wf.mesh.box(box, 10, cell)
    start = wf.MeshDensity.from_function(mesh, lambda u: bump(u / length), mass=mass)
    run = wf.DensityFlow(functional(mass, rate, length), mesh, **options).run(start, 0.8 / rate)
    return run.steps, run.final.masses / mass


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("units", [{"mass": 5.0}, {"rate": 1e3}, {"length": 1e-3}, {"length": 1e4}])
def test_densities_do_not_depend_on_units(scheme, cell, units):
    steps, masses = density(SCHEMES[scheme], cell)
    changed_steps, changed = density(SCHEMES[scheme], cell, **units)
    assert changed_steps == steps
    # implicit steps solve linear systems to a tolerance
    assert np.abs(changed - masses).max() < (1e-9 if scheme == "implicit" else 1e-13) * masses.max()


@pytest.mark.parametrize("integrator", ["euler", "rk4", "rkc", "forward-backward-2"])
@pytest.mark.parametrize("units", [{"mass": 5.0}, {"rate": 1e3}, {"length": 1e-3}])
def test_particles_do_not_depend_on_units(integrator, units):
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (12, 2))
    found = []
    for mass, rate, length in (
        (1.0, 1.0, 1.0),
        (units.get("mass", 1.0), units.get("rate", 1.0), units.get("length", 1.0)),
    ):
        cloud = wf.ParticleCloud(length * points, np.full(12, mass / 12.0))
        flow = wf.ParticleFlow(functional(mass, rate, length), integrator=integrator, dt=0.1 / rate)
        found.append(flow.run(cloud, 0.8 / rate).final.points / length)
    assert np.abs(found[1] - found[0]).max() < 1e-13
