"""The gradient flow of a density: finite volumes in steps that keep positivity and energy decay."""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import numpy as np

from wassflow.arguments import as_number, one_of
from wassflow.errors import WassflowError
from wassflow.flow.density_scheme import DensityScheme, MusclScheme, UpwindScheme
from wassflow.flow.explicit_steps import ExplicitSteps
from wassflow.flow.face_velocity import FACE_VELOCITIES
from wassflow.flow.implicit_steps import ImplicitSteps
from wassflow.flow.progress import RunProgress
from wassflow.flow.threads import threads_on
from wassflow.flow.trajectory import SaveTimes, Trajectory, TrajectoryRecorder
from wassflow.functional import Functional
from wassflow.functional.evaluation import evaluated
from wassflow.functional.user_gradients import check_gradients
from wassflow.measure import MeshDensity

# Steps shorter than this share of t_end do not arrive.
_LEAST_STEP = 1e-14
# How many steps the moment is carried along by its increments before it is summed afresh.
_STEPS_BETWEEN_SUMS = 256
# The share of F by which an implicit step may change it on the coarsest meshes.
_LARGEST_CHANGE = 0.1
# What goes with a scheme, the default first. Forward Euler overshoots with second-order fluxes.
_INTEGRATORS = {"upwind": ["euler", "ssprk2", "ssprk3", "implicit"], "muscl": ["ssprk3", "ssprk2"]}
_QUADRATURES = {"upwind": ["centroids"], "muscl": ["faces", "centroids"]}


class DensityFlow:
    """Gradient flow of a density, dm/dt = -div(v m), v = -grad F'(mu) of minimal norm, no flux at walls.

    Schemes, both of finite volumes:

    - "upwind", first order (Delarue, Lagoutiere, Vauchelet, IMA J. Numer. Anal. 37 (2017) 1435; Bailo,
      Carrillo, Hu, Commun. Math. Sci. 18 (2020) 1259). F is evaluated at the cell centroids:
      F_h(m) = R(sum_K m_K Phi(x_K)) + sum_K m_K V(x_K);
    - "muscl", second order: the donor cell lends the value at the face midpoint of a linear reconstruction
      that is nonnegative at all of them (:mod:`wassflow.flow.reconstruction`; on quadrilaterals and
      hexahedra, with "ssprk3", also a share of the neighbour: :mod:`wassflow.flow.muscl`), and F_h sees that
      reconstruction at nodes on the faces (:mod:`wassflow.flow.cell_quadrature`).

    Every explicit step is as long as three bounds allow:

    - positivity: no cell may lose more than the share cfl of its mass, dt sum_f |f| (v.n)^+ rho_K(x_f) <=
      cfl m_K, whatever flows in. For "upwind" that is dt sum_f |f| (v.n)^+ / |K| <= cfl. For "muscl" it
      is implied by the same with cfl / 2 on any convex cell, since a donor lends at most twice its mean. A
      later stage must respect 1 in place of cfl, or the step is taken again with a smaller dt: stages are
      convex combinations of Euler steps. Mass is conserved to rounding and never negative;
    - energy: along the step, F_h(m + s dm) <= F_h(m) + s DF_h.dm + s^2/2 c(Phi dm) with R'' <= c, since R is
      convex. dt is at most the minimiser in s, -DF_h.dm / c(Phi dm), so that with "upwind" F_h falls by at
      least half the first-order decrease; by convexity this carries over to the later stages (decrease, at
      least). Only "potential" velocities make DF_h.dm <= 0 sure. With "pointwise" velocities F_h may rise
      by the error of the scheme where the flow comes to rest; there, where the decrease falls below a
      hundredth of int |v|^2 dmu, that hundredth takes its place, or steps would shrink to nothing. With
      "muscl" F_h is not linear in the moments of the cells (slopes and limiter), and no decay is proven: the
      bound, with DF_h.dm and Phi dm taken at the centroids, keeps steps stable for stiff R, and F_h falls up
      to the error of the scheme; a quarter of it is taken, so that moments that come to rest quickly are
      followed to second order. Steps in which F_h rose are counted as `energy_rises`;
    - the save times, which are hit exactly.

    Args:
        functional: F, a :class:`wassflow.Functional`.
        mesh: a :class:`wassflow.mesh.Mesh` in the dimension of F; the run is distributed as the mesh is.
        scheme: "upwind" or "muscl".
        integrator: "euler" (the default of "upwind"; not for "muscl", where it overshoots), "ssprk2" or
            "ssprk3" (the default of "muscl"; Shu and Osher, J. Comput. Phys. 77 (1988) 439, eqs. (2.16) and
            (2.18)); or "implicit" (of "upwind"): linearly implicit Euler steps of any length, positive and
            conservative, that grow as the flow comes to rest (:mod:`wassflow.flow.implicit_steps`).
        velocity: "pointwise", v(x_f).n at face midpoints, consistent on every mesh; or "potential",
            (F'(x_K) - F'(x_L)) / d_KL, for which F_h never rises with "upwind", on orthogonal meshes only.
        cfl: share of the positivity bound to use, 0 < cfl <= 1.
        limiter: of "muscl", "positivity", or "monotone" against overshoots at jumps.
        quadrature: of "muscl", "faces" (degree 2, sees the slopes) or "centroids". Both are of second order
            for smooth densities; on O8 with 128^2 boxes of triangles |f_h - f| is 9.6e-7 and 1.9e-6.
        evaluation: of the features: "fast", from tables that agree with direct sums to 1e-8; "direct"; or
            "auto", fast where it can be and where it pays (:func:`wassflow.functional.evaluation.evaluated`).
        energy_change: of "implicit": a step may change F by about this share of F, or of what F has lost
            since the start. The error in time, of first order, is proportional to it. Default: the size h of
            the mesh over the diameter of Omega, at most 0.1, so that it falls with the error of the scheme.

    Raises:
        ValueError: for an argument that is not allowed, and for features or a V of the user whose gradient
            has another sign or scale than differences of its values at random points.
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
        scheme: Literal["upwind", "muscl"] = "upwind",
        integrator: Literal["euler", "ssprk2", "ssprk3", "implicit"] | None = None,
        velocity: Literal["pointwise", "potential"] = "pointwise",
        cfl: float = 0.9,
        limiter: Literal["positivity", "monotone"] = "positivity",
        quadrature: Literal["faces", "centroids"] | None = None,
        evaluation: Literal["auto", "fast", "direct"] = "auto",
        energy_change: float | None = None,
    ) -> None:
        if not isinstance(functional, Functional):
            raise ValueError(f"functional must be a Functional, found {type(functional).__name__}")
        if functional.dim not in (None, mesh.dim):
            raise ValueError(
                f"mesh must have the dimension of the functional, {functional.dim}, found {mesh.dim}"
            )
        self.scheme = one_of("scheme", scheme, ["upwind", "muscl"])
        allowed = _INTEGRATORS[scheme]
        self.integrator = one_of("integrator", allowed[0] if integrator is None else integrator, allowed)
        self.velocity = one_of("velocity", velocity, list(FACE_VELOCITIES))
        self.cfl = as_number("cfl", cfl, above=0.0, most=1.0)
        if energy_change is None:
            diameter = float(np.linalg.norm(mesh.domain.upper - mesh.domain.lower))
            energy_change = min(mesh.h / diameter, _LARGEST_CHANGE)
        self.energy_change = as_number("energy_change", energy_change, above=0.0, most=1.0)
        limiter = one_of("limiter", limiter, ["positivity", "monotone"])
        nodes = _QUADRATURES[scheme]
        rule = one_of("quadrature", nodes[0] if quadrature is None else quadrature, nodes)
        omega = mesh.domain
        check_gradients(functional, omega.lower, omega.upper, omega.project)
        self.functional = functional
        self.mesh = mesh
        functional = _evaluated_on(mesh, functional, evaluation)
        face_velocity = FACE_VELOCITIES[velocity](functional, mesh)
        self._scheme: DensityScheme
        if scheme == "upwind":
            self._scheme = UpwindScheme(functional, mesh, face_velocity, self.integrator == "implicit")
        else:
            # two stages would not be stable up to the bound on the step
            curved = self.integrator == "ssprk3"
            self._scheme = MusclScheme(functional, mesh, face_velocity, limiter, rule, curved)

    def run(
        self,
        mu0: MeshDensity,
        t_end: float,
        save: Iterable[float] | None = None,
        progress: bool = False,
        stationary: float = 0.0,
    ) -> Trajectory:
        """Follow the flow from ``mu0`` at time 0 to ``t_end``.

        Args:
            mu0: a density on the mesh of the flow.
            t_end: the last time, positive.
            save: times in [0, t_end] at which the measure is kept, beside t_end.
            progress: show a progress bar (on a terminal).
            stationary: stop early where the dissipation has stayed below this share of its start for two
                steps; the last time then takes the place of t_end. 0 never stops.

        The ``dissipation`` of the trajectory is that of the scheme, -DF_h.dm/dt: it agrees with int |v|^2 dmu
        up to the error of the scheme, of first order with atoms (where most of the mass slides along the wall
        of a square, 11, 6 and 3 % with 24, 48 and 96 boxes), and may be negative with "pointwise" velocities
        where the flow has come to rest.

        Its ``diagnostics`` are the numbers of steps limited by each bound, of steps taken again with a
        smaller dt, of ``energy_rises`` beyond rounding; ``mass_drift``, the largest relative change of
        mass; ``active_faces``, the mean share of faces with mass on some side, where alone the velocity is
        evaluated; and ``velocity_dissipation`` (nt,), int |v|^2 dmu from the velocities at the faces of each
        cell, which converges where mu has a density: mass that walls and kinks hold is counted with the
        velocity beside them. Implicit runs
        add ``systems`` and ``iterations``, how many linear systems they solved and in how many iterations of
        BiCGStab; ``residual``, the largest of them relative to the mass handled; ``mass_restored``, the
        largest relative change of mass by scaling their solutions; and ``corrections``, Newton's.
        ``stationary`` says whether the run came to rest.

        Raises:
            ValueError: for a density on another mesh, and for times that are not allowed.
            WassflowError: if a velocity is not finite, or if steps become shorter than 1e-14 t_end; if
                the linear system of an implicit step cannot be solved.
        """
        mesh = self.mesh
        if not isinstance(mu0, MeshDensity):
            raise ValueError(f"mu0 must be a MeshDensity, found {type(mu0).__name__}")
        if mu0.mesh is not mesh:
            raise ValueError("mu0 must live on the mesh of the flow, found a density on another mesh object")
        stationary = as_number("stationary", stationary, least=0.0, most=1.0)
        save_times = SaveTimes(save, t_end)
        recorder = TrajectoryRecorder(save_times)
        limits: Counter[str] = Counter()
        velocity_dissipation: list[float] = []
        scheme = self._scheme
        scheme.active_faces = scheme.seen_faces = 0
        steps: ExplicitSteps | ImplicitSteps
        if isinstance(scheme, UpwindScheme) and self.integrator == "implicit":
            steps = ImplicitSteps(self.functional, scheme, mesh, self.energy_change)
        else:
            steps = ExplicitSteps(scheme, self.integrator, self.cfl)
        rates = (np.empty(mesh.num_owned), np.empty(mesh.num_owned))

        t, rises, drift, mass0, energy_before = 0.0, 0, 0.0, mu0.mass, np.inf
        at_rest, start_dissipation = 0, np.inf
        with RunProgress("density flow", save_times.t_end, enabled=progress, rank=mesh.comm.rank) as bar:
            cells = scheme.start(mu0.masses)
            while True:
                energy = self.functional.loss.value(cells.moment) + cells.regularization
                if not np.isfinite(energy):
                    raise WassflowError(f"the energy must stay finite, found {energy} at t = {t:.6g}")
                state = scheme.state(cells, rates[0])
                rises += energy > energy_before + 1e-14 * abs(energy_before)
                drift = max(drift, abs(state.mass - mass0) / mass0)
                energy_before = energy
                velocity_dissipation.append(state.dissipation)
                if recorder.steps < 0:
                    start_dissipation = abs(state.energy_rate)
                quiet = stationary > 0.0 and abs(state.energy_rate) <= stationary * start_dissipation
                at_rest = at_rest + 1 if quiet else 0
                last = t >= save_times.t_end or at_rest == 2
                recorder.record(
                    t,
                    energy=energy,
                    dissipation=-state.energy_rate,
                    moment=cells.moment,
                    measure=partial(MeshDensity, mesh, cells.masses[: mesh.num_owned]),
                    last=last,
                )
                bar.update(t, steps=recorder.steps, energy=energy)
                if last:
                    break
                dt, limit = steps.longest(state)
                if not dt >= _LEAST_STEP * save_times.t_end:
                    self._refuse_step(dt, limit, t)
                fitted, _ = save_times.shorten(t, dt)
                if fitted != dt:
                    dt, limit = fitted, "save_time"
                dt, cells = steps.advance(state, dt, rates[1])
                t = save_times.after(t, dt)
                limits[limit] += 1
                if recorder.steps % _STEPS_BETWEEN_SUMS == 0:
                    cells = scheme.look(cells.masses, cells.everywhere)
        faces = mesh.allsum(np.array([scheme.active_faces, scheme.seen_faces], dtype=np.float64))
        solves = steps.diagnostics() if isinstance(steps, ImplicitSteps) else {}
        return recorder.finish(
            scheme=self.scheme,
            integrator=self.integrator,
            velocity=self.velocity,
            cfl=self.cfl,
            stationary=at_rest == 2,
            steps_limited_by_positivity=limits["positivity"],
            steps_limited_by_energy=limits["energy"],
            steps_limited_by_save_time=limits["save_time"],
            steps_redone=steps.redone,
            energy_rises=int(rises),
            mass_drift=float(drift),
            active_faces=float(faces[0] / max(faces[1], 1.0)),
            velocity_dissipation=np.array(velocity_dissipation),
            **solves,
        )

    def _refuse_step(self, dt: float, limit: str, t: float) -> None:
        """Report steps that no longer arrive."""
        raise WassflowError(
            f"the time step must be at least {_LEAST_STEP:g} t_end, found {dt:.3g} at t = {t:.6g}, limited"
            f" by {limit}; a smaller t_end, a coarser mesh or an F with bounded gradient on it would help"
        )


def _evaluated_on(mesh: Any, functional: Functional, evaluation: str) -> Functional:
    """Return F as it is evaluated on a mesh: the same way on all ranks, which share faces."""
    lower, upper = mesh.domain.lower.copy(), mesh.domain.upper.copy()
    for axis in range(mesh.dim):
        least, largest = mesh.allmin(mesh.nodes[:, axis].min()), mesh.allmax(mesh.nodes[:, axis].max())
        lower[axis] = lower[axis] if np.isfinite(lower[axis]) else least
        upper[axis] = upper[axis] if np.isfinite(upper[axis]) else largest
    return evaluated(functional, evaluation, lower, upper, mesh.num_cells_global, threads_on(mesh))
