"""Time an upwind step at frozen velocity on a million triangles, beside scipy's CSR product on that mesh.

    python validation/performance/upwind_step.py            # a minute
    python validation/performance/upwind_step.py --quick    # 1e5 triangles

Three kinds of steps are timed on one core, all in the same run: `UpwindTransport.step` (new masses from old
ones at given rates), the same step as a sparse matrix-vector product, and the refresh of the rates that a
nonlinear flow needs beside it. Then the step, with the exchange of ghost cells, is timed on one rank and on
two, in turns. Targets: at most 2 ns per face on one core, and two ranks at least 1.7 times as fast as one.

The first target is held against the time of the core, which other work on the machine hardly changes; the
speedup of two ranks can only be read off the clock, on a machine with two idle cores.
"""

import argparse
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

import numpy as np
from mpi4py import MPI
from scipy.sparse import csr_array, eye_array

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport

TARGET_NS_PER_FACE = 2.0
TARGET_SPEEDUP = 1.7
CELLS, CELLS_QUICK = 1_000_000, 100_000
TURNS = 3


def rotation(points: np.ndarray) -> np.ndarray:
    """Solid rotation about the centre of the unit square."""
    return np.column_stack([0.5 - points[:, 1], points[:, 0] - 0.5])


def seconds_per_call(action: Callable[[], Any], comm: MPI.Comm, batches: int, calls: int) -> dict[str, float]:
    """Medians over batches, on the slowest rank: seconds on the clock and seconds of the core; best clock."""
    action()
    clock, core = [], []
    for _ in range(batches):
        comm.Barrier()
        start, start_core = time.perf_counter(), time.thread_time()
        for _ in range(calls):
            action()
        clock.append(comm.allreduce((time.perf_counter() - start) / calls, op=MPI.MAX))
        core.append((time.thread_time() - start_core) / calls)
    return {"clock": float(np.median(clock)), "best": min(clock), "core": float(np.median(core))}


def csr_of_step(transport: UpwindTransport, volumes: np.ndarray, dt: float) -> csr_array:
    """The matrix of one step."""
    faces_per_cell, cells = transport.rates.shape
    own = np.tile(np.arange(cells), (faces_per_cell, 1))
    donors = np.where(transport.rates > 0.0, own, transport.neighbours)
    rates = csr_array((-dt * transport.rates.ravel(), (own.ravel(), donors.ravel())), shape=(cells, cells))
    return csr_array(eye_array(cells) + rates)


def measure(cells: int, one_core: bool) -> dict[str, Any]:
    """Time the steps on the ranks there are."""
    n = round(math.sqrt(cells / 4))
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(n, n), cell="triangle")
    transport = UpwindTransport(mesh)
    fluxes = mesh.face_areas * np.einsum("ij,ij->i", rotation(mesh.face_midpoints), mesh.face_normals)
    masses = np.zeros(mesh.num_cells)
    masses[:] = mesh.volumes * (1.0 + mesh.centroids[:, 0])
    other = masses.copy()
    dt = 0.9 / mesh.allmax(transport.set_fluxes(fluxes, masses))
    owned_left = mesh.face_cells[:, 0] < mesh.num_owned
    faces = int(mesh.allsum(float(owned_left.sum())))  # every face once: owned by the rank of its left cell
    batches, steps = 15, max(5, int(2e7 / cells))

    def step() -> None:
        nonlocal masses, other
        transport.step(masses, dt, other[: mesh.num_owned])
        mesh.halo.update(other)
        masses, other = other, masses

    mass = mesh.allsum(float(masses[: mesh.num_owned].sum()))
    found: dict[str, Any] = {"faces": faces, "cells": mesh.num_cells_global}
    found["step"] = seconds_per_call(step, mesh.comm, batches, steps)
    moved = mesh.allsum(float(masses[: mesh.num_owned].sum()))
    assert abs(moved - mass) < 1e-11 * mass, "mass must be conserved"
    if one_core:
        matrix = csr_of_step(transport, mesh.volumes, dt)
        transport.step(masses, dt, other)
        assert np.abs(matrix @ masses - other).max() < 1e-13 * masses.max(), "both must be the same step"
        found["csr"] = seconds_per_call(lambda: matrix @ masses, mesh.comm, batches, steps)
        found["rates"] = seconds_per_call(
            lambda: transport.set_fluxes(fluxes, masses), mesh.comm, batches, steps
        )
    if mesh.comm.rank == 0:
        print(json.dumps(found), flush=True)
    return found


def on_ranks(ranks: int, cells: int, *options: str) -> dict[str, Any]:
    """Run this script on so many ranks and return what it found."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec if mpiexec.exists() else "mpiexec"), "-n", str(ranks)]
    command += [sys.executable, __file__, "--measure", "--cells", str(cells), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def verdict(met: bool) -> str:
    """Say whether a target is met."""
    return "met" if met else "MISSED"


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1e5 triangles instead of 1e6")
    parser.add_argument("--cells", type=int, default=None, help="number of triangles")
    parser.add_argument("--measure", action="store_true", help="measure on the ranks there are; print JSON")
    parser.add_argument("--one-core", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cells = options.cells or (CELLS_QUICK if options.quick else CELLS)
    if options.measure:
        measure(cells, options.one_core)
        return

    one = on_ranks(1, cells, "--one-core")
    per_face = {
        name: {kind: 1e9 * seconds / one["faces"] for kind, seconds in one[name].items()}
        for name in ("step", "csr", "rates")
    }
    print(f"{one['cells']} triangles, {one['faces']} interior faces, one core; ns per face, medians")
    print("                             core   clock  (best)")
    for name, label in (
        ("step", "upwind step"),
        ("csr", "scipy CSR product"),
        ("rates", "refresh of the rates"),
    ):
        found = per_face[name]
        print(f"  {label:<24}{found['core']:7.2f} {found['clock']:7.2f}  ({found['best']:.2f})")
    step = per_face["step"]["core"]
    print(f"  CSR product / upwind step: {per_face['csr']['core'] / step:.2f}")
    print(f"  target, at most {TARGET_NS_PER_FACE:g}: {verdict(step <= TARGET_NS_PER_FACE)}")

    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TURNS):
        for ranks in seconds:
            seconds[ranks].append(on_ranks(ranks, cells)["step"]["clock"])
    speedup = float(np.median(seconds[1]) / np.median(seconds[2]))
    print("step with exchange of ghost cells: ms, median of each turn")
    for ranks, turns in seconds.items():
        print(f"  {ranks} rank{'s' if ranks > 1 else ' '}  " + "  ".join(f"{1e3 * s:.3f}" for s in turns))
    print(f"  two ranks / one: {speedup:.2f} times as fast")
    print(f"  target, at least {TARGET_SPEEDUP:g}: {verdict(speedup >= TARGET_SPEEDUP)}")


if __name__ == "__main__":
    main()
