"""The layers of cells along walls and kinks."""

import numpy as np
import pytest

from wassflow.domain import Box
from wassflow.mesh import box, graded
from wassflow.mesh.layers import faces_in_layer, wall_points

CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


@pytest.mark.parametrize("cell", CELLS)
def test_the_layer_of_a_lattice_is_its_boxes_at_the_wall(cell):
    d = CELLS[cell]
    w = graded(0.0, 1.0, 5, center=1.0, ratio=3.0)
    mesh = box(Box([0.0] * d, [1.0] * d), (5, 3, 3)[:d], cell, coordinates=[w, None, None][:d])
    inside = faces_in_layer(mesh, mesh.cell_vertices[:, :, 0] - 1.0)
    # all faces between cells of the last boxes, and none on their side away from the wall
    assert np.array_equal(inside, mesh.face_midpoints[:, 0] > w[-2] + 1e-12)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cut", [0, 1])
def test_the_layer_of_a_kink_is_the_boxes_that_touch_it(cell, cut):
    d = CELLS[cell]
    n = 4 + cut
    mesh = box(Box([-1.0] * d, [1.0] * d), n, cell)
    inside = faces_in_layer(mesh, mesh.cell_vertices[:, :, 0])
    assert np.array_equal(inside, np.abs(mesh.face_midpoints[:, 0]) < (1.0 if cut else 2.0) / n - 1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_faces_at_walls_have_their_points_there(cell):
    d = CELLS[cell]
    mesh = box(Box([0.0] * d, [1.0] * d, (False, True, False)[:d]), 4, cell)
    faces, points = wall_points(mesh)
    middles = mesh.face_midpoints[faces]
    near = [0, 2][: d - 1]
    moved = np.any(np.abs(middles[:, near] - 0.5) > 0.25, axis=1)
    assert moved.all()
    for axis in near:
        at_wall = np.abs(middles[:, axis] - 0.5) > 0.25 + 1e-12
        assert np.array_equal(points[at_wall, axis], np.round(middles[at_wall, axis]))
        rest = np.abs(middles[:, axis] - 0.5) < 0.25 - 1e-12
        assert np.allclose(points[rest, axis], middles[rest, axis], atol=1e-14)
    # periodic axes have no walls
    assert np.allclose(points[:, 1], middles[:, 1], atol=1e-14)
