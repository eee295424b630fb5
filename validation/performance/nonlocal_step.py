"""Time a full step of a density, velocity from all features included, beside a step at frozen velocity.

    python validation/performance/nonlocal_step.py            # two minutes
    python validation/performance/nonlocal_step.py --quick    # 2e4 cells

A full step is one of `DensityFlow` by forward Euler and "upwind", from runs of some steps and of fewer:
velocities at all faces, upwind fluxes, integrals against N features, dissipation, energy, records; on all the
threads there are. A frozen step is `UpwindTransport.step` on one core, new masses from old ones at given
rates. All cells have mass. Targets: a full step costs at most 5 frozen ones, the same within 20 % at N = 1000
and N = 10 000, and at most 2 GiB.

The speed of a machine's memory may double from one second to the next. So ratios are those of times in the
same turn, of half a second: a frozen step, a full one with each N, then the same backwards. Medians of all
turns are judged, with the half of the turns around them printed beside.

The roofline of a full step: the bytes that its three passes over the cells move at the speed of a triad,
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
TURNS, STEPS, FROZEN_STEPS = 15, 8, 5


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


def measure(name: str, cells: int, sizes: list[int]) -> tuple[float, float]:
    """Print times and return two ratios: of a full step to a frozen one, and of many features to few."""
    problems = [PROBLEMS[name](inputs) for inputs in sizes]
    _, box, cell = problems[0]
    mesh = mesh_of(box, cell, cells)
    frozen = frozen_step(mesh)
    timed = [lambda: median_seconds(frozen, FROZEN_STEPS), *(full_step(F, mesh) for F, *_ in problems)]
    gc.collect()
    turns = np.empty((TURNS, 2, len(timed)))
    for turn in turns:
        for times, order in zip(turn, (1, -1), strict=True):
            times[::order] = [seconds() for seconds in timed[::order]]
    base, few, many = turns.mean(axis=1).T
    milliseconds = "".join(f"{1e3 * np.median(times):10.2f}" for times in (base, few, many))
    print(f"{name:13} {mesh.num_cells_global:9,}{milliseconds} {spread(few / base)} {spread(many / few)}")
    print(roofline(mesh, available_threads()), flush=True)
    return float(np.median(few / base)), float(np.median(many / few))


def spread(ratios: np.ndarray) -> str:
    """The median and quartiles of ratios, as a column of the table."""
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"{median:7.2f} ({low:.2f}-{high:.2f})"


def roofline(mesh: Any, threads: int) -> str:
    """What bounds a full step on a regular mesh: bytes, indexed reads and operations, and their times."""
    faces, cells, per_cell, dim = len(mesh.face_cells), mesh.num_owned, mesh.cell_faces.shape[1], mesh.dim
    # fibre, kind and w of a face, whose flux stays in a cache; what is written counts twice, since its line
    # is fetched before
    fluxes = faces * (4 + 4 + 8)
    changes = cells * (per_cell * (2 + 1 + 2) + 3 * 8 + 2 * 8)
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
    print(f"milliseconds and ratios, medians of {TURNS} turns (quartiles), {available_threads()} threads")
    sizes = [INPUTS, MANY_INPUTS]
    columns = "".join(f"{f'N = {inputs}':>10}" for inputs in sizes)
    print(f"{'':13} {'cells':>9}{'frozen':>10}{columns} {'/ frozen':>19} {'N = 10000 / 1000':>19}")
    passed = True
    results = {name: measure(name, cells, sizes) for name in PROBLEMS}
    for name, (ratio, growth) in results.items():
        passed &= verdict(ratio <= TARGET_RATIO, f"{name}: {ratio:.1f} frozen steps, target 5")
        passed &= verdict(growth <= TARGET_GROWTH, f"{name}: {growth:.2f} times for ten times N, target 1.2")
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
