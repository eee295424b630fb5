"""Reading and writing meshes."""

from pathlib import Path

import meshio
import numpy as np
import pytest

from wassflow.domain import Box, Polytope
from wassflow.errors import WassflowError
from wassflow.mesh import box, read, write

MESHES = Path(__file__).parents[2] / "meshes"
CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


@pytest.mark.parametrize(
    ("name", "cell", "walls", "least", "most"),
    [
        # the regular polygon of 96 sides has area 48 sin(pi / 48)
        ("disk", "triangle", 96, 48 * np.sin(np.pi / 48) - 1e-9, 48 * np.sin(np.pi / 48) + 1e-9),
        # by the shoelace formula
        ("heptagon", "triangle", 7, 2.735 - 1e-9, 2.735 + 1e-9),
        # inscribed in the ball; edges of length 0.2 leave a gap of about 1 per cent
        ("ball", "tetrahedron", 850, 0.98 * 4 * np.pi / 3, 4 * np.pi / 3),
    ],
)
def test_meshes_of_the_project(name, cell, walls, least, most):
    mesh = read(MESHES / f"{name}.msh")
    assert mesh.cell_type == cell
    assert isinstance(mesh.domain, Polytope)
    assert len(mesh.domain.offsets) == walls
    assert least <= mesh.volumes.sum() <= most
    assert (MESHES / f"{name}.msh").stat().st_size < 300 * 1024


@pytest.mark.parametrize("suffix", [".vtu", ".msh", ".xdmf", ".vtk"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_mesh_survives_a_file(tmp_path, suffix, cell):
    d = CELLS[cell]
    mesh = box(Box([0.0] * d, [1.0, 2.0, 1.5][:d]), 2, cell)
    path = tmp_path / f"mesh{suffix}"
    write(path, mesh)
    again = read(path)
    assert again.cell_type == cell
    assert isinstance(again.domain, Box)
    assert np.array_equal(again.domain.upper, mesh.domain.upper)
    if suffix == ".xdmf":  # written in the order of the ranks
        order, order_again = np.lexsort(mesh.centroids.T.round(9)), np.lexsort(again.centroids.T.round(9))
        assert np.allclose(again.centroids[order_again], mesh.centroids[order], rtol=0, atol=1e-14)
    else:
        assert np.allclose(again.gather(again.centroids), mesh.gather(mesh.centroids), rtol=0, atol=1e-14)
    assert not [part for part in tmp_path.iterdir() if part.name.startswith(".")]


def test_cell_data_in_the_order_of_the_input(tmp_path):
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 3, "quadrilateral")
    density = mesh.centroids[:, 0] + 10.0 * mesh.centroids[:, 1]
    path = tmp_path / "density.vtu"
    write(path, mesh, {"density": density, "volume": mesh.volumes})
    found = meshio.read(path)
    corners = found.points[found.cells_dict["quad"]].mean(axis=1)
    assert np.allclose(found.cell_data["density"][0], corners[:, 0] + 10.0 * corners[:, 1], rtol=1e-14)
    assert np.allclose(found.cell_data["volume"][0], 1.0 / 9.0, rtol=1e-14)


def test_xdmf_refers_to_its_data_and_vtkhdf_is_written(tmp_path):
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 3)
    write(tmp_path / "density.xdmf", mesh, {"density": mesh.volumes, "other": mesh.volumes})
    text = (tmp_path / "density.xdmf").read_text()
    assert 'Name="density"' in text
    assert 'Name="other"' in text
    assert "density.h5:/" in text
    write(tmp_path / "density.vtkhdf", mesh, {"density": mesh.volumes})
    names = sorted(part.name for part in tmp_path.iterdir())
    assert names == ["density.h5", "density.vtkhdf", "density.xdmf"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 2)
    path = tmp_path / "mesh.nonsense"
    path.write_text("precious")
    with pytest.raises(ValueError, match="suffix that meshio can write"):
        write(path, mesh)
    assert path.read_text() == "precious"
    assert [part.name for part in tmp_path.iterdir()] == ["mesh.nonsense"]


def test_plane_meshes_lose_their_third_coordinate(tmp_path):
    points = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [9.0, 9.0, 9.0]])
    # with boundary lines and an unused point, which are no part of the mesh
    cells = [("line", [[0, 1]]), ("triangle", [[0, 1, 2]]), ("triangle", [[0, 2, 3]])]
    path = tmp_path / "square.msh"
    meshio.Mesh(points, cells).write(path, file_format="gmsh22", binary=False)
    mesh = read(path)
    assert mesh.dim == 2
    assert mesh.num_cells_global == 2
    assert np.array_equal(mesh.domain.upper, [1.0, 1.0])


def test_periodic_axes_of_a_read_mesh(tmp_path):
    path = tmp_path / "box.vtu"
    write(path, box(Box([0.0, 0.0], [1.0, 2.0]), (3, 4), "quadrilateral"))
    mesh = read(path, periodic=(True, False))
    assert mesh.domain.periodic == (True, False)
    assert mesh.face_areas.size == 2 * 12 - 3
    mesh.check()


def _write_cells(path, points, cells):
    meshio.Mesh(np.array(points, dtype=float), [(kind, np.array(rows)) for kind, rows in cells]).write(path)


def test_meshes_that_cannot_be_are_refused_by_name(tmp_path):
    path = tmp_path / "mesh.vtu"
    with pytest.raises(ValueError, match="path must be a mesh file, found none"):
        read(path)
    path.write_text("nothing")
    with pytest.raises(ValueError, match="meshio can read"):
        read(path)
    unit = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]]
    _write_cells(path, unit, [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 5], [1, 5, 2]])])
    with pytest.raises(ValueError, match="all of one type, found quad, triangle"):
        read(path)
    _write_cells(path, unit, [("line", [[0, 1]])])
    with pytest.raises(ValueError, match="found none"):
        read(path)
    _write_cells(path, [[0, 0, 0], [1, 0, 0], [0, 1, 1]], [("triangle", [[0, 1, 2]])])
    with pytest.raises(ValueError, match="must lie in the plane z = 0"):
        read(path)
    # an L, which is not convex
    corner = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0], [0, 2, 0], [1, 2, 0]]
    _write_cells(path, corner, [("quad", [[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6]])])
    with pytest.raises(WassflowError, match="must fill the convex domain"):
        read(path)
    # a box whose left side has a node that the right side lacks
    points = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0.4, 0]]
    _write_cells(path, points, [("triangle", [[0, 1, 4], [1, 2, 4], [2, 3, 4]])])
    assert read(path).num_cells_global == 3
    with pytest.raises(WassflowError, match=r"axis 0 cannot be periodic: 2 facets .* 1 on its"):
        read(path, periodic=(True, False))
    with pytest.raises(ValueError, match="periodic must be None when domain is given"):
        read(path, domain=Box([0, 0], [1, 1]), periodic=(True, False))
    with pytest.raises(ValueError, match="domain must have the dimension of the mesh, 2, found 3"):
        read(path, domain=Box([0, 0, 0], [1, 1, 1]))
    with pytest.raises(WassflowError, match="periodic axes need a mesh of a box"):
        read(MESHES / "disk.msh", periodic=(True, False))


def test_writing_refuses_bad_data(tmp_path):
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 2)
    with pytest.raises(ValueError, match=r"data\['density'\] must have one number per cell, \(16,\)"):
        write(tmp_path / "a.vtu", mesh, {"density": np.zeros(3)})
    with pytest.raises(ValueError, match="existing folder"):
        write(tmp_path / "nowhere" / "a.vtu", mesh)
    with pytest.raises(ValueError, match=r"one array for \.vtkhdf"):
        write(tmp_path / "a.vtkhdf", mesh, {"a": mesh.volumes, "b": mesh.volumes})


def test_xdmf_with_cells_of_several_types_is_refused(tmp_path):
    path = tmp_path / "mixed.xdmf"
    path.write_text('<Xdmf><Domain><Grid Name="g"><Topology TopologyType="Mixed"/></Grid></Domain></Xdmf>')
    with pytest.raises(ValueError, match="all of one type, found mixed"):
        read(path)
    path.write_text("no xml")
    with pytest.raises(ValueError, match="path must be an XDMF file"):
        read(path)
