"""The picture of a mesh refinement study."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from plot.layout import clashes

import wassflow as wf
from wassflow.flow import Trajectory
from wassflow.plot import errors, mesh_refinement, new_figure
from wassflow.study import AbsorbedMass, MeshRefinement, observed_orders

SIZES = (0.4, 0.2, 0.1)
TIMES = (0.5, 1.0)
QUANTITIES = {"moment_error": 1.0, "energy_error": 2.0, "w2": 0.75}


@pytest.fixture(scope="module")
def study():
    """Errors that are powers of h; no L1 error, as when the exact law has atoms."""
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=4, cell="triangle")
    mu = wf.MeshDensity.uniform(mesh)
    records = [
        {
            "level": i,
            "time": t,
            "h": h,
            "l1_error": None,
            "w2_lower": 0.8 * h**0.75,
            "w2_upper": 1.3 * h**0.75,
        }
        | {quantity: h**order for quantity, order in QUANTITIES.items()}
        for t in TIMES
        for i, h in enumerate(SIZES)
    ]
    orders = {
        (t, q): observed_orders(SIZES, np.power(SIZES, p)) for t in TIMES for q, p in QUANTITIES.items()
    }
    return MeshRefinement(
        case=SimpleNamespace(name="by-hand", coordinates=()),
        dim=2,
        cell="triangle",
        reference="exact",
        against="the exact solution",
        times=TIMES,
        records=records,
        finest_h=0.0,
        orders={key: pairwise for key, (pairwise, _) in orders.items()},
        order={key: order for key, (_, order) in orders.items()},
        flows=[Trajectory(np.array(TIMES), np.ones(2), np.zeros(2), np.zeros((2, 1)), list(TIMES), [mu, mu])],
        solution=None,
    )


def test_errors_orders_and_brackets_are_those_of_the_study(study):
    ax = new_figure(3.0, 3.0).add_subplot()
    errors(ax, study, 1.0)
    lines = [(a.get_xdata(), a.get_ydata()) for a in ax.get_lines()]
    for order in QUANTITIES.values():
        assert any(
            len(y) == 3 and np.allclose(x, SIZES) and np.allclose(y, np.power(x, order)) for x, y in lines
        )
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["$|f_h - f|$: order 1.00", "$|F_h - F|$: order 2.00", "$W_2$: order 0.75"]
    bars = next(a for a in ax.collections if isinstance(a, LineCollection)).get_segments()
    np.testing.assert_allclose([b[:, 1] for b in bars], [[0.8 * h**0.75, 1.3 * h**0.75] for h in SIZES])
    # reference slopes of order 1 and 1/2, below everything measured
    slopes = [np.log(y[1] / y[0]) / np.log(x[1] / x[0]) for x, y in lines if len(x) == 2 and x[0] != x[1]]
    assert {0.5, 1.0} <= {round(float(slope), 9) for slope in slopes}


def test_the_figure_has_the_density_and_a_panel_for_every_time(study):
    figure = mesh_refinement(study)
    assert len(figure.axes) == 1 + 1 + len(TIMES)
    assert [ax.get_ylabel() for ax in figure.axes[-2:]] == ["error at $t = 0.5$", "error at $t = 1$"]
    assert "errors against the exact solution" in " ".join(text.get_text() for text in figure.texts)
    assert clashes(figure, keys_on_axes=True) == []


def test_absorbed_mass_gets_a_panel(study):
    cells, powers = (1, 2), (0.5, 1.0)
    records = [
        {"level": i, "time": 1.0, "cells": k, "h": h, "exact": 0.3, "error": (-1) ** i * h**power}
        for k, power in zip(cells, powers, strict=True)
        for i, h in enumerate(SIZES)
    ]
    absorbed = AbsorbedMass(
        name="by-hand",
        where=[{0: 0.0}],
        cells=cells,
        times=(1.0,),
        accuracy=1e-3,
        records=records,
        orders={},
        order={(1.0, 1): 0.5, (1.0, 2): float("nan")},
    )
    figure = mesh_refinement(study, absorbed)
    assert len(figure.axes) == 1 + 1 + len(TIMES) + 1
    ax = figure.axes[-1]
    assert ax.get_ylabel() == "error of the absorbed mass, 0.3 at $t = 1$"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["1 cell: order 0.50", "2 cells", "of the reference"]
    lines = [(line.get_xdata(), line.get_ydata()) for line in ax.get_lines()]
    for power in powers:
        assert any(len(y) == 3 and np.allclose(y, np.power(x, power)) for x, y in lines)
    assert clashes(figure, keys_on_axes=True) == []
