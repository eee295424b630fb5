"""The right-hand side of u_i' = v(u_i): what one evaluation of all particles tells."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.flow.creases import HeldParticles
from wassflow.functional.functional import FirstVariation, Functional
from wassflow.measure.particle_cloud import ParticleCloud

# Particles that lose or gain less than this share of their velocity in a step did not stop on its way: the
# part across a crease that a step goes too far is smaller by this factor.
_JUMP = 0.1


@dataclass(eq=False)
class ParticleState:
    """Positions of the particles of this rank, the moment of all of them, and the velocities that follow.

    Attributes:
        points: ``(n, d)``; coordinates along periodic axes may lie outside the period.
        moment: f = int Phi dmu, ``(N,)``, over all ranks.
        regularization: int V dmu.
        held: the particles that slide along creases of the features.
        revision: that of the features when they were evaluated.
    """

    points: Array
    moment: Array
    regularization: float
    functional: Functional
    domain: Domain | None
    held: HeldParticles
    revision: int

    @cached_property
    def variation(self) -> FirstVariation:
        """F'(mu)."""
        return self.functional.linearize(self.moment)

    @cached_property
    def loss(self) -> float:
        """R(f); stages of a step, whose F nobody asks for, do without."""
        return self.functional.loss.value(self.moment)

    @property
    def energy(self) -> float:
        """F(mu)."""
        return self.loss + self.regularization

    @cached_property
    def smooth(self) -> Array:
        """The velocity vt without V, ``(n, d)``."""
        return self.variation.smooth_velocity(self.points)

    @cached_property
    def explicit(self) -> Array:
        """What is moved explicitly: vt minus the gradient of the smooth part of V."""
        return self.smooth - self.variation.regularizer.smooth_gradient(self.points)

    @cached_property
    def free(self) -> Array:
        """The least-norm velocity without walls, ``(n, d)``."""
        velocity = self.variation.regularizer.velocity(self.points, self.smooth)
        return self.held.slide(self.points, velocity)

    @cached_property
    def velocity(self) -> Array:
        """The velocity of the flow: of least norm, walls included, ``(n, d)``."""
        if self.domain is None:
            return self.free
        velocity = self.variation.regularizer.velocity(self.points, self.smooth, self.domain)
        return self.held.slide(self.points, velocity)


class ParticleSystem:
    """Particles of fixed weights under one functional, on a domain or on the whole space.

    It also is the measure (:class:`~wassflow.functional.measure_protocol.Measure`) whose points an integrator
    moves: clouds are frozen, and a new one for each stage would only be copied and checked again.
    """

    def __init__(self, functional: Functional, domain: Domain | None, cloud: ParticleCloud) -> None:
        self.functional = functional
        self.domain = domain
        self.weights = cloud.weights
        self.mass = cloud.mass
        self.dim = cloud.dim
        self.allsum: Callable[[Array], Array] = cloud.allsum
        self.held = HeldParticles(functional.features, len(cloud.points))
        self._points = cloud.points

    def quadrature(self) -> tuple[Array, Array]:
        """Return the points and weights that are being evaluated."""
        return self._points, self.weights

    def evaluate(self, points: Array) -> ParticleState:
        """Return moment and energy at ``points (n, d)``; velocities follow when they are asked for."""
        self._points = points
        moment, regularization = self.functional.moment_and_regularization(self)
        return ParticleState(
            points=points,
            moment=moment,
            regularization=regularization,
            functional=self.functional,
            domain=self.domain,
            held=self.held,
            revision=self.functional.features.revision,
        )

    def revised(self, state: ParticleState) -> bool:
        """Whether, on some rank, features are evaluated in another way than they were for ``state``."""
        return self._any(self.functional.features.revision != state.revision)

    def reach(self, start: Array, targets: Array) -> Array:
        """Return where straight paths from ``start`` to ``targets`` end: on walls they slide along them.

        Particles that are held on creases are put on them.
        """
        targets = self.held.project(targets)
        return targets if self.domain is None else self.domain.slide(start, targets)

    def catch(self, state: ParticleState, end: ParticleState, dt: float) -> bool:
        """Hold the particles that a step ``dt``, or its first stage, takes across attracting creases."""
        targets = (end.points, state.points + dt * state.velocity)
        return self._any(self.held.catch(state.points, targets, state.variation))

    def catch_stopped(self, state: ParticleState, end: ParticleState) -> bool:
        """Hold those that crossed an attracting crease and lost much of their velocity on the way."""
        if self.functional.features.smooth:
            return False
        before, jump = state.velocity, end.velocity - state.velocity
        jumped = np.einsum("ij,ij->i", jump, jump) > _JUMP**2 * np.einsum("ij,ij->i", before, before)
        return self._any(self.held.catch(state.points, (end.points,), state.variation, jumped))

    def release(self, state: ParticleState) -> bool:
        """Let go the particles that their creases hold no longer, if any."""
        return self._any(self.held.count) and self._any(self.held.release(state.points, state.variation))

    def _any(self, count: int) -> bool:
        """Whether the count is positive on some rank."""
        return bool(self.allsum(np.array([float(count)]))[0])

    def integral(self, values: Array) -> float:
        """Return sum_i weights_i values_i over all ranks, for ``values (n,)``."""
        return float(self.allsum(np.array([self.weights @ values]))[0])

    def rms(self, difference: Array) -> float:
        """Return the root of the mean square length of ``difference (n, d)`` under the particles' measure."""
        return float(np.sqrt(self.integral(np.einsum("ij,ij->i", difference, difference)) / self.mass))

    def square_integral(self, velocity: Array) -> float:
        """Return int |v|^2 dmu."""
        return self.integral(np.einsum("ij,ij->i", velocity, velocity))
