import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from wassflow.domain import Box
from wassflow.errors import WassflowError
from wassflow.flow import Trajectory
from wassflow.flow import checkpoint as checkpoint_module
from wassflow.flow.progress import RunProgress
from wassflow.flow.trajectory import SaveTimes, TrajectoryRecorder
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.mesh import box


def trajectory(measures, saved_times):
    times = np.linspace(0.0, 1.0, 5)
    return Trajectory(
        times=times,
        energy=np.exp(-times),
        dissipation=np.exp(-times),
        moments=np.column_stack([times, times**2]),
        saved_times=saved_times,
        measures=measures,
        diagnostics={"integrator": "euler", "redone": np.int64(3), "limit": np.arange(4.0)},
    )


def assert_same_series(one, other):
    for name in ("times", "energy", "dissipation", "moments"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert one.saved_times == other.saved_times
    assert one.diagnostics["integrator"] == other.diagnostics["integrator"]
    assert one.diagnostics["redone"] == other.diagnostics["redone"]
    assert np.array_equal(one.diagnostics["limit"], other.diagnostics["limit"])


def test_a_density_survives_a_round_trip(tmp_path):
    mesh = box(Box([0.0, 0.0], [1.0, 1.0]), cells=(3, 2), cell="triangle")
    masses = np.random.default_rng(0).random(mesh.num_owned)
    saved = trajectory([MeshDensity.uniform(mesh), MeshDensity(mesh, masses)], [0.0, 1.0])
    saved.save(tmp_path / "run.npz")
    loaded = Trajectory.load(tmp_path / "run.npz", mesh=mesh)
    assert_same_series(saved, loaded)
    assert np.array_equal(loaded.final.masses, masses)
    assert np.array_equal(loaded.at(0.0).masses, saved.at(0.0).masses)


def test_a_cloud_survives_a_round_trip(tmp_path):
    rng = np.random.default_rng(1)
    cloud = ParticleCloud(rng.random((7, 3)), rng.random(7))
    saved = trajectory([cloud], [1.0])
    saved.save(tmp_path / "run.npz")
    loaded = Trajectory.load(tmp_path / "run.npz")
    assert_same_series(saved, loaded)
    assert np.array_equal(loaded.final.points, cloud.points)
    assert np.array_equal(loaded.final.weights, cloud.weights)


def test_an_interrupted_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    cloud = ParticleCloud(np.zeros((1, 2)))
    trajectory([cloud], [1.0]).save(path)
    before = path.read_bytes()

    def full_disk(stream, **arrays):
        stream.write(b"half a file")
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint_module.np, "savez", full_disk)
    with pytest.raises(WassflowError, match="no space left"):
        trajectory([cloud], [1.0]).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_densities_are_read_on_their_own_mesh_only(tmp_path):
    domain = Box([0.0, 0.0], [1.0, 1.0])
    mesh = box(domain, cells=(3, 2), cell="quadrilateral")
    trajectory([MeshDensity.uniform(mesh)], [1.0]).save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="mesh must be the mesh of the run"):
        Trajectory.load(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="6 cells"):
        Trajectory.load(tmp_path / "run.npz", mesh=box(domain, cells=(3, 3), cell="quadrilateral"))


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 half a zip file"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(WassflowError, match="not a trajectory"):
        Trajectory.load(path)
    np.savez(path, times=np.zeros(2))
    with pytest.raises(WassflowError, match="not a trajectory"):
        Trajectory.load(path)


def test_at_finds_saved_times_only():
    run = trajectory(["half", "end"], [0.5, 1.0])
    assert run.at(0.5) == "half"
    assert run.at(0.1 + 0.4) == run.at(0.5 + 1e-16) == "half"
    assert run.final == run.at(1) == "end"
    with pytest.raises(ValueError, match=r"saved times 0.5, 1, found 0.25"):
        run.at(0.25)


def test_energy_balance_vanishes_for_an_exact_decay():
    # dE/dt = -D with E linear in t: the trapezoidal rule is exact.
    times = np.array([0.0, 0.1, 0.4, 1.0])
    run = Trajectory(times, 3.0 - 2.0 * times, np.full(4, 2.0), np.zeros((4, 1)))
    assert np.abs(run.energy_balance()).max() < 1e-15
    assert run.steps == 3


@given(
    st.lists(st.floats(0.0, 1.0), max_size=5),
    st.floats(1e-3, 10.0),
    st.lists(st.floats(2e-3, 0.5), min_size=1, max_size=50),
)
def test_save_times_are_hit_exactly_and_steps_are_never_longer(fractions, t_end, steps):
    wanted = [fraction * t_end for fraction in fractions]
    times = SaveTimes(wanted, t_end)
    recorder = TrajectoryRecorder(times)
    t, i = 0.0, 0
    while True:
        recorder.record(t, energy=0.0, dissipation=0.0, moment=[0.0], measure=lambda t=t: t)
        if t >= t_end:
            break
        dt = steps[i % len(steps)] * t_end
        step, later = times.shorten(t, dt)
        assert 0.0 < step <= dt * (1.0 + 1e-12)
        assert later == times.after(t, step) > t
        t, i = later, i + 1
    run = recorder.finish()
    assert run.saved_times == run.measures == list(times)
    assert run.times[-1] == t_end
    for t in wanted:
        assert run.at(t) == pytest.approx(t, abs=2e-12 * t_end)


def test_constant_steps_are_not_split_by_rounding():
    times = SaveTimes(None, 1.0)
    t, count = 0.0, 0
    while t < 1.0:
        _, t = times.shorten(t, 0.01)
        count += 1
    assert count == 100


@pytest.mark.parametrize("save", [[-0.1], [1.1], [np.nan]])
def test_save_times_outside_the_run_are_refused(save):
    with pytest.raises(ValueError, match="save must"):
        SaveTimes(save, 1.0)


@pytest.mark.parametrize("t_end", [0.0, -1.0, np.inf, "soon"])
def test_the_end_must_be_positive(t_end):
    with pytest.raises(ValueError, match="t_end must"):
        SaveTimes(None, t_end)


class Terminal:
    """A stderr that somebody looks at."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize(("enabled", "rank", "shown"), [(True, 0, True), (False, 0, False), (True, 1, False)])
def test_progress_is_shown_on_the_terminal_of_rank_0_only(monkeypatch, enabled, rank, shown):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with RunProgress("density flow", 1.0, enabled=enabled, rank=rank) as progress:
        progress.update(1.0, steps=12, energy=0.25)
    assert ("density flow" in terminal.text and "12 steps, F = 0.25" in terminal.text) == shown


def test_progress_tells_what_is_compiled_and_how_long_it_took(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with RunProgress("density flow", 1.0) as progress:
        progress.update(0.0, steps=0, energy=1.0)
        njit(lambda x: 2.0 * x)(1.0)
        progress.update(1.0, steps=12, energy=0.25)
    assert re.search(r"F = 0.25, \d+\.\d s of\s+compilation", terminal.text)
    njit(lambda x: 3.0 * x)(1.0)  # nobody listens


def test_progress_is_quiet_in_a_log_file(capsys):
    with RunProgress("density flow", 1.0) as progress:
        progress.update(1.0, steps=12, energy=0.25)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
