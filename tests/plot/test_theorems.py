"""Pictures of optimality, global convergence and the exchange of limits, of small studies made by hand."""

import numpy as np
import pytest
from matplotlib.text import Text

import wassflow as wf
from wassflow.study import ExchangeOfLimits, GlobalConvergence, LimitGrid, Optimality


def run(start, m, separates, left):
    times = np.geomspace(1e-2, 10.0, 12)
    energy = 1.0 + left + (1.0 - left) * np.exp(-times)
    return {
        "case": "by-hand",
        "start": start,
        "m": m,
        "separates": separates,
        "times": [0.0, *times],
        "energy": [2.0, *energy],
    }


def words(figure):
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_global_convergence_draws_every_run_and_tells_starts_apart(tmp_path):
    runs = [run("separating", 8, True, 1e-3), run("separating", 32, True, 1e-9), run("half", 8, False, 0.3)]
    optima = {
        "by-hand": {"value": 1.0, "lower_bound": 1.0 - 1e-7, "gap": 1e-7, "theorem": "3.3", "atoms": []}
    }
    study = GlobalConvergence(optima, [*runs, run("density", None, True, 0.01)])
    figure = wf.plot.global_convergence(study)
    lines = figure.axes[0].get_lines()
    assert len(lines) == 4
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--", "-"]
    assert lines[0].get_alpha() < lines[1].get_alpha()
    assert np.allclose(lines[2].get_ydata()[-1], study.excess(runs[2])[-1])
    assert "by-hand (Theorem 3.3, m = 8, 32)" in words(figure)
    assert wf.plot.save_figure(figure, tmp_path / "a.png").stat().st_size < 150_000


def test_exchange_of_limits_marks_who_reaches(tmp_path):
    times = (0.0, 1.0, 10.0)
    values = np.array([[1.0, 0.6, 0.5], [1.0, 0.4, 0.0]])
    grid = LimitGrid(
        name="by hand",
        times=times,
        ms=(1, 2),
        values=values,
        limit=np.array([1.0, 0.3, 0.0]),
        limit_name="exact",
        value=0.0,
        lower_bound=-1e-9,
        rank=2,
        least=np.array([0.5, 0.0]),
    )
    figure = wf.plot.exchange_of_limits(ExchangeOfLimits((grid,)))
    left, right = figure.axes
    assert len(left.get_lines()) == 3
    found = {line.get_label(): line.get_xdata() for line in right.get_lines()}
    assert list(found["$F^*$ reached"]) == [2]
    assert list(found["above $F^*$"]) == [1]
    assert "by hand" in words(figure)
    assert wf.plot.save_figure(figure, tmp_path / "a.png").stat().st_size < 150_000


@pytest.mark.parametrize("signs", [1, 2])
def test_optimality_draws_the_slopes_and_marks_the_support(signs, tmp_path):
    angles = np.tile(np.linspace(0.0, 2.0 * np.pi, 50), signs)
    slope = 1.0 - np.cos(angles)
    at = {"gap": 1.0, "value": 1.5, "least": -0.3}
    row = {
        "case": "by-hand",
        "mass": "free",
        "optimum": {"value": 1.0, "gap": 1e-9, "least": -1e-9},
        "path": [{"time": float(t), **at} for t in range(4)],
        "angles": angles.tolist(),
        "curves": [(slope - 0.3).tolist()] * 4 + [slope.tolist()],
        "atoms": [[1.0, 0.0, 2.0]],
    }
    figure = wf.plot.optimality(Optimality([], [row]))
    slopes, gaps = figure.axes
    dots = [line for line in slopes.get_lines() if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in dots] == [0.0]
    assert len(gaps.get_lines()) == 2
    assert "by-hand" in words(figure)
    assert wf.plot.save_figure(figure, tmp_path / "a.png").stat().st_size < 150_000
