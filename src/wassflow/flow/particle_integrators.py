"""One step of u_i' = v(u_i): explicit Runge-Kutta where V is smooth, forward-backward where it has kinks.

Positions never leave Omega: a path that meets a wall slides along it.
"""

import numpy as np
from numba import njit

from wassflow.arguments import Array, frozen
from wassflow.flow.chebyshev import RungeKuttaChebyshev
from wassflow.flow.integrator import Integrator, Proposal
from wassflow.flow.particle_system import ParticleState, ParticleSystem
from wassflow.functional.regularizer import Callable, Regularizer, Sum


class RungeKutta(Integrator):
    """Explicit Runge-Kutta method whose stages end in Omega.

    A stage uses the velocity before its projection on the tangent cone, along a path that slides on walls
    (:meth:`wassflow.Domain.slide`): a particle that would pass a wall is then put on it exactly, and not
    stopped short of it, and one that goes round a corner is where it would be under a constant force.

    Args:
        matrix: strictly lower triangular coefficients a_ij, row by row, without the empty first row.
        weights: b_i.
        partner: weights of the embedded method over the stages and the velocity at the end of the step.
    """

    needs_smooth = True

    def __init__(
        self,
        order: int,
        matrix: list[list[float]],
        weights: list[float],
        partner: list[float],
        error_order: int,
    ) -> None:
        self.order = order
        self.error_order = error_order
        self._matrix = matrix
        self._weights = weights
        self._partner = partner

    def propose(self, system: ParticleSystem, start: ParticleState, dt: float) -> Proposal:
        """Return the end point of the step."""
        stages = [start.explicit]
        squares = self._weights[0] * start.velocity**2
        for row, weight in zip(self._matrix, self._weights[1:], strict=True):
            stage = system.evaluate(system.reach(start.points, _along(start.points, row, stages, dt)))
            stages.append(stage.explicit)
            squares += weight * stage.velocity**2
        points = system.reach(start.points, _along(start.points, self._weights, stages, dt))
        return Proposal(points, stages, dt * squares)

    def assess(
        self, system: ParticleSystem, start: ParticleState, proposal: Proposal, end: ParticleState, dt: float
    ) -> tuple[float, float]:
        """Compare with the embedded method, in Omega as well: what the walls absorb is no error.

        A coordinate that came to rest on a wall moved with its first velocity until then.
        """
        partner = _along(start.points, self._partner, [*proposal.stages, end.explicit], dt)
        error = system.rms(system.reach(start.points, partner) - proposal.points)
        assert proposal.squares is not None
        stopped = (end.velocity == 0.0) & (start.velocity != 0.0)
        travelled = start.velocity * (end.points - start.points)
        return error, system.integral(np.where(stopped, travelled, proposal.squares).sum(axis=1))


class ForwardBackward(Integrator):
    """Forward step on the smooth part of the velocity, exact prox of the kinks of V, sliding on walls.

    With vt the explicit velocity and P_s the proximal map of s V, its path sliding on walls (the joint
    proximal map of V and Omega where the two are separable, as for |w| in a box):

        order 1:  u+ = P_dt(u + dt vt(u))
        order 2:  u1 = P_dt(u + dt vt(u)),   u+ = P_dt(u + dt/2 (vt(u) + vt(u1)))                     (*)

    (proximal gradient method; Lions and Mercier, SIAM J. Numer. Anal. 16 (1979) 964). Fixed points are the
    stationary points of the flow, kinks and walls are reached exactly and held without chattering, and for
    constant vt and V = |w| the step is exact. A prox is an implicit Euler step, of order 1 where V is curved;
    so, at order 2, a particle that meets no kink during the step (no coordinate changes its sign, kinks being
    at zeros of coordinates) moves by the average of its least-norm velocities at u and u1 instead, and (*) is
    left to the others. A weight that passes through zero within the step, because the kink cannot hold it, is
    brought there first and goes on for the rest of the step: the force of the kink changes its sign there.
    """

    needs_smooth = False

    def __init__(self, order: int) -> None:
        self.order = order

    def propose(self, system: ParticleSystem, start: ParticleState, dt: float) -> Proposal:
        """Return the end point of the step, and the predictor as a stage."""
        predictor = self._backward(system, start, start.explicit, dt)
        if self.order == 1:
            return Proposal(predictor, [])
        stage = system.evaluate(predictor)
        points = self._backward(system, start, 0.5 * (start.explicit + stage.explicit), dt)
        if kinks_at_zeros(start.variation.regularizer):
            explicit = system.reach(start.points, start.points + 0.5 * dt * (start.free + stage.free))
            signs = np.sign(start.points)
            met = np.any(
                (np.sign(predictor) != signs) | (np.sign(points) != signs) | (np.sign(explicit) != signs),
                axis=1,
            )
            points = np.where(met[:, None], points, explicit)
        return Proposal(points, [predictor])

    def assess(
        self, system: ParticleSystem, start: ParticleState, proposal: Proposal, end: ParticleState, dt: float
    ) -> tuple[float, float]:
        """Compare order 2 with its predictor, order 1 with what the velocity at its end would have given."""
        if self.order == 1:
            partner = self._backward(system, start, 0.5 * (start.explicit + end.explicit), dt)
        else:
            partner = proposal.stages[0]
        return system.rms(partner - proposal.points), self._dissipated(system, start, end)

    def _backward(self, system: ParticleSystem, start: ParticleState, explicit: Array, dt: float) -> Array:
        """Return P_dt(u + dt explicit), in two pieces for weights that pass through zero."""
        regularizer = start.variation.regularizer
        moved = regularizer.prox(start.points + dt * explicit, dt)
        if not regularizer.smooth and kinks_at_zeros(regularizer):
            self._pass_through_zero(start, explicit, dt, moved)
        return system.reach(start.points, moved)

    @staticmethod
    def _pass_through_zero(start: ParticleState, explicit: Array, dt: float, moved: Array) -> None:
        """Correct in ``moved`` the particles whose weights pass through zero."""
        regularizer, u = start.variation.regularizer, start.points
        met = np.flatnonzero((u[:, 0] != 0.0) & (moved[:, 0] * u[:, 0] <= 0.0))
        if not met.size:
            return
        change = explicit[met] - start.explicit[met]
        velocity = start.free[met] + change
        times = np.divide(-u[met, 0], velocity[:, 0], out=np.full(met.size, dt), where=velocity[:, 0] != 0.0)
        times = np.where(times >= 0.0, np.minimum(times, dt), dt)
        crossings = u[met] + times[:, None] * velocity
        crossings[:, 0] = 0.0
        onward = regularizer.velocity(crossings, start.smooth[met] + change)[:, 0]
        for k in np.flatnonzero(onward * u[met, 0] < 0.0):
            rest = dt - times[k]
            moved[met[k]] = regularizer.prox(crossings[k : k + 1] + rest * explicit[met[k]], rest)[0]

    @staticmethod
    def _dissipated(system: ParticleSystem, start: ParticleState, end: ParticleState) -> float:
        """Return int int |v|^2 dmu dt as the work int v . du of least-norm velocities along displacements.

        By the trapezoidal rule; a coordinate that came to rest on a kink or a wall moved with its first
        velocity until then, and one that passed a kink at zero had one velocity before and another after it.
        """
        before, after = start.velocity, end.velocity
        moved = end.points - start.points
        work = moved * np.where(after == 0.0, before, 0.5 * (before + after))
        passed = np.zeros(moved.shape, dtype=bool)
        passed[:, 0] = (start.points[:, 0] != 0.0) & (start.points[:, 0] * end.points[:, 0] <= 0.0)
        work[passed] = (end.points * after - start.points * before)[passed]
        return system.integral(work.sum(axis=1))


def kinks_at_zeros(regularizer: Regularizer) -> bool:
    """Whether all kinks of V are where coordinates vanish: all but those of a user's own V.

    >>> from wassflow.functional.regularizer import AbsWeight, SquaredNorm
    >>> kinks_at_zeros(Sum(AbsWeight(1.0), SquaredNorm(1.0)))
    True
    """
    terms = regularizer.terms if isinstance(regularizer, Sum) else (regularizer,)
    return not any(isinstance(term, Callable) and not term.smooth for term in terms)


def _along(points: Array, weights: list[float], velocities: list[Array], dt: float) -> Array:
    """Return points + dt sum_i weights_i velocities_i."""
    moved = points.copy()
    for weight, velocity in zip(weights, velocities, strict=True):
        if weight != 0.0:
            _add_multiple(moved, dt * weight, frozen(velocity))
    return moved


@njit(cache=True, nogil=True)
def _add_multiple(moved, factor, velocity):  # type: ignore[no-untyped-def]
    """Add factor velocity to ``moved`` in a single pass."""
    for i in range(moved.shape[0]):
        for k in range(moved.shape[1]):
            moved[i, k] += factor * velocity[i, k]


INTEGRATORS: dict[str, Integrator] = {
    "euler": RungeKutta(1, [], [1.0], [0.5, 0.5], error_order=2),
    "rk2": RungeKutta(2, [[1.0]], [0.5, 0.5], [1.0, 0.0, 0.0], error_order=2),
    # the classical method; replacing its last stage by the velocity at the end of the step leaves order 3
    "rk4": RungeKutta(
        4,
        [[0.5], [0.0, 0.5], [0.0, 0.0, 1.0]],
        [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
        [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 6.0],
        error_order=4,
    ),
    # Dormand and Prince, J. Comput. Appl. Math. 6 (1980) 19: orders 5 and 4; the velocity at the end of a
    # step is both the last stage of the partner and the first one of the next step
    "rk45": RungeKutta(
        5,
        [
            [1 / 5],
            [3 / 40, 9 / 40],
            [44 / 45, -56 / 15, 32 / 9],
            [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
            [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
        ],
        [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
        [5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40],
        error_order=5,
    ),
    "rkc": RungeKuttaChebyshev(10),
    "forward-backward": ForwardBackward(1),
    "forward-backward-2": ForwardBackward(2),
}
