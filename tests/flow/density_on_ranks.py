"""Density flows on the ranks of a communicator, for test_density_ranks.py; a script for mpiexec."""

import sys

import numpy as np
from mpi4py import MPI

import wassflow as wf
from wassflow.flow import Trajectory, cached_fluxes


def neurons(d: int) -> wf.Functional:
    """Three smooth features of period 1 along the last axis, and a kink along the first."""
    rng = np.random.default_rng(0)
    amplitude = rng.standard_normal((d - 1, 3))
    phase = np.arange(3.0)

    def value(u):
        return (u[:, :-1] @ amplitude) * np.sin(2 * np.pi * u[:, -1:] + phase)

    def gradient(u):
        angle = 2 * np.pi * u[:, -1:] + phase
        first = amplitude * np.sin(angle)[:, None, :]
        last = 2 * np.pi * (u[:, :-1] @ amplitude) * np.cos(angle)
        return np.concatenate([first, last[:, None, :]], axis=1)

    features = wf.CallableFeatures(value, gradient, size=3)
    return wf.Functional(features, wf.SquaredLoss([1.0, -0.5, 0.3], scale=4.0), wf.regularizer.AbsWeight(0.1))


def bump(u):
    """Supported in part of the box, so that some ranks start without mass."""
    return np.maximum(0.6 - np.linalg.norm(u - 0.15, axis=1), 0.0) ** 2


def run(comm, d, cells, cell, periodic, **options):
    domain = wf.Box([-1.0] * (d - 1) + [0.0], [1.0] * d, periodic=periodic)
    mesh = wf.mesh.box(domain, cells=cells, cell=cell, comm=comm)
    flow = wf.DensityFlow(neurons(d), mesh, **options)
    return flow.run(wf.MeshDensity.from_function(mesh, bump), 0.2, save=[0.0, 0.1])


def series(trajectory):
    """Masses in the order of the input, energies and everything else that must not depend on the ranks."""
    masses = [measure.mesh.gather(measure.masses) for measure in trajectory.measures]
    return {
        "masses": np.array(masses),
        "times": trajectory.times,
        "energy": trajectory.energy,
        "dissipation": trajectory.dissipation,
        "velocity_dissipation": trajectory.diagnostics["velocity_dissipation"],
        "moments": trajectory.moments,
    }


WALL, PERIOD = False, True
RUNS = {
    "triangle": (2, (10, 8), "triangle", (WALL, PERIOD), {"integrator": "ssprk2"}),
    "triangle-walls": (2, (6, 6), "triangle", (WALL, WALL), {}),
    "tables": (2, (8, 6), "triangle", (WALL, PERIOD), {"evaluation": "fast"}),
    "torus": (2, (2, 3), "quadrilateral", (PERIOD, PERIOD), {}),
    "hexahedron": (3, (6, 5, 6), "hexahedron", (WALL, WALL, PERIOD), {"velocity": "potential"}),
    "tetrahedron": (3, (2, 2, 3), "tetrahedron", (WALL, PERIOD, PERIOD), {"integrator": "ssprk3"}),
    "muscl": (2, (10, 8), "triangle", (WALL, PERIOD), {"scheme": "muscl"}),
    "muscl-monotone": (2, (9, 6), "quadrilateral", (WALL, WALL), {"scheme": "muscl", "limiter": "monotone"}),
    "muscl-3d": (3, (2, 2, 3), "tetrahedron", (WALL, PERIOD, WALL), {"scheme": "muscl"}),
    "implicit": (2, (10, 8), "triangle", (WALL, PERIOD), {"integrator": "implicit"}),
}


def results(comm, path):
    """Run all flows; write one of them, and a cloud, to files together, and read them back."""
    runs = {name: run(comm, *case, **options) for name, (*case, options) in RUNS.items()}
    made = runs["hexahedron"]
    made.save(path + ".trajectory.npz")
    comm.Barrier()
    loaded = Trajectory.load(path + ".trajectory.npz", mesh=made.final.mesh)
    assert np.array_equal(loaded.final.masses, made.final.masses)
    cloud = wf.ParticleCloud(np.random.default_rng(1).random((5, 2))).distribute(comm)
    Trajectory(*np.zeros((3, 1)), np.zeros((1, 1)), [0.0], [cloud]).save(path + ".cloud.npz")
    comm.Barrier()
    loaded = Trajectory.load(path + ".cloud.npz", comm=comm)
    assert np.array_equal(loaded.final.points, cloud.points)
    found = {f"{name}.{key}": value for name, made in runs.items() for key, value in series(made).items()}
    if comm.rank == 0:
        np.savez(path, **found)


if __name__ == "__main__":
    cached_fluxes._LEAST_FACES = 0  # fluxes stay in a ring, which they do not in the serial result
    results(MPI.COMM_WORLD, sys.argv[1])
