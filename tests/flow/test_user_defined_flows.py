"""Flows of user-defined features and regularisers with known solutions, as particles and as densities."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import wassflow as wf

CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


def second_moments(dim):
    """Phi(u) = u u^T, flattened."""
    unit = np.eye(dim)

    def gradient(u):
        both = np.einsum("ki,nj->nkij", unit, u) + np.einsum("kj,ni->nkij", unit, u)
        return both.reshape(len(u), dim, dim * dim)

    return wf.CallableFeatures(
        lambda u: np.einsum("ni,nj->nij", u, u).reshape(len(u), -1), gradient, size=dim * dim
    )


def waves(dim):
    """Phi(u) = (cos u_i, sin u_i), i = 1..d."""
    axes = np.arange(dim)

    def gradient(u):
        result = np.zeros((len(u), dim, 2 * dim))
        result[:, axes, axes] = -np.sin(u)
        result[:, axes, dim + axes] = np.cos(u)
        return result

    return wf.CallableFeatures(lambda u: np.concatenate([np.cos(u), np.sin(u)], axis=1), gradient, 2 * dim)


def without_loss(V, dim):
    mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(dim), (len(u), 1, 1)), size=dim)
    return wf.Functional(mean, wf.SquaredLoss(np.zeros(dim), scale=0.0), V)


class Riccati:
    """Phi(u) = u u^T, R(S) = kappa/2 |S - T|^2: S' = -2 kappa ((S - T) S + S (S - T)).

    The inverse of S obeys a linear equation, S_t^-1 = T^-1 + E (S_0^-1 - T^-1) E, E = exp(-2 kappa t T).
    """

    def __init__(self, dim, kappa=0.7):
        turn = np.linalg.qr(np.random.default_rng(3).standard_normal((dim, dim)))[0]
        self.target = turn @ np.diag([0.5, 0.25, 0.3][:dim]) @ turn.T
        self.kappa = kappa
        loss = wf.SquaredLoss(self.target.reshape(-1), scale=kappa)
        self.functional = wf.Functional(second_moments(dim), loss, wf.regularizer.Zero())

    def moment(self, start, t):
        E, inverse = expm(-2.0 * self.kappa * t * self.target), np.linalg.inv
        return inverse(inverse(self.target) + E @ (inverse(start) - inverse(self.target)) @ E)

    def flow_map(self, start, t):
        """A_t with u_t = A_t u_0: A' = -2 kappa (S - T) A."""
        dim = len(start)

        def slope(s, A):
            return (-2.0 * self.kappa * (self.moment(start, s) - self.target) @ A.reshape(dim, dim)).reshape(
                -1
            )

        return (
            solve_ivp(slope, (0.0, t), np.eye(dim).reshape(-1), "DOP853", rtol=1e-12, atol=1e-13)
            .y[:, -1]
            .reshape(dim, dim)
        )


def hyperbolic(u, strength, t):
    """V = strength |w||theta|: |w| + |theta| decays, |w| - |theta| grows, at the rate strength, until one is
    0."""
    w, theta = np.abs(u[:, 0]), np.linalg.norm(u[:, 1:], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # w = theta never stops, w = theta = 0 has stopped
        stop = (
            np.nan_to_num(np.arctanh(np.minimum(w, theta) / np.maximum(w, theta)), posinf=np.inf) / strength
        )
    s = strength * np.minimum(t, stop)
    later = w * np.cosh(s) - theta * np.sinh(s), theta * np.cosh(s) - w * np.sinh(s)
    absorbed = stop <= t
    new_w = np.where(absorbed & (w < theta), 0.0, later[0])
    new_theta = np.where(absorbed & (theta < w), 0.0, later[1])
    ratio = np.divide(new_theta, theta, out=np.zeros_like(theta), where=theta > 0.0)
    return np.column_stack([np.sign(u[:, 0]) * new_w, u[:, 1:] * ratio[:, None]])


class TestParticles:
    @pytest.mark.parametrize("dim", [2, 3])
    @pytest.mark.parametrize(("integrator", "error"), [("rk45", 1e-9), ("forward-backward-2", 1e-4)])
    def test_second_moments(self, dim, integrator, error):
        exact = Riccati(dim)
        u = np.random.default_rng(0).standard_normal((100, dim)) * [0.5, 1.2, 0.7][:dim] + 0.2
        run = wf.ParticleFlow(exact.functional, integrator=integrator).run(wf.ParticleCloud(u), 1.3)
        start = u.T @ u / len(u)
        assert run.final.points == pytest.approx(u @ exact.flow_map(start, 1.3).T, abs=error)
        assert run.moments[-1] == pytest.approx(exact.moment(start, 1.3).reshape(-1), abs=error)

    @pytest.mark.parametrize("dim", [2, 3])
    def test_products_of_weight_and_position(self, dim):
        u = np.random.default_rng(1).uniform(-1.0, 1.0, (300, dim))
        exact = hyperbolic(u, 0.8, 0.9)
        run = wf.ParticleFlow(without_loss(wf.regularizer.WeightTimesNorm(0.8), dim)).run(
            wf.ParticleCloud(u), 0.9
        )
        found = run.final.points
        assert np.sqrt(np.mean(np.sum((found - exact) ** 2, axis=1))) < 1e-5
        # exactly those, exactly there
        assert np.array_equal(found[:, 0] == 0.0, exact[:, 0] == 0.0)
        assert np.array_equal(np.all(found[:, 1:] == 0.0, axis=1), np.all(exact[:, 1:] == 0.0, axis=1))
        assert np.count_nonzero(exact == 0.0) > 50
        assert np.abs(run.energy - run.energy[0] + run.diagnostics["dissipated"]).max() < 1e-12

    @pytest.mark.parametrize("dim", [2, 3])
    def test_relu_neurons_whose_inputs_are_all_active(self, dim):
        """Phi(w, theta)(x) = w theta.x there: F depends on the mean of w theta, and a linear equation follows
        for each particle given that of the mean."""
        rng = np.random.default_rng(2)
        x = np.abs(rng.standard_normal((6, dim - 1))) + 0.1
        teacher = np.array([0.8, -0.4])[: dim - 1]
        loss = wf.SquaredLoss(x @ teacher, weights=np.full(6, 1.0 / 6.0), scale=2.0)
        functional = wf.Functional(wf.NeuronFeatures(x, "relu"), loss, wf.regularizer.Zero())
        u = np.column_stack([rng.uniform(-1.0, 1.0, 50), rng.uniform(0.5, 1.5, (50, dim - 1))])
        pull = 2.0 * x.T @ x / 6.0

        def slope(_, y):
            points = y.reshape(-1, dim)
            w, theta = points[:, :1], points[:, 1:]
            force = pull @ ((w * theta).mean(axis=0) - teacher)
            return -np.column_stack([theta @ force, w * force]).reshape(-1)

        exact = solve_ivp(slope, (0.0, 1.0), u.reshape(-1), "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        exact = exact.reshape(-1, dim)
        assert (exact[:, 1:] @ x.T).min() > 0.0
        found = wf.ParticleFlow(functional).run(wf.ParticleCloud(u), 1.0).final.points
        assert found == pytest.approx(exact, abs=1e-7)

    def test_labels_translate_a_cloud(self):
        labels, weights = np.array([1.0, -1.0, 1.0]), np.array([0.5, 2.0, 1.0])
        mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(3), (len(u), 1, 1)), size=3)
        functional = wf.Functional(mean, wf.LogisticLoss(labels, weights=weights), wf.regularizer.Zero())
        u = np.random.default_rng(4).standard_normal((40, 3))
        run = wf.ParticleFlow(functional).run(wf.ParticleCloud(u), 2.0)
        # label m + exp(label m) grows at the rate weight
        before, after = labels * u.mean(axis=0), labels * run.final.points.mean(axis=0)
        assert after + np.exp(after) - before - np.exp(before) == pytest.approx(2.0 * weights, abs=1e-9)
        assert run.final.points - u == pytest.approx(np.tile(labels * (after - before), (40, 1)), abs=1e-12)

    @pytest.mark.parametrize("dim", [2, 3])
    def test_an_oblique_wall(self, dim):
        """Pulled to a point behind one wall, particles end where the free flow is projected to."""
        normal = np.array([1.0, 2.0, 2.0][:dim]) / np.linalg.norm([1.0, 2.0, 2.0][:dim])
        sides = np.vstack([np.eye(dim), -np.eye(dim), normal])
        omega = wf.Polytope(sides, np.array([3.0] * (2 * dim) + [0.5]))
        center = 2.0 * normal + [0.3, -0.1, 0.2][:dim]
        u = np.random.default_rng(5).uniform(-1.0, 1.0, (200, dim))
        u = u[u @ normal < 0.5]
        V = wf.regularizer.Quadratic(np.eye(dim), center=center)
        found = wf.ParticleFlow(without_loss(V, dim), omega).run(wf.ParticleCloud(u), 0.7).final.points
        free = center + np.exp(-0.7) * (u - center)
        beyond = np.maximum(free @ normal - 0.5, 0.0)
        assert np.count_nonzero(beyond) > 50
        assert found == pytest.approx(free - beyond[:, None] * normal, abs=1e-12)


class TestDensities:
    @pytest.mark.parametrize("cell", CELLS)
    def test_waves_on_a_torus(self, cell):
        """Products of Poisson kernels stay so (Ott, Antonsen): z' = kappa/2 (g - conj(g) z^2), g = y - z."""
        dim, kappa, t = CELLS[cell], 1.3, 0.7
        y = np.array([0.5 + 0.2j, -0.3 + 0.4j, 0.2 - 0.3j])[:dim]
        z = np.array([0.3 - 0.2j, -0.2 + 0.1j, 0.1 + 0.3j])[:dim]
        functional = wf.Functional(
            waves(dim), wf.SquaredLoss(np.r_[y.real, y.imag], scale=kappa), wf.regularizer.Zero()
        )

        def slope(_, q):
            at = q[:dim] + 1j * q[dim:]
            rate = 0.5 * kappa * ((y - at) - np.conj(y - at) * at**2)
            return np.r_[rate.real, rate.imag]

        exact = solve_ivp(slope, (0.0, t), np.r_[z.real, z.imag], rtol=1e-11, atol=1e-12).y[:, -1]
        omega = wf.Box([0.0] * dim, [2.0 * np.pi] * dim, periodic=(True,) * dim)

        def poisson(u):
            return np.prod((1.0 - np.abs(z) ** 2) / np.abs(np.exp(1j * u) - z) ** 2, axis=1)

        errors = {"muscl": [], "upwind": []}
        sizes = (12, 24) if dim == 2 else (6, 12) if cell == "hexahedron" else (3, 6)
        for scheme, found in errors.items():
            for n in sizes:
                mesh = wf.mesh.box(omega, n, cell)
                run = wf.DensityFlow(functional, mesh, scheme=scheme).run(
                    wf.MeshDensity.from_function(mesh, poisson, subdivisions=1), t
                )
                found.append(np.linalg.norm(run.moments[-1] - exact))
        assert np.log2(errors["muscl"][0] / errors["muscl"][1]) > 1.7
        assert errors["upwind"][1] < 0.75 * errors["upwind"][0]
        assert errors["muscl"][1] < 0.25 * errors["upwind"][1]

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("options", [{}, {"scheme": "muscl"}, {"integrator": "implicit"}])
    def test_second_moments(self, cell, options):
        dim = CELLS[cell]
        exact = Riccati(dim)
        center = np.array([0.3, -0.1, 0.2])[:dim]
        errors = []
        for n in {
            "triangle": (8, 16),
            "quadrilateral": (14, 28),
            "tetrahedron": (5, 10),
            "hexahedron": (8, 16),
        }[cell]:
            mesh = wf.mesh.box(wf.Box([-2.0] * dim, [2.0] * dim), n, cell)
            start = wf.MeshDensity.from_function(
                mesh, lambda u: np.maximum(1.0 - np.sum((u - center) ** 2, axis=1), 0.0) ** 2
            )
            flow = wf.DensityFlow(exact.functional, mesh, **options).run(start, 1.0)
            # the flow of its own first moment: what is left is the error of the flow
            moment = exact.moment(flow.moments[0].reshape(dim, dim), 1.0).reshape(-1)
            errors.append(np.abs(flow.moments[-1] - moment).max())
            assert flow.diagnostics["mass_drift"] < 1e-13
        assert errors[1] < (0.5 if options.get("scheme") == "muscl" else 0.75) * errors[0]
        assert errors[1] < 0.1

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("cut", [0, 1])
    def test_products_of_weight_and_position(self, cell, cut):
        """Atoms on {w = 0} and {theta = 0}, kinks on faces and inside cells."""
        dim = CELLS[cell]
        functional = without_loss(wf.regularizer.WeightTimesNorm(0.8), dim)
        omega = wf.Box([-1.5] * dim, [1.5] * dim)
        center = np.array([0.3, 0.4, 0.2])[:dim]
        errors = []
        for n in (12, 24) if dim == 2 else (6, 12):
            mesh = wf.mesh.box(omega, n + cut, cell)
            start = wf.MeshDensity.from_function(
                mesh, lambda u: np.maximum(0.81 - np.sum((u - center) ** 2, axis=1), 0.0)
            )
            points, masses = start.quadrature()
            exact = wf.ParticleCloud(hyperbolic(points, 0.8, 0.6)[masses > 0.0], masses[masses > 0.0])
            final = wf.DensityFlow(functional, mesh).run(start, 0.6).final
            found = [np.r_[mu.mean(), mu.second_moment(), functional.value(mu)] for mu in (final, exact)]
            errors.append(np.abs(found[0] - found[1]).max())
        assert errors[1] < 0.7 * errors[0]
        assert errors[1] < 0.75 / n  # a quarter of a box
