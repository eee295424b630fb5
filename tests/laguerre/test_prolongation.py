from dataclasses import replace

import numpy as np
import pytest
from laguerre.meshes import mesh

from wassflow.laguerre import semidiscrete_transport, starts
from wassflow.laguerre.cells import Seeds, measure_cells
from wassflow.laguerre.prolongation import coarser, prolong
from wassflow.laguerre.source import Source


def seeds_in_cube(dim, m, period=np.inf, seed=0):
    simplices = mesh(dim, 2)
    source = Source.from_arrays(simplices, np.full(len(simplices), 1 / len(simplices)), np.full(dim, period))
    return source, Seeds.around(source, np.random.default_rng(seed).random((m, dim)))


@pytest.mark.parametrize("dim", [2, 3])
def test_affine_maps_are_prolonged_exactly(dim):
    """Barycentres b = A y + c belong to psi = |y|^2 - y.A y - 2 c.y + constant."""
    rng = np.random.default_rng(dim)
    stretch = rng.normal(size=(dim, dim))
    stretch = stretch @ stretch.T + 0.1 * np.eye(dim)
    shift = rng.normal(size=dim)

    def potential(y):
        return np.einsum("nd,nd->n", y, y - y @ stretch) - 2.0 * y @ shift + 0.7

    source, coarse = seeds_in_cube(dim, 200)
    _, fine = seeds_in_cube(dim, 500, seed=1)
    cells = measure_cells(source, coarse, np.zeros(200))
    step = coarse.positions @ stretch + shift - coarse.positions
    cells = replace(cells, mass=np.ones(200), first=step)
    found = prolong(coarse, potential(coarse.positions), cells, fine)
    np.testing.assert_allclose(found, potential(fine.positions), atol=1e-11)


def test_a_torus_has_no_seam():
    """A smooth periodic potential comes out to third order, beside the seam as elsewhere."""

    def potential(y):
        return 0.02 * np.cos(2 * np.pi * y).sum(axis=1)

    errors = []
    for m in (400, 1600):
        source, coarse = seeds_in_cube(2, m, period=1.0)
        fine = Seeds.around(source, np.random.default_rng(1).random((3000, 2)) + np.array([3.0, -2.0]))
        # the gradient of psi is 2 (y - b)
        step = 0.02 * np.pi * np.sin(2 * np.pi * coarse.positions)
        cells = replace(measure_cells(source, coarse, np.zeros(m)), mass=np.ones(m), first=step)
        error = np.abs(prolong(coarse, potential(coarse.positions), cells, fine) - potential(fine.positions))
        beside = np.abs(fine.positions[:, 0] - 0.5) > 0.45
        assert error[beside].mean() < 2.0 * error[~beside].mean()
        errors.append(error.mean())
    assert errors[1] < errors[0] / 5.0


def test_clusters_keep_weight_and_mean():
    source, seeds = seeds_in_cube(3, 8000)
    weights = np.random.default_rng(2).dirichlet(np.ones(8000))
    fewer, sums = coarser(source, seeds, weights, 8)
    assert fewer.size <= 1000
    assert sums.sum() == pytest.approx(1.0, rel=1e-13)
    np.testing.assert_allclose(sums @ fewer.positions, weights @ seeds.positions, rtol=1e-12)


@pytest.mark.parametrize("period", [None, np.ones(2)])
def test_the_multilevel_way_and_the_linear_program_agree(period, monkeypatch):
    simplices = mesh(2, 20)
    masses = (np.abs(simplices.mean(axis=1)[:, 0] - 0.5) > 0.35).astype(float)
    sites = np.random.default_rng(4).random((700, 2))
    arguments = (simplices, masses / masses.sum(), sites, np.full(700, 1 / 700), period)
    multilevel = semidiscrete_transport(*arguments)
    monkeypatch.setattr(starts, "COARSEST", 1000)
    direct = semidiscrete_transport(*arguments)
    assert "discrete transport, multilevel" in multilevel.method
    assert direct.method.endswith("from discrete transport")
    assert multilevel.converged
    assert direct.converged
    assert multilevel.value == pytest.approx(direct.value, rel=1e-10)
