"""The gradient flow of particles, u_i' = v(u_i)."""

from collections.abc import Iterable

import numpy as np

from wassflow.arguments import as_number, one_of
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.flow.particle_integrators import INTEGRATORS
from wassflow.flow.particle_system import ParticleState, ParticleSystem
from wassflow.flow.progress import RunProgress
from wassflow.flow.step_control import StepControl
from wassflow.flow.trajectory import SaveTimes, Trajectory, TrajectoryRecorder
from wassflow.functional.evaluation import EVALUATIONS, available_threads, evaluated
from wassflow.functional.functional import Functional
from wassflow.functional.user_gradients import check_gradients
from wassflow.measure.particle_cloud import ParticleCloud

# An automatic step is never longer than this share of the run: the recorded curves have to be curves.
_LONGEST_STEP = 1.0 / 64.0
# A step this short, relative to the run, that still raises F will never lower it.
_SHORTEST_STEP = 1e-12
# Where the domain has no wall, tables reach this far beyond the particles, relative to their extent.
_ROOM = 0.25
# In a step F may rise by this share of the largest |R| + |int V| so far through rounding.
ENERGY_ROUNDING = 1e-13


class ParticleFlow:
    """Particles moving down the gradient of a functional (Chizat and Bach 2018, Proposition 2.3).

    F never rises along a run, whatever the number of particles: a step that would raise it beyond rounding is
    repeated with half its length. Particles that reach a kink of V or a wall are exactly on it, and stay
    there without chattering as long as the forces hold them. Where a step takes particles across a crease of
    the features (ReLU neurons) whose two sides drive them back, and so raises F, or beyond which nothing
    moves them on, they are put on it and slide along (:class:`~wassflow.flow.creases.HeldParticles`).

    Args:
        functional: F, a :class:`wassflow.Functional`.
        domain: Omega, where the particles stay: they slide along its walls, periodic coordinates are wrapped.
            ``None``: the whole space.
        integrator: for V without kinks ``"euler"``, ``"rk2"``, ``"rk4"``, ``"rk45"`` (Dormand and Prince)
            and, for long runs to rest, ``"rkc"``, of order 2 and stable for long steps; for any V with a
            proximal map ``"forward-backward"`` (order 1), ``"forward-backward-2"`` (order 2). ``None``:
            ``"rk45"`` if V is smooth, else ``"forward-backward-2"``.
        dt: step length. ``None``: chosen at every step so that the root mean square distance between the new
            positions and those of an embedded method of lower order is at most ``tolerance``
            (:class:`~wassflow.flow.step_control.StepControl`), and at most 1/64 of the run.
        tolerance: see ``dt``; a length: moving particles pairwise is a plan, so the root mean square distance
            bounds W2 between the cloud computed and the cloud that an exact step would give. It is the
            method of lower order whose error is estimated, and the other one that goes on: the error of a run
            is proportional to ``tolerance``, and comes out below it unless the flow spreads errors.
        evaluation: of the features: "fast", from tables that agree with direct sums to 1e-8; "direct"; or
            "auto", fast where it can be and where it pays (:func:`wassflow.functional.evaluation.evaluated`).

    Raises:
        ValueError: an unknown integrator, a dt or tolerance that is not positive, a dimension that does not
            fit, an explicit method for V with kinks, or, on a bounded domain, features or a V of the user
            whose gradient has another sign or scale than differences of its values at random points.

    A run under MPI takes a cloud that is dealt out over the ranks (``cloud.distribute(comm)``); only moments
    are summed over ranks.

    The trajectory records at every step: F, int |v|^2 dmu with the least-norm velocity, and the moment.
    ``diagnostics["dissipated"]`` is int_0^t int |v|^2 dmu ds to the order of the integrator, so that
    energy - energy[0] + dissipated vanishes to that order (``Trajectory.energy_balance`` uses the trapezoidal
    rule between recorded steps instead); ``"rejected_steps"`` counts the steps taken twice.

    >>> import numpy as np
    >>> from wassflow import CallableFeatures, Functional, ParticleCloud, SquaredLoss, regularizer
    >>> mean = CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    >>> F = Functional(mean, SquaredLoss([0.0, 0.0], scale=0.0), regularizer.AbsWeight(1.0))
    >>> cloud = ParticleCloud([[0.3, 0.0], [-2.0, 1.0]])
    >>> traj = ParticleFlow(F).run(cloud, 0.5)
    >>> traj.final.points
    array([[ 0. ,  0. ],
           [-1.5,  1. ]])
    """

    def __init__(
        self,
        functional: Functional,
        domain: Domain | None = None,
        integrator: str | None = None,
        dt: float | None = None,
        tolerance: float = 1e-5,
        evaluation: str = "auto",
    ) -> None:
        if not isinstance(functional, Functional):
            raise ValueError(f"functional must be a Functional, found {type(functional).__name__}")
        if domain is not None and not isinstance(domain, Domain):
            raise ValueError(f"domain must be a Domain or None, found {type(domain).__name__}")
        if domain is not None and functional.dim is not None and domain.dim != functional.dim:
            raise ValueError(f"domain must have dimension {functional.dim}, found {domain.dim}")
        smooth = functional.regularizer.smooth
        if integrator is None:
            integrator = "rk45" if smooth else "forward-backward-2"
        one_of("integrator", integrator, INTEGRATORS)
        if INTEGRATORS[integrator].needs_smooth and not smooth:
            raise ValueError(
                f"integrator must be 'forward-backward' or 'forward-backward-2' for the kinks of "
                f"{functional.regularizer!r}, found {integrator!r}"
            )
        if domain is not None and np.all(np.isfinite([domain.lower, domain.upper])):
            check_gradients(functional, domain.lower, domain.upper, domain.project)
        self.functional = functional
        self.domain = domain
        self.integrator = integrator
        self.dt = None if dt is None else as_number("dt", dt, above=0.0)
        self.tolerance = as_number("tolerance", tolerance, above=0.0)
        self.evaluation = one_of("evaluation", evaluation, EVALUATIONS)

    def run(
        self, cloud: ParticleCloud, t_end: float, save: Iterable[float] | None = None, progress: bool = False
    ) -> Trajectory:
        """Move ``cloud`` until ``t_end``.

        Args:
            cloud: the particles at time 0, inside the domain.
            t_end: length of the run, positive.
            save: times at which the cloud is kept; they are hit exactly. ``t_end`` is always kept, 0 if
                listed.
            progress: whether to show a progress bar.

        Raises:
            ValueError: for particles outside the domain, a wrong dimension, a time outside the run.
            WassflowError: if F rises however short the step is (a gradient that does not belong to its
                function).
        """
        save_times = SaveTimes(save, t_end)
        method = INTEGRATORS[self.integrator]
        start = self._start(cloud)
        system = ParticleSystem(self._evaluated_at(start, cloud), self.domain, cloud)
        recorder = TrajectoryRecorder(save_times)
        spent = [0.0]
        rejected = 0
        longest = save_times.t_end * _LONGEST_STEP if self.dt is None else self.dt
        control = StepControl(self.tolerance, method.error_order, longest)

        rank = 0 if cloud.comm is None else cloud.comm.rank
        with RunProgress("particle flow", save_times.t_end, enabled=progress, rank=rank) as bar:
            state = system.evaluate(start)
            if not np.isfinite(state.energy):
                raise WassflowError(f"F of the starting cloud must be finite, found {state.energy}")
            scale = abs(state.loss) + abs(state.regularization)
            t, dt = 0.0, longest

            def record() -> None:
                recorder.record(
                    t,
                    energy=state.energy,
                    dissipation=system.square_integral(state.velocity),
                    moment=state.moment,
                    measure=lambda: ParticleCloud(state.points, cloud.weights, cloud.comm),
                )

            record()
            while t < save_times.t_end:
                step, t_next = save_times.shorten(t, dt)
                proposal = method.propose(system, state, step)
                end = system.evaluate(proposal.points)
                if system.revised(state):
                    state = system.evaluate(state.points)
                    continue
                if not end.energy <= state.energy + ENERGY_ROUNDING * scale:
                    rejected += 1
                    if system.catch(state, end, step):
                        state = system.evaluate(state.points)
                        continue
                    dt = control.refuse(step)
                    if dt < _SHORTEST_STEP * save_times.t_end:
                        raise WassflowError(
                            f"F rises from {state.energy:.17g} to {end.energy:.17g} at t = {t:g} however "
                            "short the step: check that gradients of features and regularizer fit the values"
                        )
                    continue
                if system.catch_stopped(state, end):
                    rejected += 1
                    state = system.evaluate(state.points)
                    continue
                error, dissipated = method.assess(system, state, proposal, end, step)
                if self.dt is None:
                    proposed = control.next(step, error)
                    if not control.accepts(error) and step > _SHORTEST_STEP * save_times.t_end:
                        rejected += 1
                        dt = proposed
                        continue
                    # a step cut short by a save time says little about how long the next one may be
                    dt = max(proposed, dt) if step < dt else proposed
                else:
                    dt = min(longest, 2.0 * dt)
                t = t_next
                scale = max(scale, abs(end.loss) + abs(end.regularization))
                state = self._wrapped(end)
                if system.release(state):
                    state = system.evaluate(state.points)
                spent.append(spent[-1] + dissipated)
                record()
                bar.update(t, steps=recorder.steps, energy=state.energy)
        return recorder.finish(
            integrator=self.integrator,
            rejected_steps=rejected,
            dissipated=np.array(spent),
        )

    def _start(self, cloud: ParticleCloud) -> np.ndarray:
        """Return the points of the cloud after a check that they are in the domain."""
        for owner, dim in (
            ("functional", self.functional.dim),
            ("domain", getattr(self.domain, "dim", None)),
        ):
            if dim is not None and cloud.dim != dim:
                raise ValueError(f"cloud must have the dimension of the {owner}, {dim}, found {cloud.dim}")
        if self.domain is None:
            return cloud.points
        outside = int(
            cloud.allsum(np.array([np.count_nonzero(~self.domain.contains(cloud.points))], float))[0]
        )
        if outside:
            raise ValueError(
                f"cloud must lie in the domain {self.domain!r}, found {outside} particles outside"
            )
        return self.domain.wrap(self.domain.project(cloud.points))

    def _evaluated_at(self, points: np.ndarray, cloud: ParticleCloud) -> Functional:
        """Return F as it is evaluated where the particles are, or may go in a bounded domain."""
        dim = cloud.dim
        lower, upper = np.full(dim, -np.inf), np.full(dim, np.inf)
        if self.domain is not None:
            lower, upper = self.domain.lower.copy(), self.domain.upper.copy()
        if len(points):
            least, largest = points.min(axis=0), points.max(axis=0)
            margin = _ROOM * (largest - least)
            lower = np.where(np.isfinite(lower), lower, least - margin)
            upper = np.where(np.isfinite(upper), upper, largest + margin)
        elif not np.all(np.isfinite(upper - lower)):
            return self.functional
        threads = available_threads() if cloud.comm is None else 1
        return evaluated(self.functional, self.evaluation, lower, upper, len(points), threads)

    def _wrapped(self, state: ParticleState) -> ParticleState:
        """Return the state with periodic coordinates in their period; nothing else depends on it."""
        if self.domain is not None and any(self.domain.periodic):
            state.points = self.domain.wrap(state.points)
        return state
