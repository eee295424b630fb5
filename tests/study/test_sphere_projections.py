"""Projections: what F sees, the limit of a flow, and criteria that can fail."""

import json
from dataclasses import replace

import numpy as np
import pytest

import wassflow as wf
from wassflow import plot
from wassflow.study import sphere_projections
from wassflow.study.sphere_projections import rescaled


@pytest.fixture(scope="module")
def study():
    settings = {"m": 40, "times": (0.0, 0.4, 8.0), "density_end": 0.4, "cells": (24, 32)}
    return sphere_projections({"deconvolution-2d": settings}, pairs=3)


def test_projections_converge(study):
    assert all(criterion.passed for criterion in study.criteria())
    (flow,) = study.flows
    assert flow.select("particles")[-1]["value"] < 0.05
    assert [record["time"] for record in flow.select("density")] == [0.0, 0.4]


def test_profiles_hold_the_whole_projection(study):
    (flow,) = study.flows
    case = wf.cases.get("deconvolution-2d")
    best = wf.minimize_over_measures(case.functional, case.domain)
    points, weights = best.measure.quadrature()
    assert flow.profiles["limit"].sum() == pytest.approx(weights @ points[:, 0], abs=1e-6)


def test_criteria_fail_for_another_limit(study):
    (flow,) = study.flows
    worse = replace(flow, rest=0.1, records=[{**record, "upper": 9.0} for record in flow.records])
    failed = [c.claim for c in replace(study, flows=(worse,)).criteria() if not c.passed]
    assert len(failed) == 3
    pairs = [{**pair, "difference": 1e-3} for pair in study.pairs]
    assert sum(not c.passed for c in replace(study, pairs=pairs).criteria()) == len(pairs)


@pytest.mark.parametrize("projection", ["sphere", "weight"])
def test_rescaled_measures_share_their_projection_only(projection):
    rng = np.random.default_rng(3)
    cloud = wf.ParticleCloud(rng.normal(size=(5, 3)))
    other = rescaled(cloud, projection, rng)
    assert wf.bounded_lipschitz(cloud, other, projection=projection).upper < 1e-12
    assert wf.bounded_lipschitz(cloud, other).lower > 0.1


def test_results_are_written_and_drawn(study, tmp_path):
    assert len(study.write_csv(tmp_path / "flows.csv").read_text().splitlines()) == 1 + 5
    assert json.loads(study.write_json(tmp_path / "flows.json").read_text())["flows"][0]["m"] == 40
    assert max(map(len, study.table().splitlines())) <= 100
    assert len(plot.sphere_projections(study).axes) == 2


def test_refusals():
    with pytest.raises(ValueError, match="the case must be one of"):
        sphere_projections({"cosine-2d": {}})
    with pytest.raises(ValueError, match="pairs must be"):
        sphere_projections({}, pairs=0)
    with pytest.raises(ValueError, match="at least one flow"):
        plot.sphere_projections(sphere_projections({}, pairs=1))
