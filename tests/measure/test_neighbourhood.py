"""Mass within some cells of a line, a plane, a wall or a point."""

import numpy as np
import pytest

from wassflow.domain import Box
from wassflow.measure import MeshDensity, mass_near
from wassflow.mesh import box

CELLS = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}


def _uniform(cell: str, count: int, periodic: bool = False) -> MeshDensity:
    d = CELLS[cell]
    return MeshDensity.uniform(box(Box([-1.0] * d, [1.0] * d, [periodic] * d), count, cell))


@pytest.mark.parametrize("cell", ["quadrilateral", "hexahedron"])
def test_layers_of_a_lattice_are_slabs(cell):
    d = CELLS[cell]
    mu = _uniform(cell, 8)
    for cells in (1, 2, 3):
        near = mass_near(mu, {0: 0.0}, cells)
        assert near.mass == pytest.approx(2 * cells / 8, rel=1e-13)
        assert near.width == pytest.approx(cells / 4, rel=1e-13)
        assert near.count == 2 * cells * 8 ** (d - 1)
        assert near.background == pytest.approx(near.mass, rel=1e-12)
        wall = mass_near(mu, {1: 1.0}, cells)
        assert wall.mass == pytest.approx(cells / 8, rel=1e-13)
    # a plane that cuts cells touches one layer only
    assert mass_near(mu, {0: 0.1}).mass == pytest.approx(1 / 8, rel=1e-13)
    corner = mass_near(mu, dict.fromkeys(range(d), 1.0))
    assert corner.count == 1
    center = mass_near(mu, dict.fromkeys(range(d), 0.0))
    assert center.count == 2**d
    both = mass_near(mu, [{0: 1.0}, {1: 1.0}])
    assert both.mass == pytest.approx(1 - (7 / 8) ** 2, rel=1e-13)


@pytest.mark.parametrize("cell", ["triangle", "tetrahedron"])
def test_simplices_are_found_by_boxes_along_planes_and_one_by_one_at_points(cell):
    d = CELLS[cell]
    mu = _uniform(cell, 4)
    mesh = mu.mesh
    # along a plane all simplices of the boxes that touch it
    assert mass_near(mu, {0: 0.0}).mass == pytest.approx(1 / 2, rel=1e-12)
    assert mass_near(mu, {0: 0.1}).mass == pytest.approx(1 / 4, rel=1e-12)
    assert mass_near(mu, {0: 0.0}).width == pytest.approx(0.5, rel=1e-12)
    at_point = np.linalg.norm(mesh.cell_vertices, axis=2).min(axis=1) < 1e-12
    assert mass_near(mu, dict.fromkeys(range(d), 0.0)).count == np.count_nonzero(at_point)
    # a point within one cell, whose bounding box other cells share
    inner = dict(enumerate(mesh.centroids[0]))
    found = mass_near(mu, inner)
    assert found.count == 1
    assert found.mass == pytest.approx(mesh.volumes[0] / 2.0**d, rel=1e-12)


def test_layers_go_around_a_period():
    mu = _uniform("quadrilateral", 8, periodic=True)
    # the plane u_0 = -1 is u_0 = 1: the first layer touches it from the right, the second goes around
    assert mass_near(mu, {0: -1.0}, 1).count == 8
    assert mass_near(mu, {0: -1.0}, 2).count == 24


def test_an_atom_in_a_density_is_found():
    mesh = _uniform("quadrilateral", 16).mesh
    masses = 0.3 * mesh.volumes / 4.0
    touching = np.flatnonzero(np.all(np.abs(mesh.centroids) < 0.1, axis=1))
    masses[touching] += 0.7 / touching.size
    near = mass_near(MeshDensity(mesh, masses), {0: 0.0, 1: 0.0})
    assert near.mass == pytest.approx(0.7 + 0.3 * 4 / 256, rel=1e-12)
    assert near.excess == pytest.approx(0.7, rel=1e-12)


@pytest.mark.parametrize(
    ("where", "cells", "message"),
    [
        ({2: 0.0}, 1, "where must name axes from 0 to 1"),
        ({}, 1, "where must name axes"),
        ([], 1, "where must hold at least one set"),
        ({0: 3.0}, 1, "where must meet the domain"),
        ({0: np.nan}, 1, r"where\[0\] must be a finite number"),
        ({0: 0.0}, 0, "cells must be an integer, at least 1"),
    ],
)
def test_bad_sets_are_refused(where, cells, message):
    with pytest.raises(ValueError, match=message):
        mass_near(_uniform("triangle", 2), where, cells)
