"""The PDE's own flow map, which takes the starts of particles to where the PDE would have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wassflow.arguments import Array
from wassflow.cases import Case
from wassflow.measure import MeshDensity, ParticleCloud

# How many particles, at least and per particle of the largest run, stand for the PDE where its flow map has
# no closed form.
_LEAST, _SHARE = 2048, 4


@dataclass(frozen=True, eq=False)
class FollowedStarts:
    """Many stratified particles that stand for the PDE, and other points that they carry along.

    Stratified particles have moments that are far closer to those of the density than those of random ones.

    Attributes:
        size: how many particles stand for the PDE.
        moments: f of these, per time.
        energies: F of these, per time.
        arrivals: where points that started at ``starts[run]`` are, per run and time.
    """

    size: int
    moments: tuple[Array, ...]
    energies: tuple[float, ...]
    arrivals: Mapping[tuple[int, int], tuple[Array, ...]] = field(repr=False)


def follow_starts(
    case: Case,
    start: MeshDensity,
    starts: Mapping[tuple[int, int], Array],
    times: Sequence[float],
) -> FollowedStarts:
    """Let the starts ``{(m, seed): (m, d)}`` flow as points without mass among particles for the PDE.

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d")
    >>> points = np.array([[0.4, 0.2], [1.0, 2.5]])
    >>> followed = follow_starts(case, case.start(case.mesh(cells=16)), {(2, 0): points}, [0.0, 1.0])
    >>> shift = followed.arrivals[2, 0][1] - case.exact.flow_map(1.0, points)
    >>> bool(np.abs(followed.arrivals[2, 0][0] - points).max() == 0.0), bool(np.abs(shift).max() < 1e-3)
    (True, True)
    """
    size = max(_LEAST, _SHARE * max(len(points) for points in starts.values()))
    particles = ParticleCloud.sample(start, size, method="stratified", seed=0)
    points = [particles.points, *starts.values()]
    weights = np.zeros(sum(map(len, points)))
    weights[:size] = particles.weights
    flow = case.particle_flow().run(
        ParticleCloud(np.concatenate(points), weights), times[-1], save=list(times)
    )
    clouds = [flow.at(t) for t in times]
    ends = np.cumsum([len(part) for part in points])[:-1]
    followed = [np.split(cloud.points, ends)[1:] for cloud in clouds]
    return FollowedStarts(
        size=size,
        moments=tuple(case.functional.moment(cloud) for cloud in clouds),
        energies=tuple(float(case.functional.value(cloud)) for cloud in clouds),
        arrivals=dict(zip(starts, zip(*followed, strict=True), strict=True)),
    )
