"""The minimal-norm study finds least elements on its own, and fails when velocities are wrong."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wassflow as wf
from wassflow.cli.report import Report
from wassflow.cli.statements import Statement
from wassflow.cli.validation import validate
from wassflow.functional import FirstVariation
from wassflow.functional.subdifferential import Subdifferential
from wassflow.study import minimal_norm
from wassflow.study.kinks_and_walls import domain_with_points, functional, regularizers
from wassflow.study.least_norm import least_norm, normal_cone

SMALL = {
    "dims": (2,),
    "draws": 1,
    "particle_steps": (16, 32, 64),
    "shares": (0.8, 0.4),
    "potentials": ("|w|", "|u|_4^4", "|w| + |w||theta|"),
    "mesh_cells": {2: (12, 24)},
    "cases": ("cosine-2d", "deconvolution-2d"),
    "ms": (1, 2, 5),
}


@pytest.fixture(scope="module")
def result():
    return minimal_norm(**SMALL)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), d=st.sampled_from([2, 3]))
def test_the_least_element_of_a_polyhedral_function_is_found(seed, d):
    """G(u) = max_i <g_i, u>: dG(0) is the hull of the g_i; v satisfies <v, -g_i> >= |v|^2 for all of them."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(6, d)) + rng.normal(size=d)
    v = least_norm(lambda u: (u @ slopes.T).max(axis=1), np.zeros(d), np.zeros((0, d)))
    assert np.all(-slopes @ v >= v @ v - 1e-5)
    # and it is in the hull: no direction separates it
    along = rng.normal(size=(50, d))
    assert np.all((-slopes @ along.T).max(axis=0) >= along @ v - 1e-5)


@pytest.mark.parametrize("d", [2, 3])
def test_a_ball_is_resolved(d):
    slope = np.array([0.6, -0.9, 0.4])[:d]
    v = least_norm(lambda u: 0.7 * np.linalg.norm(u, axis=1) - u @ slope, np.zeros(d), np.zeros((0, d)))
    length = np.linalg.norm(slope)
    np.testing.assert_allclose(v, slope * (1.0 - 0.7 / length), atol=2e-4)


def test_walls_take_part():
    domain, _ = domain_with_points(2, "orthant")
    corner = np.zeros(2)
    v = least_norm(lambda u: u @ np.array([1.0, -2.0]), corner, normal_cone(domain, corner))
    np.testing.assert_allclose(v, [0.0, 2.0], atol=1e-6)


@pytest.mark.parametrize("name", ["box", "orthant", "polytope"])
@pytest.mark.parametrize("d", [2, 3])
def test_points_lie_in_their_domain_and_on_everything(d, name):
    domain, points = domain_with_points(d, name)
    assert np.all(domain.contains(points))
    walls = np.array([len(normal_cone(domain, u)) for u in points])
    kinks = points[:, 0] == 0.0
    assert {(bool(k), w > 0) for k, w in zip(kinks, walls, strict=True)} >= {(False, False), (True, True)}
    assert walls.max() >= 2


def test_every_regulariser_is_there():
    kinds = {type(V).__name__ for V in regularizers(3).values()}
    assert kinds == {name for name in wf.regularizer.__all__ if name not in ("Regularizer", "Walls")}


def test_all_criteria_hold(result):
    assert all(criterion.passed for criterion in result.criteria()), "\n".join(map(str, result.criteria()))
    assert len(result.criteria()) == 9


def test_the_table_and_the_files_hold_the_records(result, tmp_path):
    text = result.table()
    assert max(map(len, text.splitlines())) <= 100
    assert all(what in text for what in SMALL["potentials"])
    data = json.loads(result.write_json(tmp_path / "result.json").read_text())
    assert len(data["decays"]) == 6
    assert result.write_csv(tmp_path / "result.csv").read_text().count("\n") == 1 + sum(
        len(part) for part in (result.projections, result.balances, result.decays)
    )


def test_a_wrong_sign_of_the_velocity_fails_the_row(monkeypatch, tmp_path):
    right = FirstVariation.smooth_velocity
    monkeypatch.setattr(FirstVariation, "smooth_velocity", lambda self, u: -right(self, u))
    row = Statement("minimal-norm", "", "", "minimal_norm", "minimal_norm", {}, SMALL)
    assert not validate([row], Report(tmp_path, quiet=True), quick=True, workers=1)[0].holds


def test_a_velocity_that_forgets_the_kinks_fails(monkeypatch):
    def forgetful(self, u, vt, domain=None):
        return domain.project_velocity(u, vt - self.gradient)

    monkeypatch.setattr(Subdifferential, "least_velocity", forgetful)
    F, (domain, points) = functional(2, "|w|"), domain_with_points(2, "box")
    variation = F.linearize(np.full(4, 0.3))
    v = variation.velocity(points, domain)
    errors = [
        np.linalg.norm(v[i] - least_norm(variation, u, normal_cone(domain, u))) for i, u in enumerate(points)
    ]
    assert max(errors) > 0.1
