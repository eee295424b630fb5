"""Time a full step of a density, velocity from all features included, beside a step at frozen velocity.

    python validation/performance/nonlocal_step.py            # some minutes
    python validation/performance/nonlocal_step.py --quick    # 2e4 cells

A full step is one of `DensityFlow` by forward Euler and "upwind", from runs of some steps and of fewer, in
turns: velocities at all faces, upwind fluxes, integrals against N features, dissipation, energy, records; on
all the threads there are. A frozen step is `UpwindTransport.step` on one core, new masses from old ones at
given rates. All cells have mass. Targets: a full step costs at most 5 frozen ones, the same within 20 % at
N = 1000 and N = 10 000, and at most 2 GiB.

The roofline of a full step: the bytes that its four passes over faces and cells move at the speed of a triad,
and the reads at places that other arrays tell (of velocities on fibres, of fluxes and neighbours of a cell)
at the speed of such reads from a small table, both measured in this run on as many threads.
"""

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from memory import peak_memory
from roofline import bandwidth, indexed_reads, median_seconds

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport
from wassflow.functional.evaluation import available_threads

TARGET_RATIO, TARGET_GROWTH, TARGET_MEMORY = 5.0, 1.2, 2.0
INPUTS, MANY_INPUTS = 1000, 10_000
CELLS, CELLS_QUICK = 1_000_000, 20_000
TURNS, STEPS = 3, 6


def sigmoid(dim: int, inputs: int) -> tuple[wf.Functional, wf.Box, str]:
    """Sigmoid neurons of one input, with a bias in d = 3, fitted to two neurons."""
    columns = np.column_stack([np.linspace(-2.0, 2.0, inputs), np.ones(inputs)])[:, : dim - 1]
    features = wf.NeuronFeatures(columns, "sigmoid")
    teacher = np.array([[2.0, 3.0, 2.0], [-2.0, 3.0, -2.0]])[:, :dim]
    box = wf.Box([-2.2, -3.2, -2.8][:dim], [4.2, 3.2, 2.8][:dim])
    return functional(features, teacher), box, "triangle" if dim == 2 else "hexahedron"


def dirichlet(inputs: int) -> tuple[wf.Functional, wf.Box, str]:
    """Two spikes on the circle, seen through so many frequencies."""
    features = wf.SpikeFeatures("dirichlet", order=inputs // 2)
    box = wf.Box([-1.0, 0.0], [1.0, 1.0], periodic=(False, True))
    return functional(features, np.array([[0.5, 0.3], [-0.5, 0.7]])), box, "triangle"


def functional(features: Any, teacher: np.ndarray) -> wf.Functional:
    """F with the mean squared loss and the total variation of the weights."""
    target = features.moment(teacher, np.ones(len(teacher)))
    loss = wf.SquaredLoss(target, weights=np.full(features.size, 1.0 / features.size))
    return wf.Functional(features, loss, wf.regularizer.AbsWeight(0.02))


PROBLEMS: dict[str, Callable[[int], tuple[wf.Functional, wf.Box, str]]] = {
    "sigmoid-2d": lambda inputs: sigmoid(2, inputs),
    "sigmoid-3d": lambda inputs: sigmoid(3, inputs),
    "dirichlet-2d": dirichlet,
}


def mesh_of(box: wf.Box, cell: str, cells: int) -> Any:
    """A mesh of the box with about so many cells."""
    per_box = 4 if cell == "triangle" else 1
    n = round((cells / per_box) ** (1.0 / box.dim))
    return wf.mesh.box(box, cells=(n,) * box.dim, cell=cell)


def frozen_step(mesh: Any) -> Callable[[], Any]:
    """A step with the velocity of a rotation in the first two coordinates."""
    transport = UpwindTransport(mesh)
    x = mesh.face_midpoints
    fluxes = mesh.face_areas * (x[:, 1] * mesh.face_normals[:, 0] - x[:, 0] * mesh.face_normals[:, 1])
    masses = mesh.volumes / mesh.volumes.sum()
    dt = 0.5 / transport.set_fluxes(fluxes, masses)
    out = np.empty(mesh.num_owned)
    return lambda: transport.step(masses, dt, out)


def full_step(F: wf.Functional, mesh: Any) -> Callable[[], float]:
    """A function that runs the flow for two numbers of steps and returns the seconds for a step."""
    start = wf.MeshDensity.uniform(mesh)
    flow = wf.DensityFlow(F, mesh, evaluation="fast")
    few = 1e-6
    while (steps := len(flow.run(start, few).times) - 1) < 2:
        few *= 2.0
    many = few * STEPS / steps

    def seconds() -> float:
        clock, counts = [time.perf_counter()], []
        for t_end in (few, many):
            counts.append(len(flow.run(start, t_end).times) - 1)
            clock.append(time.perf_counter())
        return (clock[2] - 2.0 * clock[1] + clock[0]) / (counts[1] - counts[0])

    return seconds


def measure(name: str, cells: int, sizes: list[int]) -> tuple[float, list[float]]:
    """Seconds for a frozen step, and for a full one with each number of features, in turns."""
    problems = [PROBLEMS[name](inputs) for inputs in sizes]
    _, box, cell = problems[0]
    mesh = mesh_of(box, cell, cells)
    frozen = frozen_step(mesh)
    full = [full_step(F, mesh) for F, *_ in problems]
    gc.collect()
    turns = [(median_seconds(frozen, 10), *(seconds() for seconds in full)) for _ in range(TURNS)]
    base, *others = np.median(turns, axis=0)
    print(
        f"{name:13} {mesh.num_cells_global:9,} {1e3 * base:9.2f} {1e3 * others[0]:9.2f} "
        f"{others[0] / base:8.1f} {others[1] / others[0]:17.2f}",
        flush=True,
    )
    print(roofline(mesh, available_threads()), flush=True)
    return float(base), [float(other) for other in others]


def roofline(mesh: Any, threads: int) -> str:
    """What bounds a full step on a regular mesh: bytes, indexed reads and operations, and their times."""
    faces, cells, per_cell, dim = len(mesh.face_cells), mesh.num_owned, mesh.cell_faces.shape[1], mesh.dim
    # what is written counts twice, since its line is fetched before
    fluxes = faces * (4 + 4 + 8 + 2 * (8 + 8))  # fibre, kind and w of a face; flux and |v|^2
    changes = cells * (per_cell * (4 + 1 + 2) + 3 * 8 + 2 * 8) + faces * 2 * 8
    moments = cells * (4 + 8 + 8)
    masses = cells * (8 + 8 + 2 * 8)
    moved = fluxes + changes + moments + masses
    reads = faces * 3 * dim + cells * (4 * per_cell + 1)
    operations = faces * 6 * dim + cells * (9 * per_cell + 12)
    by_bytes, by_reads = moved / bandwidth(moved, threads), reads / indexed_reads(threads)
    return (
        f"{'':13} {moved / cells:.0f} bytes per cell, {1e3 * by_bytes:.1f} ms at the speed of a triad;"
        f" {reads / cells:.0f} indexed reads, {1e3 * by_reads:.1f} ms; {operations / cells:.0f} operations"
    )


def verdict(passed: bool, claim: str) -> bool:
    """Print whether a target is met."""
    print(f"{'pass' if passed else 'MISS'}: {claim}")
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and return 0 if all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer cells")
    parser.add_argument("--memory", metavar="PROBLEM", choices=PROBLEMS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    cells = CELLS_QUICK if options.quick else CELLS
    if options.memory:
        F, box, cell = PROBLEMS[options.memory](MANY_INPUTS)
        mesh = mesh_of(box, cell, cells)
        built = peak_memory()
        full_step(F, mesh)()
        print(built, peak_memory())
        return 0
    print(f"milliseconds, medians of {TURNS}, {available_threads()} threads")
    print(f"{'':13} {'cells':>9} {'frozen':>9} {'N = 1000':>9} {'/ frozen':>8} {'N = 10000 / 1000':>17}")
    passed = True
    results = {name: measure(name, cells, [INPUTS, MANY_INPUTS]) for name in PROBLEMS}
    for name, (frozen, (few, many)) in results.items():
        passed &= verdict(few <= TARGET_RATIO * frozen, f"{name}: {few / frozen:.1f} frozen steps, target 5")
        passed &= verdict(
            many <= TARGET_GROWTH * few, f"{name}: {many / few:.2f} times for ten times N, target 1.2"
        )
    for name in PROBLEMS:
        command = [sys.executable, str(Path(__file__).resolve()), "--memory", name]
        command += ["--quick"] if options.quick else []
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        mesh, peak = float(output[0]), float(output[1])
        claim = f"{name}, N = {MANY_INPUTS}: {peak:.2f} GiB, {mesh:.2f} when the mesh was made, target 2"
        passed &= verdict(peak <= TARGET_MEMORY, claim)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
