"""The validation scripts hold in their quick modes."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from wassflow.cli.statements import STATEMENTS, statement

SCRIPTS = Path(__file__).parents[2] / "validation"


def test_quick_mode_passes(tmp_path, capsys):
    arguments = ["--quick", "--output", str(tmp_path)]
    assert runpy.run_path(str(SCRIPTS / "mesh_convergence.py"))["main"](arguments) == 0
    printed = capsys.readouterr().out
    assert "criteria passed" in printed
    assert "FAIL" not in printed
    written = {path.suffix for path in tmp_path.iterdir()}
    assert {".csv", ".json"} <= written
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text())


# Rows of the paper whose quick mode takes seconds; of the others a part.
CHEAP = {
    "many-particle-limit": {"cases": ("cosine-2d", "deconvolution-2d")},
}


@pytest.mark.parametrize("name", CHEAP)
def test_quick_mode_of_a_statement_passes(name, tmp_path, capsys, monkeypatch):
    row = statement(name)
    parts = {key: {part: row.quick[key][part] for part in parts} for key, parts in CHEAP[name].items()}
    monkeypatch.setattr(
        "wassflow.cli.validation.statement", lambda name: replace(row, quick={**row.quick, **parts})
    )
    arguments = ["--quick", "--output", str(tmp_path), "--workers", "1"]
    script = SCRIPTS / f"{name.replace('-', '_')}.py"
    assert runpy.run_path(str(script))["main"](arguments) == 0
    assert "1 of 1 statements hold" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}-quick{ending}" for ending in (".txt", ".csv", ".json", ".png")
    }
    json.loads((tmp_path / f"{name}-quick.json").read_text())


@pytest.mark.parametrize("row", STATEMENTS, ids=lambda row: row.name)
def test_every_statement_has_a_script(row):
    text = (SCRIPTS / f"{row.name.replace('-', '_')}.py").read_text()
    assert f'"{row.name}"' in text
    assert row.source.split()[-1] in text


@pytest.mark.parametrize("boxes", ["equal", "graded"])
def test_schemes_show_their_orders(boxes, capsys):
    main = runpy.run_path(str(SCRIPTS / "second_order.py"))["main"]
    assert main(["--quick", "--cell", "triangle", "--boxes", boxes, "--sizes", "24", "48"]) == 0
    printed = capsys.readouterr().out
    assert f"{boxes} boxes, triangle, scheme=muscl" in printed
    assert "passed" in printed


@pytest.mark.parametrize("sizes", [["32"], ["32", "16"], ["0", "16"]])
def test_one_size_shows_no_order(sizes, capsys):
    main = runpy.run_path(str(SCRIPTS / "second_order.py"))["main"]
    with pytest.raises(SystemExit) as stopped:
        main(["--sizes", *sizes])
    assert stopped.value.code == 2
    assert "--sizes must be at least two numbers that increase" in capsys.readouterr().err


def test_implicit_flows_come_to_rest(capsys):
    assert runpy.run_path(str(SCRIPTS / "stationary.py"))["main"](["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "4 of 4 criteria passed" in printed


@pytest.mark.parametrize("name", ["covariance", "weight times norm", "oblique walls"])
def test_solutions_that_the_package_does_not_know(name, capsys, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)  # as for a script that is started by its path
    arguments = ["--quick", "--dim", "2", "--only", name]
    assert runpy.run_path(str(SCRIPTS / "invented_solutions.py"))["main"](arguments) == 0
    printed = capsys.readouterr().out
    assert "FAIL" not in printed
    assert "criteria passed" in printed


@pytest.mark.parametrize(
    "name", ["transport_stress", "sampling_laws", "transport_closed_forms", "transport_peers"]
)
def test_quick_mode_of_transport_passes(name, capsys):
    arguments = ["--quick"]
    if name == "transport_stress":
        arguments += ["--workers", "1"]
    assert runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"](arguments) == 0
    printed = capsys.readouterr().out
    assert "criteria passed" in printed
    assert "FAIL" not in printed
