"""Densities against clouds and densities: closed forms, independent engines, metric properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.transport.bounds import Bounds
from wassflow.transport.engines import Request, by_atoms, densities
from wassflow.transport.engines.resolution import wanted_simplices
from wassflow.transport.marginals import make_problem

UNIT = {2: wf.Box([0.0, 0.0], [1.0, 1.0]), 3: wf.Box([0.0] * 3, [1.0] * 3)}
CELLS = {"triangle": (6, 6), "quadrilateral": (6, 6), "tetrahedron": (3, 3, 3), "hexahedron": (3, 3, 3)}
MESHES = {cell: wf.mesh.box(UNIT[len(cells)], cells=cells, cell=cell) for cell, cells in CELLS.items()}
cell_types = pytest.mark.parametrize("cell", sorted(MESHES))
engines = pytest.mark.parametrize("engine", [None, "semi-discrete", "discrete"])


def grid(k, dim):
    axis = (np.arange(k) + 0.5) / k
    return np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


def box_density(mesh, lower, upper):
    """Uniform on the cells whose centroids lie in a box that is a union of cells."""
    c = mesh.centroids[: mesh.num_owned]
    inside = np.all((c > lower) & (c < upper), axis=1)
    return wf.MeshDensity(mesh, mesh.volumes[: mesh.num_owned] * inside / np.prod(np.subtract(upper, lower)))


@cell_types
@engines
def test_a_box_and_its_centre(cell, engine):
    mesh = MESHES[cell]
    w = wf.wasserstein2(wf.ParticleCloud([[0.5] * mesh.dim]), wf.MeshDensity.uniform(mesh), engine=engine)
    assert np.sqrt(mesh.dim / 12.0) in w
    assert w.relative_width < (1e-10 if engine != "discrete" else 0.2)


@cell_types
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_a_grid_and_the_uniform_box(cell, k):
    mesh = MESHES[cell]
    w = wf.wasserstein2(wf.ParticleCloud(grid(k, mesh.dim)), wf.MeshDensity.uniform(mesh))
    assert np.sqrt(mesh.dim / 12.0) / k in w
    assert w.relative_width < 1e-9


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e300])
def test_distance_grows_with_the_root_of_the_mass(scale):
    mesh = MESHES["triangle"]
    cloud = wf.ParticleCloud(grid(2, 2), np.full(4, 0.25 * scale))
    w = wf.wasserstein2(cloud, wf.MeshDensity.uniform(mesh, mass=scale))
    assert w.value / np.sqrt(scale) == pytest.approx(1.0 / (2.0 * np.sqrt(6.0)), rel=1e-10)


@engines
def test_a_cloud_and_a_density_with_voids(engine):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 1.0]), cells=(8, 4), cell="triangle")
    one, other = box_density(mesh, [0.0, 0.0], [0.5, 1.0]), box_density(mesh, [1.5, 0.0], [2.0, 1.0])
    both = wf.MeshDensity(mesh, 0.5 * (one.masses + other.masses))
    # all the mass of the left half is on the left: W2 splits into the two strips
    points = np.concatenate([[0.25, 0.5] * np.ones((1, 2)), [1.75, 0.5] * np.ones((1, 2))])
    w = wf.wasserstein2(wf.ParticleCloud(points), both, engine=engine)
    assert np.sqrt((0.25 + 1.0) / 12.0) in w
    assert w.relative_width < (1e-9 if engine != "discrete" else 0.05)


@engines
def test_translation_of_a_density(engine):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 2.0]), cells=(12, 12), cell="quadrilateral")
    one, other = box_density(mesh, [0.0, 0.0], [1.0, 1.0]), box_density(mesh, [1.0, 0.5], [2.0, 1.5])
    w = wf.wasserstein2(one, other, engine=engine)
    assert np.sqrt(1.25) in w
    assert w.relative_width < 0.01


def test_translation_of_a_density_in_three_dimensions():
    mesh = wf.mesh.box(wf.Box([0.0] * 3, [2.0, 1.0, 1.0]), cells=(6, 3, 3), cell="hexahedron")
    one, other = box_density(mesh, [0.0] * 3, [1.0] * 3), box_density(mesh, [1.0, 0.0, 0.0], [2.0, 1.0, 1.0])
    w = wf.wasserstein2(one, other, rtol=0.05)
    assert 1.0 in w
    assert w.relative_width < 0.05


def test_dilation_of_a_density_between_different_meshes():
    small = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(10, 10), cell="triangle")
    large = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 3.0]), cells=(9, 11), cell="quadrilateral")
    w = wf.wasserstein2(wf.MeshDensity.uniform(small), wf.MeshDensity.uniform(large))
    assert np.sqrt((1.0 + 4.0) / 3.0) in w
    assert w.relative_width < 0.01


def test_equal_densities_are_at_distance_zero():
    mu = wf.MeshDensity.from_function(MESHES["tetrahedron"], lambda u: np.exp(u[:, 0]))
    w = wf.wasserstein2(mu, wf.MeshDensity(mu.mesh, mu.masses))
    assert (w.lower, w.upper) == (0.0, 0.0)


@pytest.mark.parametrize("periodic", [(True, False), (True, True)])
@engines
def test_the_torus_takes_the_short_way(periodic, engine):
    box = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=periodic)
    mesh = wf.mesh.box(box, cells=(8, 8), cell="triangle")
    left, right = box_density(mesh, [0.0, 0.0], [0.125, 1.0]), box_density(mesh, [0.875, 0.0], [1.0, 1.0])
    w = wf.wasserstein2(left, right, engine=engine, rtol=0.05)
    assert 0.125 in w
    assert w.relative_width < 0.1
    straight = wf.wasserstein2(left, right, domain=UNIT[2], engine=engine, rtol=0.05)
    assert 0.875 in straight
    cloud = wf.ParticleCloud([[1.0 - 1.0 / 16, 0.5]])
    spread = np.sqrt(0.125**2 + (0.125**2 + 1.0) / 12.0)
    assert spread in wf.wasserstein2(cloud, left, engine=engine)


@settings(max_examples=15)
@given(st.integers(0, 10**9), st.sampled_from(["triangle", "quadrilateral"]), st.booleans())
def test_the_two_engines_agree(seed, cell, torus):
    """Brackets of independent methods overlap, for random densities with voids and clouds with ties."""
    rng = np.random.default_rng(seed)
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(torus, False)), cells=(5, 4), cell=cell)
    masses = rng.random(mesh.num_owned) * (rng.random(mesh.num_owned) < 0.6)
    masses[0] += 0.1
    mu = wf.MeshDensity(mesh, masses / masses.sum())
    points = np.round(rng.random((rng.integers(1, 15), 2)) * 8) / 8
    cloud = wf.ParticleCloud(points)
    exact = wf.wasserstein2(mu, cloud)
    rough = wf.wasserstein2(cloud, mu, engine="discrete", rtol=0.1)
    assert exact.relative_width < 1e-8
    assert rough.lower <= exact.upper
    assert exact.lower <= rough.upper
    # first order: a bracket of 2 000 atoms is not wide
    assert rough.relative_width < 0.1


@engines
def test_plan_and_potentials_of_a_cloud_and_a_density(engine):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(30, 30), cell="quadrilateral")
    mu = wf.MeshDensity.from_function(mesh, lambda u: 1.0 + u[:, 0], mass=2.0)
    cloud = wf.ParticleCloud.sample(mu, 20, "stratified")
    w = wf.wasserstein2(cloud, mu, plan=True, potential=True, engine=engine)
    assert w.plan.shape == (20, mesh.num_owned)
    np.testing.assert_allclose(w.plan.sum(axis=1), cloud.weights, atol=1e-12)
    np.testing.assert_allclose(w.plan.sum(axis=0), mu.masses, atol=1e-15)
    dual = cloud.weights @ w.potential.first + mu.masses @ w.potential.second
    # the potential of a cell is that of its centroids: exact up to h^2
    assert dual == pytest.approx(w.value**2, abs=2.0 * 2.0 / 30**2)
    held = w.plan.tocoo()
    nodes = mesh.centroids[held.col]
    cost = held.data @ np.sum((cloud.points[held.row] - nodes) ** 2, axis=1)
    assert cost == pytest.approx(w.value**2, abs=2.0 * 2.0 / 30**2)
    turned = wf.wasserstein2(mu, cloud, plan=True, potential=True, engine=engine)
    assert abs(turned.plan.T - w.plan).max() < 1e-12
    # potentials are fixed up to a constant
    difference = turned.potential.second - w.potential.first
    np.testing.assert_allclose(difference, difference[0], atol=1e-10)


def test_plan_between_densities_has_their_masses():
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 2.0]), cells=(8, 8), cell="quadrilateral")
    one, other = box_density(mesh, [0.0, 0.0], [1.0, 1.0]), box_density(mesh, [1.0, 1.0], [2.0, 2.0])
    w = wf.wasserstein2(one, other, plan=True, potential=True, rtol=0.1)
    np.testing.assert_allclose(w.plan.sum(axis=1), one.masses, atol=1e-14)
    np.testing.assert_allclose(w.plan.sum(axis=0), other.masses, atol=1e-14)
    held = one.masses > 0
    assert np.all(np.isneginf(w.potential.second[other.masses == 0]))
    dual = one.masses[held] @ w.potential.first[held]
    dual += other.masses[other.masses > 0] @ w.potential.second[other.masses > 0]
    assert dual == pytest.approx(2.0, rel=0.05)


def test_three_dimensional_plan_has_its_marginals():
    mu = wf.MeshDensity.uniform(MESHES["tetrahedron"])
    cloud = wf.ParticleCloud.sample(mu, 10, "stratified")
    w = wf.wasserstein2(mu, cloud, plan=True)
    np.testing.assert_allclose(w.plan.sum(axis=1), mu.masses, atol=1e-15)
    np.testing.assert_allclose(w.plan.sum(axis=0), cloud.weights, atol=1e-14)


def test_light_particles_do_not_stop_newton():
    mesh = MESHES["triangle"]
    points = np.vstack([grid(3, 2), np.random.default_rng(0).random((5, 2))])
    weights = np.r_[np.full(9, 1.0), np.full(5, 1e-14)]
    cloud = wf.ParticleCloud(points, weights / weights.sum())
    w = wf.wasserstein2(cloud, wf.MeshDensity.uniform(mesh), rtol=1e-3)
    assert w.lower <= 1.0 / (3.0 * np.sqrt(6.0)) + np.sqrt(5e-14)
    assert w.upper >= 1.0 / (3.0 * np.sqrt(6.0)) - np.sqrt(5e-14)
    assert w.relative_width < 1e-3


def test_brackets_of_a_density_obey_the_triangle_inequality():
    mesh = MESHES["triangle"]
    mu = wf.MeshDensity.from_function(mesh, lambda u: 1.0 + u[:, 0])
    nu = wf.MeshDensity.uniform(mesh)
    cloud = wf.ParticleCloud.sample(mu, 10)
    direct = wf.wasserstein2(mu, nu, rtol=0.1)
    detour = wf.wasserstein2(mu, cloud).upper + wf.wasserstein2(cloud, nu).upper
    assert direct.lower <= detour
    assert wf.wasserstein2(nu, mu, rtol=0.1).lower <= direct.upper


@pytest.mark.parametrize("cell", ["triangle", "hexahedron"])
@pytest.mark.parametrize("engine", ["semi-discrete", "discrete"])
def test_densities_of_too_many_cells_are_clustered(cell, engine, monkeypatch):
    dim = len(CELLS[cell])
    box = wf.Box([0.0] * dim, [2.0] + [1.0] * (dim - 1))
    cells = (20, 10) if dim == 2 else (8, 4, 4)
    mesh = wf.mesh.box(box, cells=cells, cell=cell)
    corner, shift = np.ones(dim), np.eye(dim)[0]
    one, other = box_density(mesh, 0.0 * corner, corner), box_density(mesh, shift, corner + shift)
    monkeypatch.setattr(densities, "SITES", {2: 20, 3: 20})
    problem = make_problem(one, other, None)
    request = Request(0.1, np.inf, plan=True, potential=True)
    if engine == "discrete":
        bounds = by_atoms(problem, request, most=60)
    else:
        bounds = densities.density_to_density(problem, request)
    assert bounds.lower * problem.scale <= 1.0 <= bounds.upper * problem.scale
    assert bounds.relative_width < 0.12
    coupling, size = bounds.coupling, mesh.num_owned
    np.testing.assert_allclose(np.bincount(coupling.rows, coupling.masses, size), one.masses, atol=1e-14)
    np.testing.assert_allclose(np.bincount(coupling.columns, coupling.masses, size), other.masses, atol=1e-14)


def test_cells_are_split_until_the_bracket_is_as_wide_as_wanted():
    """The first guess is too coarse for random masses on a few cells of a torus."""
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True)), cells=(4, 3), cell="triangle")
    masses = np.random.default_rng(1).dirichlet(np.full(mesh.num_owned, 0.3), 2)
    problem = make_problem(*(wf.MeshDensity(mesh, m) for m in masses), None)
    request = Request(0.3, np.inf)
    nothing = Bounds(0.0, np.inf, np.inf, "")
    guess = wanted_simplices(problem, request, densities.SITES[2], nothing)
    once = densities._quantised(problem, request, guess, densities.SITES[2], nothing)
    bounds = densities.density_to_density(problem, request)
    assert bounds.relative_width <= 0.3 < once.relative_width
    assert once.lower <= bounds.upper
    assert bounds.lower <= once.upper
