"""Particles of given masses in steps of fixed length: for kinks, walls and rough features."""

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.domain import Box, Domain, Polytope
from wassflow.errors import WassflowError
from wassflow.flow.particle_flow import ParticleFlow
from wassflow.functional.functional import Functional
from wassflow.measure.particle_cloud import ParticleCloud

# A point this close to an oblique wall, relative to the size of Omega, is on it.
_ON_WALL = 1e-10


class SteppedParticles:
    """The gradient flow of particles by :class:`ParticleFlow` in steps of fixed length.

    Where paths have corners (kinks of V, walls) an error estimate says little, and steps that it chose would
    stall: a fixed step meets kinks and walls exactly and is of order 2 (1 where features have kinks).

    Args:
        functional: F.
        points, masses: the particles at time 0, ``(n, d)`` and ``(n,)``.
        domain: Omega; ``None`` for the whole space.
        dt: the step.

    Attributes:
        steps: how many were taken so far.

    >>> from wassflow.cases.exact import WeightAbsorption
    >>> exact = WeightAbsorption(alpha=1.0)
    >>> u = np.array([[0.25, 0.5], [-0.75, 0.5]])
    >>> paths = SteppedParticles(exact.functional, u, np.array([0.5, 0.5]), exact.domain, dt=0.1)
    >>> paths.cloud(0.5).points[:, 0], paths.singular_mass(0.5)
    (array([ 0.  , -0.25]), 0.5)
    """

    def __init__(
        self, functional: Functional, points: Array, masses: Array, domain: Domain | None, dt: float
    ) -> None:
        self.functional = functional
        self.domain = domain
        self._flow = ParticleFlow(functional, domain, dt=dt)
        self._clouds = {0.0: ParticleCloud(points, masses)}
        self.steps = 0

    def cloud(self, t: float) -> ParticleCloud:
        """Return the particles at time ``t``, carried on from the last earlier time that was asked for."""
        if t not in self._clouds:
            before = max(s for s in self._clouds if s < t)
            run = self._flow.run(self._clouds[before], t - before)
            self._clouds[t] = run.final
            self.steps += run.steps
        return self._clouds[t]

    def moment(self, t: float) -> Array:
        """Return f_t, ``(N,)``."""
        return self.functional.moment(self.cloud(t))

    def energy(self, t: float) -> float:
        """Return F(mu_t)."""
        return self.functional.value(self.cloud(t))

    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t, v of least norm."""
        cloud = self.cloud(t)
        velocity = self.functional.velocity(cloud, cloud.points, self.domain)
        return float(cloud.weights @ np.einsum("ij,ij->i", velocity, velocity))

    def first_moment(self, t: float) -> Array:
        """Return int u dmu_t, ``(d,)``."""
        cloud = self.cloud(t)
        return cloud.weights @ cloud.points

    def second_moment(self, t: float) -> Array:
        """Return int u u^T dmu_t, ``(d, d)``."""
        cloud = self.cloud(t)
        return (cloud.weights * cloud.points.T) @ cloud.points

    def singular_mass(self, t: float) -> float:
        """Return the mass of the particles that sit on kinks of V or on walls."""
        cloud = self.cloud(t)
        held = _on_kinks(self.functional, cloud.points) | _on_walls(self.domain, cloud.points)
        return float(cloud.weights[held].sum())

    def follow(self, u: Array, t: float) -> Array:
        """Return where points ``(n, d)`` of time 0 are at time t: they go along as particles without mass."""
        if t == 0.0 or len(u) == 0:
            return u.copy()
        start = self._clouds[0.0]
        joint = ParticleCloud(
            np.concatenate([start.points, u]), np.concatenate([start.weights, np.zeros(len(u))])
        )
        return self._flow.run(joint, t).final.points[len(start.points) :]


def _on_kinks(functional: Functional, points: Array) -> NDArray[np.bool_]:
    if functional.regularizer.smooth:
        return np.zeros(len(points), dtype=bool)
    return functional.regularizer.subdifferential(points).kinked


def _on_walls(domain: Domain | None, points: Array) -> NDArray[np.bool_]:
    if domain is None:
        return np.zeros(len(points), dtype=bool)
    if isinstance(domain, Box):
        walls = ~np.array(domain.periodic)
        on_wall = (points == domain.lower) | (points == domain.upper)
        return np.any(on_wall[:, walls], axis=1)
    if isinstance(domain, Polytope):
        gaps = domain.offsets - points @ domain.normals.T
        return gaps.min(axis=1) <= _ON_WALL * float(np.max(domain.upper - domain.lower))
    raise WassflowError(f"the mass on the walls of {domain!r} is not known: its walls are not")
