"""The study of Theorems 3.3 and 3.5 on small problems, resumed from its ledger, and with false numbers."""

import copy

import pytest

from wassflow.study import GlobalConvergence, global_convergence

SETTINGS = {
    "relu-2d": {"ms": (8, 24), "starts": {"separating": 100.0, "half": 30.0}},
    "deconvolution-2d": {"ms": (8,), "starts": {"one sign": 3.0, "half": 3.0}, "density": 8},
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return tmp_path_factory.mktemp("global") / "runs.jsonl"


@pytest.fixture(scope="module")
def study(ledger):
    return global_convergence(SETTINGS, ledger=ledger)


def test_what_separates_reaches_and_what_does_not_is_stuck(study):
    failed = {criterion.claim for criterion in study.criteria() if not criterion.passed}
    assert failed <= {"deconvolution-2d, density: a density reaches F*"}  # of 64 boxes
    assert study.optima["relu-2d"]["gap"] <= 1e-6
    half = study.select("relu-2d", "half")
    assert all(run["least"] < -0.1 for run in half)
    assert [run["m"] for run in half] == [8, 24]
    density = study.select("deconvolution-2d", "density")[0]
    assert density["m"] is None
    assert study.excess(density)[-1] < 0.3 * study.excess(density)[0]


def test_an_ended_study_is_read_from_its_ledger(study, ledger):
    before = ledger.read_bytes()
    again = global_convergence(SETTINGS, ledger=ledger)
    assert ledger.read_bytes() == before
    assert again.runs == study.runs


def test_table_and_rows(study, tmp_path):
    text = study.table()
    assert "Theorem 3.3" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    rows = study.rows()
    assert min(row["excess"] for row in rows) >= -1e-6
    assert len(study.write_csv(tmp_path / "a.csv").read_text().splitlines()) == 1 + len(rows)
    study.write_json(tmp_path / "a.json")


def test_false_numbers_fail(study):
    def verdicts(change):
        optima, runs = copy.deepcopy(study.optima), copy.deepcopy(study.runs)
        change(optima, runs)
        return [criterion.passed for criterion in GlobalConvergence(optima, runs).criteria()]

    def risen(optima, runs):
        runs[0]["rise"] = 1e-3

    def below(optima, runs):
        runs[0]["energy"][-1] = 0.0

    def wide(optima, runs):
        optima["relu-2d"]["gap"] = 1e-3

    def never_stuck(optima, runs):
        for run in runs:
            if not run["separates"]:
                run["energy"][-1] = optima[run["case"]]["value"]

    good = verdicts(lambda optima, runs: None)
    for change in (risen, below, wide, never_stuck):
        assert verdicts(change) != good


def test_bad_arguments():
    for cases, message in (
        ({}, "at least one case"),
        ({"cosine-2d": {"ms": (2,), "starts": {"half": 1.0}}}, "2-homogeneous"),
        ({"relu-2d": {"ms": (), "starts": {"half": 1.0}}}, "ms and starts of relu-2d"),
        ({"relu-2d": {"ms": (2,), "starts": {}}}, "ms and starts of relu-2d"),
        ({"relu-2d": {"ms": (2,), "starts": {"half": -1.0}}}, "the end of 'half'"),
        ({"relu-2d": {"ms": (2,), "starts": {"third": 1.0}}}, "a start must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            global_convergence(cases)
