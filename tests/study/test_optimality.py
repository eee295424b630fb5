"""The study of Proposition 3.1: it holds on small cases, and false numbers fail."""

import copy

import pytest

from wassflow.study import Optimality, optimality


@pytest.fixture(scope="module")
def study():
    return optimality(
        {
            "deconvolution-2d": {"m": 8, "t_end": 10.0},
            "cosine-2d": {"m": 16, "t_end": 40.0, "parameters": {"y": (1.3, -1.2)}},
        }
    )


def test_all_criteria_hold(study):
    assert [str(criterion) for criterion in study.criteria() if not criterion.passed] == []
    assert [row["mass"] for row in study.cases] == ["free", "fixed"]
    assert study.cases[1]["optimum"]["least"] == pytest.approx(-0.5, abs=1e-6)  # min F' < 0 at the minimiser


def test_tables_and_files_hold_every_certificate(study, tmp_path):
    text = study.table()
    assert "free mass" in text
    assert "fixed mass" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    lines = study.write_csv(tmp_path / "a.csv").read_text().splitlines()
    assert len(lines) == 1 + 8 + sum(len(row["path"]) + 1 for row in study.cases)
    assert '"gap"' in study.write_json(tmp_path / "a.json").read_text()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [("spikes", "exact", 0.0), ("spikes", "deviation", 1e-3), ("optimum", "gap", 1e-3), ("path", "gap", 0.0)],
)
def test_false_numbers_fail(study, where, name, value):
    spikes, cases = copy.deepcopy(study.spikes), copy.deepcopy(study.cases)
    row = {"spikes": spikes[0], "optimum": cases[0]["optimum"], "path": cases[0]["path"][3]}[where]
    row[name] = value
    assert not all(criterion.passed for criterion in Optimality(spikes, cases).criteria())


def test_bad_arguments():
    with pytest.raises(ValueError, match="the case must be one of"):
        optimality({"nothing": {"m": 1, "t_end": 1.0}})
    with pytest.raises(ValueError, match="t_end"):
        optimality({"relu-2d": {"m": 1, "t_end": 0.0}})
