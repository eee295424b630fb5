"""Brackets of a few percent of W2 between a million points and a density, and between clouds of a million.

The density is a Gaussian bump on the half x_1 < 1/2 of the unit square or cube; the points are uniform over
all of it (``far``), or drawn from the density (``drawn``: W2 is the small distance of a sample to its law,
which cannot be found from fewer points). Every row runs in a process of its own, for its peak memory.

    python validation/performance/million_points.py                           # all rows, rtol 0.05 and 0.02
    python validation/performance/million_points.py --row 2 1e6 0.05 --points far
    python validation/performance/million_points.py --quick                   # 2e4 points

Clouds against clouds are the rows of ``clouds.py --row D 1e6 --rtol 0.05``.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time

import numpy as np
from memory import peak_memory

POINTS = ("far", "drawn")
CELLS = {2: 158, 3: 20}  # boxes along an axis: 5e4 simplices


def run_row(dim: int, m: int, rtol: float, points: str, seed: int) -> dict[str, object]:
    """Solve one row after a small one that loads the compiled kernels."""
    import wassflow as wf

    box = wf.Box([0.0] * dim, [1.0] * dim)
    cell = "triangle" if dim == 2 else "tetrahedron"
    mesh = wf.mesh.box(box, cells=(CELLS[dim],) * dim, cell=cell)
    density = wf.MeshDensity.from_function(
        mesh, lambda u: np.exp(-20 * np.sum((u - 0.4) ** 2, axis=1)) * (u[:, 0] < 0.5), mass=1.0
    )

    def cloud(count: int) -> wf.ParticleCloud:
        if points == "drawn":
            return wf.ParticleCloud.sample(density, count, method="iid", seed=seed)
        return wf.ParticleCloud(np.random.default_rng(seed).random((count, dim)))

    wf.wasserstein2(cloud(100), density)
    particles = cloud(m)
    wall, cpu = time.perf_counter(), time.process_time()
    w = wf.wasserstein2(particles, density, rtol=rtol)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "d": dim,
        "m": m,
        "points": points,
        "rtol": rtol,
        "lower": w.lower,
        "upper": w.upper,
        "width": w.relative_width,
        "wall s": wall,
        "cpu s": cpu,
        "GiB": peak_memory(),
        "method": w.method,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2e4 points only")
    parser.add_argument("--row", nargs=3, metavar=("D", "M", "RTOL"), help="one row")
    parser.add_argument("--points", choices=POINTS, help="one kind of points (default both)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="run --row in this process and print it as json")
    arguments = parser.parse_args()
    rows = list(itertools.product((2, 3), [20_000 if arguments.quick else 1_000_000], (0.05, 0.02)))
    if arguments.row:
        dim, m, rtol = arguments.row
        rows = [(int(dim), int(float(m)), float(rtol))]
    kinds = (arguments.points,) if arguments.points else POINTS
    if arguments.json:
        print(json.dumps(run_row(*rows[0], kinds[0], arguments.seed)))
        return
    print(
        f"{'d':>2} {'m':>8} {'points':>6} {'rtol':>5} {'lower':>12} {'upper':>12} {'width':>8} {'wall s':>7} "
        f"{'cpu s':>7} {'GiB':>5}  method"
    )
    for (dim, m, rtol), points in itertools.product(rows, kinds):
        command = [sys.executable, __file__, "--json", "--row", str(dim), str(m), str(rtol)]
        command += ["--points", points, "--seed", str(arguments.seed)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{dim:2d} {m:8d} {points:>6} {rtol:5.2f} {row['lower']:12.9f} {row['upper']:12.9f} "
            f"{row['width']:8.1e} {row['wall s']:7.1f} {row['cpu s']:7.1f} {row['GiB']:5.2f}  "
            f"{row['method']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
