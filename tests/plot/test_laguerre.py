"""The picture of optimal transport shows the cells of the optimal potential."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from plot.layout import clashes

import wassflow as wf
from wassflow.plot import laguerre_cells, new_figure, transport
from wassflow.transport import Bracket


def drawn(mu, cloud, **options):
    """The bracket, the sides (n, 2, 2) of the cells and the lines to the barycentres (m, 2, 2)."""
    ax = new_figure(3.0, 3.0).add_subplot()
    bracket = laguerre_cells(ax, mu, cloud, **options)
    lines = [artist for artist in ax.collections if isinstance(artist, LineCollection)]
    sides, reach = (np.array(artist.get_segments()).reshape(-1, 2, 2) for artist in lines)
    return bracket, sides, reach


def box(cells, cell="triangle", periodic=None):
    return wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0], periodic=periodic), cells=cells, cell=cell)


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
@pytest.mark.parametrize("cells", [4, 5])  # the side of the two cells is one of the mesh, or crosses it
def test_two_particles_halve_a_square(cell, cells):
    mu = wf.MeshDensity.uniform(box(cells, cell))
    bracket, sides, reach = drawn(mu, wf.ParticleCloud([[0.25, 0.5], [0.85, 0.5]]))
    np.testing.assert_allclose(sides[..., 0], 0.5, atol=1e-9)
    # pieces of both cells have it; taken once, it leads from bottom to top
    once = np.unique(np.sort(sides[..., 1], axis=1).round(9), axis=0)
    assert np.ptp(once, axis=1).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(reach, [[[0.25, 0.5]] * 2, [[0.85, 0.5], [0.75, 0.5]]], atol=1e-9)
    assert bracket.lower <= np.sqrt(5.0 / 48.0 + 0.5 * 0.1**2) <= bracket.upper


def test_on_a_torus_cells_reach_across_the_period():
    mesh = box(6, periodic=(True, False))
    mu = wf.MeshDensity.uniform(mesh)
    # the second particle is written one period away; both cells are half of the torus, shifted
    _, sides, reach = drawn(mu, wf.ParticleCloud([[0.1, 0.5], [1.6, 0.5]]))
    assert set(np.round(sides[..., 0].ravel(), 9)) == {0.35, 0.85}
    np.testing.assert_allclose(reach[:, 0], reach[:, 1], atol=1e-9)
    walls = wf.Box([0.0, 0.0], [1.0, 1.0])
    _, sides, _ = drawn(mu, wf.ParticleCloud([[0.1, 0.5], [0.6, 0.5]]), domain=walls)
    np.testing.assert_allclose(sides[..., 0], 0.5, atol=1e-9)


def test_cells_end_where_the_density_does():
    mesh = box(8, "quadrilateral")
    corner = mesh.centroids[:, 0] + 10.0 * (mesh.centroids[:, 1] > 0.5)
    mu = wf.MeshDensity(mesh, np.where(corner < 0.25, 1.0, np.where(corner > 10.75, 1.0, 0.0)))
    points = [[0.125, 0.25], [0.125, 0.25], [0.875, 0.6], [0.875, 0.9], [0.5, 0.5]]
    cloud = wf.ParticleCloud(points, mu.mass * np.array([0.25, 0.25, 0.25, 0.25, 0.0]))
    bracket, sides, reach = drawn(mu, cloud)
    # two particles at one place share a cell; the one without weight has none; a single side is left
    np.testing.assert_allclose(sides[..., 1], 0.75, atol=1e-6)
    assert sides[..., 0].min() == pytest.approx(0.75)
    assert len(reach) == 3
    assert bracket.potential.first[4] == -np.inf or np.isfinite(bracket.potential.first[4])


def test_sides_leave_out_where_the_density_is_too_thin_to_be_seen():
    mesh = box(8, "quadrilateral")
    mu = wf.MeshDensity(mesh, np.where(mesh.centroids[:, 1] < 0.5, 1.0, 1e-9))
    _, sides, _ = drawn(mu, wf.ParticleCloud([[0.25, 0.2], [0.75, 0.2]], [0.5 * mu.mass] * 2))
    np.testing.assert_allclose(sides[..., 0], 0.5, atol=1e-9)
    assert sides[..., 1].max() == pytest.approx(0.5)


def test_a_bracket_at_hand_is_used_and_needs_its_potential():
    mu = wf.MeshDensity.uniform(box(2))
    cloud = wf.ParticleCloud([[0.25, 0.5], [0.75, 0.5]])
    found = wf.wasserstein2(cloud, mu, potential=True)
    assert drawn(mu, cloud, bracket=found)[0] is found
    with pytest.raises(ValueError, match="bracket must hold the potential"):
        drawn(mu, cloud, bracket=Bracket(0.1, 0.2, "by hand"))


def test_the_picture_tells_the_distance_and_nothing_overlaps():
    mesh = box(12, periodic=(True, True))
    mu = wf.MeshDensity.from_function(mesh, lambda u: np.exp(np.sin(2.0 * np.pi * u[:, 0])))
    figure = transport(mu, wf.ParticleCloud.sample(mu, 24), title="twenty-four", names=("$w$", "$b$"))
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "twenty-four" in texts
    assert "$W_2 = " in texts
    assert figure.axes[0].get_ylabel() == "$b$"
    assert clashes(figure) == []


def test_space_is_refused():
    mu = wf.MeshDensity.uniform(wf.mesh.box(wf.Box([0.0] * 3, [1.0] * 3), cells=1, cell="hexahedron"))
    cloud = wf.ParticleCloud([[0.5, 0.5, 0.5]])
    for draw in (transport, lambda *pair: laguerre_cells(new_figure(1.0, 1.0).add_subplot(), *pair)):
        with pytest.raises(ValueError, match="two-dimensional mesh, found dimension 3"):
            draw(mu, cloud)
