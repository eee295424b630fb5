"""Time the upwind step beside what one would use otherwise: same mesh, same dt, same number of steps.

    python validation/performance/peers.py --peers FOLDER --install   # minutes; into FOLDER, nowhere else
    python validation/performance/peers.py --peers FOLDER             # with what is there

A Gaussian turns rigidly about the centre of the unit square, in double precision, with first-order upwind
fluxes and explicit Euler steps, one thread each. `wassflow` is timed with a frozen velocity
(`UpwindTransport.step`) and with fluxes that are new in every step, as in a nonlinear flow
(`UpwindTransport.change`). Beside each time stands the L1 error against the exact density, so that nobody
wins by being wrong; on the same mesh it must be the same. PyClaw has no triangles: it gets as many squares. A
peer that is missing is named with what to install.

Targets: FiPy 500 times as slow, dolfinx with assembled forms 20, PyClaw 8.
"""

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FIPY_SOLVERS", "scipy")

import numpy as np

import wassflow as wf
from wassflow.flow.stage import stage_masses
from wassflow.flow.upwind import UpwindTransport

CELLS, CELLS_QUICK = 100_000, 10_000
STEPS = 100
TARGETS = {"fipy": 500.0, "dolfinx": 20.0, "pyclaw": 8.0}
# what must be importable, what pip calls it
PACKAGES = {"fipy": ("fipy", "fipy"), "skfem": ("skfem", "scikit-fem"), "pyclaw": ("clawpack", "clawpack")}


def density(points: np.ndarray, t: float) -> np.ndarray:
    """The turning Gaussian at time t; it never comes near the walls."""
    centre = 0.5 + 0.2 * np.array([math.cos(t), math.sin(t)])
    return np.exp(-((points - centre) ** 2).sum(axis=1) / (2.0 * 0.06**2))


class Job:
    """The mesh, the fluxes and the step that all have in common."""

    def __init__(self, cells: int) -> None:
        self.n = round(math.sqrt(cells / 4))
        self.mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(self.n, self.n), cell="triangle")
        x, y = self.mesh.face_midpoints.T
        turning = np.column_stack([0.5 - y, x - 0.5])
        self.fluxes = self.mesh.face_areas * np.einsum("ij,ij->i", turning, self.mesh.face_normals)
        self.masses = self.mesh.volumes * density(self.mesh.centroids, 0.0)
        self.transport = UpwindTransport(self.mesh)
        self.dt = 0.9 / self.transport.set_fluxes(self.fluxes, self.masses)

    def timed(self, step: Callable[[], Any], masses: Callable[[], np.ndarray]) -> dict[str, float]:
        """Take STEPS steps; return the median time of one and the L1 error afterwards."""
        seconds = []
        for _ in range(STEPS):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        exact = self.mesh.volumes * density(self.mesh.centroids, STEPS * self.dt)
        error = np.abs(masses() - exact).sum() / exact.sum()
        return {"ms": 1e3 * float(np.median(seconds)), "error": float(error), "cells": exact.size}


def wassflow_frozen(job: Job) -> dict[str, float]:
    """Rates are known."""
    now, then = job.masses.copy(), job.masses.copy()
    job.transport.step(now, 0.0, then)  # compiled before it is timed

    def step() -> None:
        nonlocal now, then
        now, then = job.transport.step(now, job.dt, then), now

    return job.timed(step, lambda: now)


def wassflow_new_fluxes(job: Job) -> dict[str, float]:
    """Fluxes are new: outflow and rates of change in one pass, new masses in another."""
    now, then, rate = job.masses.copy(), job.masses.copy(), np.empty_like(job.masses)
    squares, potential = job.fluxes**2, np.ones_like(rate)

    def step(dt: float = job.dt) -> None:
        nonlocal now, then
        job.transport.change(job.fluxes, squares, potential, now, rate)
        stage_masses(now, now, rate, then, 1.0, dt, 0.0)
        now, then = then, now

    step(0.0)
    return job.timed(step, lambda: now)


def vectorised_numpy(job: Job) -> dict[str, float]:
    """Fluxes face by face, summed by bincount."""
    left, right = job.mesh.face_cells.T.astype(np.intp)
    donors = np.where(job.fluxes > 0.0, left, right)
    rates = job.dt * job.fluxes / job.mesh.volumes[donors]
    masses = job.masses.copy()

    def step() -> None:
        moved = rates * masses[donors]
        masses[:] -= np.bincount(left, moved, masses.size) - np.bincount(right, moved, masses.size)

    return job.timed(step, lambda: masses)


def dolfinx(job: Job) -> dict[str, float]:
    """DG0 with a form assembled in every step, compiled for this processor."""
    import ufl
    from dolfinx import fem

    mesh = job.mesh.dolfinx_mesh
    space = fem.functionspace(mesh, ("DG", 0))
    u, test = fem.Function(space), ufl.TestFunction(space)
    x, normal = ufl.SpatialCoordinate(mesh), ufl.FacetNormal(mesh)
    speed = ufl.dot(ufl.as_vector([0.5 - x[1], x[0] - 0.5]), normal)
    leaving = 0.5 * (speed + abs(speed))
    flux = leaving("+") * u("+") - leaving("-") * u("-")
    options = {"cffi_extra_compile_args": ["-O3", "-march=native"]}
    measure = ufl.dS(metadata={"quadrature_degree": 1})
    form = fem.form(-(test("+") - test("-")) * flux * measure, jit_options=options)
    volumes = job.mesh.volumes
    u.x.array[:] = job.masses / volumes
    change = fem.assemble_vector(form)
    scale = job.dt / volumes

    def step() -> None:
        change.array[:] = 0.0
        fem.assemble_vector(change.array, form)
        u.x.array[:] += scale * change.array

    return job.timed(step, lambda: u.x.array * volumes)


def fipy(job: Job) -> dict[str, float]:
    """ExplicitUpwindConvectionTerm on the same triangles."""
    import fipy as fp
    from fipy.meshes.mesh2D import Mesh2D

    nodes, triangles = job.mesh.nodes, job.mesh.cell_nodes
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, of_cell = np.unique(edges, axis=0, return_inverse=True)
    mesh = Mesh2D(nodes.T.copy(), edges.T.copy(), of_cell.reshape(-1, 3).T.copy())
    x, y = mesh.faceCenters.value
    velocity = fp.FaceVariable(mesh=mesh, rank=1, value=np.array([0.5 - y, x - 0.5]))
    u = fp.CellVariable(mesh=mesh, value=job.masses / job.mesh.volumes)
    equation = fp.TransientTerm() + fp.ExplicitUpwindConvectionTerm(coeff=velocity) == 0
    return job.timed(lambda: equation.solve(u, dt=job.dt), lambda: u.value * job.mesh.volumes)


def _skfem_sides(job: Job) -> list[Any]:
    """Piecewise constants on the interior edges, from either side."""
    import skfem

    mesh = skfem.MeshTri(job.mesh.nodes.T.copy(), job.mesh.cell_nodes.T.copy())
    return [skfem.InteriorFacetBasis(mesh, skfem.ElementTriP0(), side=side, intorder=1) for side in (0, 1)]


def _skfem_speed(w: Any) -> np.ndarray:
    """v.n at the quadrature points."""
    speed: np.ndarray = (0.5 - w.x[1]) * w.n[0] + (w.x[0] - 0.5) * w.n[1]
    return speed


def skfem_assembled(job: Job) -> dict[str, float]:
    """scikit-fem, the residual assembled in every step."""
    import skfem

    first, second = _skfem_sides(job)

    @skfem.LinearForm
    def change(v, w):  # type: ignore[no-untyped-def]
        speed = _skfem_speed(w)
        return (v if w.idx[0] else -v) * speed * np.where(speed > 0.0, w.left, w.right)

    u = job.masses / job.mesh.volumes

    def step() -> None:
        values = {"left": first.interpolate(u), "right": second.interpolate(u)}
        u[:] += job.dt * skfem.asm(change, [first, second], **values) / job.mesh.volumes

    return job.timed(step, lambda: u * job.mesh.volumes)


def skfem_fixed(job: Job) -> dict[str, float]:
    """scikit-fem, a matrix assembled once: the time is that of scipy's CSR product."""
    import skfem

    sides = _skfem_sides(job)

    @skfem.BilinearForm
    def change(u, v, w):  # type: ignore[no-untyped-def]
        speed = _skfem_speed(w)
        leaving = np.minimum(speed, 0.0) if w.idx[0] else np.maximum(speed, 0.0)
        return (v if w.idx[1] else -v) * leaving * u

    matrix = skfem.asm(change, sides, sides).tocsr()
    u, scale = job.masses / job.mesh.volumes, job.dt / job.mesh.volumes

    def step() -> None:
        u[:] += scale * (matrix @ u)

    return job.timed(step, lambda: u * job.mesh.volumes)


def pyclaw(job: Job) -> dict[str, float]:
    """First-order PyClaw on as many squares."""
    import logging

    from clawpack import pyclaw as claw
    from clawpack import riemann

    logging.disable(logging.INFO)
    n = round(math.sqrt(job.masses.size))
    solver = claw.ClawSolver2D(riemann.vc_advection_2D)
    solver.order, solver.transverse_waves, solver.dimensional_split = 1, 0, True
    solver.bc_lower[:], solver.bc_upper[:] = [claw.BC.extrap] * 2, [claw.BC.extrap] * 2
    solver.aux_bc_lower[:], solver.aux_bc_upper[:] = [claw.BC.extrap] * 2, [claw.BC.extrap] * 2
    solver.dt_variable, solver.dt_initial, solver.max_steps, solver.cfl_max = False, job.dt, 10**9, 10.0
    domain = claw.Domain([0.0, 0.0], [1.0, 1.0], [n, n])
    state = claw.State(domain, 1, num_aux=2)
    x, y = state.grid.p_centers
    points = np.column_stack([x.ravel(), y.ravel()])
    state.q[0] = density(points, 0.0).reshape(n, n)
    state.aux[0], state.aux[1] = (
        0.5 - y,
        x - 0.5,
    )  # velocities at the lower faces, which are constant along them
    solution = claw.Solution(state, domain)
    solver.setup(solution)
    solver.dt = job.dt
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        solver.step(solution, False, 0.0, 1.0)
        seconds.append(time.perf_counter() - start)
    exact = density(points, STEPS * job.dt).reshape(n, n)
    error = np.abs(state.q[0] - exact).sum() / exact.sum()
    return {"ms": 1e3 * float(np.median(seconds)), "error": float(error), "cells": exact.size}


MEASURED: dict[str, tuple[str, Callable[[Job], dict[str, float]]]] = {
    "wassflow": ("wassflow, frozen velocity", wassflow_frozen),
    "wassflow-new": ("wassflow, new fluxes in every step", wassflow_new_fluxes),
    "numpy": ("numpy, vectorised over faces", vectorised_numpy),
    "skfem-fixed": ("scikit-fem, matrix assembled once", skfem_fixed),
    "skfem": ("scikit-fem, assembled in every step", skfem_assembled),
    "pyclaw": ("PyClaw, squares, order 1", pyclaw),
    "dolfinx": ("dolfinx DG0, assemble_vector", dolfinx),
    "fipy": ("FiPy, ExplicitUpwindConvectionTerm", fipy),
    "wassflow-again": ("wassflow, frozen velocity, once more", wassflow_frozen),
}


def install(folder: Path) -> None:
    """Install the peers into ``folder``, apart from everything else."""
    for _, package in PACKAGES.values():
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), package]
        if subprocess.run(command).returncode:
            print(f"{package} could not be installed (clawpack needs a Fortran compiler, such as gfortran)")


def one(name: str, cells: int, peers: Path) -> dict[str, float] | None:
    """Measure one of them in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--cells", str(cells), "--peers", str(peers)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{MEASURED[name][0]} failed: {done.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure and print, or one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1e4 cells instead of 1e5")
    parser.add_argument("--cells", type=int, default=None, help="number of cells")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder of the installed peers")
    parser.add_argument("--install", action="store_true", help="install the peers there first")
    parser.add_argument("--measure", choices=MEASURED, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.append(str(options.peers))  # last: what this environment has, it keeps
    cells = options.cells or (CELLS_QUICK if options.quick else CELLS)
    if options.measure:
        print(json.dumps(MEASURED[options.measure][1](Job(cells))))
        return

    if options.install:
        install(options.peers)
    found = {}
    for name, (label, _) in MEASURED.items():
        module, package = PACKAGES.get(name.partition("-")[0], ("numpy", "numpy"))
        if importlib.util.find_spec(module) is None:
            print(f"{label}: missing; install {package} with --install")
        elif (measured := one(name, cells, options.peers)) is not None:
            found[name] = measured
    base = found["wassflow"]["ms"]
    print(f"rotation of a Gaussian, {STEPS} steps of the same dt, medians, one thread each")
    print(f"{'':38}   cells  ms per step   times  L1 error")
    for name, row in found.items():
        ratio = row["ms"] / base
        aim = TARGETS.get(name)
        verdict = "" if aim is None else f"   target {aim:g}: {'met' if ratio >= aim else 'MISSED'}"
        numbers = f"{row['cells']:8.0f}  {row['ms']:11.4f}  {ratio:6.1f}    {row['error']:.4f}"
        print(f"{MEASURED[name][0]:<38}{numbers}{verdict}")


if __name__ == "__main__":
    main()
