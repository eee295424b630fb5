import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laguerre.meshes import cube, grid, linear_program_bracket, mesh, refine, square

from wassflow.laguerre import LaguerreDiagram, lifting, newton, semidiscrete_transport, starts, transport
from wassflow.laguerre.cells import measure_cells


def uniform(simplices):
    return np.full(len(simplices), 1.0 / len(simplices))


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize(("dim", "k"), [(2, 1), (2, 4), (2, 15), (3, 1), (3, 2), (3, 5)])
def test_grid_to_uniform_cube(dim, k, n):
    n = min(n, 4) if dim == 3 else n
    simplices = mesh(dim, n)
    w = semidiscrete_transport(simplices, uniform(simplices), grid(k, dim), np.full(k**dim, 1.0 / k**dim))
    exact = 1 / (k * np.sqrt(6)) if dim == 2 else 1 / (2 * k)
    assert w.lower <= exact <= w.upper
    assert w.upper - w.lower <= 1e-12 * exact
    assert w.converged


def test_hexagonal_patch():
    """One site in the centre of a regular hexagon of side a: W2^2 = 5 a^2 / 12."""
    angle = np.arange(7) * np.pi / 3
    ring = 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    simplices = np.stack([np.zeros((6, 2)), ring[:-1], ring[1:]], axis=1)
    w = semidiscrete_transport(simplices, np.full(6, 1 / 6), [[0.0, 0.0]], [1.0])
    exact = 0.3 * np.sqrt(5 / 12)
    assert w.lower <= exact <= w.upper
    assert w.upper - w.lower < 1e-13


@pytest.mark.parametrize("dim", [2, 3])
def test_translation_adds_in_squares(dim):
    rng = np.random.default_rng(2)
    simplices = mesh(dim, 3)
    masses = rng.random(len(simplices))
    masses /= masses.sum()
    sites, weights = rng.random((40, dim)), rng.dirichlet(np.ones(40))
    mean = masses @ simplices.mean(axis=1)
    sites += mean - weights @ sites
    near = semidiscrete_transport(simplices, masses, sites, weights)
    shift = np.array([30.0, -4.0, 2.0])[:dim]
    far = semidiscrete_transport(simplices, masses, sites + shift, weights)
    exact = np.sqrt(near.value**2 + shift @ shift)
    assert far.lower - 1e-13 * exact <= exact <= far.upper + 1e-13 * exact
    assert near.converged
    assert far.converged


def test_dilated_grid():
    """Each small square goes to its image: W2^2 = 1/(6 k^2) + (s - 1)^2 mean |c|^2, c the centres."""
    k, s = 12, 2.5
    simplices = square(5)
    w = semidiscrete_transport(
        simplices, uniform(simplices), s * (grid(k, 2) - 0.5) + 0.5, np.full(k * k, 1.0 / k**2)
    )
    exact = np.sqrt(1 / (6 * k**2) + (s - 1) ** 2 * (1 - 1 / k**2) / 6)
    assert w.lower <= exact <= w.upper
    assert w.upper - w.lower <= 1e-10 * exact


@pytest.mark.parametrize("dim", [2, 3])
def test_torus_wraps(dim):
    k = 4
    simplices = mesh(dim, 3)
    weights = np.full(k**dim, 1.0 / k**dim)
    exact = np.sqrt(dim / 12) / k
    for shift in (0.0, 0.37, -5.61):
        w = semidiscrete_transport(
            simplices, uniform(simplices), grid(k, dim) + shift, weights, period=np.ones(dim)
        )
        assert w.lower <= exact <= w.upper
        assert w.upper - w.lower <= 1e-11


def test_one_dimensional_law_across_a_torus():
    """A strip on each side of the seam and a site on it: the site is in the middle of the strip."""
    simplices = square(10)
    x = simplices.mean(axis=1)[:, 0]
    masses = ((x < 0.1) | (x > 0.9)).astype(float)
    sites = np.stack([np.zeros(10), (np.arange(10) + 0.5) / 10], axis=1)
    w = semidiscrete_transport(
        simplices, masses / masses.sum(), sites, np.full(10, 0.1), period=[1.0, np.inf]
    )
    exact = np.sqrt(0.2**2 / 12 + 0.1**2 / 12)
    assert w.lower <= exact <= w.upper
    assert w.upper - w.lower <= 1e-11


def void_density(name, simplices):
    c = simplices.mean(axis=1)
    radius = np.linalg.norm(c - 0.5, axis=1)
    return {
        "half": np.exp(-20 * np.sum((c - 0.4) ** 2, axis=1)) * (c[:, 0] < 0.5),
        "ring": ((radius < 0.3) & (radius > 0.2)).astype(float),
        "strips": (np.abs(c[:, 0] - 0.5) > 0.35).astype(float),
    }[name]


@pytest.mark.parametrize("name", ["half", "ring", "strips"])
@pytest.mark.parametrize("period", [None, np.ones(2)])
def test_voids_with_sites_everywhere(name, period):
    simplices = square(20)
    masses = void_density(name, simplices)
    masses /= masses.sum()
    sites = np.random.default_rng(4).random((200, 2))
    w = semidiscrete_transport(simplices, masses, sites, np.full(200, 1 / 200), period=period)
    assert w.upper - w.lower <= 1e-10 * w.upper
    fine, fine_masses = refine(simplices, masses, 2)
    lower, upper = linear_program_bracket(fine, fine_masses, sites, np.full(200, 1 / 200), period)
    assert lower - 1e-9 <= w.value**2 <= upper + 1e-9


def test_voids_in_3d():
    simplices = cube(6)
    masses = void_density("half", simplices)
    masses /= masses.sum()
    sites = np.random.default_rng(4).random((150, 3))
    w = semidiscrete_transport(simplices, masses, sites, np.full(150, 1 / 150))
    assert w.upper - w.lower <= 1e-10 * w.upper
    lower, upper = linear_program_bracket(simplices, masses, sites, np.full(150, 1 / 150))
    assert lower - 1e-9 <= w.value**2 <= upper + 1e-9


def test_the_potential_proves_the_lower_bound():
    """On the sites as given, merged, dropped and shifted ones too, its dual value is ``lower`` squared."""
    rng = np.random.default_rng(8)
    simplices = square(4)
    masses = uniform(simplices)
    sites = np.concatenate([rng.random((30, 2)) + np.array([3.0, 1.0]), np.full((5, 2), [3.5, 1.5])])
    weights = rng.random(35)
    weights[[3, 4, 33]] = 0.0
    weights /= weights.sum()
    w = semidiscrete_transport(simplices, masses, sites, weights)
    diagram = LaguerreDiagram(simplices, masses, sites, w.potential)
    dual = weights @ w.potential + np.sum(diagram.costs - w.potential * diagram.masses)
    assert dual == pytest.approx(w.lower**2, rel=1e-11)
    # the width is quadratic in the residual: 1e-10 of W2 allows masses off by 1e-5
    np.testing.assert_allclose(w.masses, weights, rtol=1e-5)


def test_plane_of_absorbed_particles():
    """Thousands of sites share w = 0: merge what coincides, keep the rest."""
    rng = np.random.default_rng(3)
    sites = np.stack([np.zeros(3000), rng.integers(0, 500, 3000) / 500.0], axis=1)
    simplices = square(8) - [0.5, 0.0]
    w = semidiscrete_transport(simplices, uniform(simplices), sites, np.full(3000, 1 / 3000))
    assert w.converged
    # W2^2 = int x^2 plus the transport of the second coordinate alone
    levels = np.sort(sites[:, 1])
    edges = np.arange(3001) / 3000
    exact = 1 / 12 + np.sum((edges[1:] - levels) ** 3 - (edges[:-1] - levels) ** 3) / 3
    assert w.lower**2 <= exact * (1 + 1e-12)
    assert w.upper**2 >= exact * (1 - 1e-12)


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_a_stopped_solve_still_brackets(seconds):
    simplices = square(12)
    masses = void_density("ring", simplices)
    sites = np.random.default_rng(0).random((400, 2))
    weights = np.full(400, masses.sum() / 400)
    full = semidiscrete_transport(simplices, masses, sites, weights)
    seen = []
    stopped = semidiscrete_transport(
        simplices, masses, sites, weights, time_limit=seconds, callback=lambda *bounds: seen.append(bounds)
    )
    assert full.converged
    assert stopped.lower <= full.value <= stopped.upper
    assert np.isfinite(stopped.upper)
    assert seen


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extreme_masses_scale(scale):
    simplices = square(3)
    sites = np.random.default_rng(1).random((9, 2))
    one = semidiscrete_transport(simplices, uniform(simplices), sites, np.full(9, 1 / 9))
    other = semidiscrete_transport(simplices, scale * uniform(simplices), sites, np.full(9, scale / 9))
    assert other.value == pytest.approx(np.sqrt(scale) * one.value, rel=1e-12)


def test_no_mass_is_distance_zero():
    w = semidiscrete_transport(square(1), [0.0, 0.0], [[0.0, 0.0]], [0.0])
    assert (w.lower, w.upper) == (0.0, 0.0)


def test_refusals_name_the_argument():
    simplices, masses = square(1), [0.5, 0.5]
    with pytest.raises(ValueError, match="weights must have the sum"):
        semidiscrete_transport(simplices, masses, [[0.0, 0.0]], [2.0])
    with pytest.raises(ValueError, match="sites"):
        semidiscrete_transport(simplices, masses, [[0.0, np.nan]], [1.0])
    with pytest.raises(ValueError, match="weights must be nonnegative"):
        semidiscrete_transport(simplices, masses, [[0.0, 0.0], [1.0, 1.0]], [2.0, -1.0])
    with pytest.raises(ValueError, match="simplices with mass"):
        semidiscrete_transport(np.zeros((1, 3, 2)), [1.0], [[0.0, 0.0]], [1.0])
    with pytest.raises(ValueError, match="simplices"):
        semidiscrete_transport(np.zeros((0, 3, 2)), [], [[0.0, 0.0]], [1.0])


@st.composite
def small_problems(draw):
    dim = draw(st.sampled_from([2, 2, 3]))
    n = draw(st.integers(1, 4 if dim == 2 else 2))
    simplices = mesh(dim, n)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masses = rng.random(len(simplices))
    shape = draw(st.sampled_from(["even", "holes", "few", "decades"]))
    if shape == "holes":
        masses *= rng.random(len(simplices)) < 0.5
    elif shape == "few":
        masses *= rng.random(len(simplices)) < 0.15
    elif shape == "decades":
        masses = 10.0 ** rng.uniform(-30, 0, len(simplices))
    masses[0] = max(masses[0], 1e-3) if masses.sum() < 1e-20 else masses[0]
    m = draw(st.integers(1, 12))
    place = draw(st.sampled_from(["free", "vertices", "around", "wide", "plane", "coincident", "tight"]))
    sites = {
        "free": lambda: rng.random((m, dim)),
        "vertices": lambda: rng.integers(0, n + 1, (m, dim)) / n,
        "around": lambda: rng.integers(-2, 2 * n + 3, (m, dim)) / (2 * n),
        "wide": lambda: rng.random((m, dim)) * 10.0 ** rng.uniform(-8, 4),
        "plane": lambda: np.column_stack([np.full(m, 0.5), rng.random((m, dim - 1))]),
        "coincident": lambda: rng.random((3, dim))[rng.integers(0, 3, m)],
        "tight": lambda: rng.random(dim) + 1e-12 * rng.random((m, dim)),
    }[place]()
    weights = rng.random(m)
    share = draw(st.sampled_from(["equal", "zeros", "decades", "random"]))
    if share == "equal":
        weights[:] = 1.0
    elif share == "zeros":
        weights *= rng.random(m) < 0.5
    elif share == "decades":
        weights = 10.0 ** rng.uniform(-30, 0, m)
    if weights.sum() == 0.0:
        weights[0] = 1.0
    stretch = 10.0 ** rng.uniform(-3, 3, dim) if draw(st.booleans()) else np.ones(dim)  # slivers
    period = None
    if draw(st.sampled_from([False, False, True])):
        period = np.where(rng.random(dim) < 0.7, 1.0, np.inf) * stretch
    scale = 10.0 ** draw(st.sampled_from([0.0, 0.0, -300.0, 290.0]))
    return simplices * stretch, masses / masses.sum(), sites * stretch, weights / weights.sum(), period, scale


@settings(max_examples=120)
@given(small_problems())
def test_bracket_holds_the_linear_program(problem):
    simplices, masses, sites, weights, period, scale = problem
    w = semidiscrete_transport(simplices, scale * masses, sites, scale * weights, period=period)
    assert 0.0 <= w.lower <= w.upper < np.inf
    assert np.all(np.isfinite(w.potential))
    fine, fine_masses = refine(simplices, masses, 3 if len(simplices) < 30 else 1)
    lower, upper = linear_program_bracket(fine, fine_masses, sites, weights, period)
    # POT works to 1e-9 of the largest cost
    slack = 1e-9 * (np.ptp(simplices, axis=(0, 1)) ** 2).sum() + 1e-9 * (np.abs(sites).max() + 1.0) ** 2
    assert w.lower**2 / scale <= upper + slack
    assert w.upper**2 / scale >= lower - slack


def test_the_cells_of_the_lower_bound_are_certified_and_none_measured_twice(monkeypatch):
    seen = []

    def watched(source, seeds, psi, certify=False, collect=False):
        seen.append((psi.copy(), certify))
        return measure_cells(source, seeds, psi, certify, collect)

    for module in (transport, starts, newton, lifting):
        monkeypatch.setattr(module, "measure_cells", watched)
    simplices = mesh(2, 4)
    masses = np.full(len(simplices), 1 / len(simplices))
    sites = np.random.default_rng(6).random((300, 2))
    w = semidiscrete_transport(simplices, masses, sites, np.full(300, 1 / 300), rtol=1e-9)
    assert w.converged
    assert seen[-1][1]
    assert not any(np.array_equal(one, other) for (one, _), (other, _) in itertools.combinations(seen, 2))
