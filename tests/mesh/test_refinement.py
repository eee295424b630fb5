"""Refined and graded meshes, in serial (several ranks: test_ranks.py)."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.domain import Box
from wassflow.errors import WassflowError
from wassflow.mesh import Mesh, Refinement, box, graded, read, refine
from wassflow.mesh.boxes import create_dolfinx_mesh
from wassflow.mesh.cell_types import CELL_TYPES
from wassflow.mesh.dolfinx_import import MPI

MESHES = Path(__file__).parents[2] / "meshes"
CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


def _assert_nested(refinement: Refinement) -> None:
    """Children fill their parents: by volume and by first moment, and each centroid lies in the parent."""
    coarse, fine = refinement.coarse, refinement.fine
    fine.check()
    assert fine.domain is coarse.domain
    assert np.allclose(refinement.collect(fine.volumes), coarse.volumes, rtol=1e-12, atol=0)
    for axis in range(coarse.dim):
        moment = refinement.collect(fine.volumes * (fine.centroids[:, axis] + 2.0))
        expected = coarse.volumes * (coarse.centroids[:, axis] + 2.0)
        assert np.allclose(moment, expected, rtol=1e-12, atol=0)
    # a wrong order of parents keeps sums of volumes of equal cells: look where each child is
    vertices, parents = coarse.simplices
    per_cell = len(coarse.kind.simplices)
    inside = np.zeros(fine.num_owned, dtype=bool)
    for piece in range(per_cell):
        simplex = vertices[piece::per_cell][refinement.parent]
        edges = np.swapaxes(simplex[:, 1:] - simplex[:, :1], 1, 2)
        local = np.linalg.solve(edges, (fine.centroids - simplex[:, 0])[:, :, None])[:, :, 0]
        inside |= np.minimum(local.min(axis=1), 1.0 - local.sum(axis=1)) > -1e-12
    assert inside.all()
    assert np.array_equal(parents[::per_cell], np.arange(coarse.num_owned))


def _sorted_centroids(mesh: Mesh) -> np.ndarray:
    rounded = mesh.centroids.round(10)
    return rounded[np.lexsort(rounded.T)]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("periodic", [False, True])
def test_a_refined_box_is_the_box_of_twice_as_many_cells(cell, periodic):
    d = CELLS[cell]
    domain = Box([-1.0] * d, [1.0] * d, [periodic] * d)
    coarse = box(domain, 2, cell)
    refinement = refine(coarse)
    _assert_nested(refinement)
    twice = box(domain, 4, cell)
    assert np.array_equal(_sorted_centroids(refinement.fine), _sorted_centroids(twice))
    assert refinement.fine.h == pytest.approx(twice.h, rel=1e-14)
    assert refinement.fine.is_orthogonal()
    assert np.bincount(refinement.parent).tolist() == [2**d] * coarse.num_cells
    # siblings are numbered one after the other, in the order of their parents
    assert np.array_equal(np.sort(refinement.fine.original_cell_index), np.arange(twice.num_cells))
    families = refinement.fine.original_cell_index // 2**d
    assert np.array_equal(families, coarse.original_cell_index[refinement.parent])


@pytest.mark.parametrize("name", ["disk.msh", "heptagon.msh", "ball.msh"])
def test_cells_of_any_shape_are_cut_into_equal_parts(name):
    refinement = refine(read(MESHES / name))
    _assert_nested(refinement)
    assert np.all(np.bincount(refinement.parent) == 2**refinement.fine.dim)


def test_quadrilaterals_need_not_be_rectangles_but_hexahedra_need_planar_pieces():
    x, y = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 4), indexing="ij")
    bend = 0.08 * np.sin(3.0 * np.pi * x) * np.sin(2.0 * np.pi * y)
    number = np.arange(16).reshape(4, 4)
    cells = np.column_stack([number[i : 3 + i, j : 3 + j].ravel() for j in (0, 1) for i in (0, 1)])
    points = np.column_stack([(x + bend).ravel(), (y - bend).ravel()])
    distorted = create_dolfinx_mesh(MPI.COMM_SELF, CELL_TYPES["quadrilateral"], cells, points)
    _assert_nested(refine(Mesh.from_dolfinx(distorted, Box([0.0, 0.0], [1.0, 1.0]))))

    # two frusta side by side fill a cube: planar faces, but the middles of opposite edges do not span planes
    low, high = np.array([[0.4, 0.6], [0.6, 0.4]]), np.array([[0.5, 0.7], [0.4, 0.6]])
    middle = np.array([[[low[j, k], j, k] for k in (0, 1)] for j in (0, 1)], dtype=float)
    middle[1, 1, 0] = low[0, 1] + low[1, 0] - low[0, 0]
    cube = np.array([[[[i, j, k] for k in (0, 1)] for j in (0, 1)] for i in (0, 1)], dtype=float)
    layers = np.stack([cube[0], middle, cube[1]])
    layers[1, :, :, 0] += 0.0 * high
    index = np.arange(12).reshape(3, 2, 2)
    corners = [index[i : 2 + i, j, k] for k in (0, 1) for j in (0, 1) for i in (0, 1)]
    hexahedra = create_dolfinx_mesh(
        MPI.COMM_SELF, CELL_TYPES["hexahedron"], np.column_stack(corners), layers.reshape(-1, 3)
    )
    frusta = Mesh.from_dolfinx(hexahedra, Box([0.0] * 3, [1.0] * 3))
    frusta.check()
    _assert_nested(refine(frusta))


@settings(max_examples=15)
@given(
    cell=st.sampled_from(["triangle", "tetrahedron"]),
    periodic=st.tuples(*[st.booleans()] * 3),
    center=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    levels=st.integers(1, 2),
)
def test_local_refinement_conforms_also_across_periods(cell, periodic, center, levels):
    d = CELLS[cell]
    mesh = box(Box([0.0] * d, [1.0] * d, periodic[:d]), 3, cell)
    total = None
    for level in range(levels):
        radius = 0.3 / 2**level

        def near(u, radius=radius):
            return np.linalg.norm(u - np.array(center[:d]), axis=1) < radius

        step = refine(mesh if total is None else total.fine, near)
        assert np.all(np.bincount(step.parent)[near(step.coarse.centroids)] >= 2**d)
        total = step if total is None else total.then(step)
    _assert_nested(total)  # its check finds periodic planes that do not match


def test_bisection_keeps_shapes_and_stays_local():
    mesh = box(Box([-1.0, 0.0], [1.0, 1.0], (False, True)), (8, 4))
    total = refine(mesh, lambda u: np.abs(u[:, 0]) < 0.13)
    for level in range(1, 5):
        width = 0.13 / 2**level
        total = total.then(refine(total.fine, lambda u, width=width: np.abs(u[:, 0]) < width))
    fine = total.fine
    _assert_nested(total)
    # 5 refinements: cells at the line are 2^5 times smaller in each direction, those far away untouched
    assert fine.volumes[np.abs(fine.centroids[:, 0]) < 0.004].max() == pytest.approx(mesh.volumes[0] / 4**5)
    assert np.all(np.bincount(total.parent)[np.abs(mesh.centroids[:, 0]) > 0.7] == 1)
    edges = np.diff(fine.cell_vertices[:, [0, 1, 2, 0]], axis=1)
    squares = np.sum(edges**2, axis=(1, 2))
    # right isosceles triangles throughout: sum of squared sides is 8 areas
    assert np.allclose(squares, 8.0 * fine.volumes, rtol=1e-9)


def test_marks_may_be_an_array():
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 4)
    by_function = refine(mesh, lambda u: u[:, 0] < 0.3)
    by_array = refine(mesh, mesh.centroids[:, 0] < 0.3)
    assert np.array_equal(by_function.fine.centroids, by_array.fine.centroids)
    nothing = refine(mesh, np.zeros(mesh.num_cells, dtype=bool))
    assert nothing.fine.num_cells == mesh.num_cells


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (lambda u: u[:, 0], "marker must give one boolean per cell, .64,., found float64"),
        (np.ones(3, dtype=bool), "found bool of shape .3,."),
    ],
)
def test_bad_markers_are_refused(marker, message):
    with pytest.raises(ValueError, match=message):
        refine(box(Box([0.0, 0.0], [1.0, 1.0]), 4), marker)


def test_quadrilaterals_are_not_refined_locally():
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), 2, "quadrilateral")
    with pytest.raises(ValueError, match=r"marker must be None on quadrilateral cells.*graded coordinates"):
        refine(mesh, lambda u: u[:, 0] < 0.5)
    refinement = refine(mesh)
    with pytest.raises(ValueError, match="further must refine the fine mesh"):
        refinement.then(refinement)


@given(
    cells=st.integers(2, 60),
    ratio=st.floats(1.0, 100.0),
    lower=st.floats(-3.0, -0.1),
    upper=st.floats(0.1, 3.0),
    align=st.sampled_from(["face", "cell", None]),
)
def test_graded_coordinates_cluster_at_the_centre(cells, ratio, lower, upper, align):
    u = graded(lower, upper, cells, center=0.0, ratio=ratio, align=align)
    assert u.size == cells + 1
    assert (u[0], u[-1]) == (lower, upper)
    widths = np.diff(u)
    assert np.all(widths > 0.0)
    # widths grow away from the centre, on each side
    right, left = widths[u[:-1] >= 0.0], widths[u[1:] <= 0.0][::-1]
    for side in (left, right):
        assert np.all(np.diff(side) > -1e-12)
    if align == "face":
        assert np.count_nonzero(u == 0.0) == 1
    if align == "cell":
        assert np.abs(u).min() > 0.0


def test_graded_widths_have_the_ratio_asked_for():
    u = graded(-1.0, 1.0, 400, ratio=10.0)
    assert np.array_equal(u, -u[::-1])
    # an interval has the width of its middle: 10 at the wall over 1 at the centre, up to one step of the 200
    assert np.diff(u).max() / np.diff(u).min() == pytest.approx(10.0, rel=0.02)
    assert np.allclose(graded(0.0, 2.0, 8, center=2.0, ratio=1.0), np.linspace(0.0, 2.0, 9), atol=1e-15)
    wall = np.diff(graded(0.0, 1.0, 50, center=1.0, ratio=5.0))
    assert np.all(np.diff(wall) < 0.0)


@pytest.mark.parametrize("cell", CELLS)
def test_boxes_take_coordinates(cell):
    d = CELLS[cell]
    w = graded(-1.0, 0.5, 5, ratio=6.0)
    coordinates = [w, None, np.array([0.0, 0.1, 1.0])][:d]
    periodic = (False, True, True)[:d]
    domain = Box([-1.0, 0.0, 0.0][:d], [0.5, 1.0, 1.0][:d], periodic)
    mesh = box(domain, (5, 3, 2)[:d], cell, coordinates=coordinates)
    mesh.check()
    planes = np.unique(mesh.nodes[mesh.cell_nodes[:, :]][..., 0].ravel())
    assert np.isin(w, planes).all()
    # the plane w = 0 is made of faces: it cuts no cell
    reach = mesh.cell_vertices[:, :, 0]
    assert not np.any((reach.min(axis=1) < 0.0) & (reach.max(axis=1) > 0.0))
    assert mesh.is_orthogonal() == (cell in ("quadrilateral", "hexahedron"))
    _assert_nested(refine(mesh))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coordinates": [[0.0, 0.5, 0.9], None], "cells": 2}, r"coordinates\[0\] must increase from 0"),
        ({"coordinates": [[0.0, 0.7, 0.5, 1.0], None], "cells": 3}, r"coordinates\[0\] must increase"),
        ({"coordinates": [[0.0, 0.5, 1.0], None], "cells": 3}, "cells must be 2 on axis 0"),
        ({"coordinates": [[0.0, 0.5, 1.0], None]}, "cells must be an integer"),
        ({"coordinates": [[0.0, 1.0]]}, "coordinates must have 2 entries"),
        ({}, "cells must be an integer, at least 1, found None"),
    ],
)
def test_bad_coordinates_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        box(Box([0.0, 0.0], [1.0, 1.0]), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 4, 2.0), "center must be a finite number, at least 0.0, at most 1.0"),
        ((0.0, 1.0, 4, 0.5, 0.5), "ratio must be a finite number, at least 1"),
        ((0.0, 1.0, 1, 0.5), "cells must be at least 2 for align 'face'"),
        ((0.0, 1.0, 4, 0.5, 2.0, "node"), "align must be one of 'face', 'cell', None"),
    ],
)
def test_bad_gradings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        graded(*arguments)


def test_opposite_planes_that_were_meshed_differently_are_refused():
    # what refine prevents: marks on one of two planes only
    mesh = box(Box([0.0] * 3, [1.0] * 3, (True, False, False)), 1, "tetrahedron")
    walled = Mesh.from_dolfinx(mesh.dolfinx_mesh, Box([0.0] * 3, [1.0] * 3))
    one_sided = refine(walled, lambda u: u[:, 1] < 0.2).fine.dolfinx_mesh
    domain = Box([0.0] * 3, [1.0] * 3, (False, True, False))
    with pytest.raises(WassflowError, match="axis 1 cannot be periodic"):
        Mesh.from_dolfinx(one_sided, domain)
