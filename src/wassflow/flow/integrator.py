"""What a one-step method for u_i' = v(u_i) has to offer.

An integrator proposes new positions from a state, and once the state there is known it tells how far it
trusts the step (the root mean square distance to an embedded partner of lower order) and what the step
dissipated, int int |v|^2 dmu dt, to its own order.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from wassflow.arguments import Array
from wassflow.flow.particle_system import ParticleState, ParticleSystem


@dataclass(eq=False)
class Proposal:
    """Where a step would go, and what the integrator wants to remember about it.

    Attributes:
        points: the new positions, ``(n, d)``.
        stages: stage velocities (Runge-Kutta) or the predictor (forward-backward).
        squares: int v_j^2 dt of each coordinate over the step (Runge-Kutta), ``(n, d)``.
    """

    points: Array
    stages: list[Array]
    squares: Array | None = None


class Integrator(ABC):
    """A one-step method.

    Attributes:
        order: its order of accuracy in dt.
        error_order: q when the error estimate of one step behaves like dt^q.
        needs_smooth: whether it is restricted to V without kinks.
    """

    order: int
    error_order: int = 2
    needs_smooth: bool

    @abstractmethod
    def propose(self, system: ParticleSystem, start: ParticleState, dt: float) -> Proposal:
        """Return where a step of length ``dt`` from ``start`` goes."""

    @abstractmethod
    def assess(
        self, system: ParticleSystem, start: ParticleState, proposal: Proposal, end: ParticleState, dt: float
    ) -> tuple[float, float]:
        """Return the error estimate of the step and the energy it dissipated."""
