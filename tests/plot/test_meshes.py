"""Pictures of meshes and of Laguerre cells."""

import pytest
from matplotlib.collections import LineCollection

import wassflow as wf
from wassflow.plot import mesh as draw_mesh
from wassflow.plot import mesh_cells, new_figure


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
