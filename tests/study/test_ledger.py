"""A ledger keeps finished runs, survives interruptions, and does not mix runs of different studies."""

import json
import operator
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import wassflow as wf
from wassflow.errors import WassflowError
from wassflow.study import ledger as ledgers
from wassflow.study import many_particle_limit
from wassflow.study.ledger import Ledger, open_ledger
from wassflow.study.workers import run_tasks


@dataclass(frozen=True)
class Task:
    value: int


class Interrupted(Exception):
    pass


def double(shared, task):
    return {"twice": 2 * task.value, "nan": float("nan"), "numpy": np.float64(task.value)}


def fail_at_three(shared, task):
    if task.value == 3:
        raise Interrupted
    return double(shared, task)


def must_not_run(shared, task):
    raise AssertionError(f"{task} ran again")


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path):
    path, tasks = tmp_path / "deep" / "runs.jsonl", [Task(value) for value in (1, 2, 3, 4)]
    with pytest.raises(Interrupted), Ledger(path, "doubles", {}) as ledger:
        run_tasks(operator.neg, (1,), fail_at_three, tasks, ledger=ledger)
    with Ledger(path, "doubles", {}) as ledger:
        assert len(ledger) == 2
        assert run_tasks(operator.neg, (1,), must_not_run, tasks[:2], ledger=ledger)[1]["twice"] == 4
        done = []
        results = run_tasks(operator.neg, (1,), double, tasks, 1, done.append, ledger=ledger)
    assert [result["twice"] for result in results] == [2, 4, 6, 8]
    assert sorted(task.value for task in done) == [1, 2, 3, 4]
    assert np.isnan(results[0]["nan"])
    with Ledger(path, "doubles", {}) as ledger:
        assert run_tasks(operator.neg, (1,), must_not_run, tasks, ledger=ledger)[3]["numpy"] == 4.0


def test_results_of_other_processes_are_written_down_here(tmp_path):
    path = tmp_path / "runs.jsonl"
    with Ledger(path, "sums", {}) as ledger:
        assert run_tasks(operator.neg, (3,), operator.add, [1, 2], 2, ledger=ledger) == [-2, -1]
    with Ledger(path, "sums", {}) as ledger:
        assert (ledger["1"], ledger["2"]) == (-2, -1)


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "runs.jsonl"
    with Ledger(path, "doubles", {"a": 1}) as ledger:
        ledger.add("first", 1)
        ledger.add("second", 2)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Ledger(path, "doubles", {"a": 1}) as ledger:
            assert len(ledger) == max(whole[:length].count(b"\n") - 1, 0)
            ledger.add("third", 3)
        with Ledger(path, "doubles", {"a": 1}) as ledger:
            assert ledger["third"] == 3
        assert all(json.loads(line) for line in path.read_text().splitlines())


def test_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "runs.jsonl"
    with Ledger(path, "doubles", {"cells": (4, 4), "scheme": "muscl"}) as ledger:
        ledger.add("first", 1)
    before = path.read_bytes()
    with pytest.raises(WassflowError, match=r"runs\.jsonl.*cells is \[4, 4\] there and \[8, 8\] here"):
        Ledger(path, "doubles", {"cells": (8, 8), "scheme": "muscl"})
    with pytest.raises(WassflowError, match="scheme is 'muscl' there and None here"):
        Ledger(path, "doubles", {"cells": (4, 4)})
    assert path.read_bytes() == before


def test_runs_of_other_code_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "runs.jsonl"
    with Ledger(path, "doubles", {}) as ledger:
        ledger.add("first", 1)
    monkeypatch.setattr(ledgers, "_code", lambda: "another digest")
    with pytest.raises(WassflowError, match="other code"):
        Ledger(path, "doubles", {})


def test_several_studies_share_a_file(tmp_path):
    path = tmp_path / "runs.jsonl"
    for study in ("doubles", "triples", "doubles"):
        with Ledger(path, study, {"study": study}) as ledger:
            ledger.add("run", study)
    for study in ("doubles", "triples"):
        with Ledger(path, study, {"study": study}) as ledger:
            assert ledger["run"] == study
            assert len(ledger) == 1


@pytest.mark.parametrize("content", [b"not a ledger\n", b'{"a": 1}\n', b"[1]\n", b"\xff\xfe\n"])
def test_a_file_of_something_else_is_not_touched(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(WassflowError, match="no ledger"):
        Ledger(path, "doubles", {})
    assert path.read_bytes() == content


def test_no_file_no_ledger():
    with open_ledger(None, "doubles", {}) as ledger:
        assert ledger is None
        assert run_tasks(operator.neg, (3,), operator.add, [1, 2], ledger=ledger) == [-2, -1]


def test_a_many_particle_study_is_the_same_from_its_ledger(tmp_path, monkeypatch):
    path, case = tmp_path / "runs.jsonl", wf.cases.get("cosine-2d")
    arguments = {"seeds": 2, "times": [0.0, 0.2], "cells": 8, "ledger": path}
    many_particle_limit(case, [8], **arguments)
    longer = many_particle_limit(case, [8, 16], **arguments)
    without = many_particle_limit(case, [8, 16], **{**arguments, "ledger": None})
    assert longer.records == without.records
    assert longer.floors == without.floors
    monkeypatch.setattr(sys.modules["wassflow.study.many_particle_limit"], "work", must_not_run)
    assert many_particle_limit(case, [8, 16], **arguments).records == longer.records
    with pytest.raises(WassflowError, match="times"):
        many_particle_limit(case, [8, 16], **{**arguments, "times": [0.0, 0.3]})
