"""Observed orders against what theory predicts, and references that are what they claim."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import wassflow as wf
from wassflow.cases.exact import WeightAbsorption
from wassflow.study import mesh_refinement
from wassflow.study.densities import containing_cells, density_distance

CASE = wf.cases.get("cosine-2d")
TIME = 0.75


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
def test_first_order_on_smooth_data_in_2d(cell):
    result = mesh_refinement(CASE, [16, 32, 64], times=[TIME], cell=cell)
    for quantity in ("moment_error", "energy_error", "l1_error", "w2"):
        # order 1 with what is left of the second order at these sizes
        assert 0.95 <= result.order[TIME, quantity] <= 1.2, quantity
    # the modified equation: W2 <= h/2 int |v| |D log rho| ds, both factors of order one for times below one
    assert result.select(TIME)[-1]["w2_upper"] < 0.5 * np.pi / 64.0


@pytest.mark.parametrize(("cell", "levels"), [("hexahedron", [6, 12]), ("tetrahedron", [4, 8])])
def test_first_order_on_smooth_data_in_3d(cell, levels):
    result = mesh_refinement(wf.cases.get("cosine-3d"), levels, times=[TIME], cell=cell)
    assert 0.95 <= result.order[TIME, "moment_error"] <= 1.3
    assert 0.9 <= result.order[TIME, "w2"] <= 1.3


def test_the_finest_mesh_as_reference_gives_the_same_order():
    result = mesh_refinement(CASE, [8, 16, 32, 64], times=[TIME], reference="finest")
    assert [row["level"] for row in result.select(TIME)] == [0, 1, 2]
    assert result.finest_h == pytest.approx(np.pi / 64.0)
    for quantity in ("moment_error", "w2"):
        assert result.order[TIME, quantity] == pytest.approx(1.0, abs=0.15)


def test_without_an_exact_solution_quadrature_takes_its_place():
    exact = mesh_refinement(CASE, [4, 8], times=[0.3])
    found = mesh_refinement(replace(CASE, exact=None), [4, 8], times=[0.3])
    assert (exact.reference, found.reference) == ("exact", "quadrature")
    for known, row in zip(exact.records, found.records, strict=True):
        for quantity in ("moment_error", "energy_error", "l1_error", "w2"):
            assert row[quantity] == pytest.approx(known[quantity], abs=1e-8)


def test_with_kinks_quadrature_knows_moments_and_energy():
    exact = WeightAbsorption(alpha=1.0)
    case = wf.cases.Case(
        name="absorption", functional=exact.functional, domain=exact.domain, initial=exact.initial,
        times=(0.0, 0.5), cells=(40, 8), cell="quadrilateral",
    )  # fmt: skip
    result = mesh_refinement(case, [(10, 2), (20, 4)], cfl=0.5)
    known = mesh_refinement(replace(case, exact=exact), [(10, 2), (20, 4)], cfl=0.5)
    assert [row["energy_error"] for row in result.records] == pytest.approx(
        [row["energy_error"] for row in known.records], abs=1e-4
    )
    # distances are those to the finest mesh, which has none
    assert [row["w2"] is None for row in result.records] == [False, True]
    assert [row["l1_error"] is None for row in result.records] == [False, True]
    assert "L1 and W2 against the finest mesh" in " ".join(result.table().split())


def test_absorption_has_the_order_of_jumps():
    exact = WeightAbsorption(alpha=1.0)
    case = wf.cases.Case(
        name="absorption", functional=exact.functional, domain=exact.domain, initial=exact.initial,
        times=(0.0, 0.5), cells=(40, 8), cell="quadrilateral", exact=exact,
    )  # fmt: skip
    result = mesh_refinement(case, [(20, 4), (40, 8), (80, 16)], cfl=0.5)
    # theory notes: .83 between 40 and 640 cells in one dimension, towards 3/4; clearly not 1
    assert 0.7 <= result.order[0.5, "w2"] <= 0.9
    # the atom has no density to compare in L1
    assert (0.5, "l1_error") not in result.orders
    assert all(row["w2_lower"] <= row["w2"] <= row["w2_upper"] for row in result.records)


def test_levels_as_a_number_end_at_the_mesh_of_the_case():
    case = wf.cases.get("cosine-2d")
    result = mesh_refinement(case, 3, times=[0.1])
    assert result.records[-1]["cells"] == "x".join(map(str, case.cells))
    assert result.records[0]["cells"] == "x".join(str(n // 4) for n in case.cells)


def test_table_and_files(tmp_path):
    result = mesh_refinement(CASE, [4, 8], times=[0.2, 0.4])
    table = result.table()
    assert "t = 0.2" in table
    assert "t = 0.4" in table
    assert "exact solution" in table
    result.write_csv(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["h"]) for row in rows] == [r["h"] for r in result.rows()]
    assert rows[0]["w2_order"] == ""
    assert float(rows[1]["w2_order"]) == result.orders[0.2, "w2"][0]
    result.write_json(tmp_path / "r.json")
    assert len(json.loads((tmp_path / "r.json").read_text())["rows"]) == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"levels": 0}, "levels"),
        ({"levels": [16, 8]}, "levels"),
        ({"levels": 20}, "levels"),
        ({"times": [0.0]}, "times"),
        ({"reference": "coarsest"}, "reference"),
        ({"levels": [8], "reference": "finest"}, "levels"),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        mesh_refinement(CASE, **arguments)


def test_an_exact_reference_needs_an_exact_solution():
    with pytest.raises(ValueError, match="no exact solution"):
        mesh_refinement(wf.cases.get("relu-2d"), [4, 8], reference="exact")


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral", "tetrahedron", "hexahedron"])
def test_nested_cells_find_their_parents(cell):
    dim = 2 if cell in ("triangle", "quadrilateral") else 3
    box = wf.Box([0.0] * dim, [1.0, 2.0, 0.5][:dim])
    coarse, fine = (wf.mesh.box(box, cells=n, cell=cell) for n in (3, 6))
    parents = containing_cells(coarse, fine)
    volumes = np.bincount(parents, fine.volumes[: fine.num_owned])
    np.testing.assert_allclose(volumes, coarse.volumes[: coarse.num_owned], rtol=1e-12)
    centroids = [np.bincount(parents, fine.volumes * fine.centroids[:, i]) / volumes for i in range(dim)]
    np.testing.assert_allclose(np.array(centroids).T, coarse.centroids, atol=1e-12)


def test_density_distance_falls_back_on_transport_between_cells():
    """Mass that jumps over a void: no flow between nearby cells exists, W2 is still bracketed."""
    box = wf.Box([0.0, 0.0], [4.0, 1.0])
    fine, coarse = (wf.mesh.box(box, cells=(4 * n, n), cell="quadrilateral") for n in (4, 2))

    def density(mesh, left):
        return wf.MeshDensity.from_function(
            mesh, lambda u: np.where(u[:, 0] < 1.0, left, np.where(u[:, 0] > 3.0, 1.0 - left, 0.0))
        )

    bracket = density_distance(density(fine, 0.5), density(coarse, 0.4), box)
    # a tenth of the mass moves from [0, 1] to [3, 4], in one dimension: W2^2 by quantiles of the two laws
    p = (np.arange(200_000) + 0.5) / 200_000

    def quantile(left):
        return np.where(p < left, p / left, 3.0 + (p - left) / (1.0 - left))

    assert quantile(0.5)[0] >= 0.0
    w2 = np.sqrt(np.mean((quantile(0.5) - quantile(0.4)) ** 2))
    assert bracket.lower <= w2 <= bracket.upper
    assert bracket.relative_width < 0.3
