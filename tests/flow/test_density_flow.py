"""Density flows against exact solutions, and what every step must keep: mass, sign, energy decay."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.cases.exact import (
    CosineMoments,
    QuadraticMean,
    RadialAbsorption,
    WallAccumulation,
    WeightAbsorption,
)
from wassflow.flow import density_flow as density_flow_module
from wassflow.flow import density_scheme as density_scheme_module

CELLS = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"]


def dimension(cell):
    return 2 if cell in ("triangle", "quadrilateral") else 3


def unit_box(cell, n, periodic=None):
    d = dimension(cell)
    return wf.mesh.box(wf.Box([0.0] * d, [1.0] * d, periodic=periodic), cells=(n,) * d, cell=cell)


def coordinates(d, target, stiffness=1.0, regularizer=None):
    """F(mu) = 1/2 sum_i stiffness_i (mean_i - target_i)^2 + int V dmu."""
    features = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(d), (len(u), 1, 1)), size=d)
    return wf.Functional(
        features, wf.SquaredLoss(target, weights=stiffness * np.ones(d)), regularizer or wf.regularizer.Zero()
    )


def drift(c):
    """V = -c.u and nothing else."""
    return coordinates(len(c), np.zeros(len(c)), 0.0, wf.regularizer.Linear(-np.asarray(c)))


def run_exact(exact, cells, cell, t_end, **options):
    mesh = wf.mesh.box(exact.domain, cells=cells, cell=cell)
    start = wf.MeshDensity.from_function(mesh, exact.initial)
    return wf.DensityFlow(exact.functional, mesh, **options).run(start, t_end)


def observed_order(sizes, errors):
    return np.polyfit(np.log(1.0 / np.asarray(sizes)), np.log(errors), 1)[0]


class TestOrder:
    """O8: the moments of the density against the scalar equations they obey."""

    exact = CosineMoments(y=[-0.4, 0.5], z0=[0.3, -0.2], kappa=[1.0, 2.0])

    @pytest.mark.parametrize("integrator", ["euler", "ssprk2"])
    @pytest.mark.parametrize(
        ("cell", "velocity"),
        [("quadrilateral", "pointwise"), ("quadrilateral", "potential"), ("triangle", "pointwise"),
         ("triangle", "potential")],
    )  # fmt: skip
    def test_first_order_in_2d(self, cell, velocity, integrator):
        sizes = (16, 32, 64, 128) if cell == "quadrilateral" else (8, 16, 32, 64)
        errors = []
        for n in sizes:
            run = run_exact(self.exact, (n, n), cell, 1.0, velocity=velocity, integrator=integrator)
            errors.append(np.linalg.norm(run.moments[-1] - self.exact.moment(1.0)))
        # 0.95 over three refinements is what the project promises
        assert observed_order(sizes, errors) >= 0.95
        assert errors[-1] < 0.004

    @pytest.mark.parametrize("cell", ["hexahedron", "tetrahedron"])
    def test_first_order_in_3d(self, cell):
        exact = CosineMoments(y=[-0.4, 0.5, 0.3], z0=[0.3, -0.2, 0.1], kappa=[1.0, 2.0, 1.5])
        sizes = (8, 16, 32) if cell == "hexahedron" else (3, 6, 12)
        errors = []
        for n in sizes:
            run = run_exact(exact, (n, n, n), cell, 0.3)
            errors.append(np.linalg.norm(run.moments[-1] - exact.moment(0.3)))
        assert observed_order(sizes, errors) >= 0.95

    def test_energy_and_dissipation_agree_with_the_exact_ones(self):
        run = run_exact(self.exact, (64, 64), "quadrilateral", 1.0, integrator="ssprk2")
        exact = np.array([self.exact.energy(t) for t in run.times])
        assert np.abs(run.energy - exact).max() < 0.005
        exact = np.array([self.exact.dissipation(t) for t in run.times])
        for dissipation in (run.dissipation, run.diagnostics["velocity_dissipation"]):
            assert np.abs(dissipation - exact).max() < 0.02 * exact[0]

    @pytest.mark.parametrize(("integrator", "order"), [("euler", 1.0), ("ssprk2", 2.0)])
    def test_order_in_time(self, integrator, order):
        """Energy balance of the semi-discrete scheme, where space makes no error."""
        residuals = [
            np.abs(
                run_exact(
                    self.exact,
                    (16, 16),
                    "quadrilateral",
                    1.0,
                    velocity="potential",
                    integrator=integrator,
                    cfl=cfl,
                ).energy_balance()
            ).max()
            for cfl in (0.4, 0.2, 0.1)
        ]
        assert np.log2(residuals[0] / residuals[2]) / 2 == pytest.approx(order, abs=0.15)


class TestExactSolutions:
    @pytest.mark.parametrize("cell", CELLS)
    def test_translation_on_a_torus(self, cell):
        """The mean of exp(i u) turns with the speed, and shrinks by numerical diffusion of first order."""
        d = dimension(cell)
        speed = np.array([1.0, -0.5, 0.25][:d])
        errors = []
        for n in (6, 12):
            mesh = unit_box(cell, n, periodic=(True,) * d)
            start = wf.MeshDensity.from_function(
                mesh, lambda u: 1.0 + 0.8 * np.prod(np.cos(2 * np.pi * u), axis=1)
            )
            end = wf.DensityFlow(drift(speed), mesh).run(start, 0.3).final
            wave = lambda u: np.prod(np.exp(2j * np.pi * u), axis=1)  # noqa: E731
            exact = 0.8 / 2.0**d * np.exp(2j * np.pi * 0.3 * speed.sum())
            found = np.sum(end.masses * wave(mesh.centroids[: mesh.num_owned]))
            assert end.mass == pytest.approx(1.0, abs=1e-14)
            errors.append(abs(found - exact) / abs(exact))
        assert errors[1] < 0.7 * errors[0]

    def test_a_full_step_across_the_torus_is_exact(self):
        """At cfl = 1 along an axis of squares, every step moves each mass by one cell."""
        mesh = unit_box("quadrilateral", 8, periodic=(True, True))
        start = wf.MeshDensity(mesh, np.random.default_rng(0).random(64))
        run = wf.DensityFlow(drift([1.0, 0.0]), mesh, cfl=1.0).run(start, 1.0 - 1e-9)
        assert run.steps == 8
        # 1e-9 of the last step is missing, and every step is 2e-12 short of a full one
        assert np.abs(run.final.masses - start.masses).max() < 1e-7

    @pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
    @pytest.mark.parametrize("integrator", ["euler", "ssprk2"])
    def test_absorption_on_the_line_w_0(self, cell, integrator):
        """O4: an atom grows on {w = 0}: error within the h^(1/2) band, and converging."""
        exact, t = WeightAbsorption(alpha=1.0), 0.4
        errors = []
        for n in (20, 40, 80):
            mesh = wf.mesh.box(exact.domain, cells=(n, 2), cell=cell)
            start = wf.MeshDensity.from_function(mesh, exact.initial)
            run = wf.DensityFlow(exact.functional, mesh, integrator=integrator).run(start, t)
            h = 2.5 / n
            atom = run.final.masses[np.abs(mesh.centroids[:, 0]) < h].sum()
            errors.append(abs(atom - exact.singular_mass(t)))
            assert errors[-1] < math.sqrt(h * t)
            assert abs(run.energy[-1] - exact.energy(t)) < math.sqrt(h * t)
        assert errors[2] < errors[1] < errors[0]

    @pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
    def test_absorption_in_a_point(self, cell):
        """O5: the atom at 0 holds the mass that started within alpha t."""
        exact, t = RadialAbsorption(alpha=1.0), 0.5
        errors = []
        for n in (20, 40, 80):
            run = run_exact(exact, (n, n), cell, t)
            mesh = run.final.mesh
            h = (mesh.domain.upper[0] - mesh.domain.lower[0]) / n
            # the layer that numerical diffusion leaves around the point is h wide times its speed over alpha
            near = np.linalg.norm(mesh.centroids, axis=1) < 2.0 * h
            errors.append(abs(run.final.masses[near].sum() - exact.singular_mass(t)))
            assert errors[-1] < math.sqrt(h)
        assert errors[2] < errors[0]

    @pytest.mark.parametrize("cell", CELLS)
    def test_mass_piles_up_at_walls_and_corners(self, cell):
        """O7: no flux through the walls; their cells hold the mass that has arrived."""
        d = dimension(cell)
        exact, t = WallAccumulation(c=[1.0, 0.5, 0.5][:d]), 0.5
        errors = []
        for n in (5, 10) if d == 3 else (10, 20, 40):
            run = run_exact(exact, (n,) * d, cell, t)
            mesh, h = run.final.mesh, 1.0 / n
            at_wall = run.final.masses[mesh.centroids[:, 0] > 1.0 - h].sum()
            at_corner = run.final.masses[np.all(mesh.centroids > 1.0 - h, axis=1)].sum()
            errors.append(abs(at_wall - exact.wall_mass(t, 0)))
            assert errors[-1] < math.sqrt(h)
            assert abs(at_corner - exact.corner_mass(t)) < math.sqrt(h)
            assert run.final.mass == pytest.approx(1.0, abs=1e-14)
        assert errors[-1] < errors[0]

    def test_rigid_translation_by_the_mean(self):
        """O1 with B = 0: all cells move with the mean."""
        exact = QuadraticMean(K=np.diag([1.0, 3.0]), y=[0.3, 0.2], B=np.zeros((2, 2)), c=[0.0, 0.0])
        run = run_exact(exact, (48, 48), "quadrilateral", 0.5)
        assert np.abs(run.final.mean() - exact.moment(0.5)).max() < 0.02


class TestEnergy:
    """With potential velocities F_h never rises."""

    @staticmethod
    def functional(kind, d):
        features = wf.CallableFeatures(
            lambda u: np.column_stack([np.sin(u).sum(axis=1), u[:, 0] * np.cos(u[:, -1])]),
            lambda u: np.stack(
                [np.cos(u), np.column_stack(
                    [np.cos(u[:, -1]), *np.zeros((d - 2, len(u))), -u[:, 0] * np.sin(u[:, -1])]
                )], axis=2,
            ),
            size=2,
        )  # fmt: skip
        loss = wf.LogisticLoss([1.0, -1.0]) if kind == "logistic" else wf.SquaredLoss([2.0, -1.0], scale=50.0)
        regularizers = {
            "smooth": wf.regularizer.SquaredNorm(0.3),
            "kinked": wf.regularizer.AbsWeight(0.7),
            "stiff": wf.regularizer.Zero(),
            "logistic": wf.regularizer.WeightTimesNorm(0.2),
        }
        return wf.Functional(features, loss, regularizers[kind])

    @pytest.mark.parametrize("integrator", ["euler", "ssprk2"])
    @pytest.mark.parametrize("cell", ["quadrilateral", "hexahedron"])
    @pytest.mark.parametrize("kind", ["smooth", "kinked", "stiff", "logistic"])
    def test_energy_never_rises(self, kind, cell, integrator):
        d = dimension(cell)
        n = 12 if d == 2 else 5
        # an odd number of cells puts the kink in the middle of a cell, an even one on a face
        mesh = wf.mesh.box(wf.Box([-1.0] * d, [1.0] * d), cells=(n, *(n + 1,) * (d - 1)), cell=cell)
        start = wf.MeshDensity(mesh, np.random.default_rng(3).random(mesh.num_owned) / mesh.num_owned)
        flow = wf.DensityFlow(
            self.functional(kind, d), mesh, integrator=integrator, velocity="potential", cfl=1.0
        )
        run = flow.run(start, 3.0)
        rises = np.diff(run.energy) / abs(run.energy[0])
        # now and then the moment is summed afresh: rounding of all steps since then, times R', shows
        renewed = np.arange(run.steps) % density_flow_module._STEPS_BETWEEN_SUMS == 0
        assert rises[~renewed].max() <= 1e-15
        assert rises[renewed].max() <= 1e-14
        assert run.diagnostics["energy_rises"] == 0
        assert np.all(run.dissipation >= 0.0)
        assert run.energy[-1] < 0.99 * run.energy[0]

    @pytest.mark.parametrize("integrator", ["euler", "ssprk2"])
    @pytest.mark.parametrize("velocity", ["pointwise", "potential"])
    def test_the_step_follows_a_stiff_loss(self, velocity, integrator):
        """Near the end positivity allows steps far beyond 1/50, where explicit steps overshoot."""
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(20, 20), cell="quadrilateral")
        functional = coordinates(2, [0.1, 0.2], [100.0, 1.0])
        flow = wf.DensityFlow(functional, mesh, velocity=velocity, integrator=integrator)
        run = flow.run(wf.MeshDensity.uniform(mesh), 5.0)
        assert run.diagnostics["steps_limited_by_energy"] > 10
        assert np.diff(run.energy).max() <= 1e-15 * run.energy[0]
        assert run.moments[-1] == pytest.approx([0.1, 0.2], abs=0.01)

    def test_pointwise_velocities_come_to_rest_without_stalling(self):
        """DF_h.dm changes sign along this flow: steps bounded by the decrease would vanish there."""
        rng = np.random.default_rng(15)
        mesh = wf.mesh.box(wf.Box([-1.0, -1.0], [1.0, 1.0]), cells=(5, 5), cell="quadrilateral")
        waves, phases = 3.0 * rng.standard_normal((2, 3)), rng.uniform(0.0, 6.0, 3)
        functional = wf.Functional(
            wf.CallableFeatures(
                lambda u: np.sin(u @ waves + phases),
                lambda u: waves * np.cos(u @ waves + phases)[:, None, :],
                size=3,
            ),
            wf.SquaredLoss(0.5 * rng.standard_normal(3), scale=20.0),
            wf.regularizer.AbsWeight(0.5),
        )
        run = wf.DensityFlow(functional, mesh).run(wf.MeshDensity.uniform(mesh), 5.0)
        assert run.dissipation.min() < 0.0
        assert run.steps < 1000
        assert np.diff(run.energy).max() < 1e-10 * run.energy[0]


class TestSteps:
    @settings(max_examples=15)
    @given(
        seed=st.integers(0, 2**31),
        cell=st.sampled_from(CELLS),
        integrator=st.sampled_from(["euler", "ssprk2"]),
        cfl=st.sampled_from([0.3, 1.0]),
    )
    def test_mass_and_sign_for_rough_velocities(self, seed, cell, integrator, cfl):
        d = dimension(cell)
        mesh = _unit_meshes(cell)
        rng = np.random.default_rng(seed)
        waves, phases = 12.0 * rng.standard_normal((d, 3)), rng.uniform(0, 6, 3)
        features = wf.CallableFeatures(
            lambda u: np.sin(u @ waves + phases),
            lambda u: waves * np.cos(u @ waves + phases)[:, None, :],
            size=3,
        )
        functional = wf.Functional(
            features,
            wf.SquaredLoss(rng.standard_normal(3), scale=30.0),
            wf.regularizer.AbsWeight(rng.random() + 0.1),
        )
        masses = rng.random(mesh.num_owned) * (rng.random(mesh.num_owned) < 0.3)
        masses[0] += 1e-3
        start = wf.MeshDensity(mesh, masses)
        run = wf.DensityFlow(functional, mesh, integrator=integrator, cfl=cfl).run(
            start, 0.05, save=[0.01, 0.03]
        )
        for measure in run.measures:
            assert measure.masses.min() >= 0.0
            assert math.fsum(measure.masses) == pytest.approx(math.fsum(masses), rel=1e-14)
        assert run.diagnostics["mass_drift"] < 1e-14

    def test_mass_is_constant_over_20000_steps(self):
        mesh = unit_box("triangle", 2)
        # the second coordinate of the mean can never be reached: the velocity does not fade
        functional = coordinates(2, [0.7, 9.0], [3.0, 1.0], wf.regularizer.Quadratic(np.eye(2), [0.2, 0.9]))
        run = wf.DensityFlow(functional, mesh, cfl=0.05).run(wf.MeshDensity.uniform(mesh), 60.0)
        assert run.steps > 20_000
        assert run.diagnostics["mass_drift"] < 1e-13
        # moments are carried along by increments between fresh sums
        assert run.moments[-1] == pytest.approx(functional.moment(run.final), abs=1e-14)
        assert run.energy[-1] == pytest.approx(functional.value(run.final), rel=1e-14)

    def test_save_times_are_hit_exactly(self):
        mesh = unit_box("quadrilateral", 6)
        start = wf.MeshDensity.uniform(mesh)
        run = wf.DensityFlow(drift([1.0, 0.3]), mesh).run(start, 0.7, save=[0.1, 0.0, 0.35])
        assert run.saved_times == [0.0, 0.1, 0.35, 0.7]
        assert {0.0, 0.1, 0.35, 0.7} <= set(run.times)
        assert np.array_equal(run.at(0.0).masses, start.masses)
        again = wf.DensityFlow(drift([1.0, 0.3]), mesh).run(run.at(0.35), 0.35)
        assert again.final.masses == pytest.approx(run.final.masses, abs=1e-12)

    def test_a_flow_at_rest_jumps_to_the_save_times(self):
        mesh = unit_box("hexahedron", 2)
        run = wf.DensityFlow(coordinates(3, [0.5] * 3, 0.0), mesh).run(
            wf.MeshDensity.uniform(mesh), 1e6, save=[1.0]
        )
        assert run.times.tolist() == [0.0, 1.0, 1e6]
        assert np.array_equal(run.final.masses, run.at(1.0).masses)

    @pytest.mark.parametrize("velocity", ["pointwise", "potential"])
    @pytest.mark.parametrize("integrator", ["euler", "ssprk2"])
    def test_passing_over_empty_cells_changes_nothing(self, velocity, integrator, monkeypatch):
        mesh = unit_box("quadrilateral", 24)
        functional = coordinates(2, [0.9, 0.8], 3.0, wf.regularizer.AbsWeight(0.2))
        start = wf.MeshDensity.from_function(mesh, lambda u: 1.0 * (np.abs(u - 0.2).max(axis=1) < 0.1))
        flow = wf.DensityFlow(functional, mesh, velocity=velocity, integrator=integrator)
        run = flow.run(start, 0.1)

        def all_faces(face_cells, masses, out):
            out[:] = np.arange(len(face_cells))
            return len(face_cells)

        monkeypatch.setattr(density_scheme_module, "faces_with_mass", all_faces)
        whole = flow.run(start, 0.1)
        assert run.diagnostics["active_faces"] < 0.5 < whole.diagnostics["active_faces"]
        assert np.array_equal(run.final.masses, whole.final.masses)
        assert np.array_equal(run.times, whole.times)

    def test_the_second_stage_keeps_its_own_bound(self):
        """The first stage empties the slow cell into one that is left ten times as fast."""
        mesh = wf.mesh.box(wf.Box([0.0, 0.0], [8.0, 1.0]), cells=(8, 1), cell="quadrilateral")
        potential = wf.regularizer.Callable(
            lambda u: -np.exp(u[:, 0]), lambda u: np.column_stack([-np.exp(u[:, 0]), 0 * u[:, 1]])
        )
        functional = coordinates(2, [0.0, 0.0], 0.0, potential)
        start = wf.MeshDensity(mesh, 1.0 * (mesh.centroids[:, 0] < 1.0))
        run = wf.DensityFlow(functional, mesh, integrator="ssprk2", cfl=1.0).run(start, 1.0)
        assert run.diagnostics["steps_redone"] > 0
        assert run.final.masses.min() >= 0.0
        assert run.diagnostics["mass_drift"] < 1e-14


_cache = {}


def _unit_meshes(cell):
    return _cache.setdefault(cell, unit_box(cell, 4 if dimension(cell) == 2 else 2))


class TestRefusals:
    def test_potential_velocities_on_an_oblique_mesh(self):
        mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 1.0]), cells=(3, 3), cell="triangle")
        with pytest.raises(wf.WassflowError, match="orthogonal"):
            wf.DensityFlow(drift([1.0, 0.0]), mesh, velocity="potential")

    def test_potential_velocities_for_a_potential_that_is_not_periodic(self):
        mesh = unit_box("quadrilateral", 3, periodic=(True, False))
        with pytest.raises(wf.WassflowError, match="periodic"):
            wf.DensityFlow(drift([1.0, 0.0]), mesh, velocity="potential")
        wf.DensityFlow(drift([0.0, 1.0]), mesh, velocity="potential")

    def test_a_start_on_another_mesh(self):
        flow = wf.DensityFlow(drift([1.0, 0.0]), unit_box("quadrilateral", 3))
        with pytest.raises(ValueError, match="mu0 must live on the mesh of the flow"):
            flow.run(wf.MeshDensity.uniform(unit_box("quadrilateral", 3)), 1.0)
        with pytest.raises(ValueError, match="mu0 must be a MeshDensity, found ParticleCloud"):
            flow.run(wf.ParticleCloud(np.zeros((1, 2))), 1.0)

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ({"scheme": "muscl", "integrator": "euler"}, "integrator must be one of 'ssprk3', 'ssprk2'"),
            ({"limiter": "minmod"}, "limiter must be one of 'positivity', 'monotone'"),
            ({"quadrature": "faces"}, "quadrature must be one of 'centroids', found 'faces'"),
            ({"scheme": "muscl2"}, "scheme must be one of 'upwind', 'muscl', found 'muscl2'"),
            (
                {"integrator": "rk4"},
                "integrator must be one of 'euler', 'ssprk2', 'ssprk3', 'implicit', found 'rk4'",
            ),
            ({"velocity": "exact"}, "velocity must be one of"),
            ({"cfl": 0.0}, "cfl must"),
            ({"cfl": 1.1}, "cfl must"),
        ],
    )
    def test_options(self, option, message):
        with pytest.raises(ValueError, match=message):
            wf.DensityFlow(drift([1.0, 0.0]), unit_box("quadrilateral", 2), **option)

    def test_dimensions_and_kinds(self):
        with pytest.raises(ValueError, match="functional must be a Functional, found str"):
            wf.DensityFlow("F", unit_box("quadrilateral", 2))
        with pytest.raises(ValueError, match="mesh must have the dimension of the functional, 2, found 3"):
            wf.DensityFlow(drift([1.0, 0.0]), unit_box("hexahedron", 2))

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_a_velocity_that_is_not_finite(self, bad):
        mesh = unit_box("quadrilateral", 4)
        potential = wf.regularizer.Callable(
            lambda u: u.sum(axis=1), lambda u: np.where(np.abs(u - 0.5) < 0.1, bad, 1.0)
        )
        flow = wf.DensityFlow(coordinates(2, [0.0, 0.0], 0.0, potential), mesh)
        with pytest.raises(wf.WassflowError, match=r"velocity is not finite at \[0\.\d+, 0\.\d+\]"):
            flow.run(wf.MeshDensity.uniform(mesh), 1.0)

    def test_an_energy_that_is_not_finite(self):
        mesh = unit_box("quadrilateral", 4)
        potential = wf.regularizer.Callable(lambda u: u[:, 0] * np.inf, lambda u: 0.0 * u)
        with pytest.raises(wf.WassflowError, match="V must be finite at all cell centroids"):
            wf.DensityFlow(coordinates(2, [0.0, 0.0], 0.0, potential), mesh)
        features = wf.CallableFeatures(
            lambda u: np.full((len(u), 1), np.nan), lambda u: np.zeros((*u.shape, 1)), size=1
        )
        functional = wf.Functional(features, wf.SquaredLoss([0.0]), wf.regularizer.Zero())
        with pytest.raises(wf.WassflowError, match="energy must stay finite, found nan"):
            wf.DensityFlow(functional, mesh).run(wf.MeshDensity.uniform(mesh), 1.0)

    def test_steps_that_do_not_arrive(self):
        mesh = unit_box("quadrilateral", 4)
        flow = wf.DensityFlow(drift([1e16, 0.0]), mesh)
        with pytest.raises(wf.WassflowError, match=r"time step must be at least 1e-14 t_end.*positivity"):
            flow.run(wf.MeshDensity.uniform(mesh), 1.0)
