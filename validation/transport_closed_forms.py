"""W2 in closed form lies inside the bracket: grids, patches, affine maps, products, exact flows, tori.

Where the two measures are represented exactly the closed form must lie in the bracket itself; where a density
is projected on a mesh, in the bracket widened by a bound of W2 between the density and its projection
(column "radius"). Exits with 1 if one does not.

Independent codes on the same problems: ``transport_peers.py``.

    python validation/transport_closed_forms.py --quick
    python validation/transport_closed_forms.py
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np

import wassflow as wf
from wassflow.cases.exact import CosineMoments, LogisticDilation, QuadraticMean, WallAccumulation
from wassflow.cases.profiles import Profile
from wassflow.laguerre import semidiscrete_transport
from wassflow.mesh import Mesh

#: name, closed form, lower, upper, radius
Row = tuple[str, float, float, float, float]


def row(name: str, exact: float, bracket: wf.Bracket, radius: float = 0.0) -> Row:
    """Return the row of a bracket."""
    return name, float(exact), bracket.lower, bracket.upper, float(radius)


def box(
    lower: list[float], upper: list[float], cells: int, cell: str, periodic: tuple[bool, ...] = ()
) -> Mesh:
    """Return a mesh of a box, as many cells on each axis."""
    domain = wf.Box(lower, upper, periodic=periodic or None)
    return wf.mesh.box(domain, cells=(cells,) * len(lower), cell=cell)


def grid(k: int, dim: int) -> np.ndarray:
    """Return the k^dim centres of a grid on the unit cube."""
    axis = (np.arange(k) + 0.5) / k
    return np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


def with_voids(mesh: Mesh, seed: int) -> wf.MeshDensity:
    """Return a random density, empty on half of the cells."""
    rng = np.random.default_rng(seed)
    masses = rng.random(mesh.num_owned) * (rng.random(mesh.num_owned) < 0.5)
    return wf.MeshDensity(mesh, masses / masses.sum())


# ---------------------------------------------------------------- uniform laws


def grids(quick: bool) -> Iterator[Row]:
    """A grid and the uniform law: sqrt(d / 12) / k, also across the seams of a torus."""
    for dim, cell, ks in (
        (2, "triangle", (1, 4, 16) if quick else (1, 4, 16, 64, 100)),
        (2, "quadrilateral", (3, 7)),
        (3, "tetrahedron", (1, 3) if quick else (1, 3, 8, 16)),
        (3, "hexahedron", (2, 3)),
    ):
        for torus in (False, True):
            mesh = box([0.0] * dim, [1.0] * dim, 5 if dim == 2 else 3, cell, (torus,) * dim)
            for k in ks:
                points = grid(k, dim) + (0.37 if torus else 0.0)
                bracket = wf.wasserstein2(wf.ParticleCloud(points), wf.MeshDensity.uniform(mesh))
                name = f"grid of {k}^{dim}, {'torus' if torus else 'box'} of {cell}s"
                yield row(name, np.sqrt(dim / 12.0) / k, bracket)


def hexagons(quick: bool) -> Iterator[Row]:
    """The centres of a patch of hexagons of side a and the uniform law: a sqrt(5 / 12)."""
    side = 0.3
    corners = side * np.stack([np.cos(np.arange(7) * np.pi / 3), np.sin(np.arange(7) * np.pi / 3)], axis=1)
    hexagon = np.stack([np.zeros((6, 2)), corners[:-1], corners[1:]], axis=1)
    for rings in (0, 1, 3) if quick else (0, 1, 3, 10):
        q, r = np.meshgrid(np.arange(-rings, rings + 1), np.arange(-rings, rings + 1))
        q, r = q[np.abs(q + r) <= rings], r[np.abs(q + r) <= rings]
        centres = side * np.stack([1.5 * q, np.sqrt(3.0) * (r + 0.5 * q)], axis=1)
        simplices = (hexagon[None] + centres[:, None, None]).reshape(-1, 3, 2)
        m = len(centres)
        w = semidiscrete_transport(simplices, np.full(6 * m, 1.0 / (6 * m)), centres, np.full(m, 1.0 / m))
        yield f"{m} hexagons and their centres", side * np.sqrt(5.0 / 12.0), w.lower, w.upper, 0.0


# ---------------------------------------------------------------- affine images


def affine_images(quick: bool) -> Iterator[Row]:
    """x -> D x + s, D diagonal: W2^2 = |mean - its image|^2 + sum (1 - D_i)^2 var_i, on the mapped mesh."""
    cases = [
        ("translation", [1.0, 1.0], [0.4, -0.7], "triangle"),
        ("dilation", [2.0, 0.5], [0.0, 0.0], "quadrilateral"),
        ("translation", [1.0, 1.0, 1.0], [0.4, -0.7, 0.2], "hexahedron"),
        ("dilation", [2.0, 0.5, 1.5], [0.0, 0.0, 0.0], "tetrahedron"),
        ("dilation and translation", [1.5, 1.2, 0.7], [0.3, 0.0, 1.0], "hexahedron"),
    ]
    sizes = {2: (3, 5), 3: (1, 2)} if quick else {2: (5, 10, 20), 3: (2, 4, 6)}
    for (name, scale, shift, cell), n in ((case, n) for case in cases for n in sizes[len(case[1])]):
        dim = len(scale)
        mesh = box([0.0] * dim, [1.0] * dim, n, cell)
        lower, upper = np.array(shift), np.array(shift) + scale
        image = box(lower.tolist(), upper.tolist(), n, cell)
        mu = with_voids(mesh, dim)
        nu = wf.MeshDensity(image, mu.masses)
        moved = mu.mean() * scale + shift - mu.mean()
        exact = np.sqrt(moved @ moved + np.sum((1.0 - np.array(scale)) ** 2 * np.diag(mu.covariance())))
        bracket = wf.wasserstein2(mu, nu, rtol=0.05)
        yield row(f"{name} of a density with voids, {n}^{dim} {cell}s", exact, bracket)


# ---------------------------------------------------------------- products of laws on the line


def quantiles(edges: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (p, left, right): the quantile function goes linearly from left to right between successive p.

    ``edges`` has one entry more than ``masses`` for a density, as many for atoms.
    """
    p = np.concatenate([[0.0], np.cumsum(masses)])
    return p / p[-1], edges[: len(masses)], edges[len(edges) - len(masses) :]


def line_square(one: tuple, other: tuple) -> float:
    """Return W2^2 of two laws on the line: the integral of a piecewise quadratic function of p."""
    p = np.union1d(one[0], other[0])
    middle, width = 0.5 * (p[1:] + p[:-1]), np.diff(p)
    ends = np.zeros((2, len(middle)))
    for sign, (q, left, right) in ((1.0, one), (-1.0, other)):
        k = np.clip(np.searchsorted(q, middle, side="right") - 1, 0, len(left) - 1)
        slope = (right[k] - left[k]) / np.where(q[k + 1] > q[k], q[k + 1] - q[k], 1.0)
        for end, place in enumerate((p[:-1], p[1:])):
            ends[end] += sign * (left[k] + slope * (place - q[k]))
    a, b = ends
    return float(np.sum(width * (a * a + a * b + b * b)) / 3.0)


def products(quick: bool) -> Iterator[Row]:
    """Products of laws on the line: W2^2 is the sum over coordinates."""
    rng = np.random.default_rng(5)
    for dim, n, k in ((2, 6, 5), (3, 3, 3)) if quick else ((2, 6, 5), (2, 12, 40), (3, 3, 3), (3, 5, 9)):
        mesh = box([0.0] * dim, [1.0] * dim, n, "quadrilateral" if dim == 2 else "hexahedron")
        edges = np.linspace(0.0, 1.0, n + 1)
        laws = rng.random((dim, n)) * (rng.random((dim, n)) < 0.7) + 0.01 * np.eye(n)[:dim]
        laws /= laws.sum(axis=1, keepdims=True)
        index = np.rint(mesh.centroids[: mesh.num_owned] * n - 0.5).astype(int)
        mu = wf.MeshDensity(mesh, np.prod([laws[j][index[:, j]] for j in range(dim)], axis=0))
        atoms, shares = np.sort(1.4 * rng.random((dim, k)) - 0.2, axis=1), rng.dirichlet(np.ones(k), dim)
        points = np.stack(np.meshgrid(*atoms, indexing="ij"), axis=-1).reshape(-1, dim)
        weights = np.prod(np.stack(np.meshgrid(*shares, indexing="ij"), axis=-1), axis=-1).ravel()
        square = sum(
            line_square(quantiles(edges, laws[j]), quantiles(atoms[j], shares[j])) for j in range(dim)
        )
        yield row(
            f"product law and product of {k}^{dim} atoms",
            np.sqrt(square),
            wf.wasserstein2(mu, wf.ParticleCloud(points, weights)),
        )


# ---------------------------------------------------------------- exact flows between two times


def flows(quick: bool) -> Iterator[Row]:
    """O1, O2, O7, O8: clouds moved by the flow map, which is optimal between any two clouds it maps."""
    K = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]])
    B = np.array([[0.7, 0.2, 0.0], [0.2, -0.3, 0.1], [0.0, 0.1, 0.5]])
    solutions = {
        "O1": (
            QuadraticMean([[2.0, 0.5], [0.5, 1.0]], np.diag([0.7, -0.3]), [1.0, 0.5], [0.0, 0.2]),
            0.3,
            0.9,
        ),
        "O1, d = 3": (QuadraticMean(K, B, [1.0, 0.5, -0.5], [0.0, 0.2, 0.3]), 0.3, 0.9),
        "O2": (LogisticDilation(y=0.5, kappa=1.0), 0.2, 1.5),
        "O2, d = 3": (LogisticDilation(y=0.5, kappa=1.0, dim=3), 0.2, 1.5),
        "O7": (WallAccumulation([1.0, -0.5]), 0.25, 0.5),
        "O7, d = 3": (WallAccumulation([1.0, 0.5, -0.5]), 0.25, 0.5),
        "O8": (CosineMoments([0.0, 0.5], [0.5, -0.5]), 0.0, 1.0),
        "O8, d = 3": (CosineMoments([0.0, 0.5, 0.2], [0.5, -0.5, 0.0]), 0.0, 1.0),
    }
    for name, (solution, s, t) in solutions.items():
        mesh = wf.mesh.box(
            solution.domain,
            cells=((24, 24) if solution.dim == 2 else (8, 8, 8)),
            cell="quadrilateral" if solution.dim == 2 else "hexahedron",
        )
        start = wf.MeshDensity.from_function(mesh, solution.initial)
        cloud = wf.ParticleCloud.sample(start, 400 if quick else 2000, "stratified")
        then, now = (solution.flow_map(time, cloud.points) for time in (s, t))
        exact = np.sqrt(np.mean(np.sum((now - then) ** 2, axis=1)))
        bracket = wf.wasserstein2(wf.ParticleCloud(then), wf.ParticleCloud(now))
        yield row(f"{name}, {len(then)} particles between t = {s:g} and {t:g}", exact, bracket)


def flows_of_densities(quick: bool) -> Iterator[Row]:
    """The same between densities: affine images exactly, O7 and O8 by projection, with its radius."""
    n = 6 if quick else 12
    # O1 of a uniform law on a box stays one
    start = [Profile(0.0, 0.5, "uniform"), Profile(0.1, 0.4, "uniform"), Profile(-0.2, 0.3, "uniform")]
    K, B = [[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]], np.diag([0.7, -0.3, 0.5])
    for dim, cells, cell in ((2, n, "triangle"), (3, n // 3, "tetrahedron")):
        laws = start[:dim]
        one = QuadraticMean(
            np.array(K)[:dim, :dim], B[:dim, :dim], [1.0, 0.5, -0.5][:dim], [0.0, 0.2, 0.3][:dim], laws
        )
        two = LogisticDilation(y=0.5, kappa=1.0, start=laws)
        for name, solution in (("O1", one), ("O2", two)):
            measures = []
            for time in (0.3, 0.9):
                ends = solution.flow_map(time, np.array([[p.lower for p in laws], [p.upper for p in laws]]))
                measures.append(wf.MeshDensity.uniform(box(*ends.tolist(), cells, cell)))
            exact = solution.wasserstein2(0.3, 0.9)
            yield row(f"{name}, uniform densities, d = {dim}", exact, wf.wasserstein2(*measures, rtol=0.05))
    # O7: the cells are aligned with the front, so that only those at the walls are not uniform
    seven, n, s, t = WallAccumulation([1.0, 0.5]), 12 if quick else 24, 0.0, 0.5
    mesh = box([0.0, 0.0], [1.0, 1.0], n, "quadrilateral")
    index = np.rint(mesh.centroids[: mesh.num_owned] * n - 0.5).astype(int)
    edges = np.linspace(0.0, 1.0, n + 1)
    measures, radius = [], 0.0
    for time in (s, t):
        cdf = [np.append(np.clip(edges[:-1] - c * time, 0.0, 1.0), 1.0) for c in seven.c]
        laws = [np.diff(f) for f in cdf]
        masses = np.prod([laws[j][index[:, j]] for j in range(2)], axis=0)
        measures.append(wf.MeshDensity(mesh, masses))
        radius += np.sqrt(sum(law[-1] for law in laws)) / n if time > 0.0 else 0.0
    yield row("O7, densities", seven.wasserstein2(s, t), wf.wasserstein2(*measures, rtol=0.05), radius)
    # O8: a product law of decreasing or increasing factors f. On a cell of width h and mean M of f the
    # optimal map to the uniform law moves by at most h (max f - min f) / (4 M).
    eight, s, t = CosineMoments([0.0, 0.5], [0.5, -0.5]), 0.0, 1.0
    mesh = box([0.0, 0.0], [np.pi, np.pi], n, "quadrilateral")
    edges, h = np.linspace(0.0, np.pi, n + 1), np.pi / n
    measures, radius = [], 0.0
    for time in (s, t):
        measures.append(wf.MeshDensity.from_function(mesh, lambda u, time=time: eight.density(time, u)))
        square = 0.0
        for z in eight.moment(time):
            ends = (1.0 - z**2) / (1.0 - 2.0 * z * np.cos(edges) + z**2) / np.pi
            least = np.minimum(ends[1:], ends[:-1])
            masses = np.maximum(ends[1:], ends[:-1]) * h  # from above
            square += float(np.sum(masses * (h * np.abs(np.diff(ends)) / (4.0 * least)) ** 2))
        radius += np.sqrt(square)
    yield row("O8, densities", eight.wasserstein2(s, t), wf.wasserstein2(*measures, rtol=0.05), radius)


# ---------------------------------------------------------------- tori


def tori(quick: bool) -> Iterator[Row]:
    """A strip across the seam: the short way round, for clouds and densities."""
    n = 8 if quick else 16
    mesh = box([0.0, 0.0], [1.0, 1.0], n, "triangle", (True, False))
    x = mesh.centroids[: mesh.num_owned, 0]
    left, right = (
        wf.MeshDensity(mesh, mesh.volumes[: mesh.num_owned] * strip * 8.0) for strip in (x < 0.125, x > 0.875)
    )
    yield row("strips on both sides of the seam", 0.125, wf.wasserstein2(left, right, rtol=0.1))
    for turns in (0.0, 1.0, -300.0):
        cloud = wf.ParticleCloud([[1.0 - 1.0 / 16.0 + turns, 0.5]])
        exact = np.sqrt(0.125**2 + (0.125**2 + 1.0) / 12.0)
        yield row(f"a particle {turns:g} turns away across the seam", exact, wf.wasserstein2(cloud, left))
    points = np.random.default_rng(2).random((12, 2))
    torus = wf.Box([0.0, 0.0], [1.0, 1.0], periodic=(True, True))
    shift = np.array([0.03, -0.02])
    # other plans wind round the torus K times at a cost of at least |K|^2 / m - 2 |s| |K| more: |s| <= 1 / 2m
    ends = wf.ParticleCloud(points), wf.ParticleCloud(points + shift)
    yield row(
        "12 particles translated on the torus", np.linalg.norm(shift), wf.wasserstein2(*ends, domain=torus)
    )


PARTS = (grids, hexagons, affine_images, products, flows, flows_of_densities, tori)


def main(arguments: list[str] | None = None) -> int:
    """Print closed form and bracket, case by case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args(arguments)
    missed = count = 0
    print(f"{'case':<66}{'closed form':>14}{'width':>9}{'radius':>9}")
    for part in PARTS:
        for name, exact, lower, upper, radius in part(options.quick):
            inside = lower - radius <= exact <= upper + radius
            missed += not inside
            count += 1
            width = (upper - lower) / upper
            print(
                f"{name:<66}{exact:>14.10f}{width:>9.1e}{radius:>9.1e}  {'inside' if inside else 'FAIL'}",
                flush=True,
            )
            if not inside:
                print(f"    not in [{lower!r}, {upper!r}]")
    print(f"{count - missed} of {count} inside: " + ("criteria passed" if missed == 0 else "FAIL"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
