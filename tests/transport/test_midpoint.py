"""The lower bound from a potential half-way: closed forms, any potential, tori, clouds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.transport.engines import Request, by_atoms
from wassflow.transport.lattice import Lattice
from wassflow.transport.marginals import make_problem
from wassflow.transport.midpoint import Nodes, Spline, midpoint_bound, proved_by

CELLS = {"triangle": (6, 5), "quadrilateral": (7, 6), "tetrahedron": (3, 2, 3), "hexahedron": (4, 3, 4)}


def unit_mesh(cell, periodic=False, cells=None):
    dim = len(CELLS[cell])
    box = wf.Box([0.0] * dim, [1.0] * dim, periodic=(periodic,) * dim)
    return wf.mesh.box(box, cells=cells or CELLS[cell], cell=cell)


def random_density(mesh, rng):
    masses = rng.random(mesh.num_owned) * (rng.random(mesh.num_owned) < 0.8)
    return wf.MeshDensity(mesh, masses / masses.sum())


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_spline_and_its_gradient_and_curvature(cell):
    """Against central differences: the search from a point ends where 4 (z - x) + grad theta vanishes."""
    rng = np.random.default_rng(0)
    dim = len(CELLS[cell])
    mesh = unit_mesh(cell)
    lattice = Lattice.around(make_problem(*[wf.MeshDensity.uniform(mesh)] * 2, None), 200)
    spline = Spline.around(lattice, 3e-4 * rng.standard_normal(lattice.shape))
    least = spline.curvatures()
    assert least.min() > -4.0
    points = rng.uniform(lattice.lower + 0.2, lattice.upper - 0.2, (50, dim))
    # with z kept at x the bound is theta(x) - |grad theta(x)|^2 / (2 c): two values of c give both
    values = [Values(spline, c) for c in (1e9, 1.0)]
    theta = values[0](points)
    slope = 2.0 * (theta - values[1](points))
    h = 1e-5
    differences = np.stack(
        [(values[0](points + h * e) - values[0](points - h * e)) / (2 * h) for e in np.eye(dim)]
    )
    np.testing.assert_allclose(slope, np.sum(differences**2, axis=0), atol=1e-8)
    bends = np.stack(
        [(values[0](points + h * e) - 2 * theta + values[0](points - h * e)) / h**2 for e in np.eye(dim)]
    )
    assert np.all(bends >= least[:, *lattice.boxes_of(points).T] - 1e-4)
    z, bounds, errors = spline.middles(points, 4.0 + least.min())
    assert np.all(errors <= 0.05 * np.linalg.norm(z - points, axis=1) + 1e-12)
    # the minimum over z is below the value at any other z
    for _ in range(20):
        other = points + 0.05 * rng.standard_normal(points.shape)
        assert np.all(bounds <= 2.0 * np.sum((other - points) ** 2, axis=1) + values[0](other) + 1e-12)


class Values:
    """theta - |grad theta|^2 / (2 c) at points: the search for the middle cut off at its start."""

    def __init__(self, spline, convexity):
        self.spline, self.convexity = spline, convexity

    def __call__(self, points):
        from wassflow.transport import midpoint

        lattice = self.spline.lattice
        padded = self.spline.coefficients.reshape((1,) * (3 - lattice.dim) + self.spline.coefficients.shape)
        arguments = (self.convexity, padded, lattice.lower, lattice.spacing, np.array(lattice.periodic), 1)
        return midpoint._middles(points, *arguments)[1]


@settings(max_examples=8)
@given(st.integers(0, 10**9), st.sampled_from(sorted(CELLS)), st.booleans())
def test_any_potential_gives_a_lower_bound(seed, cell, torus):
    """Against the upper bound of the discrete engine, which knows nothing of potentials half-way."""
    rng = np.random.default_rng(seed)
    mesh = unit_mesh(cell, torus)
    mu, nu = random_density(mesh, rng), random_density(mesh, rng)
    problem = make_problem(mu, nu, None)
    upper = by_atoms(problem, Request(1.0, np.inf), most=400).upper
    lattice = Lattice.around(problem, 300)
    nodes = [Nodes.of(side, 3000) for side in (problem.mu, problem.nu)]
    rough = rng.standard_normal(lattice.shape)
    rough *= rng.random() * 0.2 * lattice.spacing.min() ** 2
    assert proved_by(lattice, rough, *nodes).square <= upper**2
    found = midpoint_bound(problem, 300, 3000)
    assert found.square - found.rounding <= upper**2


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_affine_images_are_met(cell):
    """A dilation and a translation by less than a cell: the potential is a quadratic function."""
    mesh = unit_mesh(cell)
    dim = mesh.dim
    scale, shift = np.linspace(0.97, 1.04, dim), np.linspace(0.02, -0.03, dim)
    image = wf.mesh.box(wf.Box(shift, shift + scale), cells=tuple(n + 1 for n in CELLS[cell]), cell=cell)
    mu, nu = wf.MeshDensity.uniform(mesh), wf.MeshDensity.uniform(image)
    moved = 0.5 * scale + shift - 0.5
    exact = np.sqrt(moved @ moved + np.sum((scale - 1.0) ** 2) / 12.0)
    problem = make_problem(mu, nu, None)
    found = midpoint_bound(problem, 500, 20_000)
    lower = np.sqrt(found.square - found.rounding) * problem.scale
    assert 0.9 * exact < lower <= exact


def test_a_translation_on_the_torus():
    n = 24
    mesh = unit_mesh("quadrilateral", True, (n, n))

    def wave(phase):
        return wf.MeshDensity.from_function(
            mesh, lambda u: 1.0 + 0.2 * np.sin(2.0 * np.pi * (u[:, 0] - phase))
        )

    # a whole number of cells: nu is mu moved by 2/24, which is one plan among others
    mu, nu = wave(0.0), wave(2.0 / n)
    problem = make_problem(mu, nu, None)
    found = midpoint_bound(problem, 600, 20_000)
    upper = wf.wasserstein2(mu, nu).upper / problem.scale
    assert upper * problem.scale <= 2.0 / n
    assert 0.97 * upper < np.sqrt(found.square) <= upper


def test_a_cloud_and_its_translation():
    points = np.random.default_rng(3).random((400, 2))
    one, other = wf.ParticleCloud(points), wf.ParticleCloud(points + np.array([0.02, 0.01]))
    problem = make_problem(one, other, None)
    found = midpoint_bound(problem, 100, 0)
    lower = np.sqrt(found.square - found.rounding) * problem.scale
    assert 0.7 * np.sqrt(5e-4) < lower <= np.sqrt(5e-4) * (1.0 + 1e-12)
