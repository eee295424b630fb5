"""The same density flow on one rank and on two."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flow import density_on_ranks
from mpi4py import MPI

import wassflow as wf
from wassflow.flow import Trajectory

SCRIPT = Path(__file__).with_name("density_on_ranks.py")
MPIEXEC = Path(sys.executable).parent / "mpiexec"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    command = [MPIEXEC, "-n", "2", sys.executable, SCRIPT, folder / "2.npz"]
    subprocess.run(command, check=True, timeout=300)
    density_on_ranks.results(MPI.COMM_SELF, str(folder / "1.npz"))
    return folder


@pytest.mark.parametrize("name", density_on_ranks.RUNS)
def test_ranks_give_the_serial_result(results, name):
    with np.load(results / "1.npz") as serial, np.load(results / "2.npz") as parallel:
        keys = [key for key in serial.files if key.partition(".")[0] == name]
        assert len(keys) == 6
        for key in keys:
            assert parallel[key].shape == serial[key].shape, key
            # Sums over cells are added in another order, and linear systems are solved to 1e-15 of their
            # right-hand side; everything else is the same.
            tolerance = 1e-11 if name == "implicit" else 1e-12
            assert np.abs(parallel[key] - serial[key]).max() <= tolerance * np.abs(serial[key]).max(), key


@pytest.mark.parametrize("ranks", [1, 2])
def test_files_of_any_number_of_ranks_are_read_on_one(results, ranks):
    domain = wf.Box([-1.0, -1.0, 0.0], [1.0, 1.0, 1.0], periodic=(False, False, True))
    mesh = wf.mesh.box(domain, cells=(6, 5, 6), cell="hexahedron")
    loaded = Trajectory.load(results / f"{ranks}.npz.trajectory.npz", mesh=mesh)
    with np.load(results / f"{ranks}.npz") as run:
        assert np.array_equal(mesh.gather(loaded.final.masses), run["hexahedron.masses"][-1])
    cloud = Trajectory.load(results / f"{ranks}.npz.cloud.npz").final
    assert np.array_equal(cloud.points, np.random.default_rng(1).random((5, 2)))
