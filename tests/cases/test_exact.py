"""The closed forms against the definitions of the flow and of W2, by direct numerical integration."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import spence

from wassflow import ParticleCloud
from wassflow.cases.exact import (
    CosineMoments,
    LogisticDilation,
    QuadraticMean,
    RadialAbsorption,
    WallAccumulation,
    WallRelaxation,
    WeightAbsorption,
)
from wassflow.cases.profiles import Profile


def spd(dim, shift=0.0, seed=0):
    a = np.random.default_rng(seed).standard_normal((dim, dim))
    return a @ a.T / dim + shift * np.eye(dim)


def solutions(dim):
    bumps = [Profile(0.3, 0.4), Profile(-0.2, 0.6), Profile(0.1, 0.5)][:dim]
    inner = [Profile(0.5, 0.4), Profile(0.6, 0.3), Profile(0.4, 0.4)][:dim]
    y, c = [0.7, -0.4, 0.3][:dim], [0.2, 0.1, -0.3][:dim]
    return {
        "O1": QuadraticMean(spd(dim), spd(dim, -0.3, seed=1), y, c, start=bumps),
        "O1 translation": QuadraticMean(spd(dim), np.zeros((dim, dim)), y, c, start=bumps),
        "O2 contracting": LogisticDilation(y=0.02, kappa=1.5, start=bumps),
        "O2 expanding": LogisticDilation(y=0.6, kappa=1.5, start=bumps),
        "O2 to zero": LogisticDilation(y=0.0, start=bumps),
        "O4": WeightAbsorption(alpha=0.8, dim=dim),
        "O4 bump": WeightAbsorption(alpha=0.8, start=bumps),
        "O5": RadialAbsorption(alpha=0.7, dim=dim),
        "O5 bump": RadialAbsorption(alpha=0.7, dim=dim, radius=0.9, shape="bump"),
        "O7 linear": WallAccumulation([0.8, -0.5, 0.3][:dim]),
        "O7 linear bump": WallAccumulation([0.8, -0.5, 0.3][:dim], start=inner),
        "O7 quadratic": WallRelaxation([1.5, -0.4, 0.6][:dim]),
        "O7 quadratic bump": WallRelaxation([1.5, -0.4, 0.6][:dim], start=inner),
        "O8": CosineMoments([0.4, -0.3, 1.3][:dim], [-0.4, 0.3, 0.1][:dim], [1.0, 2.0, 0.7][:dim]),
    }


NAMES = list(solutions(2))
both = pytest.mark.parametrize("dim", [2, 3])
every = pytest.mark.parametrize("name", NAMES)


def midpoints(domain, n):
    """Midpoints and volume of a grid that does not see symmetries of the solutions."""
    axes = [
        lo + (hi - lo) * (np.arange(n + j) + 0.5) / (n + j)
        for j, (lo, hi) in enumerate(zip(domain.lower, domain.upper, strict=True))
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, domain.dim)
    return grid, np.prod([x[1] - x[0] for x in axes])


def start_quadrature(exact, n):
    """Midpoint quadrature of mu_0 over the cells that it charges."""
    u, volume = midpoints(exact.domain, n)
    weights = exact.initial(u) * volume
    kept = weights > 0.0
    return u[kept], weights[kept]


def support_points(exact, n, seed):
    """Random points where mu_0 has mass."""
    rng = np.random.default_rng(seed)
    u = exact.domain.lower + rng.random((400 * n, exact.dim)) * (exact.domain.upper - exact.domain.lower)
    return u[exact.initial(u) > 0.0][:n]


@both
@every
def test_start_has_unit_mass_and_the_moments_and_energy_of_its_density(name, dim):
    exact = solutions(dim)[name]
    n = 250 if dim == 2 else 60
    u, w = start_quadrature(exact, n)
    cloud = ParticleCloud(u, w)
    # midpoint rule; supports that end with a jump on a sphere cost a share of the cells cut
    tolerance = 6e-3 if name == "O5" else 4e-3 if dim == 3 else 5e-4
    assert cloud.mass == pytest.approx(1.0, abs=tolerance)
    assert exact.functional.moment(cloud) == pytest.approx(exact.moment(0.0), abs=tolerance)
    assert exact.functional.value(cloud) == pytest.approx(exact.energy(0.0), abs=tolerance)


@both
@every
@pytest.mark.parametrize("t", [0.3, 0.9])
def test_moment_energy_and_dissipation_follow_the_flow_map(name, dim, t):
    exact = solutions(dim)[name]
    u, w = start_quadrature(exact, 250 if dim == 2 else 60)
    cloud = ParticleCloud(exact.flow_map(t, u), w / w.sum())
    F = exact.functional
    # as above: quadrature of mu_0, normalised; what a jump of v at an atom costs is one layer of cells
    tolerance = 2e-3 if dim == 2 else 8e-3
    assert F.moment(cloud) == pytest.approx(exact.moment(t), abs=tolerance)
    assert F.value(cloud) == pytest.approx(exact.energy(t), abs=tolerance)
    v = F.velocity(cloud, cloud.points, exact.domain)
    dissipation = cloud.weights @ np.sum(v**2, axis=1)
    assert dissipation == pytest.approx(exact.dissipation(t), abs=3 * tolerance)


@both
@every
def test_flow_map_moves_with_the_velocity_of_the_functional(name, dim):
    exact, t, dt = solutions(dim)[name], 0.5, 1e-5
    u0 = support_points(exact, 200, seed=3)
    u = exact.flow_map(t, u0)
    moved = (exact.flow_map(t + dt, u0) - exact.flow_map(t - dt, u0)) / (2 * dt)
    v = exact.functional.linearize(exact.moment(t)).velocity(u, exact.domain)
    # particles that hit a kink or a wall within [t - dt, t + dt] have two velocities; there are none among
    # these 200
    assert moved == pytest.approx(v, abs=1e-8)


@both
@every
def test_energy_falls_at_the_rate_of_the_dissipation(name, dim):
    exact, dt = solutions(dim)[name], 1e-4
    for t in (0.2, 0.6, 1.1):
        rate = (exact.energy(t + dt) - exact.energy(t - dt)) / (2 * dt)
        assert -rate == pytest.approx(exact.dissipation(t), abs=1e-6)  # O(dt^2), kinks of dF/dt included


@both
@every
def test_density_and_singular_mass_make_one(name, dim):
    exact, t = solutions(dim)[name], 0.4
    u, volume = midpoints(exact.domain, 500 if dim == 2 else 80)
    mass = exact.density(t, u).sum() * volume
    # near the atom of O5 the density is integrable like r^(1-d): the midpoint rule is of order h there
    tolerance = 1e-2 if name.startswith("O5") else 4e-3 if dim == 2 else 1.5e-2
    assert mass + exact.singular_mass(t) == pytest.approx(1.0, abs=tolerance)


@both
@every
def test_density_is_the_image_of_the_start(name, dim):
    """rho_t(X(u)) |det DX(u)| = rho_0(u), the determinant by finite differences of the flow map."""
    exact, t, h = solutions(dim)[name], 0.4, 1e-6
    u0 = support_points(exact, 500, seed=5)
    jacobian = np.stack(
        [(exact.flow_map(t, u0 + h * e) - exact.flow_map(t, u0 - h * e)) / (2 * h) for e in np.eye(dim)],
        axis=-1,
    )
    determinant = np.linalg.det(jacobian)
    image = exact.flow_map(t, u0)
    kept, rho = determinant > 1e-6, exact.initial(u0)
    assert kept.sum() > 20
    # differences of numbers of size 1 over 2h leave 1e-10, times the size of the density
    assert (exact.density(t, image) * determinant)[kept] == pytest.approx(rho[kept], abs=1e-8 * rho.max())
    # and where the map is not invertible mass is lost to the singular part
    assert (exact.singular_mass(t) > 0.0) == bool(np.any(~kept))


@both
@every
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.5), (0.3, 1.0)])
def test_wasserstein2_is_the_displacement_of_the_flow(name, dim, s, t):
    exact = solutions(dim)[name]
    u, w = start_quadrature(exact, 250 if dim == 2 else 60)
    moved = exact.flow_map(t, u) - exact.flow_map(s, u)
    displacement = np.sqrt(w @ np.sum(moved**2, axis=1) / w.sum())
    assert exact.wasserstein2(s, t) == pytest.approx(displacement, abs=2e-3 if dim == 2 else 8e-3)
    assert exact.wasserstein2(t, s) == exact.wasserstein2(s, t)
    assert exact.wasserstein2(t, t) < 1e-14


@both
@every
def test_flow_map_is_monotone(name, dim):
    """The gradient of a convex function is monotone: necessary for the map to be optimal."""
    exact = solutions(dim)[name]
    rng = np.random.default_rng(7)
    a, b = (
        exact.domain.lower + rng.random((500, dim)) * (exact.domain.upper - exact.domain.lower) for _ in "ab"
    )
    pairing = np.sum((exact.flow_map(0.7, a) - exact.flow_map(0.7, b)) * (a - b), axis=1)
    assert pairing.min() > -1e-14


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_formulas_for_uniform_starts(x):
    o4, o7 = WeightAbsorption(alpha=2.0), WallAccumulation([1.0, 0.5])
    assert o4.energy(x / 2) == pytest.approx((1 - x) ** 2, abs=1e-14)  # alpha (1-x)^2 / 2
    assert o4.wasserstein2(0.0, x / 2) ** 2 == pytest.approx(x**2 - 2 * x**3 / 3, abs=1e-14)
    assert o4.singular_mass(x / 2) == pytest.approx(x, abs=1e-14)
    xs = np.array([x, x / 2])
    assert o7.energy(x) == pytest.approx(-np.sum([1.0, 0.5] * (1 - (1 - xs) ** 2 / 2)), abs=1e-14)
    assert o7.wasserstein2(0.0, x) ** 2 == pytest.approx(np.sum(xs**2 * (1 - xs) + xs**3 / 3), abs=1e-14)
    assert o7.corner_mass(x) == pytest.approx(np.prod(xs), abs=1e-14)
    for d in (2, 3):
        o5 = RadialAbsorption(alpha=1.0, dim=d)
        assert o5.singular_mass(x) == pytest.approx(x**d, abs=1e-13)
        energy = d / (d + 1) * (1 - x ** (d + 1)) - x * (1 - x**d)
        assert o5.energy(x) == pytest.approx(energy, abs=1e-13)
        squares = x**2 * (1 - x**d) + d / (d + 2) * x ** (d + 2)
        assert o5.wasserstein2(0.0, x) ** 2 == pytest.approx(squares, abs=1e-13)


def test_everything_is_absorbed_in_finite_time():
    o4, o5 = WeightAbsorption(alpha=1.0, dim=3), RadialAbsorption(alpha=1.0, dim=3)
    for exact in (o4, o5):
        assert exact.energy(1.5) == 0.0
        assert exact.singular_mass(1.5) == 1.0
        assert exact.dissipation(1.5) == 0.0
    assert o4.wasserstein2(0.0, 1.5) ** 2 == pytest.approx(1 / 3, abs=1e-14)


@settings(max_examples=30)
@given(st.floats(-0.95, 0.95), st.floats(-0.95, 0.95), st.floats(0.01, 5.0))
@example(0.0, 7.6e-162, 1.0)  # squares of it underflow
def test_cosine_moment_satisfies_its_implicit_equation(y, z0, t):
    """G(z_t) - G(z_0) = kappa t / 2, as long as z is not yet at y to rounding."""
    kappa = 1.3
    z = CosineMoments([y], [z0], [kappa]).moment(t)[0]

    def G(z):
        return -np.log(abs(y - z)) / (1 - y * y) + np.log1p(z) / (2 * (1 + y)) + np.log1p(-z) / (2 * (1 - y))

    if abs(y - z0) < 1e-3:
        assert abs(z - y) <= abs(z0 - y) + 1e-15
    else:
        # d G = d z / ((y - z)(1 - z^2)) turns an error of z into one of G
        assert abs(G(z) - G(z0) - kappa * t / 2) * abs(y - z) * (1 - z * z) < 1e-12


@pytest.mark.parametrize("t", [0.1, 1.0, 10.0, 40.0])
def test_cosine_moment_closed_form_for_target_zero(t):
    z0 = np.array([0.9, -0.3])
    e = z0**2 * np.exp(-t)
    assert CosineMoments([0.0, 0.0], z0).moment(t) == pytest.approx(
        np.sign(z0) * np.sqrt(e / (1 - z0**2 + e)), abs=1e-13
    )


def test_cosine_wasserstein2_by_dilogarithms():
    """q_z(p) = pi p + 2 sum_k (-z)^k/k sin(k pi p): W2^2 = 2 sum_k (z_t^k - z_s^k)^2/k^2 per coordinate."""
    exact = CosineMoments([1.0, -0.6], [0.2, 0.9])

    def li2(x):
        return spence(1.0 - x)

    a, b = exact.moment(0.5), exact.moment(2.5)
    squares = 2 * np.sum(li2(a * a) - 2 * li2(a * b) + li2(b * b))
    assert exact.wasserstein2(0.5, 2.5) == pytest.approx(np.sqrt(squares), abs=1e-12)


def test_cosine_flow_map_of_the_start_is_that_of_its_quantiles():
    """Particles at many quantiles of mu_0 see nearly the moment of mu_0, hence nearly its flow map."""
    exact = CosineMoments([0.5, -0.2], [-0.3, 0.4])
    p = (np.arange(60) + 0.5) / 60 * np.pi
    u = exact._quantile(0.0, np.stack(np.meshgrid(p, p, indexing="ij"), axis=-1).reshape(-1, 2))
    # the midpoint rule in p is geometric in its number of nodes: |z|^120
    assert exact.particles(1.2, u) == pytest.approx(exact.flow_map(1.2, u), abs=1e-11)


@pytest.mark.parametrize("name", ["O1", "O2 expanding", "O8"])
def test_particles_of_a_finite_cloud_solve_their_own_equation(name):
    exact, t = solutions(2)[name], 0.8
    rng = np.random.default_rng(11)
    u0 = exact.domain.project(0.5 + 0.3 * rng.standard_normal((7, 2)))
    weights = rng.random(7)
    weights /= weights.sum()

    def velocity(_, flat):
        cloud = ParticleCloud(flat.reshape(7, 2), weights)
        return exact.functional.velocity(cloud, cloud.points).ravel()

    direct = solve_ivp(velocity, (0.0, t), u0.ravel(), method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    assert exact.particles(t, u0, weights) == pytest.approx(direct.reshape(7, 2), abs=1e-10)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: QuadraticMean([[1.0, 2.0], [0.0, 1.0]], np.eye(2), [0, 0], [0, 0]), "K must be symmetric"),
        (lambda: QuadraticMean(np.eye(2), np.eye(2), [0, 0, 0], [0, 0]), r"y must have shape \(2,\)"),
        (lambda: LogisticDilation(y=-1.0), "y must be a finite number, at least 0"),
        (lambda: WeightAbsorption(alpha=0.0), "alpha must be a finite number, above 0"),
        (lambda: RadialAbsorption(dim=1), "dim must be one of 2, 3, found 1"),
        (lambda: WallAccumulation([1.0, 1.0], start=[Profile(), Profile()]), r"start must lie in \[0, 1\]"),
        (lambda: WallRelaxation([1.0, 1.0], start=[Profile(0.5, 0.5)]), "start must hold 2 laws"),
        (lambda: LogisticDilation(1.0, start=[1.0, 2.0]), "start must hold Profile objects, found float"),
        (lambda: CosineMoments([0.0, 0.0], [1.0, 0.0]), "z0 must lie strictly between -1 and 1"),
        (lambda: CosineMoments([0.0, 0.0], [0.0, 0.0], [1.0, -1.0]), "kappa must be positive"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()
