"""The mass that density flows gather at kinks, walls and points converges to the exact atoms."""

import csv
from pathlib import Path

import numpy as np
import pytest

import wassflow as wf
from wassflow.cases.exact import (
    CosineMoments,
    RadialAbsorption,
    WallAccumulation,
    WallRelaxation,
    WeightAbsorption,
)
from wassflow.cases.profiles import Profile
from wassflow.cases.singular_sets import singular_set
from wassflow.study import observed_orders, singular_part

MESHES = Path(__file__).parents[2] / "meshes"
THETA = Profile(0.5, 0.5, "uniform")


def _errors(exact, t_end, cell, lattices, cells):
    """Errors of the gathered mass and of its excess on a ladder of meshes, with their h."""
    sizes, masses, excesses = [], [], []
    for lattice in lattices:
        mesh = wf.mesh.box(exact.domain, lattice, cell)
        start = wf.MeshDensity.from_function(mesh, exact.initial)
        (record,) = singular_part(
            wf.DensityFlow(exact.functional, mesh).run(start, t_end), exact, cells
        ).records
        sizes.append(mesh.h)
        masses.append(record["mass"] - record["exact"])
        excesses.append(record["error"])
    return sizes, np.array(masses), np.array(excesses)


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
@pytest.mark.parametrize("shape", ["uniform", "bump"])
@pytest.mark.parametrize("cut", [False, True])
def test_absorbed_weight_converges_for_a_kink_on_faces_and_one_that_cuts_cells(cell, shape, cut):
    law = Profile(0.0, 1.0, "uniform") if shape == "uniform" else Profile(0.1, 0.8)
    exact = WeightAbsorption(1.0, start=[law, THETA])
    lattices = [(2 * n + cut, 2) for n in (16, 32, 64)]
    _, masses, excesses = _errors(exact, 0.5, cell, lattices, 1)
    # the touching cells hold the atom and what was in them: first order
    assert np.all(masses > 0.0)
    _, order = observed_orders([1 / n[0] for n in lattices], masses.tolist())
    assert order == pytest.approx(1.0, abs=0.25)
    # less the background: to the mass that the smeared profile lacks
    assert abs(excesses[-1]) < 4e-3


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
@pytest.mark.parametrize("cut", [False, True])
def test_mass_at_the_origin_converges(cell, cut):
    exact = RadialAbsorption(alpha=1.0)
    sizes, masses, _ = _errors(exact, 0.5, cell, [2 * n + cut for n in (8, 16, 32)], 4)
    # within 4 cells there is background, which falls like h where the density is like 1/r
    assert np.all(masses > 0.0)
    assert observed_orders(sizes, masses.tolist())[1] > 0.95


@pytest.mark.parametrize("cell", ["tetrahedron", "hexahedron"])
def test_mass_gathers_in_space_too(cell):
    exact = RadialAbsorption(alpha=1.0, dim=3)
    _, masses, _ = _errors(exact, 0.7, cell, [8, 16] if cell == "hexahedron" else [4, 8], 2)
    assert 0.0 < masses[1] < 0.6 * masses[0]
    # at a wall the error is the mass that the touching cells held: it halves
    _, masses, _ = _errors(WallAccumulation([1.0, 0.0, 0.0]), 0.5, cell, [4, 8], 1)
    assert 0.4 * masses[0] < masses[1] < 0.6 * masses[0]


@pytest.mark.parametrize(
    ("exact", "cell"),
    [
        (WallAccumulation([1.0, 0.5]), "quadrilateral"),
        (WallAccumulation([0.0, -1.0]), "triangle"),
        (WallRelaxation([1.5, 0.5]), "quadrilateral"),
        (WallRelaxation([1.5, 0.5]), "triangle"),
    ],
)
def test_mass_at_walls_converges(exact, cell):
    sizes, masses, excesses = _errors(exact, 0.5, cell, [8, 16, 32], 1)
    assert np.all(masses > 0.0)
    assert observed_orders(sizes, masses.tolist())[1] == pytest.approx(1.0, abs=0.2)
    assert abs(excesses[-1]) < 0.4 * abs(masses[-1])


def test_sets_of_the_exact_solutions():
    assert singular_set(RadialAbsorption(dim=3)) == [{0: 0.0, 1: 0.0, 2: 0.0}]
    assert singular_set(WallAccumulation([0.0, -2.0])) == [{1: 0.0}]
    assert singular_set(WallRelaxation([1.5, 0.5])) == [{0: 1.0}]
    assert singular_set(WallRelaxation([-0.5, 2.0])) == [{0: 0.0}, {1: 1.0}]
    assert singular_set(CosineMoments([0.0, 0.5], [0.1, 0.1])) == []


def test_a_locally_refined_mesh_holds_the_atom_in_a_thinner_layer():
    exact = WeightAbsorption(1.0)
    mesh = wf.mesh.box(exact.domain, (16, 6))  # nearly squares, which bisections halve
    steps = wf.mesh.refine(mesh, lambda u: np.abs(u[:, 0]) < 0.2)
    for width in (0.1, 0.05, 0.025):
        steps = steps.then(wf.mesh.refine(steps.fine, lambda u, width=width: np.abs(u[:, 0]) < width))
    start = wf.MeshDensity.from_function(mesh, exact.initial)
    results = []
    for mu in (start, start.prolong(steps)):
        flow = wf.DensityFlow(exact.functional, mu.mesh).run(mu, 0.5)
        results.append(singular_part(flow, exact, 1).records[0])
    coarse, fine = results
    assert fine["width"] == pytest.approx(coarse["width"] / 16)
    assert fine["mass"] - fine["exact"] < (coarse["mass"] - coarse["exact"]) / 10
    # and back: mass of the coarse cells, exactly
    restricted = flow.final.restrict(steps)
    assert restricted.mass == pytest.approx(1.0, rel=1e-13)


def test_a_graded_mesh_does_so_too():
    exact = WeightAbsorption(1.0)
    lower, upper = exact.domain.lower[0], exact.domain.upper[0]
    w = wf.mesh.graded(lower, upper, 32, center=0.0, ratio=20.0)
    mesh = wf.mesh.box(exact.domain, (32, 2), "quadrilateral", coordinates=[w, None])
    start = wf.MeshDensity.from_function(mesh, exact.initial)
    (record,) = singular_part(wf.DensityFlow(exact.functional, mesh).run(start, 0.5), exact, 1).records
    assert record["width"] < 0.25 * (upper - lower) / 32
    assert abs(record["mass"] - 0.5) < record["width"] * 1.01


def test_results_are_told(tmp_path):
    exact = WeightAbsorption(1.0)
    mesh = wf.mesh.box(exact.domain, (8, 2), "quadrilateral")
    flow = wf.DensityFlow(exact.functional, mesh).run(
        wf.MeshDensity.from_function(mesh, exact.initial), 0.5, save=[0.0, 0.25]
    )
    result = singular_part(flow, exact, cells=(1, 2))
    assert [(r["time"], r["cells"]) for r in result.records] == [
        (t, k) for t in (0.0, 0.25, 0.5) for k in (1, 2)
    ]
    assert result.error(0.25, 2) == result.records[3]["error"]
    lines = result.table().splitlines()
    assert lines[0] == "WeightAbsorption: mass on {u_0 = 0}"
    assert all(len(line) <= 100 for line in lines)
    with open(result.write_csv(tmp_path / "atoms.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["excess"]) == result.records[-1]["excess"]
    assert result.write_json(tmp_path / "atoms.json").is_file()
    with pytest.raises(ValueError, match="time and cells must be among the records"):
        result.error(0.3, 1)


def test_flows_without_atoms_are_refused():
    exact = CosineMoments([0.0, 0.5], [0.1, 0.1])
    mesh = wf.mesh.box(exact.domain, 4, "quadrilateral")
    flow = wf.DensityFlow(exact.functional, mesh).run(wf.MeshDensity.uniform(mesh), 0.1)
    with pytest.raises(ValueError, match="solution that gathers mass on a set, found CosineMoments"):
        singular_part(flow, exact)
    assert singular_part(flow, exact, 1, where={0: 0.0}).records[0]["exact"] == 0.0
    with pytest.raises(ValueError, match="case with an exact solution, found 'deconvolution-2d'"):
        singular_part(flow, wf.cases.get("deconvolution-2d"))
    cloud = wf.ParticleCloud.sample(wf.MeshDensity.uniform(mesh), 4)
    particles = wf.ParticleFlow(exact.functional, exact.domain).run(cloud, 0.1)
    with pytest.raises(ValueError, match="flow must be one of densities, found ParticleCloud"):
        singular_part(particles, exact, where={0: 0.0})


@pytest.mark.parametrize("periodic", [False, True])
def test_the_graded_mesh_of_gmsh_has_small_cells_at_the_kink(periodic):
    exact = WeightAbsorption(1.0)
    mesh = wf.mesh.read(MESHES / "graded.msh", periodic=(False, periodic))
    reach = mesh.cell_vertices[:, :, 0]
    assert not np.any((reach.min(axis=1) < -1e-12) & (reach.max(axis=1) > 1e-12))
    start = wf.MeshDensity.from_function(mesh, exact.initial)
    (record,) = singular_part(wf.DensityFlow(exact.functional, mesh).run(start, 0.5), exact, 1).records
    assert record["width"] < 0.1 * mesh.h * 1.5
    assert 0.0 < record["mass"] - 0.5 < record["width"]
    assert abs(record["error"]) < 1e-3
    # one refinement where it is finest halves the layer, also across the period
    refinement = wf.mesh.refine(mesh, lambda u: np.abs(u[:, 0]) < 0.03)
    finer = start.prolong(refinement)
    flow = wf.DensityFlow(exact.functional, refinement.fine).run(finer, 0.5)
    (halved,) = singular_part(flow, exact, 1).records
    assert 0.4 < (halved["mass"] - 0.5) / (record["mass"] - 0.5) < 0.65
