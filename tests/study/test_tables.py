"""Result files appear whole, and numbers read the same in every table."""

import csv
import json
import os

import numpy as np
import pytest

from wassflow.study import tables


def test_csv_and_json_hold_what_was_written(tmp_path):
    rows = [{"m": 16, "w2": 0.25, "note": None}, {"m": np.int64(32), "w2": np.float64(0.125), "extra": "x"}]
    tables.write_csv(tmp_path / "deep" / "rows.csv", rows)
    with open(tmp_path / "deep" / "rows.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == ["m", "w2", "note", "extra"]
    assert float(read[1]["w2"]) == 0.125
    tables.write_json(tmp_path / "rows.json", {"rows": rows, "nan": float("nan")})
    data = json.loads((tmp_path / "rows.json").read_text())
    assert data == {
        "rows": [{"m": 16, "w2": 0.25, "note": None}, {"m": 32, "w2": 0.125, "extra": "x"}],
        "nan": None,
    }


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    tables.write_json(path, {"old": 1})

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        tables.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.json"]


def test_files_are_as_readable_as_any_other(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    assert tables.write_whole(tmp_path / "whole", "x").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (123.4, "123"),
        (1e-5, "1.00e-05"),
        (None, "-"),
        (-0.4567, "-0.457"),
        (2.0e6, "2.00e+06"),
    ],
)
def test_numbers(value, text):
    assert tables.number(value) == text
