"""Clouds against clouds: linear programming, closed forms, certificates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import wassflow as wf
from wassflow.laguerre.coarsening import barycentres, clusters, spread
from wassflow.transport import discrete
from wassflow.transport.discrete import solve_discrete


def costs(x, y, period):
    step = x[:, None] - y[None]
    wraps = period > 0
    step[..., wraps] -= period[wraps] * np.rint(step[..., wraps] / period[wraps])
    return np.sum(step**2, axis=-1)


def linear_program(x, a, y, b, period):
    """W2^2 by HiGHS, for masses of sum one."""
    n, k = len(a), len(b)
    rows = np.kron(np.eye(n), np.ones(k))
    columns = np.kron(np.ones(n), np.eye(k))
    found = linprog(
        costs(x, y, period).ravel(),
        A_eq=np.vstack([rows, columns[:-1]]),
        b_eq=np.concatenate([a / a.sum(), b[:-1] / b.sum()]),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0
    return found.fun


@st.composite
def clouds(draw, dim=2):
    """Points on a coarse lattice, so that they coincide and tie; some without weight."""
    n = draw(st.integers(1, 7))
    lattice = draw(st.booleans())
    element = st.integers(-3, 3).map(float) if lattice else st.floats(-3.0, 3.0, width=32)
    points = draw(st.lists(st.lists(element, min_size=dim, max_size=dim), min_size=n, max_size=n))
    weights = draw(st.lists(st.sampled_from([0.0, 1.0, 1.0, 0.25, 1e-3]), min_size=n, max_size=n))
    if not any(weights):
        weights[0] = 1.0
    return np.array(points), np.array(weights)


@settings(max_examples=150)
@given(clouds(), clouds(), st.booleans(), st.sampled_from([1e-300, 1e-5, 1.0, 1e300]))
def test_small_problems_have_the_value_of_the_linear_program(one, other, torus, mass):
    (x, a), (y, b) = one, other
    box = wf.Box([-3.5, -3.5], [3.5, 3.5], periodic=[torus, False])
    mu = wf.ParticleCloud(x, mass * (a / a.sum()))
    nu = wf.ParticleCloud(y, mass * (b / b.sum()))
    w = wf.wasserstein2(mu, nu, domain=box)
    exact = linear_program(x, a, y, b, np.array([7.0 * torus, 0.0]))
    # HiGHS is exact to about 1e-9 of the largest cost, 100
    assert (w.lower / np.sqrt(mass)) ** 2 <= exact + 1e-7
    assert (w.upper / np.sqrt(mass)) ** 2 >= exact - 1e-7
    assert w.upper**2 - w.lower**2 <= 1e-12 * mass * 100.0


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_potentials_are_feasible_and_tight_and_the_plan_has_its_marginals(dim):
    rng = np.random.default_rng(dim)
    mu = wf.ParticleCloud(rng.random((40, dim)), rng.random(40))
    nu = wf.ParticleCloud(rng.random((30, dim)) + 0.3, np.full(30, mu.mass / 30))
    w = wf.wasserstein2(mu, nu, plan=True, potential=True)
    c = costs(mu.points, nu.points, np.zeros(dim))
    slack = c - w.potential.first[:, None] - w.potential.second[None]
    assert slack.min() > -1e-13
    table = w.plan.toarray()
    np.testing.assert_allclose(table.sum(axis=1), mu.weights, atol=1e-15 * 40)
    np.testing.assert_allclose(table.sum(axis=0), nu.weights, atol=1e-15 * 40)
    assert np.sum(table * c) == pytest.approx(w.value**2, rel=1e-12)
    assert mu.weights @ w.potential.first + nu.weights @ w.potential.second == pytest.approx(
        w.value**2, rel=1e-12
    )
    assert w.relative_width < 1e-12


def test_translation_and_dilation():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((200, 2))
    cloud = wf.ParticleCloud(points)
    assert wf.wasserstein2(cloud, wf.ParticleCloud(points + np.array([3.0, 4.0]))).value == pytest.approx(
        5.0, rel=1e-12
    )
    stretched = wf.wasserstein2(cloud, wf.ParticleCloud(3.0 * points))
    assert np.sqrt(4.0 * cloud.second_moment()) in stretched
    assert stretched.relative_width < 1e-12


def test_equal_clouds_are_at_distance_zero():
    points = np.random.default_rng(0).random((50, 2))
    w = wf.wasserstein2(wf.ParticleCloud(points), wf.ParticleCloud(points[::-1]))
    assert w.lower == 0.0
    assert w.upper < 1e-9


def test_the_torus_wraps_and_the_box_does_not():
    near, far = wf.ParticleCloud([[0.05, 0.5]]), wf.ParticleCloud([[0.95, 0.5]])
    torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=[True, False])
    assert wf.wasserstein2(near, far, domain=torus).value == pytest.approx(0.1, rel=1e-13)
    assert wf.wasserstein2(near, far).value == pytest.approx(0.9, rel=1e-13)
    outside = wf.ParticleCloud([[7.95, 0.5]])
    assert wf.wasserstein2(near, outside, domain=torus).value == pytest.approx(0.1, rel=1e-13)


@pytest.mark.parametrize("offset", [1e8, 1e12])
def test_clouds_far_from_the_origin_lose_nothing(offset):
    rng = np.random.default_rng(4)
    x = np.round(rng.random((20, 2)) * 1024) / 1024 + offset  # exact in floating point
    y = x + 0.25
    assert wf.wasserstein2(wf.ParticleCloud(x), wf.ParticleCloud(y)).value == pytest.approx(
        0.25 * np.sqrt(2), rel=1e-12
    )


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_extreme_coordinates_are_scaled(scale):
    rng = np.random.default_rng(5)
    x, y = rng.random((9, 2)), rng.random((9, 2))
    plain = wf.wasserstein2(wf.ParticleCloud(x), wf.ParticleCloud(y))
    scaled = wf.wasserstein2(wf.ParticleCloud(scale * x), wf.ParticleCloud(scale * y))
    assert scaled.value / scale == pytest.approx(plain.value, rel=1e-12)


def test_coincident_particles_share_and_weightless_ones_take_no_part():
    mu = wf.ParticleCloud([[0.0, 0.0], [0.0, 0.0], [5.0, 5.0]], [0.25, 0.75, 0.0])
    nu = wf.ParticleCloud([[1.0, 0.0], [-0.0, 0.0]], [0.5, 0.5])
    w = wf.wasserstein2(mu, nu, plan=True, potential=True)
    assert w.value == pytest.approx(np.sqrt(0.5), rel=1e-14)
    np.testing.assert_allclose(w.plan.toarray().sum(axis=1), [0.25, 0.75, 0.0], atol=1e-16)
    assert w.potential.first[2] == -np.inf
    assert w.potential.first[0] == w.potential.first[1]


def test_several_levels_agree_with_one(monkeypatch):
    rng = np.random.default_rng(7)
    x, y = rng.random((900, 2)), rng.random((700, 2)) ** 2
    a, b = np.full(900, 1 / 900), np.full(700, 1 / 700)
    one = solve_discrete(x, a, y, b, np.zeros(2))
    monkeypatch.setattr(discrete, "COARSEST", 60)
    several = solve_discrete(x, a, y, b, np.zeros(2))
    assert one.upper - one.lower < 1e-10 * one.upper
    assert several.upper - several.lower < 1e-10 * several.upper
    assert several.lower == pytest.approx(one.lower, rel=1e-10)


def test_no_time_still_gives_a_true_bracket(monkeypatch):
    monkeypatch.setattr(discrete, "COARSEST", 60)
    rng = np.random.default_rng(8)
    mu, nu = wf.ParticleCloud(rng.random((900, 2))), wf.ParticleCloud(rng.random((700, 2)) + 0.2)
    hasty = wf.wasserstein2(mu, nu, time_limit=1e-9)
    exact = wf.wasserstein2(mu, nu)
    assert hasty.lower <= exact.lower <= exact.upper <= hasty.upper
    assert hasty.relative_width > 1e-6
    assert exact.relative_width < 1e-10


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_symmetry_and_the_triangle_inequality(seed):
    rng = np.random.default_rng(seed)
    one, two, three = (wf.ParticleCloud(rng.random((rng.integers(1, 12), 2))) for _ in range(3))
    there, back = wf.wasserstein2(one, two), wf.wasserstein2(two, one)
    assert there.lower <= back.upper
    assert back.lower <= there.upper
    assert wf.wasserstein2(one, three).lower <= there.upper + wf.wasserstein2(two, three).upper


def test_clusters_cost_what_they_say():
    rng = np.random.default_rng(9)
    points, masses = rng.random((500, 3)), rng.random(500)
    masses /= masses.sum()
    label = clusters(points, masses, 40)
    assert 20 <= label.max() + 1 <= 40
    centres, sums = barycentres(points, masses, label)
    assert sums.max() < 3.0 / 32.0
    moved = np.sqrt(spread(points, masses, label, centres))
    w = wf.wasserstein2(wf.ParticleCloud(points, masses), wf.ParticleCloud(centres, sums))
    assert w.lower <= moved * (1 + 1e-12)


def test_clusters_of_coincident_points_end():
    label = clusters(np.zeros((10, 2)), np.full(10, 0.1), 8)
    assert label.max() < 8
