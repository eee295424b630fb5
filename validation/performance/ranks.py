"""Time one rank and two, a thread each, and say what a thousand ranks would look like.

    python validation/performance/ranks.py             # minutes; needs two idle cores
    python validation/performance/ranks.py --quick     # a tenth of the size

Three kinds of steps, strong scaling at a million cells and a million particles:

- upwind: `UpwindTransport.step` on triangles, with the exchange of ghost cells;
- density: a whole step of `DensityFlow` on hexahedra, sigmoid neurons, N = 1000: one exchange of ghosts, one
  sum over the ranks of N + 3 numbers and a slot for the largest outflow of each rank;
- particles: a step of `ParticleFlow` of order two, same neurons: a sum of moments for each stage.

Beside them two jobs at the same time, half of the work each, that know nothing of each other: the memory
that both share lets two ranks be hardly faster than that, whatever they say to each other. Only batches start
together. The three take turns, and what counts is the median over turns of ratios within a turn. Below them
stands the least share of a core that a process had: ranks wait for each other awake, so that less than 0.95
means that other work was running, and the times say little.

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
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import numpy as np
from mpi4py import MPI

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport

TARGET_SPEEDUP = 1.7
CELLS, CELLS_QUICK = 1_000_000, 100_000
FEATURES = 1000
TURNS = 3
RUNS = 3  # of each length in a turn
IDLE_SHARE = 0.95  # of a core for each process, where nothing else runs
RANKS = (1, 2, 8, 64, 256, 1024)
COMM = MPI.COMM_WORLD


def seconds_per_call(action: Callable[[], Any], batches: int, calls: int) -> float:
    """The median over batches of the time of a call on the slowest rank."""

    def batch() -> None:
        for _ in range(calls):
            action()

    action()
    return float(np.median([seconds_of(batch) for _ in range(batches)])) / calls


def triangles(cells: int, comm: MPI.Comm) -> Any:
    """The unit square in four triangles to a box."""
    n = round(math.sqrt(cells / 4))
    return wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(n, n), cell="triangle", comm=comm)


def neurons() -> wf.Functional:
    """Sigmoid neurons at N inputs that fit a bump."""
    inputs = np.column_stack([np.linspace(-2.0, 2.0, FEATURES), np.ones(FEATURES)])
    features = wf.NeuronFeatures(inputs, "sigmoid")
    target = np.exp(-4.0 * inputs[:, 0] ** 2)
    weights = np.full(FEATURES, 1.0 / FEATURES)
    return wf.Functional(features, wf.SquaredLoss(target, weights=weights), wf.regularizer.Zero())


def upwind(cells: int, comm: MPI.Comm) -> float:
    """A step of a rotation with frozen velocity, and the exchange of ghosts."""
    mesh = triangles(cells, comm)
    transport = UpwindTransport(mesh, threads=1)
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


def density(cells: int, comm: MPI.Comm) -> float:
    """A step of a density flow; save times make the steps, so that their number is known."""
    n = round(cells ** (1 / 3))
    cube = wf.Box([-2.0, -2.0, -2.0], [2.0, 2.0, 2.0])
    mesh = wf.mesh.box(cube, cells=(n, n, n), cell="hexahedron", comm=comm)
    flow, start = wf.DensityFlow(neurons(), mesh), wf.MeshDensity.uniform(mesh)
    return run_time(lambda count: flow.run(start, count * 1e-9, save=1e-9 * np.arange(1, count + 1)), 5)


def particles(count: int, comm: MPI.Comm) -> float:
    """A step of a particle flow."""
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (count, 3))
    cloud = wf.ParticleCloud(points).distribute(comm)
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


def messages(cells: int, comm: MPI.Comm) -> dict[str, list[tuple[int, float]]]:
    """Lengths and times of exchanges of ghosts, and of sums."""
    exchanges, sums = [], []
    for size in (cells // 100, cells // 10, cells):
        mesh = triangles(size, comm)
        values = np.zeros(mesh.num_cells)
        ghosts = mesh.num_cells - mesh.num_owned
        exchanges.append((ghosts, seconds_per_call(lambda m=mesh, v=values: m.halo.update(v), 15, 200)))
    for length in (1, FEATURES + 3, 16 * FEATURES):
        numbers = np.zeros(length)
        total = np.empty_like(numbers)
        sums.append((length, seconds_per_call(lambda a=numbers, b=total: comm.Allreduce(a, b), 15, 200)))
    return {"exchange": exchanges, "sum": sums}


MEASURED: dict[str, Callable[[int, MPI.Comm], Any]] = {
    "upwind": upwind,
    "density": density,
    "particles": particles,
    "messages": messages,
}


def on_ranks(ranks: int, name: str, cells: int, *more: str) -> tuple[Any, float]:
    """Measure on so many ranks, and return what was found and the least share of a core that a rank had."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec if mpiexec.exists() else "mpiexec"), "-n", str(ranks)]
    command += [sys.executable, __file__, "--measure", name, "--cells", str(cells), *more]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found, share = json.loads(done.stdout.strip().splitlines()[-1])
    return found, share


def turn(name: str, cells: int) -> tuple[list[float], float]:
    """Seconds on one rank, on two, and in two jobs of half the size; the least share of a core in them."""
    jobs = [on_ranks(1, name, cells), on_ranks(2, name, cells), on_ranks(2, name, cells // 2, "--apart")]
    seconds, shares = zip(*jobs, strict=True)
    return list(seconds), min(shares)


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
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cells = options.cells or (CELLS_QUICK if options.quick else CELLS)
    if options.measure:
        wall, cpu = time.perf_counter(), time.process_time()
        found = MEASURED[options.measure](cells, MPI.COMM_SELF if options.apart else COMM)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        share = COMM.allreduce(share, op=MPI.MIN)
        if COMM.rank == 0:
            print(json.dumps([found, share]), flush=True)
        return

    kernels = {}
    print(f"{cells} cells and particles; ms per step in {TURNS} turns")
    for name in ("upwind", "density", "particles"):
        if name in options.skip:
            continue
        turns, shares = zip(*(turn(name, cells) for _ in range(TURNS)), strict=True)
        one, two, apart = np.transpose(turns)
        kernels[name] = float(np.median(one))
        faster, ceiling = np.median(one / two), np.median(one / apart)
        verdict = "met" if faster >= TARGET_SPEEDUP else "MISSED"
        shown = "   ".join(" / ".join(f"{1e3 * t:.2f}" for t in times) for times in turns)
        print(f"  {name:<10} one rank / two / two jobs of half the size: {shown}")
        print(f"  {'':<10} two ranks {faster:.2f} times as fast; target {TARGET_SPEEDUP:g}: {verdict}")
        print(f"  {'':<10} two jobs {ceiling:.2f} times")
        busy = "" if min(shares) >= IDLE_SHARE else "; OTHER WORK was running"
        print(f"  {'':<10} least share of a core {min(shares):.2f}{busy}", flush=True)

    found, _ = on_ranks(2, "messages", cells)
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
