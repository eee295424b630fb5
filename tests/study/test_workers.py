"""Tasks give the same results here and in other processes, and fail with a reason."""

import operator
import subprocess
import sys

import pytest

from wassflow.errors import WassflowError
from wassflow.study.workers import run_study, run_tasks


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    done = []
    results = run_tasks(operator.neg, (3,), operator.add, [1, 2, 3, 4], workers, done.append)
    assert results == [-2, -1, 0, 1]
    assert sorted(done) == [1, 2, 3, 4]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_is_what_the_caller_sees(workers):
    with pytest.raises(ZeroDivisionError):
        run_tasks(operator.neg, (3,), operator.truediv, [1, 0, 2], workers)


def test_an_error_of_the_preparation_is_what_the_caller_sees():
    with pytest.raises(ZeroDivisionError):
        run_tasks(operator.truediv, (1, 0), operator.add, [1, 2], 2)


def test_a_script_without_guard_learns_what_is_missing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import operator\n"
        "from wassflow.study.workers import run_tasks\n"
        "print(run_tasks(operator.neg, (1,), operator.add, [1, 2], workers=2))\n"
    )
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert answer.returncode != 0
    assert WassflowError.__name__ in answer.stderr
    assert "__main__" in answer.stderr


def test_workers_must_be_a_positive_integer():
    with pytest.raises(ValueError, match="workers"):
        run_tasks(operator.neg, (3,), operator.add, [1], 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_finds_what_its_ledger_holds(tmp_path, workers):
    ledger = tmp_path / "runs.jsonl"
    assert run_study("signs", operator.neg, [3, 1], workers, False, ledger) == {3: -3, 1: -1}
    # work that would answer otherwise is not asked again about what is finished
    assert run_study("signs", operator.pos, [1, 3, 2], workers, False, ledger) == {1: -1, 3: -3, 2: 2}
    with pytest.raises(WassflowError, match="power"):
        run_study("signs", operator.neg, [3], workers, False, ledger, {"power": 2})
