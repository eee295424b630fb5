"""Thousands of random small transport problems: brackets hold the linear-programming value.

Or the input is refused by name. Problems in d = 2 and d = 3, in boxes and on tori, between clouds,
densities on all four cell types, and densities on Delaunay simplices with slivers; coincident points,
points on faces and far outside, empty cells, weights that are zero or span hundreds of decades, total
masses from 1e-300 to 1e300. The reference is POT's exact solver on all arcs, turned into an interval
that is rigorous up to rounding: its potentials are made feasible and its plan repaired; a density stands
at the centroids of its cells for the upper end, and the lower end uses that min_i |x - y_i|^2 - psi_i -
|x|^2 is concave (two densities: the triangle inequality). A bracket fails if it does not meet this
interval, is not finite, or if anything but a refusal is raised.

    python validation/transport_stress.py --quick              # 200 problems
    python validation/transport_stress.py --problems 10000
    python validation/transport_stress.py --seed 1234 --problems 1    # one problem again
"""

import argparse
import itertools
import multiprocessing
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import ot
from scipy.spatial import Delaunay

import wassflow as wf
from wassflow.laguerre import semidiscrete_transport
from wassflow.mesh import Mesh

KINDS = ("cloud-cloud", "cloud-density", "density-density", "cloud-simplices")
CELLS = {2: ("triangle", "quadrilateral"), 3: ("tetrahedron", "hexahedron")}
BOXES = {"triangle": (3, 2), "quadrilateral": (4, 3), "tetrahedron": (1, 1, 1), "hexahedron": (2, 2, 1)}
#: rounding of the reference, relative to the largest cost there is
ROUNDING = 1e-12
#: how often each simplex is halved for the reference, until there are about this many
REFERENCE_SIMPLICES = 400
#: wanted relative widths; wider ones are counted. Densities are cut into thousands of simplices otherwise;
#: what stays wide is mostly in 3D on 4 or 24 cells, where W2 is shorter than one
WIDE = {"cloud-cloud": 0.01, "cloud-density": 0.01, "density-density": 0.25, "cloud-simplices": 1e-6}
#: time limit of two densities; brackets hold all the same
DENSITY_SECONDS = 3.0


@dataclass
class Outcome:
    """What one problem gave; ``failure`` is empty if it passed."""

    seed: int
    kind: str
    refused: str = ""
    failure: str = ""
    width: float = 0.0
    reference: float = 0.0
    seconds: float = 0.0


# ---------------------------------------------------------------- problems


@cache
def box_mesh(cell: str, periodic: tuple[bool, ...], stretch: tuple[float, ...]) -> Mesh:
    """Return a small mesh of a box."""
    domain = wf.Box([0.0] * len(stretch), list(stretch), periodic=periodic)
    return wf.mesh.box(domain, cells=BOXES[cell], cell=cell)


def random_weights(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return weights of largest entry about one: even, random, with zeros, with very light ones."""
    weights = rng.random(n) + 1e-3
    match rng.integers(6):
        case 0:
            weights[:] = 1.0
        case 1:
            weights *= rng.random(n) < rng.choice([0.15, 0.5])
        case 2:
            weights = 10.0 ** rng.uniform(-30.0, 0.0, n)
        case 3:
            weights = rng.choice([0.0, 1.0, 1.0, 0.25, 1e-3, 1e-5, 1e-9, 1e-13], n)
        case 4:
            weights = 10.0 ** rng.uniform(-300.0, 0.0, n)
    if not weights.max() > 0.0:
        weights[rng.integers(n)] = 1.0
    return weights / weights.max()


def random_points(rng: np.random.Generator, n: int, stretch: np.ndarray) -> np.ndarray:
    """Return points in and around [0, 1]^d stretched: free, on vertices and faces, coincident, far."""
    dim = len(stretch)
    points = rng.random((n, dim))
    match rng.integers(8):
        case 0:
            points = rng.integers(0, 5, (n, dim)) / 4.0
        case 1:
            points = rng.integers(-4, 9, (n, dim)) / 4.0
        case 2:
            points = points * 10.0 ** rng.uniform(-8.0, 4.0)
        case 3:
            points[:, 0] = rng.choice([0.0, 0.5, 1.0])
        case 4:
            points = points[rng.integers(0, min(3, n), n)]
        case 5:
            points = points[:1] + 10.0 ** rng.uniform(-16.0, -6.0) * points
        case 6:
            points[:, 1:] = points[:1, 1:]
    return points * stretch


def delaunay_simplices(rng: np.random.Generator, dim: int) -> np.ndarray:
    """Return Delaunay simplices of random points, of which some lie nearly on a line or a plane."""
    points = rng.random((rng.integers(dim + 2, 12), dim))
    if rng.random() < 0.5:
        half = len(points) // 2
        points[:half, 0] = 0.5 + 10.0 ** rng.uniform(-12.0, -2.0) * points[:half, 0]
    return points[Delaunay(points).simplices]


def random_density(rng: np.random.Generator, mesh: Mesh, mass: float) -> wf.MeshDensity:
    """Return a density with voids or many scales."""
    weights = random_weights(rng, mesh.num_owned)
    return wf.MeshDensity(mesh, weights / weights.sum() * mass)


def random_cloud(rng: np.random.Generator, stretch: np.ndarray, mass: float) -> wf.ParticleCloud:
    """Return a cloud of up to 12 particles."""
    n = int(rng.integers(1, 13))
    weights = random_weights(rng, n)
    return wf.ParticleCloud(random_points(rng, n, stretch), weights / weights.sum() * mass)


def solve(seed: int) -> Outcome:
    """Draw the problem of this seed, bracket it, and compare."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(KINDS, p=[0.3, 0.4, 0.02, 0.28]))
    dim = 2 if rng.random() < 0.7 else 3
    cell = str(rng.choice(CELLS[dim]))
    # few aspect ratios, so that meshes are made once
    stretch = np.array([(1.0,) * 3, (1.0, 1e-3, 1.0), (1e3, 1.0, 1e-3)][rng.choice(3, p=[0.7, 0.15, 0.15])])[
        :dim
    ]
    periodic = [(False,) * dim, (True,) + (False,) * (dim - 1), (True,) * dim][
        rng.choice(3, p=[0.6, 0.2, 0.2])
    ]
    period = np.where(periodic, stretch, np.inf)
    mass = float(10.0 ** rng.choice([0.0, 0.0, -300.0, -5.0, 5.0, 300.0]))
    outcome = Outcome(seed, kind)
    started = time.perf_counter()
    try:
        if kind == "cloud-simplices":
            simplices = delaunay_simplices(rng, dim) * stretch
            masses = random_weights(rng, len(simplices))
            sites = random_points(rng, int(rng.integers(1, 13)), stretch)
            weights = random_weights(rng, len(sites))
            one, other = (simplices, masses), (sites, weights)
            masses, weights = masses / masses.sum() * mass, weights / weights.sum() * mass
            found = semidiscrete_transport(simplices, masses, sites, weights, period, rtol=WIDE[kind])
            lower, upper = found.lower, found.upper
        else:
            domain = wf.Box([0.0] * dim, list(stretch), periodic=periodic)
            clouds = {"cloud-cloud": 2, "cloud-density": 1, "density-density": 0}[kind]
            measures: list[wf.MeshDensity | wf.ParticleCloud] = [
                random_cloud(rng, stretch, mass) for _ in range(clouds)
            ]
            while len(measures) < 2:
                measures.append(random_density(rng, box_mesh(cell, tuple(periodic), tuple(stretch)), mass))
            rtol = WIDE[kind]
            # one cell of 1e-14 of the mass among thousands of sites may keep Newton's method busy for minutes
            limit = DENSITY_SECONDS if clouds == 0 else None
            bracket = wf.wasserstein2(*measures, domain=domain, rtol=rtol, time_limit=limit)
            lower, upper = bracket.lower, bracket.upper
            one, other = (arrays(measure) for measure in measures)
    except (ValueError, wf.WassflowError) as refusal:
        outcome.refused = str(refusal)
        if not names_an_argument(outcome.refused):
            outcome.failure = f"refused without naming an argument: {outcome.refused}"
        return outcome
    except Exception as error:
        outcome.failure = f"raised {error!r}"
        return outcome
    outcome.seconds = time.perf_counter() - started
    if not 0.0 <= lower <= upper < np.inf:
        outcome.failure = f"not a bracket: [{lower}, {upper}]"
        return outcome
    low, high, slack = reference_interval(*one, *other, period)
    root = float(np.sqrt(mass))
    lower, upper = lower / root, upper / root
    outcome.width = (upper - lower) / upper if upper > 0.0 else 0.0
    outcome.reference = (high - low) / high if high > 0.0 else 0.0
    if lower**2 > high**2 + slack or upper**2 < low**2 - slack:
        outcome.failure = f"[{lower!r}, {upper!r}] misses [{low!r}, {high!r}]"
    return outcome


def names_an_argument(message: str) -> bool:
    """Return whether a refusal starts with what it refuses."""
    names = ("mu", "nu", "simplices", "masses", "sites", "weights", "period", "points", "domain")
    return message.split()[0] in names and "found" in message


# ---------------------------------------------------------------- reference


def arrays(measure: wf.MeshDensity | wf.ParticleCloud) -> tuple[np.ndarray, np.ndarray]:
    """Return simplices (n, d + 1, d) or points (n, d), and masses."""
    if isinstance(measure, wf.ParticleCloud):
        return measure.points, measure.weights
    source = measure.simplicial()
    return source.simplices, source.masses


def squared_distances(x: np.ndarray, y: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return (n, m) squared distances, by the nearest image on periodic axes."""
    total = np.zeros((len(x), len(y)))
    for axis, length in enumerate(period):
        delta = x[:, None, axis] - y[None, :, axis]
        if np.isfinite(length):
            delta -= length * np.rint(delta / length)
        total += delta**2
    return total


def halved(simplices: np.ndarray, masses: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bisect at the longest edge until there are ``count`` simplices."""
    corners = simplices.shape[1]
    pairs = np.array(list(itertools.combinations(range(corners), 2)))
    while len(simplices) < count:
        lengths = np.sum((simplices[:, pairs[:, 0]] - simplices[:, pairs[:, 1]]) ** 2, axis=2)
        ends = pairs[lengths.argmax(axis=1)]
        row = np.arange(len(simplices))
        middle = 0.5 * (simplices[row, ends[:, 0]] + simplices[row, ends[:, 1]])
        left, right = simplices.copy(), simplices.copy()
        left[row, ends[:, 0]] = middle
        right[row, ends[:, 1]] = middle
        simplices, masses = np.concatenate([left, right]), np.concatenate([masses, masses]) / 2.0
    return simplices, masses


def contracted(
    support: np.ndarray, masses: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, float]:
    """Return (points, masses of sum one, simplices, mean square distance to the points)."""
    masses = masses / masses.max()
    held = masses > 0.0
    support, masses = support[held], masses[held] / masses[held].sum()
    if support.ndim == 2:
        return support, masses, None, 0.0
    simplices, masses = halved(support, masses, REFERENCE_SIMPLICES)
    dim = simplices.shape[2]
    centroids = simplices.mean(axis=1)
    inertia = np.sum((simplices - centroids[:, None]) ** 2, axis=(1, 2)) / ((dim + 1) * (dim + 2))
    return centroids, masses, simplices, float(masses @ inertia)


def reference_interval(
    x: np.ndarray, a: np.ndarray, y: np.ndarray, b: np.ndarray, period: np.ndarray
) -> tuple[float, float, float]:
    """Return (lower, upper) of W2 for masses of sum one, and the rounding of their squares."""
    x, a, x_simplices, x_square = contracted(x, a)
    y, b, y_simplices, y_square = contracted(y, b)
    if y_simplices is not None and x_simplices is None:
        x, a, x_simplices, x_square, y, b, y_simplices, y_square = (
            y, b, y_simplices, y_square, x, a, x_simplices, x_square,
        )  # fmt: skip
    costs = squared_distances(x, y, period)
    largest = float(costs.max())
    unit = largest or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan, log = ot.emd(a, b, costs / unit, numItermax=50_000, log=True, check_marginals=False)
    # it cycles on weights of hundreds of decades: stopped, both ends still hold
    # the plan repaired: what is missing travels as far as anything does
    missing = max(float(np.abs(plan.sum(axis=1) - a).sum()), float(np.abs(plan.sum(axis=0) - b).sum()))
    primal = float(np.sum(plan * costs)) + missing * largest
    psi = np.asarray(log["v"]) * unit
    phi = (costs - psi).min(axis=1)
    psi = (costs - phi[:, None]).min(axis=0)
    reach = max(float(np.abs(points).max()) for points in (x, y)) ** 2
    slack = ROUNDING * (largest + reach)
    if y_simplices is not None:
        centre = np.sqrt(max(float(a @ phi + b @ psi), 0.0))
        lower = max(centre - np.sqrt(x_square) - np.sqrt(y_square), 0.0)
        return lower, float(np.sqrt(primal + x_square + y_square)), slack
    if x_simplices is None:
        dual = float(a @ phi + b @ psi)
    else:
        corners = x_simplices.reshape(-1, x.shape[1])
        least = (squared_distances(corners, y, period) - psi).min(axis=1) - np.sum(corners**2, axis=1)
        inside = least.reshape(len(x), -1).mean(axis=1) + np.sum(x**2, axis=1)
        dual = float(a @ inside + b @ psi) + x_square
    return float(np.sqrt(max(dual, 0.0))), float(np.sqrt(primal + x_square)), slack


# ---------------------------------------------------------------- all of them


def main(arguments: list[str] | None = None) -> int:
    """Solve the problems and print what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="200 problems")
    parser.add_argument("--seed", type=int, default=0, help="of the first problem")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args(arguments)
    count = 200 if options.quick else options.problems
    seeds = range(options.seed, options.seed + count)
    started = time.perf_counter()
    if options.workers > 1 and count > 1:
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            outcomes = collect(pool.imap_unordered(solve, seeds, chunksize=20), count)
            # left alone, they end: PETSc reports it as a crash when they are told to
            pool.close()
            pool.join()
    else:
        outcomes = collect(map(solve, seeds), count)
    print(f"{count} problems in {time.perf_counter() - started:.0f} s")
    print(f"{'kind':<18}{'solved':>8}{'refused':>9}{'failed':>8}{'wide':>6}{'median width':>14}{'widest':>9}")
    for kind in KINDS:
        ours = [outcome for outcome in outcomes if outcome.kind == kind]
        widths = [o.width for o in ours if not o.refused and not o.failure]
        wide = sum(width > WIDE[kind] for width in widths)
        print(
            f"{kind:<18}{len(widths):>8}{sum(bool(o.refused) for o in ours):>9}"
            f"{sum(bool(o.failure) for o in ours):>8}{wide:>6}"
            f"{np.median(widths or [0.0]):>14.1e}{max(widths, default=0.0):>9.1e}"
        )
    for message, times in Counter(o.refused.split(", found")[0] for o in outcomes if o.refused).items():
        print(f"refused {times} times: {message}")
    widest = max(outcomes, key=lambda o: o.width)
    slowest = max(outcomes, key=lambda o: o.seconds)
    print(f"widest bracket {widest.width:.1e} (seed {widest.seed}), reference there {widest.reference:.1e}")
    print(f"slowest {slowest.seconds:.2f} s (seed {slowest.seed})")
    failures = sum(bool(outcome.failure) for outcome in outcomes)
    print("criteria passed" if failures == 0 else f"FAIL: {failures} problems")
    return 1 if failures else 0


def collect(results, count: int) -> list[Outcome]:
    """Return all outcomes; failures are printed as they come."""
    outcomes = []
    for outcome in results:
        outcomes.append(outcome)
        if outcome.failure:
            print(f"FAIL seed {outcome.seed}, {outcome.kind}: {outcome.failure}", flush=True)
        if len(outcomes) % 1000 == 0 and len(outcomes) < count:
            print(f"... {len(outcomes)} problems", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
