"""Particles until they are at rest."""

from dataclasses import dataclass

from wassflow.flow import ParticleFlow
from wassflow.measure import ParticleCloud

# A flow that has not come to rest after so many doublings of the first lap is given up.
_DOUBLINGS = 16


@dataclass(frozen=True, eq=False)
class Rest:
    """Where particles ended.

    Attributes:
        cloud: the particles.
        energy: F there.
        dissipation: int |v|^2 dmu there.
        time: when.
        steps: how many it took.
        reached: whether they are at rest, or were given up.
    """

    cloud: ParticleCloud
    energy: float
    dissipation: float
    time: float
    steps: int
    reached: bool


def run_to_rest(flow: ParticleFlow, cloud: ParticleCloud, lap: float, drop: float) -> Rest:
    """Move particles in laps that double the time, until F falls by less than ``drop`` in a lap.

    Where F falls exponentially, or like 1/t, it then is within ``drop`` of its limit. Waiting as long again
    as the run has lasted tells rest from a slow passage by a saddle better than a small velocity does.

    Args:
        flow: the flow.
        cloud: the particles at time 0.
        lap: length of the first lap.
        drop: see above.

    >>> from wassflow.cases.random_problems import family
    >>> spikes = family("deconvolution")
    >>> problem = spikes.problem(0)
    >>> flow = ParticleFlow(problem.functional, problem.domain, tolerance=1e-3)
    >>> found = run_to_rest(flow, spikes.start(0, 10), lap=2.0, drop=1e-6)
    >>> found.reached, found.dissipation < 1e-6
    (True, True)
    """
    steps, time = 0, 0.0
    for _ in range(_DOUBLINGS):
        path = flow.run(cloud, lap)
        cloud, steps, time = path.final, steps + path.steps, time + lap
        lap = time
        if path.energy[0] - path.energy[-1] < drop:
            break
    fell = float(path.energy[0] - path.energy[-1])
    return Rest(cloud, float(path.energy[-1]), float(path.dissipation[-1]), time, steps, fell < drop)
