"""Flows give the same answers whichever way their features are evaluated."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.functional.evaluation import TabulatedFeatures


def case(name):
    if name == "sigmoid":
        return wf.cases.get("sigmoid-3d"), (8, 8, 7)
    return wf.cases.get({"spikes": "deconvolution-2d", "relu": "relu-2d"}[name]), (12, 16)


@pytest.mark.parametrize("name", ["sigmoid", "spikes", "relu"])
@pytest.mark.parametrize("scheme", ["upwind", "muscl"])
def test_densities_agree(name, scheme):
    problem, cells = case(name)
    mesh = problem.mesh(cells=cells)
    start = problem.start(mesh)
    fast, direct = (
        problem.density_flow(mesh, scheme=scheme, evaluation=evaluation).run(start, 0.2)
        for evaluation in ("fast", "direct")
    )
    assert len(fast.times) == len(direct.times)
    np.testing.assert_allclose(fast.times, direct.times, rtol=1e-6)
    np.testing.assert_allclose(fast.energy, direct.energy, rtol=1e-7)
    np.testing.assert_allclose(fast.final.masses, direct.final.masses, rtol=0.0, atol=1e-7)
    assert fast.diagnostics["mass_drift"] < 1e-13


@pytest.mark.parametrize("name", ["spikes", "relu"])
def test_energy_of_potential_velocities_never_rises(name):
    problem, cells = case(name)
    mesh = problem.mesh(cells=cells, cell="quadrilateral")
    flow = problem.density_flow(mesh, velocity="potential", evaluation="fast")
    trajectory = flow.run(problem.start(mesh), 1.0)
    assert trajectory.diagnostics["energy_rises"] == 0
    assert np.all(np.diff(trajectory.energy) <= 0.0)


@pytest.mark.parametrize("name", ["sigmoid", "spikes", "relu"])
def test_particles_agree(name):
    problem, _ = case(name)
    rng = np.random.default_rng(1)
    box = problem.domain
    cloud = wf.ParticleCloud(box.lower + (box.upper - box.lower) * rng.uniform(0.2, 0.8, (60, box.dim)))
    fast, direct = (
        problem.particle_flow(dt=0.01, evaluation=evaluation).run(cloud, 0.3)
        for evaluation in ("fast", "direct")
    )
    assert np.all(np.diff(fast.energy) <= 0.0)
    np.testing.assert_allclose(fast.energy, direct.energy, rtol=1e-7)
    np.testing.assert_allclose(fast.final.points, direct.final.points, rtol=0.0, atol=1e-6)


def test_particles_may_leave_the_box_of_a_table():
    x = np.column_stack([np.linspace(-1.0, 1.0, 64), np.ones(64)])
    features = wf.NeuronFeatures(x, "tanh")
    loss = wf.SquaredLoss(3.0 * np.tanh(4.0 * x[:, 0]), weights=np.full(64, 1.0 / 64.0))
    F = wf.Functional(features, loss, wf.regularizer.Zero())
    cloud = wf.ParticleCloud(0.3 * np.random.default_rng(0).normal(size=(40, 3)))
    fast, direct = (
        wf.ParticleFlow(F, integrator="rk2", dt=0.05, evaluation=evaluation).run(cloud, 8.0)
        for evaluation in ("fast", "direct")
    )
    moved = np.abs(direct.final.points[:, 1:]).max() / np.abs(cloud.points[:, 1:]).max()
    assert moved > 2.0  # more than the margin: tables were made anew
    np.testing.assert_allclose(fast.times, direct.times)
    assert np.all(np.diff(fast.energy) <= 1e-7)
    np.testing.assert_allclose(fast.final.points, direct.final.points, rtol=0.0, atol=1e-6)


def test_features_with_a_tolerance_of_their_own():
    problem, _ = case("sigmoid")
    rough = TabulatedFeatures(
        problem.functional.features, problem.domain.lower, problem.domain.upper, tolerance=1e-3
    )
    F = wf.Functional(rough, problem.functional.loss, problem.functional.regularizer)
    cloud = wf.ParticleCloud(np.random.default_rng(0).uniform(-1.0, 1.0, (30, 3)))
    found = wf.ParticleFlow(F, problem.domain, dt=0.02).run(cloud, 0.5).final.points
    right = problem.particle_flow(dt=0.02).run(cloud, 0.5).final.points
    assert 1e-12 < np.abs(found - right).max() < 1e-2


def test_unknown_evaluation_is_refused():
    problem, cells = case("spikes")
    with pytest.raises(ValueError, match="evaluation"):
        problem.density_flow(problem.mesh(cells=cells), evaluation="slow")
    with pytest.raises(ValueError, match="evaluation"):
        problem.particle_flow(evaluation="slow")
