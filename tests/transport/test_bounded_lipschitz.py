"""The bounded-Lipschitz distance: closed forms, the linear program, metric properties, honest brackets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import wassflow as wf
from wassflow.measure import projection_error, weighted_directions


def by_linear_program(x, masses, distances):
    """sup sum_i m_i phi_i over |phi| <= 1, phi_i - phi_j <= d_ij: the definition itself."""
    n = len(x)
    rows, columns = np.nonzero(~np.eye(n, dtype=bool))
    constraints = np.zeros((len(rows), n))
    constraints[np.arange(len(rows)), rows] = 1.0
    constraints[np.arange(len(rows)), columns] = -1.0
    found = linprog(-masses, constraints, distances[rows, columns], bounds=(-1.0, 1.0), method="highs")
    return -found.fun


def euclidean(x):
    return np.linalg.norm(x[:, None] - x[None], axis=2)


@pytest.mark.parametrize(("gap", "expected"), [(0.0, 0.0), (0.5, 0.5), (1.7, 1.7), (2.0, 2.0), (9.0, 2.0)])
def test_two_diracs(gap, expected):
    found = wf.bounded_lipschitz(wf.ParticleCloud([[0.0, 1.0]]), wf.ParticleCloud([[gap, 1.0]]))
    assert expected in found
    assert found.width < 1e-14


@pytest.mark.parametrize(("mass", "gap"), [(1.0, 0.4), (0.3, 0.4), (2.5, 0.4), (2.5, 5.0)])
def test_diracs_of_different_masses(mass, gap):
    # the common mass is moved or replaced, the rest created
    expected = min(1.0, mass) * min(gap, 2.0) + abs(1.0 - mass)
    found = wf.bounded_lipschitz(wf.ParticleCloud([[0.0]]), wf.ParticleCloud([[gap]], [mass]))
    assert expected == pytest.approx(found.value, abs=1e-14)


def test_distance_to_nothing_is_the_mass():
    nothing = (np.zeros((0, 2)), np.zeros(0))
    assert 3.0 in wf.bounded_lipschitz(wf.ParticleCloud([[0.0, 1.0], [5.0, 5.0]], [1.0, 2.0]), nothing)


def test_torus_goes_the_short_way():
    circle = wf.Box([-1.0, 0.0], [1.0, 2.0], periodic=(False, True))
    one, other = wf.ParticleCloud([[0.0, 0.1]]), wf.ParticleCloud([[0.0, 1.9]])
    assert wf.bounded_lipschitz(one, other, domain=circle).value == pytest.approx(0.2, abs=1e-14)
    weighted = wf.bounded_lipschitz(
        wf.ParticleCloud([[3.0, 0.1]]), wf.ParticleCloud([[3.0, 1.9]]), projection="weight", domain=circle
    )
    assert weighted.value == pytest.approx(0.6, abs=1e-13)


def test_sphere_is_measured_along_arcs():
    found = wf.bounded_lipschitz(
        wf.ParticleCloud([[2.0, 0.0]]), wf.ParticleCloud([[0.0, 2.0]]), projection="sphere"
    )
    assert found.value == pytest.approx(4.0 * np.pi / 2.0, abs=1e-13)


def test_projections_do_not_see_what_functionals_do_not():
    # |u|^2 at the direction of u: twice as far and a quarter of the mass
    one, other = wf.ParticleCloud([[1.0, 2.0]]), wf.ParticleCloud([[2.0, 4.0]], [0.25])
    assert wf.bounded_lipschitz(one, other, projection="sphere").upper < 1e-14
    # w at theta: opposite weights cancel
    pair = wf.ParticleCloud([[1.0, 0.3], [-1.0, 0.3], [2.0, 0.7]], [1.0, 1.0, 0.5])
    assert wf.bounded_lipschitz(pair, wf.ParticleCloud([[1.0, 0.7]]), projection="weight").upper < 1e-14


@st.composite
def signed_measures(draw, count=3):
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([0.3, 1.0, 3.0]))
    sizes = rng.integers(1, 8, count)
    return [(rng.normal(size=(n, 2)) * scale, rng.normal(size=n)) for n in sizes]


@given(signed_measures(2))
def test_agrees_with_the_linear_program(pair):
    (x, a), (y, b) = pair
    points = np.concatenate([x, y])
    expected = by_linear_program(points, np.concatenate([a, -b]), euclidean(points))
    found = wf.bounded_lipschitz(*pair)
    assert found.value == pytest.approx(expected, abs=1e-8)
    assert found.width < 1e-12


@given(signed_measures(2))
def test_agrees_with_the_linear_program_on_the_sphere(pair):
    (x, a), (y, b) = pair
    points = np.concatenate([x, y])
    lengths = np.linalg.norm(points, axis=1)
    angles = np.arccos(np.clip((points / lengths[:, None]) @ (points / lengths[:, None]).T, -1.0, 1.0))
    expected = by_linear_program(points, np.concatenate([a, -b]) * lengths**2, angles)
    found = wf.bounded_lipschitz(*pair, projection="sphere")
    assert found.value == pytest.approx(expected, abs=1e-6 * (1.0 + lengths.max() ** 2))


@given(signed_measures(3))
def test_is_a_metric(three):
    one, two, three = three
    forth, back = wf.bounded_lipschitz(one, two), wf.bounded_lipschitz(two, one)
    assert forth.value == pytest.approx(back.value, abs=1e-12)
    assert wf.bounded_lipschitz(one, one).upper < 1e-13
    assert wf.bounded_lipschitz(one, three).lower <= forth.upper + wf.bounded_lipschitz(two, three).upper
    assert forth.upper <= np.abs(one[1]).sum() + np.abs(two[1]).sum() + 1e-12


def test_clusters_keep_the_distance_inside():
    rng = np.random.default_rng(0)
    one, other = (
        wf.ParticleCloud(rng.normal(size=(600, 2))),
        wf.ParticleCloud(rng.normal(size=(500, 2)) + 0.5),
    )
    exact = wf.bounded_lipschitz(one, other)
    rough = wf.bounded_lipschitz(one, other, atoms=300)
    assert exact.width < 1e-12
    assert rough.lower < exact.lower
    assert exact.upper < rough.upper
    assert rough.width < 0.5


@pytest.mark.parametrize("projection", [None, "sphere", "weight"])
def test_densities_of_finer_meshes_stay_in_the_bracket(projection):
    omega = wf.Box([0.5, 0.0], [1.5, 1.0])
    coarse, fine = (wf.MeshDensity.uniform(wf.mesh.box(omega, (n, n), cell="triangle")) for n in (5, 15))
    # the same measure: a bracket of their distance must hold 0
    assert 0.0 in wf.bounded_lipschitz(coarse, fine, projection=projection)
    other = wf.ParticleCloud([[1.0, 0.5]])
    one, two = (wf.bounded_lipschitz(mu, other, projection=projection) for mu in (coarse, fine))
    assert max(one.lower, two.lower) <= min(one.upper, two.upper)
    assert two.width < 0.4 * one.width


@given(st.integers(0, 10**6))
def test_quadrature_errors_are_bounded(seed):
    """A function that is 1-Lipschitz and at most 1, integrated on two meshes."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=1)
    omega = wf.Box([-1.0, -0.5], [2.0, 1.0])
    coarse, fine = (wf.MeshDensity.uniform(wf.mesh.box(omega, (n, n), cell="quadrilateral")) for n in (3, 30))
    values = [
        masses @ np.clip(np.abs(theta[:, 0] - centre) - 1.0, -1.0, 1.0)
        for theta, masses in map(weighted_directions, (coarse, fine))
    ]
    assert abs(values[0] - values[1]) <= projection_error(coarse, "weight") + projection_error(fine, "weight")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, wf.ParticleCloud([[0.0]])), "mu must be a ParticleCloud"),
        ((wf.ParticleCloud([[0.0]]), wf.ParticleCloud([[0.0, 1.0]])), "nu must have the dimension"),
        ((([[0.0]], [1.0], 3), wf.ParticleCloud([[0.0]])), "must be a pair"),
        ((([[0.0]], [1.0, 2.0]), wf.ParticleCloud([[0.0]])), "masses of mu"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        wf.bounded_lipschitz(*arguments)


def test_refuses_unknown_projections_and_domains():
    cloud = wf.ParticleCloud([[0.0, 1.0]])
    with pytest.raises(ValueError, match="projection must be one of"):
        wf.bounded_lipschitz(cloud, cloud, projection="plane")
    with pytest.raises(ValueError, match="domain must have the dimension"):
        wf.bounded_lipschitz(cloud, cloud, domain=wf.Box([0.0], [1.0]))
