"""The rank problem: its minima by hand, its flow against particles, a scalar case in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.study import RankProblem


def test_least_values_leave_out_what_the_rank_cannot_hold():
    problem = RankProblem([-0.3, 0.8, 0.4])
    assert problem.rank == 2
    assert [problem.least_value(m) for m in (0, 1, 2, 3)] == pytest.approx([0.445, 0.125, 0.045, 0.045])
    assert problem.least_value() == pytest.approx(0.045)
    assert np.allclose(np.linalg.eigvalsh(problem.Y), [-0.3, 0.4, 0.8])


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), m=st.integers(1, 4))
def test_every_cloud_stays_above_the_least_value_of_its_size(seed, m):
    rng = np.random.default_rng(seed)
    problem = RankProblem(rng.uniform(-1.0, 1.0, 3))
    cloud = wf.ParticleCloud(rng.standard_normal((m, 3)))
    assert problem.functional.value(cloud) >= problem.least_value(m) - 1e-12
    # tr f is the mass on the sphere; the bound is for those that are no worse than nothing
    f = problem.second_moment(cloud)
    if problem.functional.value(cloud) <= 0.5 * np.sum(problem.Y**2):
        assert np.trace(f) <= problem.mass_bound + 1e-12


def test_one_dimension_of_the_flow_is_the_logistic_equation():
    # f' = 4 y f - 4 f^2 in one dimension
    problem = RankProblem(np.diag([0.7, -0.2]))
    times = np.array([0.0, 0.5, 2.0])
    f0, y = 0.1, 0.7
    f = y / (1.0 + (y / f0 - 1.0) * np.exp(-4.0 * y * times))
    energies = problem.energies(np.diag([f0, 0.0]), times)
    assert energies == pytest.approx(0.5 * (f - y) ** 2 + 0.5 * 0.04, abs=1e-10)


@pytest.mark.parametrize("m", [1, 5])
def test_particles_follow_the_equation_of_the_second_moments(m):
    problem = RankProblem([0.8, 0.3, -0.3])
    cloud = wf.ParticleCloud(np.random.default_rng(m).standard_normal((m, 3)) * 0.5)
    run = wf.ParticleFlow(problem.functional, tolerance=1e-7).run(cloud, 4.0)
    assert np.abs(problem.energies(problem.second_moment(cloud), run.times) - run.energy).max() < 1e-6
