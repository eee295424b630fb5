"""The same density flow on 1, 2 and 4 ranks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wassflow as wf
from wassflow.flow import Trajectory

SCRIPT = Path(__file__).with_name("density_on_ranks.py")
MPIEXEC = Path(sys.executable).parent / "mpiexec"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    for ranks in (1, 2, 4):
        command = [MPIEXEC, "-n", str(ranks), sys.executable, SCRIPT, folder / f"{ranks}.npz"]
        subprocess.run(command, check=True, timeout=300)
    return folder


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_give_the_serial_result(results, ranks):
    with np.load(results / "1.npz") as serial, np.load(results / f"{ranks}.npz") as parallel:
        assert len(serial.files) == 5 * 6
        for name in serial.files:
            assert parallel[name].shape == serial[name].shape, name
            # sums over cells are added in another order; everything else is the same
            assert np.abs(parallel[name] - serial[name]).max() <= 1e-12 * np.abs(serial[name]).max(), name


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_files_of_any_number_of_ranks_are_read_on_one(results, ranks):
    domain = wf.Box([-1.0, -1.0, 0.0], [1.0, 1.0, 1.0], periodic=(False, False, True))
    mesh = wf.mesh.box(domain, cells=(6, 5, 6), cell="hexahedron")
    loaded = Trajectory.load(results / f"{ranks}.npz.trajectory.npz", mesh=mesh)
    with np.load(results / f"{ranks}.npz") as run:
        assert np.array_equal(mesh.gather(loaded.final.masses), run["hexahedron.masses"][-1])
    cloud = Trajectory.load(results / f"{ranks}.npz.cloud.npz").final
    assert np.array_equal(cloud.points, np.random.default_rng(1).random((5, 2)))
