import numpy as np
import pytest
from laguerre.meshes import mesh

from wassflow.laguerre import semidiscrete_transport
from wassflow.laguerre.cells import Seeds, measure_cells
from wassflow.laguerre.deadline import Deadline
from wassflow.laguerre.discrete_start import discrete_potential
from wassflow.laguerre.newton import least_ratio
from wassflow.laguerre.source import Source
from wassflow.laguerre.starts import _continue_from_smoothed, starting_potentials


def blobs(dim, n):
    """Return a source of two masses, one of 70 percent, joined by 1e-9 of it, and its arrays."""
    simplices = mesh(dim, n)
    x = simplices.mean(axis=1)[:, 0]
    masses = np.where(x < 0.25, 0.7, np.where(x > 0.75, 0.3, 1e-9))
    masses /= masses.sum()
    return Source.from_arrays(simplices, masses, np.full(dim, np.inf)), simplices, masses


def sites_in_equal_halves(dim, m):
    """Return sites near the two masses, half of them each."""
    sites = np.random.default_rng(6).random((m, dim))
    sites[:, 0] = np.where(np.arange(m) < m // 2, 0.25 * sites[:, 0], 1.0 - 0.25 * sites[:, 0])
    return sites


@pytest.mark.parametrize("dim", [2, 3])
def test_the_linear_program_balances_masses_joined_by_next_to_nothing(dim):
    source, simplices, masses = blobs(dim, 8)
    sites, weights = sites_in_equal_halves(dim, 40), np.full(40, 1 / 40)
    seeds = Seeds.around(source, sites)
    residual = [
        np.abs(weights - measure_cells(source, seeds, psi).mass).sum()
        for psi in (np.zeros(40), discrete_potential(source, seeds, weights))
    ]
    assert residual[0] > 0.5
    assert residual[1] < 0.3
    result = semidiscrete_transport(simplices, masses, sites, weights)
    assert result.converged
    assert result.iterations < 15


def test_smoothing_leads_to_a_potential_with_all_cells_on_the_source():
    simplices = mesh(2, 16)
    masses = (np.abs(simplices.mean(axis=1)[:, 0] - 0.5) > 0.3).astype(float)
    source = Source.from_arrays(simplices, masses / masses.sum(), np.full(2, np.inf))
    seeds = Seeds.around(source, np.random.default_rng(7).random((60, 2)))
    weights = np.full(60, 1 / 60)
    starts = starting_potentials(source, seeds, weights)
    assert all(least_ratio(measure_cells(source, seeds, psi), weights) == 0.0 for _, psi in starts)
    found = _continue_from_smoothed(source, seeds, weights, starts, None, Deadline.after(None), 0.1)
    assert found is not None
    psi, _, _ = found
    assert least_ratio(measure_cells(source, seeds, psi), weights) > 0.0


def test_densities_of_coarse_cells_that_differ_by_decades_are_solved_from_more_clusters():
    """With eight or more sites per cluster the map jumps too much within one: that start fails."""
    rng = np.random.default_rng(4)
    simplices = mesh(2, 6)
    masses = rng.exponential(size=len(simplices)) ** 3
    w = semidiscrete_transport(
        simplices, masses / masses.sum(), rng.random((4000, 2)), np.full(4000, 1 / 4000), rtol=1e-6
    )
    assert w.converged
