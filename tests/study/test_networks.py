"""Networks learned by both flows: fits, certificates, what is written and drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest

import wassflow as wf
from wassflow import plot
from wassflow.study import networks


@pytest.fixture(scope="module")
def study():
    return networks(
        {
            "relu-2d": {"m": 200, "t_end": 200.0, "density_end": 1.0, "cells": (24, 24)},
            "sigmoid-3d": {"m": 150, "t_end": 500.0, "density_end": 0.3, "cells": (12, 12, 12)},
        }
    )


def test_particles_end_at_certified_minima(study):
    assert [criterion for criterion in study.criteria() if not criterion.passed] == []


def test_certificates_hold_the_minimum(study):
    case = wf.cases.get("relu-2d")
    best = wf.minimize_over_measures(case.functional)
    for record in study.networks[0].records:
        assert record["lower"] <= best.value
        assert record["energy"] >= best.lower_bound


def test_curves_pass_through_the_moments(study):
    network = study.networks[1]
    case = wf.cases.get("sigmoid-3d")
    moment = case.functional.moment(network.clouds["particles"])
    assert np.interp(network.abscissae, network.fine, network.curves["particles"]) == pytest.approx(
        moment, abs=1e-4
    )
    assert network.data == pytest.approx(case.functional.loss.target)


def test_criteria_fail_for_a_bad_network(study):
    network = study.networks[0]
    spoiled = [{**r, "gap": 1.0, "misfit": 1.0} for r in network.records]
    spoiled[1]["energy"] += 1.0
    worse = replace(network, records=spoiled)
    assert sum(not c.passed for c in replace(study, networks=(worse,)).criteria()) == 3


def test_results_are_written_and_drawn(study, tmp_path):
    assert len(study.write_csv(tmp_path / "runs.csv").read_text().splitlines()) == 1 + 2 * 4
    assert "curves" in json.loads(study.write_json(tmp_path / "runs.json").read_text())[0]
    assert max(map(len, study.table().splitlines())) <= 100
    assert len(plot.networks(study).axes) == 4


def test_refusals():
    with pytest.raises(ValueError, match="at least one network"):
        networks({})
    with pytest.raises(ValueError, match="the case must be one of"):
        networks({"cosine-2d": {}})
