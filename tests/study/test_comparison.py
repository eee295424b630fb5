"""Both flows on one case."""

import csv
import json

import numpy as np
import pytest

import wassflow as wf
from wassflow.study import run

CASE = wf.cases.get("cosine-2d")


@pytest.fixture(scope="module")
def comparison():
    return run(CASE, m=256, cells=24, times=[0.0, 0.75])


def test_density_and_particles_stay_as_close_as_they_started(comparison):
    """Quantised particles: sqrt(5/(18 sqrt 3) pi^2/m) at best, e^{Lt} times that (and the mesh) later."""
    start = comparison.brackets[0.0]
    best = np.sqrt(5.0 / (18.0 * np.sqrt(3.0)) * np.pi**2 / 256.0)
    assert 0.9 * best < start.lower
    assert start.upper < 1.15 * best
    assert comparison.brackets[0.75].upper < np.exp(0.75) * best + 0.03


def test_energies_agree_with_the_exact_solution(comparison):
    row = comparison.rows()[1]
    exact = CASE.exact.energy(0.75)
    assert row["particle_energy"] == pytest.approx(exact, abs=2e-3)
    # first order: an eighth of a cell
    assert row["density_energy"] == pytest.approx(exact, abs=np.pi / 24.0 / 8.0)


def test_table_and_files(comparison, tmp_path):
    assert "256 particles (quantized, seed 0)" in comparison.table()
    assert max(map(len, comparison.table().splitlines())) <= 100
    comparison.write_csv(tmp_path / "c.csv")
    with open(tmp_path / "c.csv", newline="") as file:
        assert [float(row["time"]) for row in csv.DictReader(file)] == [0.0, 0.75]
    comparison.write_json(tmp_path / "c.json")
    data = json.loads((tmp_path / "c.json").read_text())
    assert data["density"]["energy"] == comparison.density.energy.tolist()


@pytest.mark.parametrize(
    ("arguments", "word"), [({"m": 0}, "m"), ({"times": [0.0]}, "times"), ({"method": "x"}, "method")]
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        run(CASE, cells=4, **arguments)
