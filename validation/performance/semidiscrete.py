"""Width, time and memory of the semi-discrete W2 bracket, with POT's exact solver beside it where it fits.

The density is a Gaussian bump that vanishes on half of the unit square or cube, on 5e4 cells; the sites are
drawn from the density, as particles that follow it are, and from the uniform law on all of Omega, so that
most of them lie where there is none (``--sites`` picks one kind). Every row runs in a process of its own,
for its peak memory; a row that misses its limits is marked.

    python validation/performance/semidiscrete.py            # all rows, one after the other: half an hour
    python validation/performance/semidiscrete.py --quick    # small rows
    python validation/performance/semidiscrete.py --row 2 1e5 1e-8 --sites uniform

POT solves between the centroids of the cells and the sites: W2 of another problem, off by the size of a cell.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time

import numpy as np
from memory import peak_memory

ROWS = [
    (2, 10_000, 1e-10),
    (2, 100_000, 1e-8),
    (2, 1_000_000, 1e-6),
    (3, 10_000, 1e-8),
    (3, 100_000, 1e-6),
]
# seconds and GiB that a row may take, by dimension and number of sites
LIMITS = {
    (2, 10_000): (15.0, 1.0),
    (2, 100_000): (60.0, 2.0),
    (2, 1_000_000): (400.0, 8.0),
    (3, 10_000): (30.0, 2.0),
    (3, 100_000): (180.0, 6.0),
}
QUICK = [(2, 1_000, 1e-10), (2, 10_000, 1e-10), (3, 1_000, 1e-8)]
LARGEST_POT = 3e7  # entries of its dense cost matrix: 0.25 GB, and as much again for the plan


def simplices_of_cube(dim: int, n: int) -> np.ndarray:
    """Return d! n^d simplices (., d + 1, d) of the unit cube (Kuhn)."""
    axis = np.linspace(0.0, 1.0, n + 1)
    points = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1)
    parts = []
    for axes in itertools.permutations(range(dim)):
        corners = np.vstack([np.zeros(dim, int), np.cumsum(np.eye(dim, dtype=int)[list(axes)], axis=0)])
        picked = [points[tuple(slice(c, n + c) for c in corner)] for corner in corners]
        parts.append(np.stack(picked, axis=dim).reshape(-1, dim + 1, dim))
    return np.concatenate(parts)


def problem(dim: int, m: int, law: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return simplices, masses and sites."""
    simplices = simplices_of_cube(dim, 158 if dim == 2 else 20)
    centroid = simplices.mean(axis=1)
    masses = np.exp(-20 * np.sum((centroid - 0.4) ** 2, axis=1)) * (centroid[:, 0] < 0.5)
    masses /= masses.sum()
    rng = np.random.default_rng(seed)
    if law == "uniform":
        return simplices, masses, rng.random((m, dim))
    chosen = simplices[rng.choice(len(masses), m, p=masses)]
    return simplices, masses, np.einsum("nk,nkd->nd", rng.dirichlet(np.ones(dim + 1), m), chosen)


def run_row(dim: int, m: int, rtol: float, law: str, seed: int) -> dict[str, object]:
    """Solve one row after a small one that loads the compiled kernels."""
    from wassflow.laguerre import semidiscrete_transport

    simplices, masses, sites = problem(dim, m, law, seed)
    weights = np.full(m, 1.0 / m)
    semidiscrete_transport(simplices, masses, sites[:50], np.full(50, 1 / 50))
    wall, cpu = time.perf_counter(), time.process_time()
    w = semidiscrete_transport(simplices, masses, sites, weights, rtol=rtol)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row: dict[str, object] = {
        "d": dim,
        "m": m,
        "sites": law,
        "cells": len(simplices),
        "W2": w.value,
        "width": (w.upper - w.lower) / w.upper,
        "wall s": wall,
        "cpu s": cpu,
        "GiB": peak_memory(),
        "Newton": w.iterations,
        "method": w.method,
    }
    support = masses > 0.0
    if np.count_nonzero(support) * m <= LARGEST_POT:
        import ot

        clock = time.perf_counter()
        cost = ot.dist(simplices[support].mean(axis=1), sites)
        row["POT W2"] = float(np.sqrt(ot.emd2(masses[support], weights, cost, numItermax=10**7)))
        row["POT s"] = time.perf_counter() - clock
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small rows only")
    parser.add_argument("--row", nargs=3, metavar=("D", "M", "RTOL"), help="one row")
    parser.add_argument("--sites", choices=["density", "uniform"], help="one kind of sites (default both)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="run --row in this process and print it as json")
    arguments = parser.parse_args()
    rows = QUICK if arguments.quick else ROWS
    if arguments.row:
        rows = [(int(arguments.row[0]), int(float(arguments.row[1])), float(arguments.row[2]))]
    laws = [arguments.sites] if arguments.sites else ["density", "uniform"]
    if arguments.json:
        print(json.dumps(run_row(*rows[0], laws[0], arguments.seed)))
        return
    heads = [
        ("d", 2),
        ("m", 8),
        ("sites", 8),
        ("cells", 6),
        ("W2", 12),
        ("width", 8),
        ("wall s", 7),
        ("cpu s", 7),
    ]
    heads += [("GiB", 5), ("Newton", 6), ("POT W2", 10), ("POT s", 6)]
    print(" ".join(f"{name:>{width}}" for name, width in heads), " method")
    for (dim, m, rtol), law in itertools.product(rows, laws):
        command = [sys.executable, __file__, "--json", "--row", str(dim), str(m), str(rtol)]
        command += ["--sites", law, "--seed", str(arguments.seed)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        pot = f"{row['POT W2']:10.6f} {row['POT s']:6.1f}" if "POT s" in row else f"{'-':>10} {'-':>6}"
        seconds, memory = LIMITS.get((dim, m), (float("inf"), float("inf")))
        missed = row["width"] > rtol or row["wall s"] > seconds or row["GiB"] > memory
        print(
            f"{row['d']:2d} {row['m']:8d} {row['sites']:>8} {row['cells']:6d} {row['W2']:12.9f} "
            f"{row['width']:8.1e} {row['wall s']:7.1f} {row['cpu s']:7.1f} {row['GiB']:5.2f} "
            f"{row['Newton']:6d} {pot}  {row['method']}{'  MISSED' if missed else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
