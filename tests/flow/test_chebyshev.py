"""Stabilised steps: as far as they should go, and no farther."""

import numpy as np
import pytest

from wassflow import CallableFeatures, Functional, ParticleCloud, ParticleFlow, SquaredLoss, regularizer
from wassflow.flow.chebyshev import RungeKuttaChebyshev
from wassflow.flow.particle_system import ParticleSystem


def quadratic(curvatures):
    """F = int V dmu, so that u_k' = -curvatures_k u_k."""
    nothing = CallableFeatures(lambda u: 0.0 * u[:, :1], lambda u: 0.0 * u[:, :, None], size=1)
    return Functional(nothing, SquaredLoss([0.0]), regularizer.Quadratic(np.diag(curvatures)))


def amplification(stages, z):
    """What one step makes of a coordinate that decays at the rate ``z``, with dt = 1."""
    system = ParticleSystem(quadratic([z, z]), None, ParticleCloud([[1.0, -2.0]]))
    start = system.evaluate(np.array([[1.0, -2.0]]))
    points = RungeKuttaChebyshev(stages).propose(system, start, 1.0).points
    assert points[0, 1] == pytest.approx(-2.0 * points[0, 0], abs=1e-12)
    return points[0, 0]


@pytest.mark.parametrize("stages", [2, 3, 5, 10])
def test_steps_are_stable_and_damped_up_to_their_bound(stages):
    # Sommeijer, Shampine and Verwer (1998): 2/3 (s^2 - 1) (1 - 2/15 damping)
    bound = 2.0 / 3.0 * (stages**2 - 1.0) * (1.0 - 2.0 / 15.0 * 2.0 / 13.0)
    inside = [abs(amplification(stages, z)) for z in np.linspace(0.05, 0.999, 60) * bound]
    assert max(inside) < 1.0
    # the damping keeps the factor away from 1, but for slow coordinates
    assert max(inside[6:]) < 0.97
    assert abs(amplification(stages, 1.25 * bound)) > 1.0


def test_a_step_is_exact_to_order_two():
    for z in (0.02, 0.04):
        assert amplification(10, z) == pytest.approx(np.exp(-z), abs=0.2 * z**3)
    ratio = (amplification(10, 0.04) - np.exp(-0.04)) / (amplification(10, 0.02) - np.exp(-0.02))
    assert ratio == pytest.approx(8.0, rel=0.1)


def test_the_dissipation_balances_the_energy_where_other_steps_would_be_many():
    flow = quadratic([50.0, 0.05])
    cloud = ParticleCloud([[0.0, 1.0], [1e-4, -0.5]])
    run = ParticleFlow(flow, integrator="rkc", tolerance=1e-4).run(cloud, 40.0)
    slow = ParticleFlow(flow, integrator="rk45", tolerance=1e-4).run(cloud, 40.0)
    assert run.steps < 0.2 * slow.steps
    assert run.final.points[:, 1] == pytest.approx(np.exp(-2.0) * cloud.points[:, 1], rel=1e-3)
    balance = run.energy - run.energy[0] + run.diagnostics["dissipated"]
    assert np.abs(balance).max() < 1e-3 * run.energy[0]
