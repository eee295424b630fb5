"""Particles on creases of Phi: they slide with the least-norm velocity, and F reaches its minimum."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from wassflow import (
    Functional,
    NeuronFeatures,
    ParticleCloud,
    ParticleFlow,
    SquaredLoss,
    cases,
    minimize_over_measures,
    regularizer,
)
from wassflow.flow.creases import HeldParticles
from wassflow.functional.evaluation import SortedReluFeatures
from wassflow.study.starts import natural_domain, start_cloud

PULL, DRIFT, TURN = 3.0, np.array([1.0, 0.5]), 1.0


def one_crease(turn=0.0):
    """F of one ReLU feature: R' >= PULL draws neurons back from theta_1 > 0, where V drives them.

    V alone moves them with DRIFT, plus turn (theta_2, theta_1). A particle on the crease theta_1 = 0 is held
    there while 0 < 1 + turn theta_2 < PULL.
    """
    features = NeuronFeatures([[1.0, 0.0]], "relu", output_weight=False)
    V = regularizer.Sum(regularizer.Linear(-DRIFT), regularizer.Quadratic([[0.0, -turn], [-turn, 0.0]]))
    return Functional(features, SquaredLoss([-PULL]), V)


@pytest.mark.parametrize("integrator", ["rk45", "rk4", "rk2", "rkc", "euler"])
@pytest.mark.parametrize("dt", [None, 0.07])
def test_a_particle_slides_along_a_crease_that_attracts_from_both_sides(integrator, dt):
    flow = ParticleFlow(one_crease(), integrator=integrator, dt=dt, tolerance=1e-4)
    run = flow.run(ParticleCloud([[-0.3, 0.2]]), 2.0)
    assert run.final.points == pytest.approx(np.array([[0.0, 1.2]]), abs=1e-12)
    # the tangential part of the drift, not that of either side
    assert run.dissipation[-1] == pytest.approx(DRIFT[1] ** 2, abs=1e-12)
    assert np.all(np.diff(run.energy) <= 1e-12)


def test_a_particle_leaves_a_crease_when_one_side_no_longer_attracts():
    # 1 + theta_2 = PULL at theta_2 = 2, which the particle reaches after 3.6
    flow = ParticleFlow(one_crease(turn=TURN), tolerance=1e-4)
    run = flow.run(ParticleCloud([[-0.3, 0.2]]), 6.0, save=[3.0, 6.0])
    assert run.measures[0].points[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert run.final.points[0, 0] > 0.1


def test_a_particle_passes_a_crease_that_does_not_attract():
    features = NeuronFeatures([[1.0, 0.0]], "relu", output_weight=False)
    F = Functional(features, SquaredLoss([-0.5]), regularizer.Linear(-DRIFT))
    run = ParticleFlow(F, tolerance=1e-8).run(ParticleCloud([[-0.3, 0.2]]), 5.0)
    # theta_1' = 1 - (theta_1 + 1/2) ahead of the crease, from t = .3 on
    assert run.final.points[0, 0] == pytest.approx(0.5 * (1.0 - np.exp(-4.7)), abs=1e-6)


@pytest.mark.parametrize("integrator", ["rk45", "rk2", "rkc"])
@pytest.mark.parametrize("dt", [None, 0.02])
def test_particles_stop_on_a_crease_with_nothing_beyond(integrator, dt):
    """s = <x, u>/|x| falls like y - f, all alike, until it is 0; steps without end point at the crease leave
    each particle up to dt |v| beyond, which the estimate of a step's error does not see."""
    x, y, t = np.array([0.8, -0.6]), -0.3, 1.02
    features = NeuronFeatures(x[None, :], "relu", output_weight=False)
    s, side = np.linspace(-0.4, 0.8, 61), np.array([0.6, 0.8])
    cloud = ParticleCloud(s[:, None] * x + 0.1 * side)

    def slope(_, shift):
        return np.maximum(s - shift, 0.0).mean() - y

    shift = solve_ivp(slope, (0.0, t), [0.0], rtol=1e-10, atol=1e-12, max_step=1e-3).y[0, -1]
    flow = ParticleFlow(
        Functional(features, SquaredLoss([y]), regularizer.Zero()), None, integrator, dt, 1e-6
    )
    run = flow.run(cloud, t)
    exact = (s - np.clip(s, 0.0, shift))[:, None] * x + 0.1 * side
    assert 0.0 < shift < 0.8
    assert np.abs((run.final.points @ x)[(s > 0.0) & (s < shift)]).max() < 1e-14
    assert run.final.points == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("parametrization", ["linear", "signed-square"])
@pytest.mark.parametrize("output_weight", [False, True])
@pytest.mark.parametrize("columns", [2, 3])
def test_points_beside_creases_are_moved_to_them(parametrization, output_weight, columns):
    rng = np.random.default_rng(columns)
    phi = NeuronFeatures(rng.standard_normal((6, columns)), "relu", output_weight, parametrization)
    crease = np.array([0, 3, 5, 2])
    normals = phi.inputs[crease]
    s = rng.standard_normal(normals.shape)
    s -= (np.einsum("ij,ij->i", s, normals) / np.einsum("ij,ij->i", normals, normals))[:, None] * normals
    theta = s if parametrization == "linear" else np.sign(s) * np.sqrt(np.abs(s))
    u = np.column_stack([np.ones((4, int(output_weight))), theta])

    def value(points):
        return phi.creases(points)[np.arange(4), crease]

    assert np.abs(value(u)).max() < 1e-14
    aside = u + 1e-3 * rng.standard_normal(u.shape)
    assert np.abs(value(aside)).min() > 1e-5
    difference = 1e-6 * rng.standard_normal(u.shape)
    slope = np.einsum("ij,ij->i", phi.crease_gradient(aside, crease), difference)
    assert 0.5 * (value(aside + difference) - value(aside - difference)) == pytest.approx(slope, rel=1e-6)
    held = HeldParticles(phi, 4)
    held.hold(np.arange(4), crease)
    assert np.abs(value(held.project(aside))).max() < 1e-14


def test_features_that_are_evaluated_by_sorting_have_the_creases_of_the_neurons():
    neurons = NeuronFeatures([[1.0, 1.0], [2.0, -9.0]], "relu")
    u = [[2.0, 3.0, 1.0]]
    assert np.array_equal(SortedReluFeatures(neurons).creases(u), neurons.creases(u))
    assert np.array_equal(
        SortedReluFeatures(neurons).crease_gradient(u, np.array([1])),
        neurons.crease_gradient(u, np.array([1])),
    )
    assert NeuronFeatures([[1.0, 1.0]], "tanh").creases(u).shape == (1, 0)


def test_particles_of_relu_2d_come_to_rest_on_creases_at_the_minimum():
    # without sliding the steps shrink to nothing 1e-6 above the minimum, at t = 145
    case = cases.get("relu-2d")
    flow = ParticleFlow(case.functional, natural_domain(case), tolerance=1e-3)
    run = flow.run(start_cloud(case, "separating", 128), 250.0)
    best = minimize_over_measures(case.functional, case.domain)
    assert run.energy[-1] - best.value < 1e-8
    assert run.dissipation[-1] < 1e-9
    assert run.steps < 3000
    assert np.diff(run.energy).max() <= 1e-13 * run.energy[0]
