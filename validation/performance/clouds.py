"""Width, time and memory of the W2 bracket between two clouds, with POT's exact one where it fits.

Two kinds of pairs: ``same``, both uniform on the unit square or cube, whose distance is that of random
samples (the hard case: it shrinks with m, and no smooth map explains it), and ``other``, uniform against a
Gaussian bump on the half where x_1 < 1/2. Up to 1e4 points the problem is solved to rounding, beyond to
``rtol`` (the default, 0.01). Every row runs in a process of its own, for its peak memory.

    python validation/performance/clouds.py            # 1e3 to 1e5 points, d = 2 and 3
    python validation/performance/clouds.py --quick    # 1e3
    python validation/performance/clouds.py --row 2 1e5 --pair same
"""

import argparse
import itertools
import json
import subprocess
import sys
import time

import numpy as np
from memory import peak_memory

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
PAIRS = ("same", "other")
LARGEST_POT = 3e7  # entries of its dense cost matrix: 0.25 GB, and as much again for the plan


def clouds(dim: int, m: int, pair: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of both clouds."""
    rng = np.random.default_rng(seed)
    first = rng.random((m, dim))
    if pair == "same":
        return first, rng.random((m, dim))
    second = np.empty((0, dim))
    while len(second) < m:
        drawn = 0.4 + rng.standard_normal((4 * m, dim)) / np.sqrt(40.0)
        inside = np.all((drawn > 0.0) & (drawn < 1.0), axis=1) & (drawn[:, 0] < 0.5)
        second = np.concatenate([second, drawn[inside]])
    return first, second[:m]


def run_row(dim: int, m: int, pair: str, rtol: float, seed: int) -> dict[str, object]:
    """Solve one row after a small one that loads the compiled kernels."""
    import wassflow as wf

    small, large = ([wf.ParticleCloud(points) for points in clouds(dim, n, pair, seed)] for n in (1_200, m))
    wf.wasserstein2(*small)
    wall, cpu = time.perf_counter(), time.process_time()
    bracket = wf.wasserstein2(*large, rtol=rtol)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row: dict[str, object] = {
        "d": dim,
        "m": m,
        "pair": pair,
        "lower": bracket.lower,
        "upper": bracket.upper,
        "width": bracket.relative_width,
        "wall s": wall,
        "cpu s": cpu,
        "GiB": peak_memory(),
        "method": bracket.method,
    }
    if m * m <= LARGEST_POT:
        import ot

        x, y = (cloud.points for cloud in large)
        clock = time.perf_counter()
        row["POT W2"] = float(np.sqrt(ot.emd2([], [], ot.dist(x, y), numItermax=10**8)))
        row["POT s"] = time.perf_counter() - clock
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1e3 points only")
    parser.add_argument("--row", nargs=2, metavar=("D", "M"), help="one row")
    parser.add_argument("--pair", choices=PAIRS, help="one kind of pairs (default both)")
    parser.add_argument("--rtol", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="run --row in this process and print it as json")
    arguments = parser.parse_args()
    rows = list(itertools.product((2, 3), SIZES[:1] if arguments.quick else SIZES))
    if arguments.row:
        rows = [(int(arguments.row[0]), int(float(arguments.row[1])))]
    pairs = (arguments.pair,) if arguments.pair else PAIRS
    if arguments.json:
        print(json.dumps(run_row(*rows[0], pairs[0], arguments.rtol, arguments.seed)))
        return
    print(
        f"{'d':>2} {'m':>7} {'pair':>6} {'lower':>12} {'upper':>12} {'width':>8} {'wall s':>7} {'cpu s':>7} "
        f"{'GiB':>5} {'POT W2':>12} {'POT s':>6}  method"
    )
    for (dim, m), pair in itertools.product(rows, pairs):
        command = [sys.executable, __file__, "--json", "--row", str(dim), str(m), "--pair", pair]
        command += ["--rtol", str(arguments.rtol), "--seed", str(arguments.seed)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        pot = f"{row['POT W2']:12.9f} {row['POT s']:6.1f}" if "POT s" in row else f"{'-':>12} {'-':>6}"
        print(
            f"{dim:2d} {m:7d} {pair:>6} {row['lower']:12.9f} {row['upper']:12.9f} {row['width']:8.1e} "
            f"{row['wall s']:7.1f} {row['cpu s']:7.1f} {row['GiB']:5.2f} {pot}  {row['method']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
