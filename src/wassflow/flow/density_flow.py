"""The gradient flow of a density: upwind finite volumes with steps that keep positivity and energy decay."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from wassflow.arguments import Array, as_number, one_of
from wassflow.errors import WassflowError
from wassflow.flow.face_velocity import FACE_VELOCITIES
from wassflow.flow.progress import RunProgress
from wassflow.flow.trajectory import SaveTimes, Trajectory, TrajectoryRecorder
from wassflow.flow.upwind import UpwindTransport, faces_with_mass
from wassflow.functional import Functional
from wassflow.measure import MeshDensity

# The positivity bound dt * outflow <= 1, less the rounding errors of the outflow of a cell and the 1e-12 by
# which a step may be stretched to hit a save time: a full step empties a cell without going below zero, and
# no mass is put back.
_FULL_OUTFLOW = 1.0 - 2e-12
# Steps shorter than this share of t_end do not arrive.
_LEAST_STEP = 1e-14
# Share of int |v|^2 dmu that "pointwise" velocities are trusted to gain. Where the scheme gains less, at rest
# on its own terms, steps limited by that gain would shrink to nothing (seen in 3 of 12 random problems);
# 1/100 costs no more steps than 1/2 and lets F_h rise a hundred times less.
_LEAST_DESCENT = 0.01
# How many steps the moment is carried along by its increments before it is summed afresh.
_STEPS_BETWEEN_SUMS = 256


@dataclass(slots=True)
class _State:
    """Masses of owned and ghost cells with what is known of them, and how they change."""

    masses: Array
    moment: Array
    regularization: float
    rate: Array
    moment_rate: Array
    regularization_rate: float
    energy_rate: float
    descent: float
    curvature: float
    velocity_dissipation: float
    outflow: float
    mass: float

    def positivity_bound(self) -> float:
        """The longest step that leaves no negative mass."""
        return _FULL_OUTFLOW / self.outflow if self.outflow > 0.0 else np.inf

    def steepest_step(self) -> float:
        """The step s that minimises -s descent + s^2/2 curvature; at twice this step the decay is used up."""
        return self.descent / self.curvature if self.curvature > 0.0 else np.inf


class DensityFlow:
    """Gradient flow of a density, dm/dt = -div(v m), v = -grad F'(mu) of minimal norm, no flux at walls.

    First-order upwind finite volumes (Delarue, Lagoutiere, Vauchelet, IMA J. Numer. Anal. 37 (2017) 1435;
    Bailo, Carrillo, Hu, Commun. Math. Sci. 18 (2020) 1259) with explicit time steps. F is evaluated at the
    cell centroids: F_h(m) = R(sum_K m_K Phi(x_K)) + sum_K m_K V(x_K).

    Every step is as long as three bounds allow:

    - positivity: dt sum_f |f| (v.n)^+ / |K| <= cfl in every cell with mass. The second stage of "ssprk2" must
      respect 1 in place of cfl, or the step is taken again with a smaller dt. Mass is conserved to rounding
      and never negative;
    - energy: along the step, F_h(m + s dm) <= F_h(m) + s DF_h.dm + s^2/2 c(Phi dm) with R'' <= c, since R is
      convex. dt is at most the minimiser in s, -DF_h.dm / c(Phi dm), so that F_h falls by at least half the
      first-order decrease; by convexity this carries over to the two stages of "ssprk2" (second stage:
      decrease, at least). Only "potential" velocities make DF_h.dm <= 0 sure. With "pointwise" velocities F_h
      may rise by the error of the scheme where the flow comes to rest; there, where the decrease falls below
      a hundredth of int |v|^2 dmu, that hundredth takes its place, or steps would shrink to nothing. Steps
      in which F_h rose are counted as `energy_rises`;
    - the save times, which are hit exactly.

    Args:
        functional: F, a :class:`wassflow.Functional`.
        mesh: a :class:`wassflow.mesh.Mesh` in the dimension of F; the run is distributed as the mesh is.
        scheme: "upwind".
        integrator: "euler" or "ssprk2" (Shu and Osher, J. Comput. Phys. 77 (1988) 439, eq. (2.16)).
        velocity: "pointwise", v(x_f).n at face midpoints, consistent on every mesh; or "potential",
            (F'(x_K) - F'(x_L)) / d_KL, for which F_h never rises, on orthogonal meshes only.
        cfl: share of the positivity bound to use, 0 < cfl <= 1.

    Raises:
        ValueError: for an argument that is not allowed.
        WassflowError: for "potential" velocities on a mesh that is not orthogonal; if V is not finite on the
            mesh.

    >>> import numpy as np, wassflow as wf
    >>> mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(8, 8), cell="quadrilateral")
    >>> mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    >>> F = wf.Functional(mean, wf.SquaredLoss([0.75, 0.5]), wf.regularizer.Zero())
    >>> traj = DensityFlow(F, mesh, velocity="potential").run(wf.MeshDensity.uniform(mesh), 4.0, save=[0.0])
    >>> traj.saved_times, bool(np.all(np.diff(traj.energy) <= 0.0))
    ([0.0, 4.0], True)
    >>> print(traj.final.mean().round(2), round(traj.final.mass, 12))
    [0.75 0.5 ] 1.0
    """

    def __init__(
        self,
        functional: Functional,
        mesh: Any,
        scheme: Literal["upwind"] = "upwind",
        integrator: Literal["euler", "ssprk2"] = "euler",
        velocity: Literal["pointwise", "potential"] = "pointwise",
        cfl: float = 0.9,
    ) -> None:
        if not isinstance(functional, Functional):
            raise ValueError(f"functional must be a Functional, found {type(functional).__name__}")
        if functional.dim not in (None, mesh.dim):
            raise ValueError(
                f"mesh must have the dimension of the functional, {functional.dim}, found {mesh.dim}"
            )
        self.scheme = one_of("scheme", scheme, ["upwind"])
        self.integrator = one_of("integrator", integrator, ["euler", "ssprk2"])
        self.velocity = one_of("velocity", velocity, list(FACE_VELOCITIES))
        self.cfl = as_number("cfl", cfl, above=0.0, most=1.0)
        self.functional = functional
        self.mesh = mesh
        self._centroids = mesh.centroids[: mesh.num_owned]
        self._potential = functional.regularizer.value(self._centroids)
        if mesh.allmin(float(np.all(np.isfinite(self._potential)))) == 0.0:
            raise WassflowError("the regularizer V must be finite at all cell centroids of the mesh")
        self._transport = UpwindTransport(mesh)
        self._face_velocity = FACE_VELOCITIES[velocity](functional, mesh)
        self._fluxes = np.zeros(len(mesh.face_cells))
        self._active = np.empty(len(mesh.face_cells), dtype=np.int64)

    def run(
        self, mu0: MeshDensity, t_end: float, save: Iterable[float] | None = None, progress: bool = False
    ) -> Trajectory:
        """Follow the flow from ``mu0`` at time 0 to ``t_end``.

        Args:
            mu0: a density on the mesh of the flow.
            t_end: the last time, positive.
            save: times in [0, t_end] at which the measure is kept, beside t_end.
            progress: show a progress bar (on a terminal).

        The ``dissipation`` of the trajectory is that of the scheme, -DF_h.dm/dt: it agrees with int |v|^2 dmu
        up to the error of the scheme, and may be negative with "pointwise" velocities where the flow has come
        to rest. Its ``diagnostics`` are the numbers of steps limited by each bound, of steps taken again with
        a smaller dt, of ``energy_rises`` beyond rounding; ``mass_drift``, the largest relative change of
        mass; ``active_faces``, the mean share of faces with mass on some side, where alone the velocity is
        evaluated; and ``velocity_dissipation`` (nt,), int |v|^2 dmu from the face velocities.

        Raises:
            ValueError: for a density on another mesh, and for times that are not allowed.
            WassflowError: if a velocity is not finite, or if steps become shorter than 1e-14 t_end.
        """
        mesh = self.mesh
        if not isinstance(mu0, MeshDensity):
            raise ValueError(f"mu0 must be a MeshDensity, found {type(mu0).__name__}")
        if mu0.mesh is not mesh:
            raise ValueError("mu0 must live on the mesh of the flow, found a density on another mesh object")
        save_times = SaveTimes(save, t_end)
        recorder = TrajectoryRecorder(save_times)
        limits: Counter[str] = Counter()
        velocity_dissipation: list[float] = []
        self._redone = 0
        self._faces_seen = self._faces_active = 0
        rates = (np.empty(mesh.num_owned), np.empty(mesh.num_owned))

        masses = np.zeros(mesh.num_cells)
        masses[: mesh.num_owned] = mu0.masses
        mesh.halo.update(masses)
        moment, regularization = self.functional.moment_and_regularization(mu0)
        t, rises, drift, mass0, energy_before = 0.0, 0, 0.0, mu0.mass, np.inf
        with RunProgress("density flow", save_times.t_end, enabled=progress, rank=mesh.comm.rank) as bar:
            while True:
                energy = self.functional.loss.value(moment) + regularization
                if not np.isfinite(energy):
                    raise WassflowError(f"the energy must stay finite, found {energy} at t = {t:.6g}")
                state = self._state(masses, moment, regularization, rates[0])
                rises += energy > energy_before + 1e-14 * abs(energy_before)
                drift = max(drift, abs(state.mass - mass0) / mass0)
                energy_before = energy
                velocity_dissipation.append(state.velocity_dissipation)
                recorder.record(
                    t,
                    energy=energy,
                    dissipation=-state.energy_rate,
                    moment=moment,
                    measure=partial(MeshDensity, mesh, masses[: mesh.num_owned]),
                )
                bar.update(t, steps=recorder.steps, energy=energy)
                if t >= save_times.t_end:
                    break
                dt, limit = self._longest_step(state)
                if not dt >= _LEAST_STEP * save_times.t_end:
                    self._refuse_step(dt, limit, t)
                fitted, _ = save_times.shorten(t, dt)
                if fitted != dt:
                    dt, limit = fitted, "save_time"
                dt, masses, moment, regularization = self._advance(state, dt, rates[1])
                t = save_times.after(t, dt)
                limits[limit] += 1
                if recorder.steps % _STEPS_BETWEEN_SUMS == 0:
                    moment, regularization = self._moment_and_regularization(masses)
        faces = mesh.allsum(np.array([self._faces_active, self._faces_seen], dtype=np.float64))
        return recorder.finish(
            scheme=self.scheme,
            integrator=self.integrator,
            velocity=self.velocity,
            cfl=self.cfl,
            steps_limited_by_positivity=limits["positivity"],
            steps_limited_by_energy=limits["energy"],
            steps_limited_by_save_time=limits["save_time"],
            steps_redone=self._redone,
            energy_rises=int(rises),
            mass_drift=float(drift),
            active_faces=float(faces[0] / max(faces[1], 1.0)),
            velocity_dissipation=np.array(velocity_dissipation),
        )

    def _state(self, masses: Array, moment: Array, regularization: float, rate: Array) -> _State:
        """Evaluate velocity and rates of change of ``masses``, with a single sum over the ranks."""
        mesh, transport, features = self.mesh, self._transport, self.functional.features
        variation = self.functional.linearize(moment)
        faces = self._active[: faces_with_mass(mesh.face_cells, masses, self._active)]
        self._faces_active += faces.size
        self._faces_seen += len(self._active)
        self._fluxes[:] = 0.0
        outflow, dissipation = 0.0, 0.0
        rate[:] = 0.0
        if faces.size:
            normal = self._face_velocity.normal(variation, faces)
            self._fluxes[faces] = normal * mesh.face_areas[faces]
            if np.all(np.isfinite(normal)):
                outflow = transport.set_fluxes(self._fluxes, masses)
                transport.rate(masses, rate)
                dissipation = self._face_velocity.dissipation(transport, masses)
            else:
                outflow = np.nan
        # One reduction: sums first, then one slot per rank for the largest outflow.
        size = features.size
        packed = np.zeros(size + 3 + mesh.comm.size)
        moving = np.flatnonzero(rate)
        if moving.size:
            points = self._centroids if moving.size == rate.size else self._centroids[moving]
            packed[:size] = features.moment(points, rate[moving])
        packed[size] = self._potential @ rate
        packed[size + 1] = dissipation
        packed[size + 2] = masses[: mesh.num_owned].sum()
        packed[size + 3 + mesh.comm.rank] = outflow
        packed = mesh.allsum(packed)
        outflow = float(packed[size + 3 :].max())
        if not np.isfinite(outflow):
            self._refuse_velocity(faces)
        moment_rate, regularization_rate = packed[:size], float(packed[size])
        dissipation, mass = float(packed[size + 1]), float(packed[size + 2])
        if self.velocity == "potential":
            # The same number without cancellation: near rest, where it is a difference of large terms.
            energy_rate, descent = -dissipation, dissipation
        else:
            energy_rate = float(variation.slope @ moment_rate) + regularization_rate
            descent = max(-energy_rate, _LEAST_DESCENT * dissipation)
        curvature = self.functional.loss.curvature(moment_rate)
        return _State(
            masses, moment, regularization, rate, moment_rate, regularization_rate, energy_rate, descent,
            curvature, dissipation, outflow, mass,
        )  # fmt: skip

    def _longest_step(self, state: _State) -> tuple[float, str]:
        """The step that positivity and energy allow, and which of them limits it."""
        positivity, energy = self.cfl * state.positivity_bound(), state.steepest_step()
        return (positivity, "positivity") if positivity <= energy else (energy, "energy")

    def _advance(self, state: _State, dt: float, second_rate: Array) -> tuple[float, Array, Array, float]:
        """Take one step of at most ``dt``; return its length, and masses, moment and int V dmu after it."""
        while True:
            first = self._euler(state, dt)
            if self.integrator == "euler":
                return dt, *first
            second = self._state(*first, second_rate)
            # Decay holds up to twice the steepest step, positivity up to a full outflow, whatever cfl is.
            longest = min(second.positivity_bound(), 2.0 * second.steepest_step())
            if dt <= longest:
                masses, moment, regularization = self._euler(second, dt)
                return (
                    dt,
                    0.5 * state.masses + 0.5 * masses,
                    0.5 * (state.moment + moment),
                    0.5 * (state.regularization + regularization),
                )
            self._redone += 1
            dt = min(0.9 * dt, max(self.cfl * longest, 0.1 * dt))

    def _euler(self, state: _State, dt: float) -> tuple[Array, Array, float]:
        """Masses (with ghosts), moment and int V dmu after an explicit Euler step from ``state``."""
        owned = self.mesh.num_owned
        masses = np.empty_like(state.masses)
        np.multiply(state.rate, dt, out=masses[:owned])
        masses[:owned] += state.masses[:owned]
        # Only subnormal masses can fall below zero here: their products have no relative accuracy.
        np.maximum(masses[:owned], 0.0, out=masses[:owned])
        self.mesh.halo.update(masses)
        return (
            masses,
            state.moment + dt * state.moment_rate,
            state.regularization + dt * state.regularization_rate,
        )

    def _moment_and_regularization(self, masses: Array) -> tuple[Array, float]:
        """The sums that are otherwise carried along by increments."""
        owned = masses[: self.mesh.num_owned]
        held = np.flatnonzero(owned)
        local = np.zeros(self.functional.features.size + 1)
        if held.size:
            local[:-1] = self.functional.features.moment(self._centroids[held], owned[held])
        local[-1] = self._potential @ owned
        total = self.mesh.allsum(local)
        return total[:-1], float(total[-1])

    def _refuse_step(self, dt: float, limit: str, t: float) -> None:
        """Report steps that no longer arrive."""
        raise WassflowError(
            f"the time step must be at least {_LEAST_STEP:g} t_end, found {dt:.3g} at t = {t:.6g}, limited"
            f" by {limit}; a smaller t_end, a coarser mesh or an F with bounded gradient on it would help"
        )

    def _refuse_velocity(self, faces: Any) -> None:
        """Report a velocity that is not finite, from all ranks."""
        wrong = faces[~np.isfinite(self._fluxes[faces])]
        where = f" at {self.mesh.face_midpoints[wrong[0]].tolist()}" if wrong.size else ""
        raise WassflowError(
            f"the velocity is not finite{where}: features, loss or regularizer overflow on the mesh"
            " or are not defined there"
        )
