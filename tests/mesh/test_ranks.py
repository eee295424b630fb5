"""Meshes are the same on any number of ranks."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

from wassflow.mesh.dolfinx_import import MPI

SCRIPT = Path(__file__).with_name("rank_report.py")
MPIEXEC = Path(sys.executable).with_name("mpiexec")


def _serial_report() -> dict[str, np.ndarray]:
    spec = importlib.util.spec_from_file_location("rank_report", SCRIPT)
    rank_report = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rank_report)
    return rank_report.report(MPI.COMM_SELF)


def test_meshes_do_not_depend_on_the_number_of_ranks(tmp_path):
    # three: an odd share, ranks without cells, and ranks with neighbours on two others; each further process
    # costs more time than all meshes
    command = [MPIEXEC, "-n", "3", sys.executable, SCRIPT, tmp_path / "report.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(tmp_path / "report.npz") as file:
        parallel = dict(file)
    serial = _serial_report()
    assert parallel.pop("size") == 3
    assert parallel.keys() == serial.keys()
    for name, array in parallel.items():
        # bit for bit: every number is computed from one cell's own vertices, in their order in the input;
        # only the sum over the faces of a cell may be in another order
        if name.endswith("divergence"):
            assert np.allclose(array, serial[name], rtol=0, atol=1e-14), name
        else:
            assert np.array_equal(array, serial[name]), name
