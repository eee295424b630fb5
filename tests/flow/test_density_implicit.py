"""Implicit steps: the linear system, its certificate, decay, and the way to rest."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import lambertw

import wassflow as wf
from wassflow.flow import implicit_transport
from wassflow.flow.density_scheme import UpwindScheme
from wassflow.flow.face_velocity import PointwiseVelocity, PotentialVelocity
from wassflow.flow.implicit_transport import ImplicitTransport
from wassflow.flow.moment_response import MomentResponse
from wassflow.flow.upwind import UpwindTransport


def coordinates(target, stiffness, regularizer):
    d = len(target)
    features = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(d), (len(u), 1, 1)), size=d)
    return wf.Functional(features, wf.SquaredLoss(target, weights=np.array(stiffness)), regularizer)


def hostile(cell="triangle", periodic=(True, False)):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0], periodic=periodic), cells=(2, 3), cell=cell)
    rng = np.random.default_rng(0)
    transport, masses = UpwindTransport(mesh), rng.random(mesh.num_owned) * (rng.random(mesh.num_owned) < 0.5)
    transport.set_fluxes(rng.standard_normal(len(mesh.face_cells)), masses)
    return mesh, transport, masses


class TestSystem:
    @pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
    @pytest.mark.parametrize("dt", [1e-3, 1.0, 1e6])
    def test_solution_of_the_dense_system(self, cell, dt):
        mesh, transport, masses = hostile(cell)
        unit = np.eye(mesh.num_owned)
        A = -np.array([transport.rate(e, np.empty(mesh.num_owned)) for e in unit]).T
        exact = np.linalg.solve(unit + dt * A, masses)
        system = ImplicitTransport(mesh)
        found = system.solve(transport, masses, dt, np.arange(mesh.num_owned, dtype=float))
        # conditioning of the dense solution is that of dt times the rates
        assert found == pytest.approx(exact, abs=1e-15 * dt * np.abs(A).max() + 1e-14)
        assert system.worst_residual < 1e-14
        assert found.min() >= 0.0

    def test_downwind_numbers_make_gradient_flows_triangular(self):
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(20, 20), cell="triangle")
        height = np.sum(mesh.centroids**2, axis=1)
        velocity = -2.0 * mesh.face_midpoints
        transport, masses = UpwindTransport(mesh), mesh.volumes.copy()
        transport.set_fluxes(np.sum(velocity * mesh.face_normals, axis=1) * mesh.face_areas, masses)
        system = ImplicitTransport(mesh)
        system.solve(transport, masses, 1e6, height)
        assert system.iterations <= 5

    def test_a_bad_solve_is_refused(self, monkeypatch):
        mesh, transport, masses = hostile()
        monkeypatch.setattr(implicit_transport, "_LINEAR_TOLERANCE", 0.5)
        system = ImplicitTransport(mesh)
        with pytest.raises(wf.WassflowError, match="must be solved to 1e-12 of the mass, found"):
            system.solve(transport, masses, 10.0, np.zeros(mesh.num_owned))

    def test_mass_that_a_solve_has_lost_is_not_restored(self, monkeypatch):
        """Any residual passes here, but not what it means for the mass."""
        mesh, transport, masses = hostile()
        monkeypatch.setattr(implicit_transport, "_LINEAR_TOLERANCE", 0.1)
        monkeypatch.setattr(implicit_transport, "_TOLERANCE", 1.0)
        with pytest.raises(wf.WassflowError, match="must keep the mass to 1e-09 before it is restored"):
            ImplicitTransport(mesh).solve(transport, masses, 10.0, np.zeros(mesh.num_owned))


class TestMomentResponse:
    @pytest.mark.parametrize("dt", [1e-2, 1.0])
    @pytest.mark.parametrize("velocity", [PointwiseVelocity, PotentialVelocity])
    def test_derivative_of_the_moment_after_a_step(self, dt, velocity):
        """By the moment at which its velocity is frozen, against differences of whole steps."""
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(5, 6), cell="quadrilateral")
        functional = coordinates([0.13, -0.21], [5.0, 2.0], wf.regularizer.SquaredNorm(0.1))
        scheme, system = UpwindScheme(functional, mesh, velocity(functional, mesh)), ImplicitTransport(mesh)
        start = scheme.start(np.random.default_rng(1).random(mesh.num_owned))

        def after(moment):
            scheme.state(replace(start, moment=moment), np.empty(mesh.num_owned))
            height = functional.linearize(moment)(mesh.centroids)
            return scheme.look(system.solve(scheme.transport, start.masses, dt, height))

        moment, change = np.array([0.4, 0.3]), np.array([0.5, -1.0])
        differences = (after(moment + 1e-5 * change).moment - after(moment - 1e-5 * change).moment) / 2e-5
        cells = after(moment)
        response = MomentResponse(scheme, cells.masses, moment)
        found = scheme.moment(system.respond(dt * response.rate(change)))
        assert np.linalg.norm(differences) > 0.1 * dt
        assert found == pytest.approx(differences, rel=1e-4)
        solved = response.solve(change - differences, dt, system.respond)
        assert solved == pytest.approx(change, rel=1e-3)


class TestRuns:
    @pytest.mark.parametrize(("cells", "explicit_steps"), [((12, 13), 2669), ((12, 12), 1636)])
    def test_energy_never_rises_with_potential_velocities(self, cells, explicit_steps):
        """Stiff across the kink of V, where explicit steps to t = 20 are as many as given."""
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=cells, cell="quadrilateral")
        functional = coordinates([0.1, 0.2], [100.0, 1.0], wf.regularizer.AbsWeight(0.3))
        flow = wf.DensityFlow(functional, mesh, integrator="implicit", velocity="potential")
        start = wf.MeshDensity(mesh, np.random.default_rng(3).random(mesh.num_owned))
        run = flow.run(start, 1e4)
        assert np.diff(run.energy).max() <= 1e-14 * run.energy[0]
        assert run.steps + run.diagnostics["steps_redone"] < explicit_steps / 5
        assert np.diff(run.times).max() > 1e3
        assert run.diagnostics["mass_drift"] < 1e-14

    def test_first_order_in_time_agrees_with_explicit_steps(self):
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(16, 16), cell="triangle")
        functional = coordinates([0.3, 0.2], [2.0, 1.0], wf.regularizer.SquaredNorm(0.2))
        start = wf.MeshDensity.from_function(mesh, lambda u: np.exp(-8.0 * np.sum((u + 0.2) ** 2, axis=1)))
        explicit = wf.DensityFlow(functional, mesh, integrator="ssprk3").run(start, 1.0)
        implicit = wf.DensityFlow(functional, mesh, integrator="implicit").run(start, 1.0)
        assert implicit.moments[-1] == pytest.approx(explicit.moments[-1], abs=0.03)
        assert implicit.steps < explicit.steps

    def test_a_smaller_change_of_energy_is_more_accurate_in_time(self):
        """Logistic losses: p + exp(p) = t + const for p = label mean, whatever the mesh; F stays far from 0,
        so that long steps change F by much of what there is to lose."""
        labels, t = np.array([1.0, -1.0]), 0.8
        mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
        functional = wf.Functional(mean, wf.LogisticLoss(labels), wf.regularizer.Zero())
        omega = wf.Box([-1.4, -1.4], [1.4, 1.4])
        exact = labels * (1.0 + t - np.real(lambertw(np.exp(1.0 + t))))
        errors, steps = {}, {}
        for n, change in ((48, 0.1), (48, 0.01), (24, None), (48, None)):
            mesh = wf.mesh.box(omega, cells=(n, n), cell="quadrilateral")
            start = wf.MeshDensity.from_function(
                mesh, lambda u: np.maximum(1.0 - (u**2).sum(axis=1) / 0.49, 0.0) ** 3
            )
            flow = wf.DensityFlow(functional, mesh, integrator="implicit", energy_change=change)
            run = flow.run(start, t)
            errors[n, change] = np.linalg.norm(run.moments[-1] - exact)
            steps[n, change] = run.steps
        assert errors[48, 0.01] < 0.02
        assert errors[48, 0.01] < 0.5 * errors[48, 0.1]
        assert steps[48, 0.01] > 2 * steps[48, 0.1]
        # by default it falls with the mesh
        assert errors[48, None] < 0.6 * errors[24, None]
        with pytest.raises(ValueError, match="energy_change must be"):
            wf.DensityFlow(functional, mesh, integrator="implicit", energy_change=0.0)

    def test_mass_crosses_many_empty_cells_in_a_step(self):
        """Under a constant velocity the mean moves by t v, whatever the steps are; walls are far away."""
        mesh = wf.mesh.box(wf.Box([-1.0, 0.0], [7.0, 0.2]), cells=(80, 2), cell="quadrilateral")
        push = wf.regularizer.Callable(lambda u: -u[:, 0], lambda u: np.tile([-1.0, 0.0], (len(u), 1)))
        functional = coordinates([0.0, 0.0], [0.0, 0.0], push)
        start = wf.MeshDensity.from_function(mesh, lambda u: (np.abs(u[:, 0]) < 0.1).astype(float))
        run = wf.DensityFlow(functional, mesh, integrator="implicit", energy_change=1.0).run(start, 1.0)
        assert run.steps < 8
        assert run.final.mean() - start.mean() == pytest.approx([1.0, 0.0], abs=1e-6)

    def test_rest_is_kept_by_steps_of_any_length(self):
        """Once at rest, steps go on doubling, and neither F nor the masses move any more."""
        case = wf.cases.get("relu-2d")
        mesh = case.mesh(18)
        run = case.density_flow(mesh, integrator="implicit").run(case.start(mesh), 1e6, save=[1e5])
        before, after = run.measures
        assert np.abs(after.masses - before.masses).sum() < 1e-5
        assert abs(run.dissipation[-1]) <= 1e-8 * run.dissipation[0]
        assert np.diff(run.times).max() > 1e5
        assert run.steps + run.diagnostics["steps_redone"] < 80
        assert run.final.masses.min() >= 0.0
        assert run.diagnostics["mass_restored"] < 1e-9

    def test_save_times_are_hit_and_steps_recover_after_them(self):
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(8, 8), cell="triangle")
        functional = coordinates([0.1, 0.2], [1.0, 1.0], wf.regularizer.SquaredNorm(0.3))
        flow = wf.DensityFlow(functional, mesh, integrator="implicit")
        save = [0.0, 1.0, 1.001, 50.0]
        run = flow.run(wf.MeshDensity.uniform(mesh), 1e4, save=save)
        assert run.saved_times == [*save, 1e4]
        assert run.steps < 80

    def test_it_goes_with_upwind_fluxes_only(self):
        mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(2, 2), cell="triangle")
        functional = coordinates([0.0, 0.0], [1.0, 1.0], wf.regularizer.Zero())
        with pytest.raises(ValueError, match=r"integrator must be one of .*, found 'implicit'"):
            wf.DensityFlow(functional, mesh, scheme="muscl", integrator="implicit")
        with pytest.raises(ValueError, match="stationary must be"):
            wf.DensityFlow(functional, mesh).run(wf.MeshDensity.uniform(mesh), 1.0, stationary=2.0)
