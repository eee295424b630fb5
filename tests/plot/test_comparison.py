"""The picture of both flows of one case."""

from types import SimpleNamespace

import numpy as np
import pytest
from plot.layout import clashes

import wassflow as wf
from wassflow.flow import Trajectory
from wassflow.plot import comparison, distances, energies, new_figure
from wassflow.study.stability import StabilityBound
from wassflow.transport import Bracket

TIMES = tuple(float(t) for t in range(7))


def flow(measure, rate):
    times = np.array(TIMES)
    energy = np.exp(-rate * times)
    return Trajectory(times, energy, rate * energy, np.zeros((7, 1)), list(TIMES), [measure] * 7)


def test_energies_show_both_flows_on_a_scale_that_fits():
    ax = new_figure(3.0, 2.0).add_subplot()
    slow, fast = flow(None, 0.1), flow(None, 2.0)
    energies(ax, slow, fast)
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), slow.energy)
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), fast.energy)
    assert ax.get_yscale() == "log"
    gentle = new_figure(3.0, 2.0).add_subplot()
    energies(gentle, slow, slow)
    assert gentle.get_yscale() == "linear"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["density", "particles"]


def test_distances_are_drawn_with_their_brackets():
    brackets = {2.0: Bracket(0.2, 0.4, "by hand", value=0.25), 0.0: Bracket(0.1, 0.1, "by hand")}
    ax = new_figure(3.0, 2.0).add_subplot()
    distances(ax, brackets)
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [0.1, 0.25])
    segments = next(c for c in ax.collections if hasattr(c, "get_segments")).get_segments()
    np.testing.assert_allclose([s[:, 1] for s in segments], [[0.1, 0.1], [0.2, 0.4]])
    assert ax.get_ylim()[1] > 0.4


def test_the_stability_bound_is_drawn_beside_them_and_does_not_flatten_them():
    brackets = {t: Bracket(0.1, 0.2, "by hand") for t in (0.0, 2.0)}
    bound = SimpleNamespace(times=np.array([0.0, 1.0, 2.0]), bound=np.array([0.2, 1.0, 5.0]))
    ax = new_figure(3.0, 2.0).add_subplot()
    distances(ax, brackets, bound)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "stability bound" in labels
    line = next(line for line in ax.get_lines() if line.get_label() == "stability bound")
    np.testing.assert_array_equal(line.get_ydata(), bound.bound)
    assert 0.2 < ax.get_ylim()[1] < 1.0


def growing(rate):
    return StabilityBound(np.array(TIMES), np.full(7, rate), rate * np.array(TIMES), 0.1, rate, 0.0)


@pytest.mark.parametrize(("rate", "top"), [(0.1, 1.12 * 0.1 * np.exp(0.6)), (1.5, 1.12 * 2.5 * 0.11)])
def test_what_is_measured_keeps_its_place_however_fast_the_bound_grows(rate, top):
    brackets = {0.0: Bracket(0.1, 0.1, "by hand"), 2.0: Bracket(0.1, 0.11, "by hand")}
    ax = new_figure(3.0, 2.0).add_subplot()
    distances(ax, brackets, growing(rate))
    drawn = np.array(
        next(line for line in ax.get_lines() if line.get_label() == "stability bound").get_ydata()
    )
    assert np.all(np.isfinite(drawn))
    assert ax.get_ylim()[1] == pytest.approx(top)


def test_a_bound_that_is_off_the_scale_at_once_is_told_and_takes_no_room():
    times = np.linspace(0.0, 2.0, 101)
    bound = StabilityBound(times, np.full(101, 500.0), 500.0 * times, 0.1, 500.0, 0.0)
    ax = new_figure(3.0, 2.0).add_subplot()
    distances(ax, {0.0: Bracket(0.1, 0.1, "by hand"), 2.0: Bracket(0.1, 0.11, "by hand")}, bound)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "stability bound: off the scale from $t = 0.02$" in labels
    assert ax.get_ylim()[1] == pytest.approx(1.12 * 0.11)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_comparison_shows_at_most_five_times(dim):
    mesh = wf.mesh.box(
        wf.Box([-1.0] * dim, [1.0] * dim), cells=3, cell="quadrilateral" if dim == 2 else "hexahedron"
    )
    mu = wf.MeshDensity.uniform(mesh)
    cloud = wf.ParticleCloud.sample(mu, 16)
    result = SimpleNamespace(
        case=SimpleNamespace(name="by-hand", coordinates=()),
        dim=dim,
        mesh_name="by hand",
        m=16,
        method="iid",
        times=TIMES,
        density=flow(mu, 0.1),
        particles=flow(cloud, 0.1),
        brackets={t: Bracket(0.1, 0.2, "by hand") for t in TIMES},
        stability=growing(1.0),
    )
    figure = comparison(result)
    assert clashes(figure) == []
    panels = 5 * (1 if dim == 2 else 3)
    assert len(figure.axes) == panels + 3
    assert figure.axes[0].get_ylabel() == "$u_2$"
    energy, distance = figure.axes[-2:]
    assert energy.get_ylabel() == r"energy $F(\mu_t)$"
    assert "W_2" in distance.get_ylabel()
