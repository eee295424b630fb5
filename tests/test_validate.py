"""`wassflow validate`: rows run, failures and errors count, interrupted runs go on."""

import json
from dataclasses import dataclass

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from wassflow import plot, study
from wassflow.cli import validation
from wassflow.cli.app import app
from wassflow.cli.commands import statements
from wassflow.cli.statements import STATEMENTS, Statement
from wassflow.study.criteria import Criterion
from wassflow.study.ledger import Ledger
from wassflow.study.tables import write_csv, write_json

runner = CliRunner()


@dataclass(frozen=True)
class Result:
    value: float

    def table(self):
        return f"value {self.value:g}"

    def criteria(self):
        return [Criterion("value is one", self.value == 1.0, f"{self.value:g}")]

    def write_csv(self, path):
        return write_csv(path, [{"value": self.value}])

    def write_json(self, path):
        return write_json(path, {"value": self.value})


def constant(value, workers=1, progress=False, ledger=None):
    if value < 0.0:
        raise ValueError(f"value must be positive, found {value}")
    return Result(value)


def picture(result):
    return Figure(figsize=(1.0, 1.0))


def row(name, value):
    return Statement(
        name, "Thm 0", f"{name} is one", "constant", "picture", {"value": value}, {"value": value}
    )


@pytest.fixture
def rows(monkeypatch):
    """Three small statements in the place of the real ones: one true, one false, one in error."""
    monkeypatch.setattr(study, "constant", constant, raising=False)
    monkeypatch.setattr(plot, "picture", picture, raising=False)
    chosen = {row.name: row for row in (row("true", 1.0), row("error", -1.0), row("false", 2.0))}
    monkeypatch.setattr(statements, "STATEMENTS", tuple(chosen.values()))
    monkeypatch.setattr(statements, "statement", chosen.__getitem__)
    monkeypatch.setattr(validation, "statement", chosen.__getitem__)
    return chosen


def call(*arguments):
    return runner.invoke(app, ["validate", *map(str, arguments)], env={"COLUMNS": "120", "TERM": "dumb"})


def test_every_row_is_run_and_one_failure_is_enough(rows, tmp_path):
    result = call("--output", tmp_path, "--workers", 1)
    assert result.exit_code == 1
    summary = [line for line in result.stdout.splitlines() if "Thm 0" in line]
    assert [line.split()[0] for line in summary] == ["true", "error", "false"]
    assert "pass" in summary[0]
    assert "true.png" in summary[0]
    assert "FAIL" in summary[1]
    assert "value must be positive" in summary[1]
    assert "FAIL" in summary[2]
    assert "0 of 1" in summary[2]
    assert "1 of 3 statements hold" in result.stdout
    assert json.loads((tmp_path / "false.json").read_text()) == {"value": 2.0}
    assert {path.name for path in tmp_path.iterdir() if path.stem == "true"} == {
        "true.txt",
        "true.csv",
        "true.json",
        "true.png",
    }
    assert "1 of 1 criteria passed" in (tmp_path / "true.txt").read_text()


def test_a_row_that_holds_exits_with_zero(rows, tmp_path):
    result = call("true", "--quick", "--output", tmp_path, "--workers", 1)
    assert result.exit_code == 0
    assert (tmp_path / "true-quick.png").exists()
    assert validation.script("true", None, ["--output", str(tmp_path), "--workers", "1"]) == 0
    assert validation.script("false", None, ["--output", str(tmp_path), "--workers", "1"]) == 1


def test_an_interrupted_study_goes_on_and_a_finished_one_starts_anew(rows, tmp_path, monkeypatch):
    seen = []

    def resumable(value, workers=1, progress=False, ledger=None):
        with Ledger(ledger, "resumable", {}) as book:
            seen.append("first" in book)
            book.add("first", value)
            if len(seen) == 1:
                raise KeyboardInterrupt
        return Result(value)

    monkeypatch.setattr(study, "constant", resumable, raising=False)
    for _ in range(3):
        call("true", "--output", tmp_path, "--workers", 1)
    assert seen == [False, True, False]
    seen.clear()
    call("true", "--output", tmp_path, "--workers", 1)
    call("true", "--output", tmp_path, "--workers", 1, "--fresh")
    assert seen == [False, False]


def test_the_list_runs_nothing():
    result = call("--list")
    assert result.exit_code == 0
    assert all(row.name in result.stdout and row.source in result.stdout for row in STATEMENTS)


def test_an_unknown_statement_is_refused_by_name():
    result = call("riemann-hypothesis")
    assert result.exit_code == 2
    assert "riemann-hypothesis" in result.stderr


@pytest.mark.parametrize("row", STATEMENTS, ids=lambda row: row.name)
def test_every_row_has_its_study_its_picture_and_its_script(row):
    assert callable(getattr(study, row.study))
    assert callable(getattr(plot, row.plot))
    assert row.quick
