"""The look of pictures, and pictures on disk."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

import wassflow as wf
from wassflow.plot import mesh as draw_mesh
from wassflow.plot import new_figure, save_figure, style
from wassflow.plot.style import density_colours


def luminance(colours):
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_the_colours_of_densities_darken_all_the_way():
    lightness = np.cbrt(luminance(density_colours()(np.linspace(0.0, 1.0, 256))[:, :3]))
    assert np.all(np.diff(lightness) < 0.0)
    # evenly: no step is more than two and a half times the mean one
    steps = -np.diff(lightness)
    assert steps.max() < 2.5 * steps.mean()
    assert tuple(density_colours().get_under()[:3]) == (1.0, 1.0, 1.0)


def test_the_style_leaves_the_settings_of_the_user_alone():
    before = dict(mpl.rcParams)
    with style():
        assert mpl.rcParams["mathtext.fontset"] == "stix"
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(2, 2))
    draw_mesh(mesh)
    assert dict(mpl.rcParams) == before


def test_no_global_figures_are_made():
    code = (
        "import sys, wassflow as wf; from wassflow import plot;"
        "plot.mesh(wf.mesh.box(wf.Box([0, 0], [1, 1]), cells=2));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_same_picture_is_the_same_file(tmp_path, kind):
    paths = []
    for name in ("first", "second"):
        figure = new_figure(2.0, 1.5)
        figure.add_subplot().plot([0.0, 1.0], [1.0, 0.0])
        paths.append(save_figure(figure, tmp_path / name / f"line.{kind}"))
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert len(first) > 500


def test_a_picture_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "line.png"
    path.write_bytes(b"the picture of yesterday")
    figure = new_figure(2.0, 1.5)

    def broken(name, **options):
        with open(name, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(
        wf.WassflowError, match=r"cannot write the picture .*line.png: No space left on device"
    ):
        save_figure(figure, path)
    assert path.read_bytes() == b"the picture of yesterday"
    assert [entry.name for entry in tmp_path.iterdir()] == ["line.png"]


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in .png, .pdf or .svg, found 'picture.gif'"):
        save_figure(new_figure(1.0, 1.0), tmp_path / "picture.gif")
