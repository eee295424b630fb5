"""Build measures on the ranks there are and write what they tell; started by test_ranks.py."""

import sys

import numpy as np
from mpi4py import MPI

import wassflow as wf
from wassflow.measure import weighted_directions

comm = MPI.COMM_WORLD
report = {}
for name, cell, cells in (("2d", "quadrilateral", (5, 7)), ("3d", "tetrahedron", (2, 3, 2))):
    dim = len(cells)
    box = wf.Box([0.0] * dim, [1.0] * (dim - 1) + [2.0], periodic=[True] + [False] * (dim - 1))
    mesh = wf.mesh.box(box, cells=cells, cell=cell, comm=comm)
    mu = wf.MeshDensity.from_function(mesh, lambda u: np.maximum(u[:, -1] - 0.4, 0.0) ** 2, mass=1.7)
    report[f"{name}-statistics"] = np.concatenate(
        [[mu.mass, mu.second_moment(), mu.quantization_radius], mu.mean(), mu.covariance().ravel()]
    )
    report[f"{name}-integral"] = mu.integrate(lambda u: np.cos(u))
    report[f"{name}-simplices"] = mu.simplicial().simplices
    report[f"{name}-masses"] = mu.simplicial().masses
    for method in ("iid", "stratified", "quantized"):
        cloud = wf.ParticleCloud.sample(mu, 23, method, seed=3)
        whole = cloud.gather()
        report[f"{name}-{method}"] = whole.points
        report[f"{name}-{method}-mean"] = cloud.mean()
        again = whole.distribute(comm)
        assert np.array_equal(again.points, cloud.points)
        assert abs(again.second_moment() - cloud.second_moment()) < 1e-14
    default = wf.ParticleCloud(cloud.points, comm=comm)
    assert abs(default.mass - 1.0) < 1e-14
    report[f"{name}-sphere"] = wf.sphere_projection(mu).covariance()
    report[f"{name}-signed"] = cloud.allsum(weighted_directions(cloud)[1].sum())
if comm.rank == 0:
    np.savez(sys.argv[1], **report)
