"""A mesh density: projection, exact statistics, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf

BOXES = {
    "triangle": ([0.0, -1.0], [2.0, 1.0], (5, 4)),
    "quadrilateral": ([0.0, -1.0], [2.0, 1.0], (5, 4)),
    "tetrahedron": ([0.0, -1.0, 0.5], [2.0, 1.0, 1.5], (3, 2, 2)),
    "hexahedron": ([0.0, -1.0, 0.5], [2.0, 1.0, 1.5], (3, 2, 2)),
}
MESHES = {
    cell: wf.mesh.box(wf.Box(lower, upper), cells=cells, cell=cell)
    for cell, (lower, upper, cells) in BOXES.items()
}
cell_types = pytest.mark.parametrize("cell", sorted(MESHES))


@cell_types
def test_uniform_density_has_the_moments_of_the_box(cell):
    mesh = MESHES[cell]
    lower, upper, _ = BOXES[cell]
    lower, upper = np.array(lower), np.array(upper)
    mu = wf.MeshDensity.uniform(mesh, mass=3.0)
    variances = (upper - lower) ** 2 / 12.0
    assert mu.mass == pytest.approx(3.0, rel=1e-14)
    np.testing.assert_allclose(mu.densities, 3.0 / mesh.domain.volume, rtol=1e-13)
    np.testing.assert_allclose(mu.mean(), (lower + upper) / 2.0, atol=1e-14)
    np.testing.assert_allclose(mu.covariance(), np.diag(variances), atol=1e-14)
    square = np.sum(((lower + upper) / 2.0) ** 2 + variances)
    assert mu.second_moment() == pytest.approx(3.0 * square, rel=1e-13)


@cell_types
def test_polynomials_of_degree_five_are_projected_exactly(cell):
    mesh = MESHES[cell]

    def rho(u):
        return 2.0 + u[:, 0] ** 3 * u[:, 1] ** 2

    mu = wf.MeshDensity.from_function(mesh, rho, mass=None, subdivisions=0)
    exact = mesh.domain.volume * 2.0 + 2.0**4 / 4.0 * 2.0 / 3.0  # extent along the third axis is one
    assert mu.mass == pytest.approx(exact, rel=1e-13)


@cell_types
def test_integrals_of_the_density_agree_with_its_statistics(cell):
    mu = wf.MeshDensity.from_function(MESHES[cell], lambda u: np.exp(u[:, 0]), mass=0.7)
    assert mu.integrate(lambda u: np.ones(len(u))) == pytest.approx(0.7, rel=1e-13)
    np.testing.assert_allclose(mu.integrate(lambda u: u) / 0.7, mu.mean(), atol=1e-14)
    assert mu.integrate(lambda u: np.sum(u**2, axis=1)) == pytest.approx(mu.second_moment(), rel=1e-13)


@settings(max_examples=25)
@given(
    st.lists(st.floats(0.0, 1e6), min_size=80, max_size=80).filter(lambda m: sum(m) > 0.0),
    st.integers(-250, 250),
)
def test_statistics_do_not_depend_on_the_scale_of_the_masses(masses, exponent):
    mesh = MESHES["triangle"]
    masses = np.array(masses)
    mu = wf.MeshDensity(mesh, masses)
    scaled = wf.MeshDensity(mesh, masses * 10.0**exponent)
    np.testing.assert_allclose(scaled.mean(), mu.mean(), atol=1e-12)
    np.testing.assert_allclose(scaled.covariance(), mu.covariance(), atol=1e-12)
    assert np.linalg.eigvalsh(mu.covariance()).min() >= -1e-14


def test_a_discontinuous_density_is_projected_to_the_accuracy_of_its_refinement():
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(7, 7), cell="triangle")

    def disk(u):
        return (np.sum((u - 0.5) ** 2, axis=1) < 0.09).astype(float)

    errors = [
        abs(wf.MeshDensity.from_function(mesh, disk, mass=None, subdivisions=s).mass - np.pi * 0.09)
        for s in (0, 4)
    ]
    assert errors[1] < 1e-3
    assert errors[1] < errors[0]


def test_quantization_radius_bounds_the_distance_to_the_centroids():
    mu = wf.MeshDensity.uniform(MESHES["quadrilateral"], mass=4.0)
    hx, hy = 2.0 / 5.0, 2.0 / 4.0
    assert mu.quantization_radius == pytest.approx(2.0 * np.sqrt((hx**2 + hy**2) / 12.0), rel=1e-13)


def test_masses_are_frozen_and_not_shared():
    mesh = MESHES["triangle"]
    masses = np.ones(mesh.num_owned)
    mu = wf.MeshDensity(mesh, masses)
    masses[0] = 5.0
    assert mu.masses[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        mu.masses[0] = 2.0


@pytest.mark.parametrize(
    ("masses", "message"),
    [
        (np.zeros(80), "masses must have a positive, finite sum"),
        (np.ones(3), r"masses must have shape \(80,\), found shape \(3,\)"),
        (np.r_[np.ones(79), -1e-20], "masses must be nonnegative"),
        (np.r_[np.ones(79), np.nan], "masses must be finite"),
        (np.full(80, 1e308), "positive, finite sum"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_bad_masses_are_refused(masses, message):
    with pytest.raises(ValueError, match=message):
        wf.MeshDensity(MESHES["triangle"], masses)


@pytest.mark.parametrize(
    ("rho", "message"),
    [
        (lambda u: np.zeros(len(u)), "rho must have a positive, finite integral"),
        (lambda u: u, "rho must return shape"),
        (lambda u: u[:, 1], "the values of rho must be nonnegative"),
        (lambda u: np.full(len(u), np.inf), "the values of rho must be finite"),
    ],
)
def test_bad_functions_are_refused(rho, message):
    with pytest.raises(ValueError, match=message):
        wf.MeshDensity.from_function(MESHES["triangle"], rho)


def test_bad_arguments_are_refused_by_name():
    mesh = MESHES["triangle"]
    with pytest.raises(ValueError, match="mass must be a finite number"):
        wf.MeshDensity.uniform(mesh, mass=0.0)
    with pytest.raises(ValueError, match="subdivisions must be an integer"):
        wf.MeshDensity.from_function(mesh, lambda u: u[:, 0], subdivisions=-1)
    with pytest.raises(ValueError, match="g must return shape"):
        wf.MeshDensity.uniform(mesh).integrate(lambda u: 1.0)
