"""No negative cell and no mass lost on random problems: some of those of validation/positivity.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "validation" / "positivity.py"


@pytest.fixture(scope="module")
def validation():
    spec = importlib.util.spec_from_file_location("validation_positivity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("first", range(0, 40, 8))
def test_runs_of_all_schemes(validation, first):
    for seed in range(first, first + 8):
        found = validation.check(validation.random_problem(seed))
        assert found["least"] >= 0.0, seed
        assert found["mass"] <= 1e-13, seed


def test_implicit_steps_of_ten_thousand_times_the_bound(validation):
    for seed in range(40):
        found = validation.check_system(seed)
        assert found["least"] >= 0.0, seed
        assert found["mass"] <= 1e-13, seed
        assert found["residual"] <= 1e-14, seed
