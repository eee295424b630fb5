"""The picture of the many-particle limit shows the numbers of the study."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from plot.layout import clashes

import wassflow as wf
from wassflow.flow import Trajectory
from wassflow.plot import convergence, many_particle_limit, new_figure
from wassflow.study.laws import iid_connected, quantized
from wassflow.study.many_particle_limit import ManyParticleLimit
from wassflow.study.rates import fit_rate
from wassflow.transport import Bracket

MS = (16, 64, 256)
SEEDS = (0, 1, 2)
TIMES = (0.0, 1.0)
FLOOR = 0.011


def still(measure):
    return Trajectory(
        np.array(TIMES), np.ones(2), np.zeros(2), np.zeros((2, 1)), list(TIMES), [measure, measure]
    )


def study(dim, name="by-hand"):
    """A result with known numbers: W2 = m^(-1/2) times a factor of the seed, brackets of 10 percent."""
    mesh = wf.mesh.box(
        wf.Box([-1.0] * dim, [1.0] * dim), cells=4, cell="quadrilateral" if dim == 2 else "hexahedron"
    )
    mu = wf.MeshDensity.uniform(mesh)
    result = ManyParticleLimit(
        case=SimpleNamespace(
            name=name, coordinates=("$w$", r"$\theta$") if dim == 2 else ("$w$", "$a$", "$b$")
        ),
        dim=dim,
        mesh_name="by hand",
        methods=("iid", "quantized"),
        ms=MS,
        seeds=SEEDS,
        times=TIMES,
        records=[],
        floors={t: Bracket(0.9 * FLOOR, 1.1 * FLOOR, "by hand", value=FLOOR) for t in TIMES},
        observable_floors={},
        density=still(mu),
        coarse=still(mu),
        clouds={"iid": still(wf.ParticleCloud.sample(mu, 32))},
    )
    for method, factor, seeds in (("iid", 1.0, SEEDS), ("quantized", 0.5, SEEDS[:1])):
        for m in MS:
            for seed in seeds:
                value = factor * (1.0 + 0.1 * seed) * m**-0.5
                for t in TIMES:
                    result.records.append(
                        {"method": method, "m": m, "seed": seed, "time": t, "value": value}
                        | {"lower": 0.9 * value, "upper": 1.1 * value}
                    )
        for t in TIMES:
            values = result.values(method, t) if method == "iid" else result.values(method, t)[:, :1]
            result.fits[method, t] = fit_rate(MS, values)
            law = iid_connected(dim, 1.0) if method == "iid" else quantized(dim)
            result.laws[method, t] = law.fit(MS, np.mean(values**2, axis=1))
    return result


@pytest.fixture(scope="module")
def plane():
    return study(2)


def line(ax, xs, ys):
    """Whether some line of the axes goes through these points."""
    return any(
        len(artist.get_xdata()) == len(xs)
        and np.allclose(artist.get_xdata(), xs)
        and np.allclose(artist.get_ydata(), ys)
        for artist in ax.get_lines()
    )


def test_means_fits_laws_and_brackets_are_those_of_the_study(plane):
    ax = new_figure(4.0, 3.0).add_subplot()
    convergence(ax, plane, 1.0)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "number of particles $m$"
    assert "W_2" in ax.get_ylabel()
    for method in plane.methods:
        assert line(ax, MS, plane.mean(method, 1.0)), method
        ends = np.array([MS[0], MS[-1]])
        assert line(ax, ends, plane.fits[method, 1.0](ends)), method
        dense = next(a for a in ax.get_lines() if len(a.get_xdata()) == 60)
        assert len(dense.get_xdata()) == 60
    bars = [a.get_segments() for a in ax.collections if isinstance(a, LineCollection)]
    iid = np.array(sorted(np.ravel([segment[:, 1] for segment in bars[0]])))
    expected = sorted(r[key] for r in plane.select("iid", 1.0, 16) for key in ("lower", "upper"))
    np.testing.assert_allclose(iid, expected)


def test_the_legend_names_exponents_intervals_and_laws(plane):
    ax = new_figure(4.0, 3.0).add_subplot()
    convergence(ax, plane, 1.0)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    fit = plane.fits["iid", 1.0]
    assert f"$m^{{{fit.exponent:.2f}}}$" in labels[0]
    assert labels[0].startswith("iid ")
    assert labels[1].startswith("quantised ")
    assert f"{abs(fit.low):.2f}" in labels[0]
    assert labels[2:] == [r"$\sqrt{(|\Omega|/m)(\ln m/4\pi + c)}$", "$c\\,m^{-1/2}$"]


def test_the_floor_is_hatched_and_named_where_there_is_one(plane):
    ax = new_figure(4.0, 3.0).add_subplot()
    convergence(ax, plane, 1.0)
    bands = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(bands) == 1
    assert bands[0].get_y() + bands[0].get_height() == pytest.approx(FLOOR)
    assert "PDE’s own error" in [text.get_text() for text in ax.texts]
    low, high = ax.get_ylim()
    values = [row["value"] for row in plane.records]
    assert low < FLOOR < max(values) < high
    # at time 0 the particles sample the mesh density itself: nothing to show
    start = new_figure(4.0, 3.0).add_subplot()
    convergence(start, plane, 0.0)
    assert not [patch for patch in start.patches if patch.get_hatch()]


def test_without_a_fit_the_legend_says_why(plane):
    result = study(2)
    result.fits["iid", 1.0] = fit_rate(MS, result.values("iid", 1.0), floor=1e3)
    del result.laws["iid", 1.0]
    ax = new_figure(4.0, 3.0).add_subplot()
    convergence(ax, result, 1.0)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "iid  too near the floor"
    assert labels[2].strip() == ""  # keeps the law of the other start in its line


def test_two_studies_stand_side_by_side_with_a_row_for_every_time(plane):
    figure = many_particle_limit(plane, study(3, "in-space"))
    # per time: one snapshot (2D) or three marginals (3D), and the rates; per study a colour bar
    assert len(figure.axes) == (2 * (1 + 1) + 1) + (2 * (3 + 1) + 1)
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels.count("number of particles $m$") == 2
    assert labels.count("$a$") == 1
    texts = [text.get_text() for text in figure.texts]
    assert {"by-hand", "in-space"} <= set(texts)
    rates = [ax for ax in figure.axes if "W_2" in ax.get_ylabel()]
    assert len(rates) == 4
    assert rates[0].get_ylim() == rates[1].get_ylim()
    # the signed particles are explained
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "32 iid particles, $w > 0$" in legends


@pytest.mark.parametrize("dims", [(2,), (3,), (2, 3)])
def test_nothing_overlaps_or_is_cut(dims):
    results = [study(dim, f"a-long-name-of-a-case-{dim}d") for dim in dims]
    for result in results:
        # the longest texts that a key can have to hold
        result.fits["quantized", 1.0] = fit_rate(MS, result.values("iid", 1.0), floor=1e3)
        result.laws["iid", 1.0] = iid_connected(2, 1.0).fit(MS, np.square(result.mean("iid", 1.0)))
    assert clashes(many_particle_limit(*results)) == []


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="at least one many-particle study"):
        many_particle_limit()


def test_several_cases_have_a_row_each_and_one_column_for_the_observables():
    options = {"ms": (8, 32), "seeds": 2, "cells": 8}
    cases = {"cosine-2d": {"times": (0.0, 0.5)}, "cosine-3d": {"times": (0.0, 0.5), "method": "iid"}}
    result = wf.study.many_particle_limits({name: {**options, **more} for name, more in cases.items()})
    figure = wf.plot.many_particle_limits(result)
    assert len(figure.axes) == 2 * 3
    measured = figure.axes[2].lines[0].get_ydata()
    expected = result.limits[0].mean("iid", 0.5, "coupled")
    assert list(measured) == list(expected)
