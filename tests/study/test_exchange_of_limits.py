"""The study of Lemma C.15: limits agree from the rank on, and false numbers fail."""

from dataclasses import replace

import numpy as np
import pytest

from wassflow.study import exchange_of_limits

RANK = {"eigenvalues": (0.8, 0.4), "ms": (1, 2, 4), "times": (0.3, 1.0, 15.0), "cells": 48}
CASE = {"case": "relu-2d", "ms": (4, 16), "times": (1.0, 20.0)}


@pytest.fixture(scope="module")
def study():
    return exchange_of_limits([RANK, CASE])


def test_criteria_hold_and_the_rank_decides(study):
    assert [str(criterion) for criterion in study.criteria() if not criterion.passed] == []
    rank, case = study.grids
    assert rank.rank == 2
    assert rank.reached == [False, True, True]
    assert rank.values[0, -1] == pytest.approx(0.5 * 0.4**2, abs=1e-8)
    assert case.rank is None
    assert case.values.shape == (2, 3)


def test_table_and_files(study, tmp_path):
    text = study.table()
    assert "lim_t lim_m" in text
    assert "lim_m lim_t" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    assert len(study.write_csv(tmp_path / "a.csv").read_text().splitlines()) == 1 + 4 * 4 + 3 * 3
    study.write_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda grid: {"lower_bound": grid.value - 1.0},
        lambda grid: {"limit": grid.limit + 0.01 * np.arange(len(grid.limit))},
        lambda grid: {"values": grid.values * 0.5},
        lambda grid: {"rank": 1},
        lambda grid: {"exact": grid.exact + 1e-3},
        lambda grid: {"density": grid.density * 1.5},
    ],
)
def test_false_numbers_fail(study, change):
    grid = study.grids[0]
    assert not all(criterion.passed for criterion in replace(grid, **change(grid)).criteria())


def test_bad_arguments():
    for problem, message in (
        ({"ms": (1,), "times": (1.0,)}, "a case or eigenvalues"),
        ({"ms": (), "times": (1.0,), "case": "relu-2d"}, "ms hold a number"),
        ({"ms": (1,), "times": (0.0, 1.0), "case": "relu-2d"}, "times must be positive"),
        ({"ms": (1,), "times": (1.0,), "eigenvalues": (1.0, 0.5)}, "and cells"),
    ):
        with pytest.raises(ValueError, match=message):
            exchange_of_limits([problem])
    with pytest.raises(ValueError, match="at least one problem"):
        exchange_of_limits([])
