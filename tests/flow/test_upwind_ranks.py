"""Upwind steps on one rank and on two, against a plain sum over faces in numpy."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flow import upwind_on_ranks
from mpi4py import MPI

SCRIPT = Path(__file__).with_name("upwind_on_ranks.py")
MPIEXEC = Path(sys.executable).parent / "mpiexec"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    path = tmp_path_factory.mktemp("ranks") / "2.npz"
    subprocess.run([MPIEXEC, "-n", "2", sys.executable, SCRIPT, path], check=True, timeout=120)
    with np.load(path) as found:
        return {1: upwind_on_ranks.moved(MPI.COMM_SELF), 2: dict(found)}


def by_plain_sums(cell):
    """The same steps, face after face."""
    mesh, fluxes = upwind_on_ranks.mesh_and_fluxes(cell, upwind_on_ranks.CASES[cell], MPI.COMM_SELF)
    left, right = mesh.face_cells.T
    outflow = np.bincount(left, np.maximum(fluxes, 0.0), mesh.num_cells)
    outflow += np.bincount(right, np.maximum(-fluxes, 0.0), mesh.num_cells)
    dt = (1.0 - 2e-12) / (outflow / mesh.volumes).max()
    masses = upwind_on_ranks.start(mesh)
    mass = math.fsum(masses)
    donors = np.where(fluxes > 0.0, left, right)
    for _ in range(upwind_on_ranks.STEPS):
        moved = dt * fluxes * masses[donors] / mesh.volumes[donors]
        change = np.zeros_like(masses)
        np.subtract.at(change, left, moved)
        np.add.at(change, right, moved)
        masses = masses + change
    return mesh.gather(masses), mass


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("cell", upwind_on_ranks.CASES)
def test_steps_agree_with_plain_sums_keep_mass_and_sign(results, cell, ranks):
    expected, mass = by_plain_sums(cell)
    found = results[ranks][cell]
    assert np.abs(found - expected).max() < 1e-14 * mass
    assert found.min() >= 0.0
    assert abs(math.fsum(found) / mass - 1.0) < 1e-14
