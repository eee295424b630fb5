"""Particles until they are at rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wassflow.cases.random_problems import Problem
from wassflow.flow import ParticleFlow
from wassflow.measure import ParticleCloud
from wassflow.study.side_by_side import side_by_side


@dataclass(frozen=True, eq=False)
class Rest:
    """Where particles ended.

    Attributes:
        cloud: the particles.
        energy: F there.
        dissipation: int |v|^2 dmu there.
        time: when.
        steps: how many it took, for all that were moved together.
        fallen: by how much F fell in the last lap, the last half of the time.
        reached: whether they are at rest, or were given up.
    """

    cloud: ParticleCloud
    energy: float
    dissipation: float
    time: float
    steps: int
    fallen: float
    reached: bool


def run_to_rest(
    problems: Sequence[Problem],
    starts: Sequence[ParticleCloud],
    lap: float,
    drop: float,
    tolerance: float = 1e-5,
    laps: int = 16,
    integrator: str | None = None,
    least: float = -math.inf,
) -> list[Rest]:
    """Move particles in laps that double the time, until F falls by less than ``drop`` in a lap, or can.

    Where F falls exponentially, or like 1/t, it then is within ``drop`` of its limit. Waiting as long again
    as the run has lasted tells rest from a slow passage by a saddle better than a small velocity does.

    Args:
        problems: they are moved together until each is at rest
            (:func:`~wassflow.study.side_by_side.side_by_side`).
        starts: the particles of every problem at time 0, as many for each.
        lap: length of the first lap.
        drop: see above.
        tolerance: of a step, see :class:`wassflow.ParticleFlow`.
        laps: when to give up.
        integrator: see :class:`wassflow.ParticleFlow`.
        least: F*, if it is known.

    >>> from wassflow.cases.random_problems import family
    >>> spikes = family("deconvolution")
    >>> found = run_to_rest([spikes.problem(0)], [spikes.start(0, 10)], lap=2.0, drop=1e-6, tolerance=1e-3)[0]
    >>> found.reached, found.dissipation < 1e-6
    (True, True)
    """
    clouds = list(starts)
    energies = [problem.functional.value(cloud) for problem, cloud in zip(problems, clouds, strict=True)]
    times, steps = [0.0] * len(clouds), [0] * len(clouds)
    moving, reached = list(range(len(clouds))), [False] * len(clouds)
    fallen = [0.0] * len(clouds)
    length = lap
    for _ in range(laps):
        together = [problems[index] for index in moving]
        flow = ParticleFlow(
            side_by_side(together), together[0].domain, integrator, tolerance=tolerance, evaluation="direct"
        )
        path = flow.run(_joined([clouds[index] for index in moving]), length)
        for index, points in zip(moving, np.split(path.final.points, len(moving)), strict=True):
            clouds[index] = ParticleCloud(points, clouds[index].weights)
            before, energies[index] = energies[index], problems[index].functional.value(clouds[index])
            fallen[index] = before - energies[index]
            times[index] += length
            steps[index] += path.steps
            reached[index] = min(fallen[index], energies[index] - least) < drop
        length = times[moving[0]]
        moving = [index for index in moving if not reached[index]]
        if not moving:
            break
    return [
        Rest(
            clouds[k],
            energies[k],
            _dissipation(problem, clouds[k]),
            times[k],
            steps[k],
            fallen[k],
            reached[k],
        )
        for k, problem in enumerate(problems)
    ]


def _joined(clouds: Sequence[ParticleCloud]) -> ParticleCloud:
    return ParticleCloud(
        np.concatenate([cloud.points for cloud in clouds]),
        np.concatenate([cloud.weights for cloud in clouds]),
    )


def _dissipation(problem: Problem, cloud: ParticleCloud) -> float:
    velocity = problem.functional.velocity(cloud, cloud.points, problem.domain)
    return float(cloud.weights @ np.einsum("ij,ij->i", velocity, velocity))
