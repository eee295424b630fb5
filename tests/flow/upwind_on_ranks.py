"""Upwind steps on the ranks of a communicator, for test_upwind_ranks.py; a script for mpiexec."""

import sys

import numpy as np
from mpi4py import MPI

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport

CASES = {
    "triangle": (9, 8),
    "quadrilateral": (9, 8),
    "tetrahedron": (4, 3, 4),
    "hexahedron": (5, 4, 5),
}
STEPS = 30


def mesh_and_fluxes(cell, cells, comm):
    """A box that is periodic along its last axis, and fluxes that are random functions of the place."""
    d = len(cells)
    domain = wf.Box([0.0] * d, [1.0] * d, periodic=(False,) * (d - 1) + (True,))
    mesh = wf.mesh.box(domain, cells=cells, cell=cell, comm=comm)
    waves = 2 * np.pi * np.random.default_rng(d).integers(-3, 4, (d, d))
    velocity = np.sin(domain.wrap(mesh.face_midpoints) @ waves + np.arange(d))
    return mesh, mesh.face_areas * np.einsum("ij,ij->i", velocity, mesh.face_normals)


def start(mesh):
    """Mass on one half of the box, with every order of magnitude."""
    x = mesh.centroids[:, 0]
    return np.where(x < 0.5, mesh.volumes * 10.0 ** (-600.0 * x), 0.0)


def moved(comm):
    """Masses after some full steps with frozen velocity, in the order of the input."""
    found = {}
    for cell, cells in CASES.items():
        mesh, fluxes = mesh_and_fluxes(cell, cells, comm)
        transport, masses = UpwindTransport(mesh), start(mesh)
        other = np.empty_like(masses)
        dt = (1.0 - 2e-12) / mesh.allmax(transport.set_fluxes(fluxes, np.ones(mesh.num_cells)))
        for _ in range(STEPS):
            transport.step(masses, dt, other[: mesh.num_owned])
            masses, other = mesh.halo.update(other), masses
        found[cell] = mesh.gather(masses[: mesh.num_owned])
    return found


if __name__ == "__main__":
    found = moved(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(sys.argv[1], **found)
