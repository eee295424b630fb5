"""Particle complexity: excess losses against the optimum, counts, what the authors found, and resuming."""

import json

import numpy as np
import pytest

from wassflow.cases.random_problems import RandomSpikes, family
from wassflow.study import figure_3, particle_complexities, particle_complexity
from wassflow.study.fixed_positions import minimize_magnitudes
from wassflow.study.particle_complexity import Success
from wassflow.study.rest import run_to_rest


@pytest.fixture(scope="module")
def study():
    return particle_complexity("deconvolution", ms=[12, 3], runs=2)


def test_enough_particles_find_the_minimum(study):
    assert study.ms == (3, 12)
    assert study.success("particles", 3).count == 0
    assert study.success("particles", 12).count == 2
    assert study.at_rest() == (4, 4)
    assert np.all(study.excess("particles", 12) >= -2e-7)
    assert max(optimum["gap"] for optimum in study.optima) <= 1e-7


def test_particles_end_below_magnitudes_on_the_same_positions(study):
    # the flow may stop in a worse place, but not with these many problems and particles
    for m in study.ms:
        assert np.all(study.excess("particles", m) <= study.excess("fixed positions", m) + 1e-6)
    assert study.success("fixed positions", 12).count == 0


def test_the_table_has_both_success_rates_and_what_is_unknown(study):
    table = study.table()
    assert "2/2" in table
    assert "does not say lambda" in table
    assert max(map(len, table.splitlines())) <= 100


def test_criteria_fail_where_claims_do(study):
    assert all(criterion.passed for criterion in study.criteria())
    few = particle_complexity(RandomSpikes(m0=1), ms=[1, 4], runs=1)
    assert any("mostly fails" in criterion.claim for criterion in few.criteria())
    strict = particle_complexity("deconvolution", ms=[3], runs=1, threshold=10.0)
    assert any(not criterion.passed for criterion in strict.criteria())


def test_results_are_written(study, tmp_path):
    rows = study.write_csv(tmp_path / "runs.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 2 * 2
    written = json.loads(study.write_json(tmp_path / "runs.json").read_text())
    assert written["m0"] == 5
    assert len(written["optima"]) == 2


def test_an_interrupted_study_goes_on(tmp_path):
    ledger = tmp_path / "runs.jsonl"
    first = particle_complexity("deconvolution", ms=[2], runs=1, ledger=ledger)
    more = particle_complexity("deconvolution", ms=[2, 4], runs=2, ledger=ledger)
    assert more.excess("particles", 2)[0] == first.excess("particles", 2)[0]
    assert len(ledger.read_text().splitlines()) > 3


def test_networks_in_any_dimension():
    problems = family("relu", m0=2, dim=20)
    found = particle_complexity(problems, ms=[1, 6], runs=1)
    assert found.optima[0] == {"value": 0.0, "gap": 0.0}
    assert found.success("particles", 6).count == 1
    assert found.excess("particles", 1)[0] > 0.01
    assert found.excess("fixed positions", 6)[0] > 0.01


def test_several_families_at_once(tmp_path):
    found = particle_complexities(
        {
            "deconvolution": {"ms": [2], "runs": 1, "parameters": {"order": 3}},
            "sigmoid": {"ms": [2], "runs": 1, "parameters": {"dim": 2, "m0": 1}},
        }
    )
    assert [panel.family.name for panel in found.panels] == ["deconvolution", "sigmoid"]
    assert found.panels[0].family.order == 3
    assert "sigmoid" in found.write_csv(tmp_path / "runs.csv").read_text()
    with pytest.raises(ValueError, match="at least one"):
        particle_complexities({})


def test_success_is_an_exact_binomial_interval():
    # Clopper and Pearson: for no success the upper end solves (1 - p)^n = 0.025
    found = Success.of(0, 5)
    assert (found.low, found.high) == (0.0, pytest.approx(1.0 - 0.025 ** (1.0 / 5.0)))
    assert Success.of(5, 5).low == pytest.approx(0.025 ** (1.0 / 5.0))


def test_the_authors_points():
    spikes = figure_3.panel("deconvolution")
    assert {losses.size for losses in spikes.losses.values()} == {100}
    assert spikes.ms[0] == 1
    for name, last in (("relu", 199), ("sigmoid", 199)):
        panel = figure_3.panel(name)
        assert panel.ms[-1] == last
        assert {losses.size for losses in panel.losses.values()} == {5}
    assert all(
        np.all(losses > spikes.threshold)
        for (m, _), losses in spikes.losses.items()
        if m == "fixed positions"
    )


def test_rest_is_where_nothing_moves_any_more():
    problems = family("deconvolution")
    problem = problems.problem(1)
    rest = run_to_rest([problem], [problems.start(1, 15)], 2.0, 1e-6, 1e-3)[0]
    assert rest.reached
    velocity = problem.functional.velocity(rest.cloud, rest.cloud.points, problem.domain)
    assert np.abs(velocity).max() < 1e-3
    # a stationary point on its own positions: the convex problem over magnitudes has nothing to add
    theta = rest.cloud.points[rest.cloud.points[:, 0] != 0.0, 1:]
    assert minimize_magnitudes(problem.functional, theta).value == pytest.approx(rest.energy, abs=1e-6)
    hasty = run_to_rest([problem], [problems.start(1, 15)], 0.01, 1e3)[0]
    assert hasty.time == 0.01
    given_up = run_to_rest([problem], [problems.start(1, 15)], 0.01, 1e-6, laps=2)[0]
    assert (given_up.reached, given_up.time) == (False, 0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"case": "spikes"}, "family of problems"),
        ({"case": 3}, "case must be"),
        ({"case": "relu", "ms": []}, "at least one number"),
        ({"case": "relu", "runs": 0}, "runs must be"),
        ({"case": "relu", "competitor": "grid"}, "competitor must be"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        particle_complexity(**arguments)
