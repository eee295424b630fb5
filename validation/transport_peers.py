"""The W2 bracket beside codes of others: POT on finer and finer quantisations, sdot, pyvoro2.

**POT.** Each cell of a density is cut into s^d boxes, with their masses at their centres, and POT solves
between these and the particles exactly. Moving the density to the centres costs q = sqrt(sum_K m_K I_K), so
POT's value must lie in [lower - q, upper + q]; and by convex order (:mod:`wassflow.transport.sandwich`)
the excess POT^2 + q^2 - W2^2 is never negative. A box of size h that lies in one Laguerre cell adds nothing
to it, a box that is cut adds its mass times h, by the kink of the potential there, and a share of h is cut:
the excess must vanish like h^2. The order is fitted.

**sdot**, a semi-discrete solver of its own: its dual value on images of boxes, in d = 2 and 3, must lie in
our bracket up to 1e-11.

**pyvoro2**, power diagrams by Voro++, in boxes and on tori: the dual value of our potential, from the volumes
and second moments of its cells and with none of our geometry, must lie in our bracket up to 1e-11. Each of
its cells must have the volume of ours up to a share of 1e-11. These are not quite the masses of particles:
Newton's method stops when the bracket is narrow, not when they are equal.

sdot and pyvoro2 are no dependencies: they are used where they can be imported, from a folder of their own,
and named as missing otherwise. sdot compiles at run time, and needs jax, which it does not declare. pysdot
and geogram are not here: the first clones a repository when it is built, the second loses areas in 2D.

    python validation/transport_peers.py --quick
    python validation/transport_peers.py --peers FOLDER --install     # into FOLDER, nowhere else
    python validation/transport_peers.py --peers FOLDER
"""

import argparse
import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import ot
from scipy.spatial import Delaunay

import wassflow as wf
from wassflow.laguerre import LaguerreDiagram
from wassflow.laguerre.geometry import simplex_volumes

#: what must be importable, and what pip calls it
PACKAGES = {"sdot": ("sdot", "jax"), "pyvoro2": ("pyvoro2",)}
#: least fitted order of the excess; theory has 2
ORDER = 1.8
#: on values of W2 near 0.1 that stand on sums of thousands of terms, and on volumes relative to their mean
TOLERANCE = 1e-11


def box_density(values: np.ndarray, periodic: bool = False) -> wf.MeshDensity:
    """Return the density on the unit square or cube with the masses ``values`` on a grid of equal boxes."""
    domain = wf.Box([0.0] * values.ndim, [1.0] * values.ndim, periodic=(periodic,) * values.ndim)
    cell = "quadrilateral" if values.ndim == 2 else "hexahedron"
    mesh = wf.mesh.box(domain, cells=values.shape, cell=cell)
    index = np.floor(mesh.centroids[: mesh.num_owned] * values.shape).astype(int)
    return wf.MeshDensity(mesh, values[tuple(index.T)] / values.sum())


def random_masses(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return random masses, zero on a third of the boxes."""
    rng = np.random.default_rng(seed)
    return rng.random(shape) * (rng.random(shape) < 2.0 / 3.0)


# ---------------------------------------------------------------- POT


def quantised(values: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Cut each box into ``parts`` along each axis: (centres, masses, q^2)."""
    for axis in range(values.ndim):
        values = np.repeat(values, parts, axis=axis) / parts
    axes = [(np.arange(n) + 0.5) / n for n in values.shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    held = values > 0.0
    masses = values[held] / values[held].sum()
    return centres[held], masses, sum(1.0 / n**2 for n in values.shape) / 12.0


def pot(quick: bool) -> Iterator[bool]:
    """Compare with POT on finer and finer quantisations."""
    print(
        f"{'POT':<24}{'s':>3}{'atoms':>7}{'W2':>13}{'width':>9}{'POT':>13}{'q':>10}{'POT-W2':>10}{'excess':>9}"
    )
    for dim, n, m, deepest in ((2, 6, 30, 8), (3, 3, 30, 4)) if quick else ((2, 8, 60, 16), (3, 4, 60, 8)):
        values = random_masses((n,) * dim, seed=dim)
        rng = np.random.default_rng(7)
        cloud = wf.ParticleCloud(rng.random((m, dim)), rng.dirichlet(np.ones(m)))
        bracket = wf.wasserstein2(box_density(values), cloud)
        rows = []
        for parts in 2 ** np.arange(int(np.log2(deepest)) + 1):
            centres, masses, square = quantised(values, int(parts))
            costs = ot.dist(centres, cloud.points)
            found = np.sqrt(ot.emd2(masses, cloud.weights / cloud.mass, costs, numItermax=10**8))
            q = np.sqrt(square)
            inside = bracket.lower - q <= found <= bracket.upper + q
            above = found**2 + square >= bracket.lower**2
            excess, off = found**2 + square - bracket.value**2, found - bracket.value
            rows.append((parts, excess))
            print(
                f"d = {dim}, {n}^{dim} boxes, m = {m:<4}{parts:>3}{len(masses):>7}{bracket.value:>13.9f}"
                f"{bracket.relative_width:>9.1e}{found:>13.9f}{q:>10.2e}{off:>10.2e}{excess:>9.1e}  "
                f"{'inside' if inside and above else 'FAIL'}",
                flush=True,
            )
            yield bool(inside and above)
        order = -np.polyfit(*np.log(np.array(rows)).T, 1)[0]
        print(f"    the excess is of order {order:.2f}, wanted {ORDER}{'' if order >= ORDER else '  FAIL'}")
        yield bool(order >= ORDER)


def print_head(peer: str) -> None:
    """Print the head of the rows of a semi-discrete peer."""
    print(f"{peer:<24}{'m':>6}{'lower':>20}{'upper':>20}{'dual value':>20}{'residual':>10}")


def print_row(name: str, m: int, bracket: wf.Bracket, found: float, residual: float, inside: bool) -> None:
    """Print our bracket, the peer's dual value and the largest share by which one of its masses is off."""
    print(
        f"{name:<24}{m:>6}{bracket.lower:>20.15f}{bracket.upper:>20.15f}{found:>20.15f}{residual:>10.1e}"
        f"  {'inside' if inside else 'FAIL'}",
        flush=True,
    )


# ---------------------------------------------------------------- sdot


def sdot(quick: bool) -> Iterator[bool]:
    """Compare with the dual value of sdot, which is exact at unequal masses too."""
    import sdot as peer

    print_head("sdot")
    cases = [
        ("uniform", (2, 2), 200),
        ("random", (8, 8), 200),
        ("uniform", (2, 2, 2), 50),
        ("random", (4, 4, 4), 50),
    ]
    if not quick:
        cases += [("uniform", (2, 2), 2000), ("random", (32, 32), 2000), ("random", (8, 8, 8), 400)]
    for law, shape, m in cases:
        # positive everywhere: with voids sdot may not find a start (it failed on a ring and on strips)
        values = np.ones(shape) if law == "uniform" else 0.05 + random_masses(shape, seed=m)
        points = np.random.default_rng(m).random((m, len(shape)))
        bracket = wf.wasserstein2(box_density(values), wf.ParticleCloud(points))
        plan = peer.ot_solve(
            peer.SumOfDiracs(points), peer.Image(values / values.mean(), frame=[1.0] * len(shape)), tol=1e-12
        )
        missing = 1.0 / m - np.asarray(plan.cell_masses)
        found = float(np.sqrt(float(plan.cost) + np.asarray(plan.weights) @ missing))
        inside = bracket.lower - TOLERANCE <= found <= bracket.upper + TOLERANCE
        name = f"{law} {' x '.join(map(str, shape))}"
        print_row(name, m, bracket, found, float(np.abs(missing).max()) * m, inside)
        yield inside


# ---------------------------------------------------------------- pyvoro2


def cones(cell: dict, dim: int) -> np.ndarray:
    """Return simplices (., d + 1, d) that fill a convex cell: cones over its facets from its middle."""
    vertices = np.array(cell["vertices"])
    facets = cell["edges" if dim == 2 else "faces"]
    pieces = [
        (facet["vertices"][0], *facet["vertices"][k : k + dim - 1])
        for facet in facets
        for k in range(1, len(facet["vertices"]) - dim + 2)
    ]
    corners = vertices[np.array(pieces)]
    middle = np.broadcast_to(vertices.mean(axis=0), (len(corners), 1, dim))
    return np.concatenate([middle, corners], axis=1)


def moments(cell: dict, dim: int) -> tuple[float, float]:
    """Return the volume of a cell and the integral of the squared distance to its site."""
    simplices = cones(cell, dim) - np.array(cell["site"])
    edges = simplices[:, 1:] - simplices[:, :1]
    volumes = np.abs(np.linalg.det(edges)) / (2.0 if dim == 2 else 6.0)
    # the mean of |x|^2 over a simplex: |sum of the vertices|^2 + sum |vertex|^2 over (d + 1)(d + 2)
    squares = np.sum(simplices.sum(axis=1) ** 2, axis=1) + np.sum(simplices**2, axis=(1, 2))
    return float(volumes.sum()), float(volumes @ squares) / ((dim + 1) * (dim + 2))


def our_volumes(points: np.ndarray, potential: np.ndarray, torus: bool) -> np.ndarray:
    """Return the volumes of our Laguerre cells in the unit square or cube."""
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=points.shape[1])))
    simplices = corners[Delaunay(corners).simplices]
    period = np.ones(points.shape[1]) if torus else None
    return LaguerreDiagram(simplices, simplex_volumes(simplices), points, potential, period).masses


def pyvoro2(quick: bool) -> Iterator[bool]:
    """Compare with the cells of Voro++ at our potential, density uniform."""
    import pyvoro2 as space
    import pyvoro2.planar as plane

    print_head("pyvoro2")
    for dim, torus, m in itertools.product((2, 3), (False, True), (100,) if quick else (100, 1000)):
        points = np.random.default_rng(m).random((m, dim))
        mu = box_density(np.ones((3,) * dim), torus)
        bracket = wf.wasserstein2(wf.ParticleCloud(points), mu, potential=True)
        assert bracket.potential is not None
        periodic = {"bounds": ((0.0, 1.0),) * dim, "periodic": (torus,) * dim}
        peer = plane if dim == 2 else space
        domain = (plane.RectangularCell if dim == 2 else space.OrthorhombicCell)(**periodic)
        potential = bracket.potential.first
        cells = peer.compute(points, domain=domain, mode="power", weights=potential, output="cells")
        cells.sort(key=lambda cell: cell["id"])
        volumes, squares = np.array([moments(cell, dim) for cell in cells]).T
        found = float(np.sqrt(squares.sum() + potential @ (1.0 / m - volumes)))
        missed = float(np.abs(volumes - our_volumes(points, potential, torus)).max() * m)
        inside = missed <= TOLERANCE and bracket.lower - TOLERANCE <= found <= bracket.upper + TOLERANCE
        print_row(f"{'torus' if torus else 'box'}, d = {dim}", m, bracket, found, missed, inside)
        yield inside


# ---------------------------------------------------------------- all of them


def install(folder: Path) -> None:
    """Install the peers into ``folder``, apart from everything else."""
    for packages in PACKAGES.values():
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *packages]
        if subprocess.run(command).returncode:
            print(f"{' and '.join(packages)} could not be installed")


def main(arguments: list[str] | None = None) -> int:
    """Print the three comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder of the installed peers")
    parser.add_argument("--install", action="store_true", help="install the peers there first")
    options = parser.parse_args(arguments)
    if options.install:
        install(options.peers)
    sys.path.append(str(options.peers))  # last: what this environment has, it keeps
    passed = list(pot(options.quick))
    for compare in (sdot, pyvoro2):
        name = compare.__name__
        if importlib.util.find_spec(name) is None:
            print(f"{name}: missing; install {' and '.join(PACKAGES[name])} with --install")
        else:
            passed += compare(options.quick)
    failed = passed.count(False)
    print(f"{len(passed)} comparisons: " + ("criteria passed" if failed == 0 else f"FAIL: {failed}"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
