"""The validation scripts hold in their quick modes."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "validation"


@pytest.mark.parametrize("name", ["many_particle_limit", "mesh_convergence"])
def test_quick_mode_passes(name, tmp_path, capsys):
    arguments = ["--quick", "--output", str(tmp_path)]
    if name == "many_particle_limit":
        arguments += ["--workers", "1"]
    assert runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"](arguments) == 0
    printed = capsys.readouterr().out
    assert "criteria passed" in printed
    assert "FAIL" not in printed
    written = {path.suffix for path in tmp_path.iterdir()}
    assert {".csv", ".json"} <= written
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text())
    if name == "many_particle_limit":
        assert ".png" in written


def test_implicit_flows_come_to_rest(capsys):
    assert runpy.run_path(str(SCRIPTS / "stationary.py"))["main"](["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "4 of 4 criteria passed" in printed


@pytest.mark.parametrize("name", ["transport_stress", "sampling_laws", "transport_closed_forms"])
def test_quick_mode_of_transport_passes(name, capsys):
    arguments = ["--quick"]
    if name == "transport_stress":
        arguments += ["--workers", "1"]
    assert runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"](arguments) == 0
    printed = capsys.readouterr().out
    assert "criteria passed" in printed
    assert "FAIL" not in printed
