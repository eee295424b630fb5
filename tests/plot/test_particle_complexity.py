"""The picture of particle complexity shows every run, both methods and the authors' points."""

import numpy as np
import pytest

from wassflow import plot
from wassflow.study import particle_complexities, particle_complexity


@pytest.fixture(scope="module")
def study():
    return particle_complexity("deconvolution", ms=[2, 12], runs=2)


def test_losses_and_shares_are_drawn(study):
    figure = plot.particle_complexity(study)
    losses, shares = figure.axes
    assert (losses.get_xscale(), losses.get_yscale()) == ("log", "log")
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in losses.lines])
    for method in study.methods:
        for m in study.ms:
            for excess in np.maximum(study.excess(method, m), study.least):
                assert np.isclose(heights, excess, rtol=1e-12).any()
    low, high = shares.get_ylim()
    assert low < 0.0
    assert high > 1.0


def test_families_stand_side_by_side(study):
    both = particle_complexities({"deconvolution": {"ms": [2], "runs": 1}})
    assert len(plot.particle_complexities(both).axes) == 2
    assert len(plot.particle_complexity(study, study).axes) == 4


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        plot.particle_complexity()
