"""Mesh refinement of the density flow against exact solutions: orders of first-order upwind.

Claims, with the theory behind them (Delarue, Lagoutiere and Vauchelet, IMA J. Numer. Anal. 37 (2017) 1435: at
least 1/2):

- smooth densities (cosine moments, d = 2 and 3, all cell types): order 1 of moments, energy, L1 and W2;
- densities with jumps (absorption on a line, accumulation at walls): layers of width h^{1/2} displaced by
  h^{1/2} with mass h^{1/2} give W2 ~ h^{3/4};
- a Dirac mass carried across a Cartesian mesh: W2^2 = sum_k h sum_i |a_i| dt_k (1 - |a_i| dt_k / h) + I_K
  exactly, order 1/2.

Writes CSV and JSON per case and a JSON of the orders; exits with 1 if a claim fails.

    python validation/mesh_convergence.py --quick
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import wassflow as wf
from wassflow.cases import Case
from wassflow.cases.exact import ExactSolution, WallAccumulation, WeightAbsorption
from wassflow.study import mesh_refinement, observed_orders
from wassflow.study.criteria import Criterion, verdict
from wassflow.study.tables import number, text_table, write_json


@dataclass(frozen=True)
class Refinement:
    """One ladder of meshes with the orders it must show (lowest and highest that count as agreement)."""

    case: Case
    cell: str
    levels: tuple[int | tuple[int, ...], ...]
    orders: dict[str, tuple[float, float]]
    time: float
    cfl: float = 0.9


# The moment at 0.95 or better is what the project asks for; the others converge with it.
SMOOTH = {"moment_error": (0.95, 1.2), "energy_error": (0.9, 1.2), "l1_error": (0.9, 1.2), "w2": (0.9, 1.2)}
# 3/4 is approached from above (in one dimension .83 to .79 between 40 and 640 cells).
JUMP = {"w2": (0.65, 0.9)}


def exact_case(name: str, exact: ExactSolution, t_end: float, cells: tuple[int, ...]) -> Case:
    """A case from an exact solution."""
    return Case(
        name=name,
        functional=exact.functional,
        domain=exact.domain,
        initial=exact.initial,
        times=(0.0, t_end),
        cells=cells,
        cell="quadrilateral",
        exact=exact,
    )


def refinements(quick: bool) -> list[Refinement]:
    """The ladders, coarse to fine."""
    plane, space = wf.cases.get("cosine-2d"), wf.cases.get("cosine-3d")
    flat = (16, 32, 64) if quick else (16, 32, 64, 128)
    # On hexahedra of 1/8 of pi the late densities, steep at the corner, are not resolved yet.
    solid = (8, 16, 32) if quick else (16, 32, 64)
    crossed = (3, 6, 12) if quick else (4, 8, 16)
    smooth = [
        Refinement(case, cell, levels, SMOOTH, time)
        for case, cell, levels in (
            (plane, "triangle", flat),
            (plane, "quadrilateral", flat),
            (space, "hexahedron", solid),
            (space, "tetrahedron", crossed),
        )
        for time in ((case.times[1],) if quick else (case.times[1], case.t_end))
    ]
    # Jumps at |w| = 1 and the kink at w = 0 lie on facets. Half of the positivity bound: close to the bound,
    # upwind hardly diffuses along an axis, and jumps stay as sharp as cells.
    absorption = exact_case("absorption-2d", WeightAbsorption(alpha=1.0), 0.5, (40, 8))
    walls = exact_case("walls-2d", WallAccumulation(c=[1.0, 0.5]), 0.4, (16, 16))
    strips = ((20, 4), (40, 8), (80, 16)) if quick else ((20, 4), (40, 8), (80, 16), (160, 32))
    squares = (8, 16, 32) if quick else (8, 16, 32, 64)
    jumps = [
        Refinement(absorption, "quadrilateral", strips, JUMP, 0.5, cfl=0.5),
        Refinement(absorption, "triangle", strips, JUMP, 0.5, cfl=0.5),
        Refinement(walls, "quadrilateral", squares, JUMP, 0.4, cfl=0.5),
    ]
    return smooth + jumps


def dirac(drift: list[float], sizes: tuple[int, ...]) -> tuple[str, list[Criterion]]:
    """Carry the mass of one cell across a Cartesian mesh of the unit box; compare with the closed form."""
    a, t_end, dim = np.array(drift), 0.3, len(drift)
    box = wf.Box([0.0] * dim, [1.0] * dim)
    mean = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(dim), (len(u), 1, 1)), size=dim)
    functional = wf.Functional(mean, wf.SquaredLoss(np.zeros(dim), scale=0.0), wf.regularizer.Linear(-a))
    rows, measured = [], []
    for n in sizes:
        mesh = wf.mesh.box(box, cells=(n,) * dim, cell="quadrilateral" if dim == 2 else "hexahedron")
        start = int(np.argmin(np.sum((mesh.centroids - 0.3) ** 2, axis=1)))
        masses = np.zeros(mesh.num_owned)
        masses[start] = 1.0
        # Half of the positivity bound: at the bound itself a mass would move from cell to cell without
        # spreading.
        flow = wf.DensityFlow(functional, mesh, cfl=0.5).run(wf.MeshDensity(mesh, masses), t_end)
        target = wf.ParticleCloud((mesh.centroids[start] + t_end * a)[None, :])
        distance = wf.wasserstein2(flow.final, target).value
        steps = np.diff(flow.times)[:, None]
        spread = float(np.sum(np.abs(a) * steps * (1.0 / n - np.abs(a) * steps)))
        predicted = np.sqrt(spread + mesh.second_moments[start])
        rows.append([str(n), number(distance, 5), number(predicted, 5)])
        measured.append((distance, predicted))
    title = f"Dirac mass carried across a Cartesian mesh, d = {dim}"
    distances = [distance for distance, _ in measured]
    _, order = observed_orders([1.0 / n for n in sizes], distances)
    worst = max(abs(distance / predicted - 1.0) for distance, predicted in measured)
    table = f"{title}\n{text_table(['n', 'W2', 'predicted'], rows)}\norder {order:.3f}"
    # The walls take what has spread that far (exponentially little), and I_K = O(h^2) raises the order a
    # little.
    return table, [
        Criterion(
            f"{title}: W2 as predicted", worst < 0.01, f"largest relative difference {worst:.1e} < 0.01"
        ),
        Criterion(f"{title}: order of W2", 0.48 <= order <= 0.58, f"{order:.3f} in [0.48, 0.58]"),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the ladders, print tables and verdict, write results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="short ladders: seconds")
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder of the results")
    options = parser.parse_args(arguments)

    criteria = []
    for ladder in refinements(options.quick):
        result = mesh_refinement(
            ladder.case, ladder.levels, times=[ladder.time], cell=ladder.cell, cfl=ladder.cfl
        )
        print(result.table(), end="\n\n", flush=True)
        stem = f"mesh_convergence-{ladder.case.name}-{ladder.cell}-t{ladder.time:g}"
        result.write_csv(options.output / f"{stem}.csv")
        result.write_json(options.output / f"{stem}.json")
        for quantity, (low, high) in ladder.orders.items():
            order = result.order[ladder.time, quantity]
            claim = f"{ladder.case.name}, {ladder.cell}, t = {ladder.time:g}: order of {quantity}"
            criteria.append(Criterion(claim, low <= order <= high, f"{order:.3f} in [{low}, {high}]"))
    for drift, sizes in (
        ([1.0, 0.5], (32, 64, 128) if options.quick else (32, 64, 128, 256)),
        ([1.0, 0.5, 0.25], (16, 32) if options.quick else (16, 32, 64)),
    ):
        table, checked = dirac(drift, sizes)
        print(table, end="\n\n", flush=True)
        criteria += checked
    print(verdict(criteria))
    rows = [{"claim": c.claim, "passed": c.passed, "numbers": c.numbers} for c in criteria]
    write_json(options.output / "mesh_convergence.json", rows)
    return 0 if all(criterion.passed for criterion in criteria) else 1


if __name__ == "__main__":
    sys.exit(main())
