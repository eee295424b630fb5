"""Problems moved together move as they do alone."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.cases.random_problems import RandomSpikes, family
from wassflow.errors import WassflowError
from wassflow.study.rest import run_to_rest
from wassflow.study.side_by_side import SeparateFeatures, side_by_side


@pytest.fixture
def problems():
    return [family("deconvolution").problem(number) for number in range(3)]


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return [wf.ParticleCloud(np.column_stack([rng.normal(size=7), rng.uniform(0, 6, 7)])) for _ in range(3)]


def joined(clouds):
    return wf.ParticleCloud(np.concatenate([c.points for c in clouds]), np.full(21, 1.0 / 7.0))


def test_values_add_up(problems, clouds):
    total = sum(p.functional.value(c) for p, c in zip(problems, clouds, strict=True))
    assert side_by_side(problems).value(joined(clouds)) == pytest.approx(total, rel=1e-13)


def test_velocities_are_those_of_each(problems, clouds):
    together = side_by_side(problems).velocity(joined(clouds), joined(clouds).points)
    alone = [p.functional.velocity(c, c.points) for p, c in zip(problems, clouds, strict=True)]
    assert together == pytest.approx(np.concatenate(alone), rel=1e-11, abs=1e-11)


def test_short_forms_agree_with_full_arrays(problems):
    features = side_by_side(problems).features
    rng = np.random.default_rng(1)
    u, weights, g = rng.normal(size=(6, 2)), rng.uniform(size=6), rng.normal(size=features.size)
    assert features.moment(u, weights) == pytest.approx(weights @ features.value(u))
    assert features.pair(u, g) == pytest.approx(features.value(u) @ g)
    assert features.pair_gradient(u, g) == pytest.approx(features.gradient(u) @ g)


def test_paths_with_the_same_steps_are_the_same(problems, clouds):
    flow = wf.ParticleFlow(side_by_side(problems), problems[0].domain, dt=0.002)
    together = flow.run(joined(clouds), 0.1).final.points
    for problem, cloud, found in zip(problems, clouds, np.split(together, 3), strict=True):
        alone = wf.ParticleFlow(problem.functional, problem.domain, dt=0.002).run(cloud, 0.1).final
        assert found == pytest.approx(alone.points, abs=1e-10)


def test_they_come_to_rest_where_each_does_alone():
    spikes = family("deconvolution")
    drawn, starts = [spikes.problem(k) for k in range(2)], [spikes.start(k, 9) for k in range(2)]
    together = run_to_rest(drawn, starts, 2.0, 1e-6, 1e-3)
    alone = [run_to_rest([p], [c], 2.0, 1e-6, 1e-3)[0] for p, c in zip(drawn, starts, strict=True)]
    assert [rest.energy for rest in together] == pytest.approx([rest.energy for rest in alone], abs=1e-8)
    assert all(rest.reached for rest in together)


def test_refuses_what_cannot_be_joined(problems):
    other = RandomSpikes(regularization=0.1).problem(0)
    with pytest.raises(WassflowError, match="same scale"):
        side_by_side([problems[0], other])
    with pytest.raises(ValueError, match="runs of the same length"):
        SeparateFeatures(problems[0].functional.features, 2).moment(np.zeros((3, 2)), np.ones(3))
