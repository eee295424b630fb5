"""Time an upwind step at frozen velocity on a million triangles, beside scipy's CSR product on that mesh.

    python validation/performance/upwind_step.py            # under a minute
    python validation/performance/upwind_step.py --quick    # 1e5 triangles

On one core, in turns: `UpwindTransport.step` (new masses from old ones at given rates); eight such steps in
one pass over memory, `UpwindTransport.steps`; one step as a sparse matrix-vector product, indices of 32 bits;
`set_fluxes`, which makes rates of fluxes; and `change`, all that a nonlinear flow needs of fluxes it uses
once. Beside them the memory: a triad a = b + s c on arrays of the same size in total as a step touches, whose
speed is a roofline. A step reads 3 rates, 3 offsets of neighbours and a mass per triangle and writes a mass:
54 bytes, with the line that is fetched to be written. Then steps and the triad on two threads; two ranks are
timed in `ranks.py`.

Targets: at most 1.5 ns per face on one core, 0.9 on two, and at most 0.8 of the CSR product. Times on one
core are those of the core, which other work on the machine hardly changes, but for the memory and the cache
that all share; on two they are those of the clock, and need an idle machine.
"""

import argparse
import math
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from roofline import triad_on
from scipy.sparse import csr_array, eye_array

import wassflow as wf
from wassflow.flow.upwind import UpwindTransport

TARGET_NS_PER_FACE, TARGET_ON_TWO, TARGET_OF_CSR = 1.5, 0.9, 0.8
CELLS, CELLS_QUICK = 1_000_000, 100_000
TURNS = 21
STEPS = 8
BYTES_PER_CELL = 54


def rotation(points: np.ndarray) -> np.ndarray:
    """Solid rotation about the centre of the unit square."""
    return np.column_stack([0.5 - points[:, 1], points[:, 0] - 0.5])


def csr_of_step(transport: UpwindTransport, dt: float) -> csr_array:
    """The matrix of one step."""
    faces_per_cell, cells = transport.rates.shape
    own = np.tile(np.arange(cells, dtype=np.int32), (faces_per_cell, 1))
    donors = np.where(transport.rates > 0.0, own, transport.neighbours)
    rates = csr_array((-dt * transport.rates.ravel(), (own.ravel(), donors.ravel())), shape=(cells, cells))
    matrix = csr_array(eye_array(cells) + rates)
    indices, pointers = (array.astype(np.int32) for array in (matrix.indices, matrix.indptr))
    return csr_array((matrix.data, indices, pointers), shape=matrix.shape)


def in_turns(
    actions: dict[str, Callable[[], Any]], calls: int, clock: Callable[[], float]
) -> dict[str, tuple[float, float]]:
    """Median and least seconds of a clock for each action, timed in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for _ in range(TURNS):
        for name, action in actions.items():
            action()  # what the one before has left in the cache is not its merit
            start = clock()
            for _ in range(calls):
                action()
            seconds[name].append((clock() - start) / calls)
    return {name: (float(np.median(times)), min(times)) for name, times in seconds.items()}


def per_step(seconds: tuple[float, float]) -> tuple[float, float]:
    """Median and least seconds for one of the steps that are taken in one pass."""
    return seconds[0] / STEPS, seconds[1] / STEPS


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1e5 triangles instead of 1e6")
    parser.add_argument("--cells", type=int, default=None, help="number of triangles")
    options = parser.parse_args()
    n = round(math.sqrt((options.cells or (CELLS_QUICK if options.quick else CELLS)) / 4))
    mesh = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=(n, n), cell="triangle")
    transport = UpwindTransport(mesh)
    fluxes = mesh.face_areas * np.einsum("ij,ij->i", rotation(mesh.face_midpoints), mesh.face_normals)
    masses = mesh.volumes * (1.0 + mesh.centroids[:, 0])
    out, rate = np.empty_like(masses), np.empty_like(masses)
    squares, potential = fluxes**2, np.ones_like(masses)
    dt = 0.9 / transport.set_fluxes(fluxes, masses)
    out[:] = masses
    for _ in range(STEPS):
        out, rate = transport.step(out, dt, rate), out
    assert np.array_equal(transport.steps(masses, dt, STEPS, rate), out), "steps in one pass must be the same"
    transport.step(masses, dt, out)
    assert abs(out.sum() - masses.sum()) < 1e-12 * masses.sum(), "mass must be conserved"
    matrix = csr_of_step(transport, dt)
    assert np.abs(matrix @ masses - out).max() < 1e-13 * masses.max(), "both must be the same step"
    entries = BYTES_PER_CELL * masses.size // 24
    triads = (np.zeros(entries), np.ones(entries), np.ones(entries))

    labels = {
        "step": "upwind step",
        "steps": f"upwind step, {STEPS} in one pass",
        "csr": "scipy CSR product",
        "set": "rates of fluxes",
        "change": "rates of change, fluxes used once",
    }
    actions: dict[str, Callable[[], Any]] = {
        "step": lambda: transport.step(masses, dt, out),
        "steps": lambda: transport.steps(masses, dt, STEPS, rate),
        "csr": lambda: matrix @ masses,
        "change": lambda: transport.change(fluxes, squares, potential, masses, rate),
        "set": lambda: transport.set_fluxes(fluxes, masses),
        "triad": lambda: triad_on(triads, 1),
    }
    calls = max(5, int(5e6 / masses.size))
    found = in_turns(actions, calls, time.thread_time)
    found["steps"] = per_step(found["steps"])
    faces = fluxes.size
    print(f"{masses.size} triangles, {faces} interior faces, one core; ns per face")
    print(f"{'':36} median   least")
    for name, label in labels.items():
        median, least = found[name]
        print(f"  {label:<34}{1e9 * median / faces:8.2f}{1e9 * least / faces:8.2f}")
    step, csr = found["step"][0], found["csr"][0]
    met = {True: "met", False: "MISSED"}
    single, many = (met[1e9 * found[name][0] / faces <= TARGET_NS_PER_FACE] for name in ("step", "steps"))
    print(
        f"  at most {TARGET_NS_PER_FACE:g} ns per face: {single} by one step, {many} by {STEPS} in one pass"
    )
    share = step / csr
    print(f"  step / CSR product: {share:.2f}, at most {TARGET_OF_CSR:g}: {met[share <= TARGET_OF_CSR]}")
    bandwidth = 32 * entries / found["triad"][0]
    print(
        f"  memory: triad {1e-9 * bandwidth:.1f} GB/s; {BYTES_PER_CELL} bytes per triangle at that speed are"
        f" {1e9 * BYTES_PER_CELL * masses.size / bandwidth / faces:.2f} ns per face"
    )

    on_two = UpwindTransport(mesh, threads=2)
    on_two.set_fluxes(fluxes, masses)
    on_two.step(masses, dt, rate)
    assert np.array_equal(rate, out), "threads must not change a step"

    assert np.array_equal(on_two.steps(masses, dt, STEPS, rate), transport.steps(masses, dt, STEPS, out))

    both = in_turns(
        {
            "step": lambda: on_two.step(masses, dt, rate),
            "steps": lambda: on_two.steps(masses, dt, STEPS, rate),
            "triad": lambda: triad_on(triads, 2),
        },
        calls,
        time.perf_counter,
    )
    both["steps"] = per_step(both["steps"])
    print(f"{'two threads':36} median   least")
    for name in ("step", "steps"):
        median, least = (1e9 * seconds / faces for seconds in both[name])
        print(f"  {labels[name]:<34}{median:8.2f}{least:8.2f}")
    single, many = (met[1e9 * both[name][0] / faces <= TARGET_ON_TWO] for name in ("step", "steps"))
    print(f"  at most {TARGET_ON_TWO:g} ns per face: {single} by one step, {many} by {STEPS} in one pass")
    bandwidth = 32 * entries / both["triad"][0]
    print(
        f"  memory: triad {1e-9 * bandwidth:.1f} GB/s on two threads, which are"
        f" {1e9 * BYTES_PER_CELL * masses.size / bandwidth / faces:.2f} ns per face"
    )


if __name__ == "__main__":
    main()
