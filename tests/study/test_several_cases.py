"""What a study of several cases shows and writes is what the studies of the cases do, in their order."""

import csv
import json

import pytest

import wassflow as wf


@pytest.fixture(scope="module")
def limits():
    options = {"ms": [4, 16], "times": [0.0], "seeds": 2, "cells": 4}
    return wf.study.many_particle_limits({"cosine-2d": options, "relu-2d": options})


def test_tables_and_criteria_are_those_of_the_cases(limits):
    first, second = limits.limits
    assert limits.table() == f"{first.table()}\n\n\n{second.table()}"
    claims = [criterion.claim for criterion in limits.criteria()]
    assert claims == [criterion.claim for part in (first, second) for criterion in part.criteria()]


def test_files_hold_all_cases_by_name(limits, tmp_path):
    with open(limits.write_csv(tmp_path / "all.csv")) as file:
        rows = list(csv.DictReader(file))
    alone = []
    for part in limits.limits:
        with open(part.write_csv(tmp_path / "one.csv")) as file:
            alone += list(csv.DictReader(file))
    assert next(iter(rows[0])) == "case"
    assert rows == alone
    data = json.loads(limits.write_json(tmp_path / "all.json").read_text())
    assert [entry["case"] for entry in data] == ["cosine-2d", "relu-2d"]
    part = json.loads(limits.limits[1].write_json(tmp_path / "one.json").read_text())
    assert data[1] == part
