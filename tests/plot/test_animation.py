"""Films and trajectories: right frames, files whole or not at all, surfaces that close."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import wassflow as wf
from wassflow.cli.app import app
from wassflow.errors import WassflowError
from wassflow.plot import animation
from wassflow.plot.isosurface import superlevel_surface
from wassflow.study import evolution


@pytest.fixture(scope="module", params=["deconvolution-2d", "relu-3d"])
def result(request):
    case = wf.cases.get(request.param, times=(0.0, 0.05))
    return evolution(case, m=12, frames=4, cells=8)


def test_times_are_logarithmic_and_kept_by_both_flows(result):
    assert result.times[0] == 0.0
    assert result.times[-1] == 0.05
    ratios = np.diff(np.log(result.times[1:]))
    np.testing.assert_allclose(ratios, ratios[0])
    assert result.density.saved_times == pytest.approx(list(result.times))
    assert result.particles.at(result.times[2]).size == 12


def test_a_film_is_written_frame_by_frame(result, tmp_path):
    seen = []
    film = wf.plot.Film(result, fps=1)
    path = film.save(tmp_path / "film.gif", dpi=40, done=lambda: seen.append(1))
    with Image.open(path) as gif:
        # pictures that are alike are joined by the writer: the last one is held
        assert 4 <= gif.n_frames <= len(film)
        first = np.asarray(gif.convert("RGB"), dtype=float)
        gif.seek(3)
        assert np.abs(np.asarray(gif.convert("RGB"), dtype=float) - first).max() > 50.0
    assert len(seen) == len(film) == 4 + 2
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_an_interrupted_film_leaves_nothing(result, tmp_path):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wf.plot.Film(result).save(tmp_path / "film.gif", dpi=30, done=stop)
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_ffmpeg_and_other_endings_are_refused(result, tmp_path, monkeypatch):
    film = wf.plot.Film(result)
    monkeypatch.setattr(animation, "can_write_mp4", lambda: False)
    with pytest.raises(WassflowError, match="ffmpeg"):
        film.save(tmp_path / "film.mp4")
    with pytest.raises(ValueError, match=r"\.gif or \.mp4"):
        film.save(tmp_path / "film.avi")


def test_trajectories_are_drawn_from_start_to_end(result):
    figure = wf.plot.trajectories(result)
    axes = figure.axes[0]
    rings = next(line for line in axes.lines if line.get_marker() == "o")
    pair = [0, 1]
    np.testing.assert_array_equal(np.column_stack(rings.get_data()), result.particles.at(0.0).points[:, pair])
    dots = max(axes.collections, key=lambda c: c.get_zorder())
    ends = np.asarray(dots.get_offsets())
    np.testing.assert_array_equal(ends, result.particles.final.points[:, pair])


@pytest.mark.parametrize("cell", ["hexahedron", "tetrahedron"])
def test_a_superlevel_surface_closes_and_encloses_its_share(cell):
    mesh = wf.mesh.box(wf.Box([0.0] * 3, [1.0] * 3), cells=(6, 6, 6), cell=cell)
    mu = wf.MeshDensity.from_function(mesh, lambda u: np.exp(-8.0 * ((u - 0.4) ** 2).sum(axis=1)))
    surface = superlevel_surface(mu, 0.5)
    edges = np.stack([surface, np.roll(surface, -1, axis=1)], axis=2).reshape(-1, 2, 3)
    keys = np.sort(np.round(edges * 1e6).astype(int) @ [1, 10**7, 10**14], axis=1)
    _, counts = np.unique(keys, axis=0, return_counts=True)
    assert np.all(counts % 2 == 0)
    assert len(superlevel_surface(mu, 0.9)) > len(surface)
    # everything: the walls of the box
    assert len(superlevel_surface(mu, 1.0)) == len(mesh.wall_areas)


def test_planted_rays_are_where_the_target_comes_from():
    for name in ("deconvolution-2d", "deconvolution-3d", "relu-2d", "relu-3d", "sigmoid-3d"):
        case = wf.cases.get(name)
        ends = wf.ParticleCloud(case.planted[:, 1], weights=np.ones(len(case.planted)))
        np.testing.assert_allclose(case.functional.moment(ends), case.functional.loss.target, atol=1e-12)


def test_the_command_writes_film_and_trajectories(tmp_path):
    options = [
        "--m",
        "8",
        "--frames",
        "3",
        "--cells",
        "8",
        "--output",
        str(tmp_path),
        "--param",
        "times=(0,0.1)",
    ]
    answer = CliRunner().invoke(app, ["animate", "relu-2d", *options])
    assert answer.exit_code == 0, answer.output
    names = {path.name for path in (tmp_path / "relu-2d").iterdir()}
    assert {"animation.gif", "trajectories.png"} <= names
