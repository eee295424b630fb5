"""Distances between distributed measures, written by every rank; started by test_ranks.py."""

import sys

import numpy as np
import pytest
from mpi4py import MPI

import wassflow as wf

comm = MPI.COMM_WORLD
box = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False))
mesh = wf.mesh.box(box, cells=(6, 5), cell="triangle", comm=comm)
mu = wf.MeshDensity.from_function(mesh, lambda u: 1.0 + 0.5 * np.sin(2 * np.pi * u[:, 0]), mass=1.3)
nu = wf.MeshDensity.uniform(mesh, mass=1.3)
cloud = wf.ParticleCloud.sample(mu, 31, "stratified", seed=2)
report = []
for pair in ((cloud, mu), (mu, cloud), (cloud, wf.ParticleCloud.sample(nu, 20, seed=1)), (mu, nu)):
    w = wf.wasserstein2(*pair, plan=True, rtol=0.1)
    sides = [
        np.concatenate(comm.allgather(side.masses if isinstance(side, wf.MeshDensity) else side.weights))
        for side in pair
    ]
    assert abs(w.plan.sum(axis=1) - sides[0]).max() < 1e-13
    assert abs(w.plan.sum(axis=0) - sides[1]).max() < 1e-13
    report += [w.lower, w.upper]
with pytest.raises(ValueError, match="same mass"):
    wf.wasserstein2(mu, wf.MeshDensity.uniform(mesh))
everyone = comm.allgather(report)
assert all(other == everyone[0] for other in everyone)
if comm.rank == 0:
    np.save(sys.argv[1], report)
