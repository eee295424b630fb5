"""Absorbed mass along a mesh refinement: its errors, orders and tables."""

import csv
import json

import numpy as np
import pytest

import wassflow as wf
from wassflow.cases.exact import WeightAbsorption
from wassflow.study import absorbed_mass, absorbing_sets, singular_part

TIMES = (0.25, 0.5)


def absorption():
    exact = WeightAbsorption(1.0)
    return wf.cases.Case(
        name="absorption",
        functional=exact.functional,
        domain=exact.domain,
        initial=exact.initial,
        times=(0.0, *TIMES),
        cells=(32, 2),
        cell="quadrilateral",
        exact=exact,
    )


@pytest.fixture(scope="module")
def refinement():
    # an odd number: the kink cuts cells
    return wf.study.mesh_refinement(absorption(), [(9, 5), (19, 10), (39, 20)], times=(0.0, *TIMES))


def test_absorbed_mass_converges_to_the_exact_one(refinement):
    result = absorbed_mass(refinement)
    assert result.where == absorbing_sets(refinement) == [{0: 0.0}]
    assert (result.cells, result.times, result.accuracy) == ((1, 2, 4), TIMES, 0.0)
    for t in TIMES:
        assert result.exact(t) == pytest.approx(t)
    for cells in result.cells:
        rows = result.select(0.5, cells)
        assert [row["level"] for row in rows] == [0, 1, 2]
        (record,) = singular_part(refinement.finest, refinement.solution, cells).records[-1:]
        assert rows[-1]["error"] == record["error"]
    # a layer of four cells of the finest mesh holds what the scheme has smeared
    assert abs(result.select(0.5, 4)[-1]["error"]) < 5e-3
    assert result.order[0.5, 4] > 0.75


def test_absorbed_mass_is_told(refinement, tmp_path):
    result = absorbed_mass(refinement, cells=[1, 2])
    text = result.table()
    assert text.startswith("absorption: absorbed mass on {u_0 = 0}\n\nt = 0.25, exact 0.250\n")
    assert all(len(line) <= 100 for line in text.splitlines())
    with open(result.write_csv(tmp_path / "absorbed.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3
    assert float(rows[2]["order"]) == result.orders[0.25, 1][1]
    data = json.loads(result.write_json(tmp_path / "absorbed.json").read_text())
    assert data["where"] == [{"0": 0.0}]
    assert {(row["time"], row["cells"]) for row in data["orders"]} == {(t, k) for t in TIMES for k in (1, 2)}


def test_a_reference_counts_its_nodes_on_the_kinks():
    case = absorption()
    mesh = case.mesh((16, 2))
    flow = case.density_flow(mesh).run(case.start(mesh), 0.5)
    reference = wf.reference(case, t_end=0.5, max_nodes=400)
    (exact,) = singular_part(flow, case, 1).records
    (counted,) = singular_part(flow, reference, 1).records
    assert counted["exact"] == pytest.approx(reference.singular_mass(0.5), abs=1e-14)
    # 20 nodes along w: the front is found up to one of them
    assert abs(counted["exact"] - exact["exact"]) < 0.1
    assert reference.errors["singular_mass"] < 0.2
    assert counted["excess"] == exact["excess"]


def test_kinks_of_regularizers_are_where_a_reference_gathers_mass():
    V = wf.regularizer
    features = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(3), (len(u), 1, 1)), size=3)
    both = V.Sum(V.AbsWeight(0.1), V.WeightTimesNorm(0.2), V.SquaredNorm(1.0))
    F = wf.Functional(features, wf.SquaredLoss(np.zeros(3)), both)
    reference = wf.reference(
        F,
        domain=wf.Box([-1.0] * 3, [1.0] * 3),
        initial=lambda u: np.ones(len(u)),
        t_end=0.1,
        max_nodes=64,
    )
    mesh = wf.mesh.box(reference.domain, 4, "hexahedron")
    flow = wf.DensityFlow(F, mesh).run(wf.MeshDensity.uniform(mesh), 0.1)
    assert singular_part(flow, reference, 1).where == [{0: 0.0}, {1: 0.0, 2: 0.0}]


def test_refinements_without_absorption_are_refused():
    result = wf.study.mesh_refinement(wf.cases.get("cosine-2d"), [4, 8], times=[0.1])
    assert absorbing_sets(result) == []
    with pytest.raises(ValueError, match=r"gathers mass on known sets, found 'cosine-2d'"):
        absorbed_mass(result)
    # the finest mesh does not know the mass of an atom
    alone = wf.study.mesh_refinement(absorption(), [(4, 2), (8, 2)], reference="finest")
    assert absorbing_sets(alone) == []
