"""Densities and particles on axes: what is drawn is what was given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import LogNorm, to_rgb

import wassflow as wf
from wassflow.plot import colour_scale, density, marginal, new_figure, particles
from wassflow.plot.density import view_box
from wassflow.plot.style import GOLD, ORANGE


def axes():
    return new_figure(3.0, 3.0).add_subplot()


def area(polygon):
    x, y = polygon.T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
def test_every_cell_with_mass_is_drawn_once_with_its_density(cell):
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [2.0, 1.0], periodic=(False, True)), cells=(6, 3), cell=cell)
    mu = wf.MeshDensity.from_function(mesh, lambda u: np.where(u[:, 0] < 1.0, 1.0 + u[:, 1], 0.0))
    ax = axes()
    artist = density(ax, mu)
    carried = mu.densities > 0.0
    polygons = [path.vertices[:-1] for path in artist.get_paths()]
    assert len(polygons) == carried.sum() < mesh.num_owned
    # a wrong order of the corners would make a bow tie, with less area than the cell
    np.testing.assert_allclose([area(p) for p in polygons], mesh.volumes[: mesh.num_owned][carried])
    np.testing.assert_array_equal(artist.get_array(), mu.densities[carried])
    assert ax.get_xlim() == (0.0, 2.0)
    assert ax.get_ylim() == (0.0, 1.0)


def test_colours_show_bulk_and_concentration():
    values = np.array([0.0, 1e-12, 1.0, 2.0, 1000.0])
    norm = colour_scale(values, np.array([0.0, 1e-13, 0.4, 0.4, 0.2]))
    assert isinstance(norm, LogNorm)
    assert (norm.vmin, norm.vmax) == (1.0, 1000.0)
    # the bulk is told apart from nothing and from the peak
    assert 0.0 <= norm(1.0) < norm(2.0) < 0.2
    assert colour_scale(values, np.ones(5), "linear").vmin == 0.0
    assert colour_scale(values, np.ones(5), "power")(1000.0) == 1.0


@pytest.mark.parametrize("highest", [1.0, 4.0])
def test_colours_of_a_flat_density_are_those_of_the_middle(highest):
    norm = colour_scale(np.array([1.0, 1.0, highest, highest]), np.ones(4))
    assert norm.vmax / norm.vmin == pytest.approx(10.0)
    assert norm(1.0) + norm(highest) == pytest.approx(1.0)


def test_an_unknown_scale_is_refused_by_name():
    with pytest.raises(ValueError, match="scale must be one of 'log', 'power', 'linear', found 'sqrt'"):
        colour_scale(np.ones(2), np.ones(2), "sqrt")


@pytest.mark.parametrize("cell", ["tetrahedron", "hexahedron"])
def test_a_marginal_keeps_mass_and_means(cell):
    omega = wf.Box([0.0, -1.0, 0.0], [1.0, 1.0, 1.0], periodic=(False, False, True))
    mesh = wf.mesh.box(omega, cells=(6, 6, 6), cell=cell)
    mu = wf.MeshDensity.from_function(mesh, lambda u: np.exp(-8.0 * ((u[:, 0] - 0.4) ** 2 + u[:, 1] ** 2)))
    image = marginal(mu, (0, 1))
    assert image.masses.sum() == pytest.approx(mu.mass, rel=1e-12)
    centres = [0.5 * (edge[1:] + edge[:-1]) for edge in image.edges]
    means = [image.masses.sum(axis=1) @ centres[0], image.masses.sum(axis=0) @ centres[1]]
    # sample points have the mean of their cell; only walls, where weights are cut, disturb it
    np.testing.assert_allclose(means, mu.mean()[:2], atol=2e-3)


def test_the_marginal_of_a_uniform_density_is_uniform():
    mesh = wf.mesh.box(
        wf.Box([0.0] * 3, [1.0, 2.0, 4.0], periodic=(True,) * 3), cells=(8, 8, 8), cell="hexahedron"
    )
    image = marginal(wf.MeshDensity.uniform(mesh), (0, 2), pixels=16)
    # 1/4 per unit of area; the pattern of the sample points stays below 2 percent
    np.testing.assert_allclose(image.densities, 0.25, rtol=0.02)


def test_a_three_dimensional_density_is_drawn_as_its_marginal():
    mesh = wf.mesh.box(wf.Box([0.0] * 3, [1.0, 2.0, 3.0]), cells=(4, 4, 4), cell="tetrahedron")
    mu = wf.MeshDensity.uniform(mesh)
    ax = axes()
    artist = density(ax, mu, axes=(0, 2), scale="linear")
    np.testing.assert_allclose(np.asarray(artist.get_array()).T, marginal(mu, (0, 2)).densities)
    assert ax.get_ylim() == (0.0, 3.0)


def test_particles_without_weight_are_left_out_and_areas_go_with_weights():
    cloud = wf.ParticleCloud([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.25, 0.0, 0.75])
    artist = particles(axes(), cloud, size=10.0)
    np.testing.assert_array_equal(artist.get_offsets(), [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(artist.get_sizes(), [5.0, 15.0])


def test_the_sign_chooses_the_colour():
    cloud = wf.ParticleCloud([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    faces = particles(axes(), cloud, sign=cloud.points[:, 0]).get_facecolors()[:, :3]
    np.testing.assert_allclose(faces, [to_rgb(ORANGE), to_rgb(GOLD), (1.0, 1.0, 1.0)])


@settings(max_examples=20)
@given(st.floats(0.2, 0.7), st.floats(0.02, 0.1))
def test_the_view_holds_the_mass_and_the_particles(middle, radius):
    mesh = wf.mesh.box(
        wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(False, True)), cells=(40, 4), cell="quadrilateral"
    )
    mu = wf.MeshDensity(mesh, np.where(abs(mesh.centroids[:, 0] - middle) < radius, 1.0, 0.0) + 1e-9)
    far = wf.ParticleCloud([[0.05, 0.5]])
    lower, upper = view_box([mu], [far])
    seen = mesh.centroids[mu.masses > 0.5, 0]
    assert lower[0] <= min(0.05, seen.min())
    assert upper[0] >= seen.max()
    assert upper[0] - lower[0] < 1.0
    # a periodic axis is shown whole
    assert (lower[1], upper[1]) == (0.0, 1.0)
