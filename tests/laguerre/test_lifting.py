import numpy as np
import pytest
from laguerre.meshes import mesh

from wassflow.laguerre.cells import Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.lifting import lift_poor_cells
from wassflow.laguerre.source import Source


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("period", [np.inf, 1.0])
def test_empty_cells_get_mass_and_no_cell_loses_all_of_it(dim, period):
    simplices = mesh(dim, 6)
    centre = simplices.mean(axis=1)
    masses = (np.abs(centre[:, 0] - 0.5) > 0.3).astype(float)
    source = Source.from_arrays(simplices, masses / masses.sum(), np.full(dim, period))
    sites = np.random.default_rng(5).random((300, dim))
    seeds = Seeds.around(source, sites)
    weights = np.full(300, 1 / 300)
    voronoi = measure_cells(source, seeds, np.zeros(300))
    empty = voronoi.mass == 0.0
    assert empty.sum() > 30
    _, once = lift_poor_cells(
        source, seeds, weights, np.zeros(300), voronoi, rounds=1, deadline=Deadline.after(None)
    )
    assert np.all(once.mass[voronoi.mass >= 0.02 * weights] > 0.0)
    assert np.count_nonzero(once.mass == 0.0) < 0.8 * empty.sum()
    psi, cells = lift_poor_cells(
        source, seeds, weights, np.zeros(300), voronoi, rounds=20, deadline=Deadline.after(None)
    )
    assert np.all(cells.mass > 0.0)
    np.testing.assert_array_equal(cells.mass, measure_cells(source, seeds, psi).mass)
    late, _ = lift_poor_cells(
        source, seeds, weights, np.zeros(300), voronoi, rounds=20, deadline=Deadline.after(-1.0)
    )
    np.testing.assert_array_equal(late, np.zeros(300))


def test_rich_cells_are_left_alone():
    simplices = mesh(2, 4)
    source = Source.from_arrays(simplices, np.full(len(simplices), 1 / len(simplices)), np.full(2, np.inf))
    seeds = Seeds.around(source, np.random.default_rng(1).random((20, 2)))
    psi = np.zeros(20)
    cells = measure_cells(source, seeds, psi)
    same, _ = lift_poor_cells(
        source, seeds, np.full(20, 0.05), psi, cells, rounds=3, deadline=Deadline.after(None)
    )
    np.testing.assert_array_equal(same, psi)
