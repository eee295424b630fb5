"""The finite-volume arrays of generated and read meshes, in serial."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow.domain import Box, Polytope
from wassflow.errors import WassflowError
from wassflow.mesh import Mesh, box, read
from wassflow.mesh.boxes import create_dolfinx_mesh
from wassflow.mesh.cell_types import CELL_TYPES
from wassflow.mesh.dolfinx_import import MPI

MESHES = Path(__file__).parents[2] / "meshes"
SQUARE = Box([0.0, 0.0], [1.0, 1.0])
CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}
# cells per small box, faces per small box of a fully periodic lattice
PER_BOX = {"triangle": (4, 6), "quadrilateral": (1, 2), "tetrahedron": (24, 48), "hexahedron": (1, 3)}


def _sheared_hexahedra() -> Mesh:
    """Frusta in a slab: planar faces, but no parallelepipeds; the slanted walls are shared."""
    xs, ys, zs = np.array([0.0, 0.3, 0.8, 1.0]), np.array([0.0, 0.4, 1.0]), np.array([0.0, 0.5, 1.0])
    x, y, z = np.meshgrid(xs, ys, zs, indexing="ij")
    # project the lattice centrally: planes stay planes
    points = np.stack([x, y, z], axis=-1) / (1.0 + 0.3 * x + 0.2 * y + 0.4 * z)[..., None]
    number = np.arange(x.size).reshape(x.shape)
    steps = [(i, j, k) for k in (0, 1) for j in (0, 1) for i in (0, 1)]
    corners = [number[i : 3 + i, j : 2 + j, k : 2 + k].ravel() for i, j, k in steps]
    flat = points.reshape(-1, 3)
    kind = CELL_TYPES["hexahedron"]
    dolfinx_mesh = create_dolfinx_mesh(MPI.COMM_SELF, kind, np.column_stack(corners), flat)
    return Mesh.from_dolfinx(dolfinx_mesh, Polytope.from_points(flat))


def _distorted_quadrilaterals() -> Mesh:
    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 4), indexing="ij")
    bend = 0.08 * np.sin(3.0 * np.pi * x) * np.sin(2.0 * np.pi * y)
    points = np.column_stack([(x + bend).ravel(), (y - bend).ravel()])
    number = np.arange(x.size).reshape(x.shape)
    corners = [number[i : 4 + i, j : 3 + j].ravel() for j in (0, 1) for i in (0, 1)]
    kind = CELL_TYPES["quadrilateral"]
    dolfinx_mesh = create_dolfinx_mesh(MPI.COMM_SELF, kind, np.column_stack(corners), points)
    return Mesh.from_dolfinx(dolfinx_mesh, Box([0.0, 0.0], [1.0, 1.0]))


MAKERS = {
    **{
        f"{name}-{cell}": lambda cell=cell, d=d, periodic=periodic: box(
            Box([-1.0] * d, [0.5] * d, [periodic] * d), 3, cell
        )
        for cell, d in CELLS.items()
        for name, periodic in (("box", False), ("torus", True))
    },
    "quadrilaterals": _distorted_quadrilaterals,
    "hexahedra": _sheared_hexahedra,
    "disk.msh": lambda: read(MESHES / "disk.msh"),
    "heptagon.msh": lambda: read(MESHES / "heptagon.msh"),
    "ball.msh": lambda: read(MESHES / "ball.msh"),
}


@pytest.fixture(scope="module", params=MAKERS)
def mesh(request) -> Mesh:
    return MAKERS[request.param]()


def test_checks_hold_to_rounding(mesh):
    errors = mesh.check()
    # sums of at most eight vector areas, each relative to the surface of the cell
    assert errors["closedness"] < 1e-15
    # volumes of slivers suffer cancellation by the ratio of coordinates to cell size
    assert errors["cell volume"] < 1e-12
    assert errors["total volume"] < 1e-12


def test_faces_join_two_cells_and_walls_one(mesh):
    counts = np.bincount(mesh.face_cells.ravel(), minlength=mesh.num_cells)
    counts += np.bincount(mesh.wall_cells, minlength=mesh.num_cells)
    assert np.all(counts == mesh.cell_faces.shape[1])
    assert np.all(mesh.face_cells < mesh.num_cells)
    left, right = mesh.original_cell_index[mesh.face_cells].T
    assert np.all(left <= right)
    assert np.allclose(np.linalg.norm(mesh.face_normals, axis=1), 1.0, rtol=0, atol=1e-15)
    assert np.all(mesh.face_areas > 0.0)


def test_cell_faces_and_signs_agree_with_face_cells(mesh):
    # a sum over the faces of a cell must see each face from both sides, with opposite signs
    flux = np.random.default_rng(0).normal(size=mesh.face_areas.size)
    gathered = np.where(mesh.cell_faces >= 0, flux[mesh.cell_faces] * mesh.cell_face_signs, 0.0).sum(axis=1)
    left, right = mesh.face_cells.T
    scattered = np.bincount(left, flux, mesh.num_cells) - np.bincount(right, flux, mesh.num_cells)
    assert np.allclose(gathered, scattered[: mesh.num_owned], rtol=0, atol=1e-13)
    assert np.array_equal(mesh.cell_face_signs == 0, mesh.cell_faces == -1)


def test_moments_agree_with_those_of_the_simplices(mesh):
    vertices, parents = mesh.simplices
    d = mesh.dim
    volumes = np.abs(np.linalg.det(vertices[:, 1:] - vertices[:, :1])) / (2.0 if d == 2 else 6.0)
    # the rule with nodes at barycentric coordinates (1 + d a, 1 - a, ...) / (d + 1), a = 1 / sqrt(d + 2), is
    # exact for quadratics
    a = 1.0 / np.sqrt(d + 2.0)
    barycentric = (np.full((d + 1, d + 1), 1.0 - a) + (d + 1) * a * np.eye(d + 1)) / (d + 1)
    nodes = np.einsum("qi,sia->sqa", barycentric, vertices)
    weights = np.repeat(volumes[:, None] / (d + 1), d + 1, axis=1)
    cells = np.repeat(parents, d + 1)

    def integral(values):
        return np.bincount(cells, (weights * values).ravel(), mesh.num_owned)

    assert np.allclose(integral(1.0), mesh.volumes[: mesh.num_owned], rtol=1e-13, atol=0)
    centered = nodes - mesh.centroids[parents][:, None]
    for i in range(d):
        assert np.abs(integral(centered[..., i])).max() < 1e-15
        for j in range(d):
            expected = integral(centered[..., i] * centered[..., j]) / mesh.volumes[: mesh.num_owned]
            assert np.allclose(mesh.covariances[: mesh.num_owned, i, j], expected, rtol=1e-11, atol=1e-16)
    assert np.allclose(mesh.second_moments, np.trace(mesh.covariances, axis1=1, axis2=2), rtol=1e-15)


def test_face_offsets_bring_the_neighbour_beside_the_face(mesh):
    left, right = mesh.face_cells.T
    seen = mesh.centroids[right] + mesh.face_offsets
    assert np.allclose(np.linalg.norm(seen - mesh.centroids[left], axis=1), mesh.face_distances, rtol=1e-14)
    for side in (mesh.centroids[left], seen):
        assert np.linalg.norm(side - mesh.face_midpoints, axis=1).max() < mesh.h
    inside = mesh.domain.contains(mesh.wall_midpoints, tol=1e-10)
    assert inside.all()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_periodic_lattices_of_few_cells_have_all_faces(cell, count):
    d = CELLS[cell]
    mesh = box(Box([0.0] * d, [1.0, 2.0, 3.0][:d], [True] * d), count, cell)
    cells, faces = PER_BOX[cell]
    assert mesh.num_cells_global == cells * count**d
    assert mesh.face_areas.size == faces * count**d
    assert mesh.wall_areas.size == 0
    mesh.check()


@settings(max_examples=10)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    counts=st.tuples(*[st.integers(1, 4)] * 3),
    periodic=st.tuples(*[st.booleans()] * 3),
)
def test_any_subset_of_axes_may_be_periodic(cell, counts, periodic):
    d = CELLS[cell]
    lengths = np.array([1.0, 0.7, 1.9])[:d]
    mesh = box(Box(-lengths, lengths, periodic[:d]), counts[:d], cell)
    mesh.check()
    wall_area = sum(2.0 * np.prod(2 * lengths) / (2 * lengths[a]) for a in range(d) if not periodic[a])
    assert mesh.wall_areas.sum() == pytest.approx(wall_area, rel=1e-12)
    shifted = np.abs(mesh.face_offsets).max(axis=0, initial=0.0)
    assert np.array_equal(shifted, np.where(periodic[:d], 2 * lengths, 0.0))


def test_boxes_of_cubes_are_orthogonal_and_flat_boxes_of_simplices_are_not():
    flat = Box([0.0, 0.0], [1.0, 0.5])
    assert box(SQUARE, 4, "triangle").is_orthogonal()
    assert not box(flat, 4, "triangle").is_orthogonal()
    assert box(flat, 4, "quadrilateral").is_orthogonal()
    assert box(Box([0.0] * 3, [1.0] * 3), 2, "tetrahedron").is_orthogonal()
    assert box(Box([0.0] * 3, [1.0, 2.0, 3.0]), 2, "hexahedron").is_orthogonal()
    assert not _distorted_quadrilaterals().is_orthogonal()


def test_neighbours_are_near_in_memory():
    # dolfinx's reordering must survive: in a random order neighbours would be n / 3 = 3300 apart
    mesh = box(SQUARE, 50, "triangle")
    assert np.abs(np.diff(mesh.face_cells, axis=1)).mean() < 150
    assert np.abs(np.diff(mesh.face_cells[:, 0])).mean() < 150


def test_geometry_does_not_depend_on_where_the_mesh_is():
    near, far = (box(Box([s, s], [s + 1.0, s + 1.0]), 4, "triangle") for s in (0.0, 1024.0))
    # shifts by powers of two keep all differences of coordinates
    assert np.array_equal(near.volumes, far.volumes)
    assert np.array_equal(near.face_areas, far.face_areas)
    assert np.allclose(near.covariances, far.covariances, rtol=1e-9, atol=0)


def test_a_missing_cell_a_crack_and_a_warped_face_are_found():
    kind = CELL_TYPES["quadrilateral"]
    grid = np.array([[x, y] for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)])
    cells = np.array([[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]])
    hole = Mesh.from_dolfinx(create_dolfinx_mesh(MPI.COMM_SELF, kind, cells[:3], grid), SQUARE)
    with pytest.raises(WassflowError, match=r"volume is 0\.75, that of the domain 1"):
        hole.check()
    doubled = np.concatenate([grid, grid[3:6]])
    torn = np.array([[0, 1, 3, 4], [1, 2, 4, 5], [9, 10, 6, 7], [10, 11, 7, 8]])
    crack = Mesh.from_dolfinx(create_dolfinx_mesh(MPI.COMM_SELF, kind, torn, doubled), SQUARE)
    with pytest.raises(WassflowError, match="4 boundary facets lie inside the domain"):
        crack.check()
    cube = np.array([[i, j, k] for k in (0.0, 1.0) for j in (0.0, 1.0) for i in (0.0, 1.0)])
    cube[7] = [1.0, 1.0, 1.3]
    hexahedron = CELL_TYPES["hexahedron"]
    warped = create_dolfinx_mesh(MPI.COMM_SELF, hexahedron, np.arange(8)[None], cube)
    with pytest.raises(WassflowError, match="planar faces"):
        Mesh.from_dolfinx(warped, Box([0.0] * 3, [1.0] * 3)).check()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: box(Box([0.0, 0.0], [1.0, np.inf]), 3), "domain must be a Box with finite bounds"),
        (lambda: box(Polytope.from_points([[0, 0], [1, 0], [0, 1]]), 3), "domain must be a Box"),
        (lambda: box(Box([0.0], [1.0]), 3), "dimension 2 or 3"),
        (lambda: box(SQUARE, 3, "hexahedron"), "cell must be one of 'triangle', 'quadrilateral'"),
        (lambda: box(SQUARE, (3, 0)), "cells must be an integer, at least 1, found 0"),
        (lambda: box(SQUARE, (3, 3, 3)), "cells must have 2 entries"),
        (lambda: box(SQUARE, 2).gather(np.zeros(3)), "values must have 16"),
        (lambda: box(SQUARE, 2).halo.update(np.zeros(3)), r"values must have shape \(16,\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
