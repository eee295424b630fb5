"""Time one rank and two, a thread each, and say what a thousand ranks would look like.

    python validation/performance/ranks.py             # minutes; needs two idle cores
    python validation/performance/ranks.py --quick     # a tenth of the size

Three kinds of steps, strong scaling at a million cells and a million particles:

- upwind: `UpwindTransport.step` on triangles, with the exchange of ghost cells;
- density: a whole step of `DensityFlow` on hexahedra, sigmoid neurons, N = 1000: one exchange of ghosts, one
  sum over the ranks of N + 3 numbers and a slot for the largest outflow of each rank;
- particles: a step of `ParticleFlow` of order two, same neurons: a sum of moments for each stage.

Beside them two jobs at the same time, a rank and half of the work each, that know nothing of each other: the
memory that both share lets two ranks be no faster than that, whatever they say to each other.

Then the messages alone, between two ranks, for several lengths: an exchange of ghosts costs a start and a
time per ghost, a sum a start and a time per number. With these,

    T(P) = kernel / P + exchange(ghosts(n / P)) + log2(P) sum(N + 3 + P),

where kernel is the time on one rank, and ghosts(n) = 2 sqrt(n) for n triangles in a square part, 6 n^(2/3)
for hexahedra in a cube. Messages are measured in shared memory; a column shows them ten times as dear, as
between the machines of a cluster. What the model leaves out: parts of uneven size, and the memory that two
ranks share.

Target: two ranks 1.7 times as fast as one.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
from mpi4py import MPI

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport

TARGET_SPEEDUP = 1.7
CELLS, CELLS_QUICK = 1_000_000, 100_000
FEATURES = 1000
TURNS = 3
RUNS = 3  # of each length in a turn
RANKS = (1, 2, 8, 64, 256, 1024)
COMM = MPI.COMM_WORLD


def seconds_per_call(action: Callable[[], Any], batches: int, calls: int) -> float:
    """The median over batches of the time of a call on the slowest rank."""

    def batch() -> None:
        for _ in range(calls):
            action()

    action()
    return float(np.median([seconds_of(batch) for _ in range(batches)])) / calls


def triangles(cells: int) -> Any:
    """The unit square in four triangles to a box."""
    n = round(math.sqrt(cells / 4))
    return wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(n, n), cell="triangle")


def neurons() -> wf.Functional:
    """Sigmoid neurons at N inputs that fit a bump."""
    inputs = np.column_stack([np.linspace(-2.0, 2.0, FEATURES), np.ones(FEATURES)])
    features = wf.NeuronFeatures(inputs, "sigmoid")
    target = np.exp(-4.0 * inputs[:, 0] ** 2)
    weights = np.full(FEATURES, 1.0 / FEATURES)
    return wf.Functional(features, wf.SquaredLoss(target, weights=weights), wf.regularizer.Zero())


def upwind(cells: int) -> float:
    """A step of a rotation with frozen velocity, and the exchange of ghosts."""
    mesh = triangles(cells)
    transport = UpwindTransport(mesh)
    x, y = mesh.face_midpoints.T
    turning = np.column_stack([0.5 - y, x - 0.5])
    masses = mesh.volumes * (1.0 + mesh.centroids[:, 0])
    other = masses.copy()
    fluxes = mesh.face_areas * np.einsum("ij,ij->i", turning, mesh.face_normals)
    dt = 0.9 / mesh.allmax(transport.set_fluxes(fluxes, masses))

    def step() -> None:
        nonlocal masses, other
        transport.step(masses, dt, other[: mesh.num_owned])
        mesh.halo.update(other)
        masses, other = other, masses

    return seconds_per_call(step, batches=15, calls=min(200, max(5, int(2e7 / cells))))


def density(cells: int) -> float:
    """A step of a density flow; save times make the steps, so that their number is known."""
    n = round(cells ** (1 / 3))
    mesh = wf.mesh.box(wf.Box([-2.0, -2.0, -2.0], [2.0, 2.0, 2.0]), cells=(n, n, n), cell="hexahedron")
    flow, start = wf.DensityFlow(neurons(), mesh), wf.MeshDensity.uniform(mesh)
    return run_time(lambda count: flow.run(start, count * 1e-9, save=1e-9 * np.arange(1, count + 1)), 5)


def particles(count: int) -> float:
    """A step of a particle flow."""
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (count, 3))
    cloud = wf.ParticleCloud(points).distribute(COMM)
    flow = wf.ParticleFlow(neurons(), wf.Box([-2.0] * 3, [2.0] * 3), integrator="rk2", dt=1e-3)
    return run_time(lambda steps: flow.run(cloud, steps * 1e-3, save=[steps * 1e-3]), 2)


def run_time(run: Callable[[int], Any], steps: int) -> float:
    """The time that ``steps`` more steps add to a run, per step: what starts and ends it cancels.

    Medians of runs in turns: other work on the machine during one run would be taken for a difference.
    """
    run(1)
    pairs = [[seconds_of(lambda n=n: run(n)) for n in (1, 1 + steps)] for _ in range(RUNS)]
    short, long = np.median(pairs, axis=0)
    return float(long - short) / steps


def seconds_of(action: Callable[[], Any]) -> float:
    """The time of one call on the slowest rank."""
    COMM.Barrier()
    start = time.perf_counter()
    action()
    return COMM.allreduce(time.perf_counter() - start, op=MPI.MAX)


def messages(cells: int) -> dict[str, list[tuple[int, float]]]:
    """Lengths and times of exchanges of ghosts, and of sums."""
    exchanges, sums = [], []
    for size in (cells // 100, cells // 10, cells):
        mesh = triangles(size)
        values = np.zeros(mesh.num_cells)
        ghosts = mesh.num_cells - mesh.num_owned
        exchanges.append((ghosts, seconds_per_call(lambda m=mesh, v=values: m.halo.update(v), 15, 200)))
    for length in (1, FEATURES + 3, 16 * FEATURES):
        numbers = np.zeros(length)
        total = np.empty_like(numbers)
        sums.append((length, seconds_per_call(lambda a=numbers, b=total: COMM.Allreduce(a, b), 15, 200)))
    return {"exchange": exchanges, "sum": sums}


MEASURED: dict[str, Callable[[int], Any]] = {
    "upwind": upwind,
    "density": density,
    "particles": particles,
    "messages": messages,
}


def on_ranks(ranks: int, name: str, cells: int) -> Any:
    """Measure on so many ranks."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec if mpiexec.exists() else "mpiexec"), "-n", str(ranks)]
    command += [sys.executable, __file__, "--measure", name, "--cells", str(cells)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def at_once(name: str, cells: int) -> float:
    """Measure in two jobs of one rank at the same time; the slower one counts."""
    with ThreadPoolExecutor(2) as pool:
        return max(pool.map(lambda _: on_ranks(1, name, cells), range(2)))


def line(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Start and time per number of a line through measured messages: relative errors, nothing negative."""
    lengths, seconds = np.array(points).T
    slope = max(0.0, (seconds[-1] - seconds[0]) / (lengths[-1] - lengths[0]))
    return float(np.median(seconds - slope * lengths)), float(slope)


def model(kernel: float, ghosts: Callable[[float], float], exchange: Any, total: Any, numbers: int) -> None:
    """Print T(P) and the efficiency, with messages as measured and ten times as dear."""
    print("   ranks   kernel ms   messages ms   efficiency   with messages 10 times as dear")
    for ranks in RANKS:
        share = kernel / ranks
        cost = 0.0
        if ranks > 1:
            cost = exchange[0] + exchange[1] * ghosts(1.0 / ranks)
            cost += math.log2(ranks) * (total[0] + total[1] * (numbers + ranks)) if numbers else 0.0
        efficiency, dear = (kernel / ranks / (share + factor * cost) for factor in (1.0, 10.0))
        print(f"  {ranks:6d}  {1e3 * share:10.4f}  {1e3 * cost:12.4f}  {efficiency:11.2f}  {dear:11.2f}")


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1e5 cells and particles instead of 1e6")
    parser.add_argument("--cells", type=int, default=None, help="number of cells and particles")
    parser.add_argument("--skip", nargs="*", default=[], choices=["upwind", "density", "particles"])
    parser.add_argument("--measure", choices=MEASURED, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cells = options.cells or (CELLS_QUICK if options.quick else CELLS)
    if options.measure:
        found = MEASURED[options.measure](cells)
        if COMM.rank == 0:
            print(json.dumps(found), flush=True)
        return

    kernels = {}
    print(f"{cells} cells and particles; ms per step in {TURNS} turns")
    for name in ("upwind", "density", "particles"):
        if name in options.skip:
            continue
        turns = [[on_ranks(ranks, name, cells) for ranks in (1, 2)] for _ in range(TURNS)]
        one, two = np.median(turns, axis=0)
        apart = float(np.median([at_once(name, cells // 2) for _ in range(TURNS)]))
        kernels[name] = float(one)
        shown = "   ".join(f"{1e3 * a:.2f} / {1e3 * b:.2f}" for a, b in turns)
        verdict = "met" if one / two >= TARGET_SPEEDUP else "MISSED"
        print(f"  {name:<10} one rank / two: {shown}")
        print(f"  {'':<10} two ranks {one / two:.2f} times as fast; target {TARGET_SPEEDUP:g}: {verdict}")
        print(f"  {'':<10} two jobs of half the size at once: {1e3 * apart:.2f}, {one / apart:.2f} times")

    found = on_ranks(2, "messages", cells)
    exchange, total = line(found["exchange"]), line(found["sum"])
    print("messages between two ranks")
    for name, (start, slope), points in (
        ("exchange of ghosts", exchange, found["exchange"]),
        ("sum over ranks", total, found["sum"]),
    ):
        shown = "  ".join(f"{length}: {1e6 * seconds:.1f}" for length, seconds in points)
        print(f"  {name:<20} us for so many numbers  {shown}")
        print(f"  {'':<20} fitted: {1e6 * start:.1f} us and {1e9 * slope:.2f} ns per number")

    if "upwind" in kernels:
        print(f"upwind step, {cells} triangles: kernel / P + exchange")
        model(kernels["upwind"], lambda part: 2.0 * math.sqrt(cells * part), exchange, total, 0)
    for more in (1, 1000) if "density" in kernels else ():
        print(f"density step, {more * cells} hexahedra, N = {FEATURES}: kernel / P + exchange + sum")
        kernel, size = more * kernels["density"], more * cells
        model(kernel, lambda part, n=size: 6.0 * (n * part) ** (2 / 3), exchange, total, FEATURES + 3)


if __name__ == "__main__":
    main()
