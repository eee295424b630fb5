"""Meshes are the same on any number of ranks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("rank_report.py")
MPIEXEC = Path(sys.executable).with_name("mpiexec")


def _report(folder: Path, ranks: int) -> dict[str, np.ndarray]:
    path = folder / f"{ranks}.npz"
    command = [MPIEXEC, "-n", str(ranks), sys.executable, SCRIPT, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> dict[str, np.ndarray]:
    return _report(tmp_path_factory.mktemp("serial"), 1)


@pytest.mark.parametrize("ranks", [2, 4])
def test_meshes_do_not_depend_on_the_number_of_ranks(serial, ranks, tmp_path):
    parallel = _report(tmp_path, ranks)
    assert parallel.pop("size") == ranks
    assert parallel.keys() == serial.keys() - {"size"}
    for name, array in parallel.items():
        # bit for bit: every number is computed from one cell's own vertices, in their order in the input;
        # only the sum over the faces of a cell may be in another order
        if name.endswith("divergence"):
            assert np.allclose(array, serial[name], rtol=0, atol=1e-14), name
        else:
            assert np.array_equal(array, serial[name]), name
