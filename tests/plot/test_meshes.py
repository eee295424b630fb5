"""Pictures of meshes and of Laguerre cells."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import LineCollection

import wassflow as wf
from wassflow.plot import laguerre_cells, mesh_cells, new_figure
from wassflow.plot import mesh as draw_mesh
from wassflow.plot.laguerre import _outlines


def test_walls_and_periodic_sides_are_drawn_apart():
    mesh = wf.mesh.box(
        wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False)), cells=(4, 5), cell="quadrilateral"
    )
    ax = new_figure(3.0, 3.0).add_subplot()
    mesh_cells(ax, mesh)
    lines = [artist for artist in ax.collections if isinstance(artist, LineCollection)]
    counts = [len(artist.get_segments()) for artist in lines]
    # every inner side is met from both of its cells, every periodic side once from each
    assert counts == [2 * (3 * 5 + 4 * 4), 2 * 4, 2 * 5]


@pytest.mark.parametrize("cell", ["quadrilateral", "hexahedron"])
def test_a_picture_of_a_mesh_has_cells_and_volumes(cell):
    dim = 2 if cell == "quadrilateral" else 3
    mesh = wf.mesh.box(wf.Box([0.0] * dim, [1.0] * dim), cells=3, cell=cell)
    figure = draw_mesh(mesh, "three cells")
    cells, volumes = figure.axes
    assert figure.get_suptitle() == "three cells"
    assert volumes.get_xlabel() == "cell volume / mean cell volume"
    assert sum(patch.get_height() for patch in volumes.patches) == 3**dim
    figure.draw_without_rendering()
    if dim == 3:
        assert cells.name == "3d"
        assert len(cells.collections[0].get_facecolor()) == 6 * 9


def test_plane_axes_refuse_a_mesh_in_space():
    mesh = wf.mesh.box(wf.Box([0.0] * 3, [1.0] * 3), cells=1, cell="hexahedron")
    with pytest.raises(ValueError, match="mesh must be two-dimensional"):
        mesh_cells(new_figure(1.0, 1.0).add_subplot(), mesh)


def test_outlines_of_laguerre_cells_leave_out_the_sides_of_the_mesh():
    # the unit square cut into 2 x 2 squares; the left two belong to site 0, the right two to site 1
    square = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]])
    shifts = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0], [0.5, 0.5]])
    pieces = SimpleNamespace(
        vertices=np.concatenate([square + shift for shift in shifts]),
        offsets=np.arange(0, 20, 4),
        site=np.array([0, 0, 1, 1]),
    )
    edges = _outlines(pieces)
    # each cell of 0.5 x 1 has a perimeter of 3; the two sides inside it are gone
    assert np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1).sum() == pytest.approx(6.0)
    ax = new_figure(2.0, 2.0).add_subplot()
    cells = laguerre_cells(ax, pieces, sites=np.array([[0.25, 0.5], [0.75, 0.5]]))
    tones = cells.get_facecolors()
    assert np.array_equal(tones[0], tones[1])
    assert not np.array_equal(tones[1], tones[2])
