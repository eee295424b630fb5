"""Mesh refinement of the density flow against exact solutions: orders of first-order upwind.

Claims, with the theory behind them (Delarue, Lagoutiere and Vauchelet, IMA J. Numer. Anal. 37 (2017) 1435: at
least 1/2):

- smooth densities: order 1 of moments, energy, L1 and W2 for cosine moments (O8), d = 2 and 3, all cell
  types; of moments and W2 for a moving and spreading bump (O1) and for a dilation (O2), d = 2; of moments
  for both, d = 3;
- densities with jumps (absorption on a line, O4, and in a point, O5, accumulation at walls, O7): layers of
  width h^{1/2} displaced by h^{1/2} with mass h^{1/2} give W2 ~ h^{3/4};
- the mass that gathers at kinks (on faces, and inside cells) and walls converges to that of the exact atom;
- boxes eight times narrower at a kink than at the walls hold the atom in a layer less than half as thick with
  as many cells, and bring the energy nearer to the exact one (second order, O4; ReLU neurons, upwind);
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
from wassflow.cases.exact import (
    ExactSolution,
    LogisticDilation,
    QuadraticMean,
    RadialAbsorption,
    WallAccumulation,
    WeightAbsorption,
)
from wassflow.study import mesh_refinement, observed_orders
from wassflow.study.atoms import singular_part
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
    lattice: int = 2


# The moment and W2 at 0.95 or better are what the project asks for; the others converge with them. Modified
# equation: error = c h + c' h^2, and orders over a ladder are 1 + O(h c'/c): above or below 1, from either
# side, by what the coarsest mesh has of it. The full ladders gave 0.945 to 1.02 for the energy of O8.
# Bumps with C^1 edges have a finite Fisher information, and order 1 in W2; L1 sees their edges longer.
BUMP = {"moment_error": (0.85, 1.3), "w2": (0.9, 1.1)}
SMOOTH = {"moment_error": (0.95, 1.2), "energy_error": (0.9, 1.2), "l1_error": (0.9, 1.2), "w2": (0.95, 1.2)}
# 3/4 is approached from above (in one dimension .83 to .79 between 40 and 640 cells).
JUMP = {"w2": (0.65, 0.85)}
JUMP_QUICK = {"w2": (0.65, 0.9)}
# Graded boxes: how many times wider the widest are than those at the kink.
RATIO = 8.0


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
    plain = [
        Refinement(moving(2), "quadrilateral", (32, 64) if quick else (32, 64, 128), BUMP, 0.4),
        Refinement(moving(2), "triangle", (16, 32) if quick else (16, 32, 64), BUMP, 0.4),
        Refinement(dilated(2), "quadrilateral", (32, 64) if quick else (32, 64, 128), BUMP, 0.4),
    ]
    # Jumps at |w| = 1 and the kink at w = 0 lie on facets, or inside cells. Half of the positivity bound: the
    # diffusion of upwind is h |a| (1 - cfl) / 2 along an axis, and close to the bound jumps stay as sharp as
    # cells (theory's 3/4 is for a fixed share).
    absorption = exact_case("absorption-2d", WeightAbsorption(alpha=1.0), 0.5, (40, 8))
    point = exact_case("radial-absorption-2d", RadialAbsorption(alpha=1.0), 0.4, (16, 16))
    walls = exact_case("walls-2d", WallAccumulation(c=[1.0, 0.5]), 0.4, (16, 16))
    strips = ((20, 4), (40, 8), (80, 16)) if quick else ((40, 8), (80, 16), (160, 32))
    cut = tuple((n + 1, k) for n, k in strips)
    squares = (16, 32) if quick else (16, 32, 64)
    # the atoms of a lattice that stand for the exact law add an error of first order, less with a finer one
    orders, lattice = (JUMP_QUICK, 2) if quick else (JUMP, 4)
    jumps = [
        Refinement(case, cell, levels, orders, case.t_end, 0.5, lattice)
        for case, cell, levels in (
            (absorption, "quadrilateral", strips),
            (absorption, "quadrilateral", cut),
            (absorption, "triangle", strips[: 2 if quick else 3]),
            (point, "quadrilateral", squares),
            (walls, "quadrilateral", squares),
        )
    ]
    return smooth + plain + jumps


def moving(dim: int) -> Case:
    """O1: a bump is pulled as a whole, squeezed along one axis and spread along another."""
    K = np.diag([1.0, 0.5, 0.8][:dim])
    B = np.array([[0.5, 0.2, 0.0], [0.2, -0.3, 0.1], [0.0, 0.1, 0.2]])[:dim, :dim]
    y, c = [0.3, -0.2, 0.2][:dim], [0.1, 0.1, 0.0][:dim]
    omega = wf.Box([-1.0] * dim, [1.0] * dim)
    return exact_case(f"moving-{dim}d", QuadraticMean(K, B, y, c, domain=omega), 0.4, (32,) * dim)


def dilated(dim: int) -> Case:
    """O2: a bump beside 0 is dilated until its second moment is the one asked for."""
    omega = wf.Box([-0.25] + [-0.75] * (dim - 1), [1.5] + [0.75] * (dim - 1))
    exact = LogisticDilation(y=0.3, dim=dim, domain=omega)
    return exact_case(f"dilated-{dim}d", exact, 0.4, (32,) * dim)


def moments_in_space(quick: bool) -> tuple[str, list[Criterion]]:
    """O1 and O2 in d = 3 on hexahedra and tetrahedra: order of the moment."""
    rows, criteria = [], []
    for case in (moving(3), dilated(3)):
        assert isinstance(case.exact, ExactSolution)
        for cell, sizes in (("hexahedron", (8, 16, 32)), ("tetrahedron", (4, 8, 12))):
            errors = []
            for n in sizes[: 2 if quick else 3]:
                mesh = case.mesh(n, cell)
                run = case.density_flow(mesh).run(case.start(mesh), case.t_end)
                errors.append(float(np.linalg.norm(run.moments[-1] - case.exact.moment(case.t_end))))
                rows.append([case.name, cell, str(n), number(errors[-1])])
            _, order = observed_orders([1.0 / n for n in sizes[: len(errors)]], errors)
            claim = f"{case.name}, {cell}: order of moment_error"
            # the coarsest meshes take two or three steps, so that c' h^2 is not small beside c h
            criteria.append(Criterion(claim, 0.8 <= order <= 1.4, f"{order:.3f} in [0.8, 1.4]"))
    return text_table(["case", "cell", "n", "|f_h - f|"], rows), criteria


def atoms(quick: bool) -> tuple[str, list[Criterion]]:
    """Mass within four layers of cells along kinks and walls, against the exact atoms."""
    rows, criteria = [], []
    strips = ((20, 4), (40, 8), (80, 16))
    for name, exact, t, sizes in (
        ("O4, kink on faces", WeightAbsorption(alpha=1.0), 0.5, strips),
        ("O4, kink inside cells", WeightAbsorption(alpha=1.0), 0.5, [(n + 1, k) for n, k in strips]),
        ("O5, kink at a node", RadialAbsorption(alpha=1.0), 0.4, (16, 32, 64)),
        ("O5, kink inside a cell", RadialAbsorption(alpha=1.0), 0.4, (17, 33, 65)),
        ("O7, walls", WallAccumulation(c=[1.0, 0.5]), 0.4, (16, 32, 64)),
    ):
        for cell in ("triangle", "quadrilateral"):
            errors = []
            for n in sizes[: 2 if quick else 3]:
                mesh = wf.mesh.box(exact.domain, n, cell)
                start = wf.MeshDensity.from_function(mesh, exact.initial)
                run = wf.DensityFlow(exact.functional, mesh, cfl=0.5).run(start, t)
                errors.append(singular_part(run, exact, cells=4).error(t, 4))
                rows.append([name, cell, str(n), number(errors[-1]), number(exact.singular_mass(t))])
            first, last = abs(errors[0]), abs(errors[-1])
            criteria.append(
                Criterion(
                    f"{name}, {cell}: mass of the atom converges",
                    last <= max(0.5 * first, 1e-3),
                    f"error {errors[0]:.2e} to {errors[-1]:.2e}",
                )
            )
    return text_table(["case", "cell", "n", "error", "exact mass"], rows), criteria


def graded(quick: bool) -> tuple[str, list[Criterion]]:
    """As many cells, equal ones and such that are narrow at the kink of O4, and about 0 for ReLU neurons."""
    rows, criteria = [], []
    exact, t = WeightAbsorption(alpha=1.0), 0.5
    lower, upper = exact.domain.lower[0], exact.domain.upper[0]
    n = 32 if quick else 64
    for cell in ("triangle", "quadrilateral"):
        widths, atoms_off, energies = [], [], []
        for ratio in (1.0, RATIO):
            w = wf.mesh.graded(lower, upper, n, center=0.0, ratio=ratio)
            mesh = wf.mesh.box(exact.domain, (n, 4), cell, coordinates=[w, None])
            start = wf.MeshDensity.from_function(mesh, exact.initial)
            run = wf.DensityFlow(exact.functional, mesh, "muscl", cfl=0.5).run(start, t)
            (record,) = singular_part(run, exact, cells=4).records
            widths.append(record["width"])
            atoms_off.append(record["error"])
            energies.append(abs(run.energy[-1] - exact.energy(t)))
            numbers = (widths[-1], atoms_off[-1], energies[-1])
            rows.append(["O4, muscl", cell, str(n), f"{ratio:g}", *map(number, numbers)])
        claim = f"O4, {cell}, boxes narrower at the kink"
        criteria += [
            Criterion(
                f"{claim}: the atom lies in a thinner layer",
                widths[1] < 0.5 * widths[0] and abs(atoms_off[1]) < 0.01,
                f"{widths[1]:.3f} for {widths[0]:.3f}, error {atoms_off[1]:.1e}",
            ),
            Criterion(
                f"{claim}: the energy is nearer",
                energies[1] < 0.7 * energies[0],
                f"{energies[1]:.2e} for {energies[0]:.2e}",
            ),
        ]
    if not quick:
        case = wf.cases.get("relu-2d")
        reference, n = wf.reference(case, max_nodes=5000), 16
        energies = []
        for ratio in (1.0, RATIO):
            axis = wf.mesh.graded(case.domain.lower[0], case.domain.upper[0], n, center=0.0, ratio=ratio)
            mesh = wf.mesh.box(case.domain, n, "quadrilateral", coordinates=[axis, axis])
            run = case.density_flow(mesh).run(case.start(mesh), case.t_end)
            energies.append(abs(run.energy[-1] - reference.energy(case.t_end)))
            rows.append(
                ["relu-2d, upwind", "quadrilateral", str(n), f"{ratio:g}", "", "", number(energies[-1])]
            )
        unknown = reference.errors["energy"]
        criteria.append(
            Criterion(
                "relu-2d, boxes narrower about 0: the energy is nearer",
                energies[1] + unknown < 0.7 * (energies[0] - unknown),
                f"{energies[1]:.2e} for {energies[0]:.2e}, reference {unknown:.1e}",
            )
        )
    header = ["case", "cell", "n", "widest / narrowest", "layer", "atom's error", "|F_h - F|"]
    return text_table(header, rows), criteria


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
    parser.add_argument("--only", default="", help="only ladders whose case's name contains this")
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder of the results")
    options = parser.parse_args(arguments)

    criteria = []
    for ladder in refinements(options.quick):
        if options.only not in ladder.case.name:
            continue
        result = mesh_refinement(
            ladder.case,
            ladder.levels,
            times=[ladder.time],
            cell=ladder.cell,
            lattice=ladder.lattice,
            cfl=ladder.cfl,
        )
        print(result.table(), end="\n\n", flush=True)
        stem = f"mesh_convergence-{ladder.case.name}-{ladder.cell}-t{ladder.time:g}"
        stem = f"{stem}-{'x'.join(map(str, np.atleast_1d(ladder.levels[0])))}"
        result.write_csv(options.output / f"{stem}.csv")
        result.write_json(options.output / f"{stem}.json")
        for quantity, (low, high) in ladder.orders.items():
            order = result.order[ladder.time, quantity]
            claim = f"{ladder.case.name}, {ladder.cell}, t = {ladder.time:g}: order of {quantity}"
            criteria.append(Criterion(claim, low <= order <= high, f"{order:.3f} in [{low}, {high}]"))
    for table, checked in (moments_in_space(options.quick), atoms(options.quick), graded(options.quick)):
        print(table, end="\n\n", flush=True)
        criteria += checked
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
