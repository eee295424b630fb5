"""Densities on different meshes carried to common boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.transport.engines import Request, by_atoms
from wassflow.transport.lattice import Lattice, densities_in_boxes, masses_in_boxes
from wassflow.transport.marginals import make_problem
from wassflow.transport.shared_boxes import boxes_bound, distance_to_boxes

CELLS = {"triangle": (5, 4), "quadrilateral": (6, 5), "tetrahedron": (2, 3, 2), "hexahedron": (3, 3, 4)}


def meshes(cell, periodic=False):
    dim = len(CELLS[cell])
    box = wf.Box([0.0] * dim, [1.0] * dim, periodic=(periodic,) * dim)
    return [wf.mesh.box(box, cells=tuple(n + k for n in CELLS[cell]), cell=cell) for k in (0, 1)]


def random_density(mesh, seed):
    masses = np.random.default_rng(seed).random(mesh.num_owned)
    return wf.MeshDensity(mesh, masses / masses.sum())


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_masses_and_densities_in_boxes_against_sampling(cell, periodic):
    mu, nu = (random_density(mesh, k) for k, mesh in enumerate(meshes(cell, periodic)))
    problem = make_problem(mu, nu, None)
    lattice = Lattice.around(problem, 60)
    masses = masses_in_boxes(lattice, problem.mu)
    assert masses.sum() == pytest.approx(1.0, abs=1e-13)
    least, largest = densities_in_boxes(lattice, problem.mu)
    mean = masses / np.prod(lattice.spacing)
    assert np.all(least <= mean * (1.0 + 1e-12))
    assert np.all(mean <= largest * (1.0 + 1e-12))
    # random points of each simplex: their densities are within the bounds, their number tells the masses
    rng = np.random.default_rng(2)
    simplices, weights = problem.mu.simplices, problem.mu.masses
    chosen = rng.choice(len(weights), 40_000, p=weights / weights.sum())
    points = np.einsum("nk,nkd->nd", rng.dirichlet(np.ones(mu.dim + 1), len(chosen)), simplices[chosen])
    boxes = tuple(lattice.boxes_of(points).T)
    counts = np.zeros(lattice.shape)
    np.add.at(counts, boxes, 1.0)
    assert np.abs(counts / len(chosen) - masses).max() < 5.0 * np.sqrt(masses.max() / len(chosen))
    volumes = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1])) / {2: 2.0, 3: 6.0}[mu.dim]
    densities = (weights / volumes)[chosen]
    assert np.all(densities >= least[boxes] * (1.0 - 1e-12))
    assert np.all(densities <= largest[boxes] * (1.0 + 1e-12))


def test_boxes_within_cells_cost_nothing():
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(3, 2), cell="quadrilateral")
    mu = random_density(mesh, 0)
    problem = make_problem(mu, mu, None)
    lattice = Lattice.around(problem, 54)
    assert lattice.shape[0] % 3 == lattice.shape[1] % 2 == 0
    masses = masses_in_boxes(lattice, problem.mu)
    assert distance_to_boxes(lattice, masses, *densities_in_boxes(lattice, problem.mu)) < 1e-6


def test_half_a_box_is_carried_to_a_whole_one():
    """Uniform on [0, 1/2] x [0, 1], one box: W2 to the unit square is that of [0, 1/2] to [0, 1]."""
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(2, 1), cell="quadrilateral")
    half = wf.MeshDensity(mesh, np.where(mesh.centroids[:, 0] < 0.5, 1.0, 0.0))
    problem = make_problem(half, wf.MeshDensity.uniform(mesh), None)
    lattice = Lattice(np.zeros(2), np.ones(2) / problem.scale, (1, 1), (False, False))
    lattice = Lattice(problem.mu.simplices.min(axis=(0, 1)), lattice.spacing, (1, 1), (False, False))
    masses = masses_in_boxes(lattice, problem.mu)
    bound = distance_to_boxes(lattice, masses, *densities_in_boxes(lattice, problem.mu)) * problem.scale
    assert 1.0 / np.sqrt(12.0) <= bound <= 3.0 / np.sqrt(12.0)


@settings(max_examples=10)
@given(st.integers(0, 10**9), st.sampled_from(sorted(CELLS)), st.booleans(), st.sampled_from([20, 300]))
def test_the_bound_is_above_what_the_discrete_engine_proves(seed, cell, periodic, boxes):
    mu, nu = (random_density(mesh, seed + k) for k, mesh in enumerate(meshes(cell, periodic)))
    problem = make_problem(mu, nu, None)
    found = boxes_bound(problem, Lattice.around(problem, boxes))
    exact = by_atoms(problem, Request(1.0, np.inf), most=400)
    assert found.upper >= exact.lower
    assert found.lower <= exact.upper


@pytest.mark.parametrize("cell", ["triangle", "tetrahedron"])
def test_densities_closer_than_a_cell_on_different_meshes(cell):
    """Linear densities 1 + s (x - 1/2) of slopes .5 and .4, on meshes of unequal cells."""
    from wassflow.transport.nearby import gelbrich_bound

    one, other = meshes(cell)
    mu = wf.MeshDensity.from_function(one, lambda u: 1.0 + 0.5 * (u[:, 0] - 0.5))
    nu = wf.MeshDensity.from_function(other, lambda u: 1.0 - 0.5 * (u[:, 0] - 0.5))
    w = wf.wasserstein2(mu, nu)
    assert w.relative_width < 0.1
    assert w.upper < 0.5 * one.h
    assert gelbrich_bound(mu, nu) <= w.upper
    assert "half-way" in w.method
