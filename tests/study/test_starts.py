"""Starts of global convergence: what separates under which theorem, and where the particles are."""

import numpy as np
import pytest

import wassflow as wf
from wassflow.study.starts import STARTS, natural_domain, separates, start_cloud, theorem


def test_the_theorems_of_the_cases():
    found = {
        name: theorem(wf.cases.get(name).functional) for name in wf.cases.names() if "cosine" not in name
    }
    assert found == {
        "deconvolution-2d": "3.5",
        "deconvolution-3d": "3.5",
        "relu-2d": "3.3",
        "relu-3d": "3.3",
        "sigmoid-3d": "3.5",
    }
    with pytest.raises(ValueError, match="2-homogeneous"):
        theorem(wf.cases.get("cosine-2d").functional)


def test_one_sign_of_weights_separates_under_one_theorem_only():
    spikes, relu = (wf.cases.get(name).functional for name in ("deconvolution-2d", "relu-3d"))
    assert [separates(spikes, start) for start in STARTS] == [True, True, False, False]
    assert [separates(relu, start) for start in STARTS] == [True, False, False, False]
    with pytest.raises(ValueError, match="start must be one of"):
        separates(relu, "quarter")


@pytest.mark.parametrize("name", ["deconvolution-2d", "sigmoid-3d", "relu-2d", "relu-3d"])
def test_particles_are_where_the_start_says(name):
    case = wf.cases.get(name)
    domain = natural_domain(case)
    weighted = name != "relu-2d"
    for start in STARTS:
        if start == "one sign" and not weighted:
            with pytest.raises(ValueError, match="output weight"):
                start_cloud(case, start, 32)
            continue
        cloud = start_cloud(case, start, 32, radius=0.2)
        assert cloud.mass == pytest.approx(1.0)
        assert domain is None or domain.contains(cloud.points).all()
        if theorem(case.functional) == "3.3":
            assert np.allclose(np.linalg.norm(cloud.points, axis=1), 0.2)
        else:
            assert np.abs(cloud.points[:, 0]).max() <= 0.2
        if start == "one sign":
            assert cloud.points[:, 0].min() >= 0.0
            if name == "relu-3d":
                assert np.all(cloud.points[:, 0] >= np.linalg.norm(cloud.points[:, 1:], axis=1) - 1e-12)
        if start == "point":
            assert np.ptp(cloud.points, axis=0).max() == 0.0


def test_separating_directions_leave_no_gap():
    cloud = start_cloud(wf.cases.get("relu-2d"), "separating", 64)
    angles = np.sort(np.arctan2(cloud.points[:, 1], cloud.points[:, 0]))
    assert np.diff(angles, append=angles[0] + 2.0 * np.pi).max() < 4.0 * np.pi / 32
    half = start_cloud(wf.cases.get("relu-2d"), "half", 64)
    assert half.points[:, 0].max() <= 0.0
