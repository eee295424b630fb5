"""Positivity and mass on a thousand random problems: no negative cell, mass to 1e-13.

    python validation/positivity.py            # 1000 problems, some minutes
    python validation/positivity.py --quick    # 100 problems

Each problem is a mesh (four cell types; walls, periodic axes, gmsh), a rough functional, a start with zeros,
jumps and masses over twelve orders of magnitude, a scheme with its integrator and a share of the CFL bound up
to 1. Beside each run there is one implicit linear system whose step is up to 1e4 times the CFL bound, with
fluxes that are no gradient at all.
"""

import argparse
import json
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import wassflow as wf
from wassflow.flow.implicit_transport import ImplicitTransport
from wassflow.flow.upwind import UpwindTransport

TARGET_MASS = 1e-13
MESHES = Path(__file__).resolve().parent.parent / "meshes"
SCHEMES: list[dict[str, Any]] = [
    {"scheme": "upwind", "integrator": "euler"},
    {"scheme": "upwind", "integrator": "ssprk2"},
    {"scheme": "upwind", "integrator": "ssprk3"},
    {"scheme": "upwind", "integrator": "implicit"},
    {"scheme": "muscl", "integrator": "ssprk2"},
    {"scheme": "muscl", "integrator": "ssprk3"},
    {"scheme": "muscl", "integrator": "ssprk2", "limiter": "monotone"},
    {"scheme": "muscl", "integrator": "ssprk2", "quadrature": "centroids"},
]
CELLS = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"]


@dataclass
class Problem:
    """A random flow: ``flow.run(start, t_end)`` takes some ten steps."""

    flow: wf.DensityFlow
    start: wf.MeshDensity
    t_end: float
    words: str


@lru_cache
def random_mesh(number: int) -> Any:
    """One of 26 small meshes: cell type, walls or periodic axes, resolution; a disk and a heptagon."""
    if number >= 24:
        return wf.mesh.read(MESHES / ("disk.msh", "heptagon.msh")[number - 24])
    cell, (sides, fine) = CELLS[number % 4], divmod(number // 4, 2)
    d = 2 if number % 4 < 2 else 3
    periodic = [(False,) * d, (True,) + (False,) * (d - 1), (True,) * d][sides]
    sizes = [(7, 5), (2, 9)][fine] if d == 2 else [(3, 2, 4), (2, 3, 1)][fine]
    lower, upper = [-1.0] * d, [1.0, 0.5, 2.0][:d]
    return wf.mesh.box(wf.Box(lower, upper, periodic=periodic), cells=sizes, cell=cell)


def random_functional(d: int, rng: np.random.Generator) -> wf.Functional:
    """Waves of up to the size of a cell, a stiff loss, and V without or with a kink."""
    waves = rng.choice([2.0, 12.0]) * rng.standard_normal((d, 3))
    phases = rng.uniform(0.0, 6.0, 3)
    features = wf.CallableFeatures(
        lambda u: np.sin(u @ waves + phases),
        lambda u: waves * np.cos(u @ waves + phases)[:, None, :],
        size=3,
    )
    V = [
        wf.regularizer.Zero(),
        wf.regularizer.AbsWeight(rng.random() + 0.1),
        wf.regularizer.Linear(rng.standard_normal(d)),
        wf.regularizer.SquaredNorm(rng.random()),
    ][rng.integers(4)]
    if rng.random() < 0.25:
        return wf.Functional(features, wf.LogisticLoss(rng.choice([-1.0, 1.0], 3)), V)
    return wf.Functional(features, wf.SquaredLoss(rng.standard_normal(3), scale=rng.choice([1.0, 30.0])), V)


def random_masses(cells: int, rng: np.random.Generator) -> np.ndarray:
    """Zeros, jumps and masses from 1e-12 to 1."""
    masses = rng.random(cells) * 10.0 ** rng.uniform(-12.0 * (rng.random() < 0.5), 0.0, cells)
    masses *= rng.random(cells) < rng.choice([0.05, 0.3, 1.0])
    masses[rng.integers(cells)] += rng.random() + 1e-3
    return masses


def random_problem(seed: int) -> Problem:
    """Return the problem of this number."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(26))
    mesh, options = random_mesh(number), dict(SCHEMES[seed % len(SCHEMES)])
    options["cfl"] = float(rng.choice([0.3, 0.9, 1.0]))
    if mesh.is_orthogonal(1e-8) and not any(mesh.domain.periodic) and rng.random() < 0.3:
        options["velocity"] = "potential"
    functional = random_functional(mesh.dim, rng)
    start = wf.MeshDensity(mesh, random_masses(mesh.num_owned, rng))
    speed = np.linalg.norm(functional.velocity(start, mesh.centroids), axis=1).max()
    width = float(mesh.face_distances.min())
    flow = wf.DensityFlow(functional, mesh, **options)
    return Problem(flow, start, 5.0 * width / max(speed, 1e-3), f"mesh {number}, {mesh}, {options}")


def check(problem: Problem) -> dict[str, float]:
    """Run it and return the least mass of a cell and the relative change of mass."""
    run = problem.flow.run(problem.start, problem.t_end, save=problem.t_end * np.array([0.1, 0.5]))
    mass = math.fsum(problem.start.masses)
    return {
        "least": min(float(measure.masses.min()) for measure in run.measures),
        "mass": max(
            run.diagnostics["mass_drift"],
            *(abs(math.fsum(measure.masses) / mass - 1.0) for measure in run.measures),
        ),
        "steps": run.steps,
    }


def check_system(seed: int) -> dict[str, float]:
    """One implicit step of up to 1e4 times the CFL bound under fluxes that are no gradient."""
    rng = np.random.default_rng(seed)
    mesh = random_mesh(int(rng.integers(26)))
    transport, system = UpwindTransport(mesh), ImplicitTransport(mesh)
    masses = random_masses(mesh.num_owned, rng)
    fluxes = rng.standard_normal(len(mesh.face_cells)) * 10.0 ** rng.uniform(-6.0, 0.0, len(mesh.face_cells))
    transport.set_fluxes(fluxes, masses)
    bound = 1.0 / np.maximum(transport.rates, 0.0).sum(axis=0).max()
    moved = system.solve(transport, masses, bound * 10.0 ** rng.uniform(0.0, 4.0), rng.random(masses.size))
    mass = math.fsum(masses)
    return {
        "least": float(moved.min()),
        "mass": abs(math.fsum(moved) / mass - 1.0),
        "residual": system.worst_residual,
        "iterations": system.iterations,
    }


def main() -> None:
    """Check all problems, print the worst and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="100 problems")
    parser.add_argument("--json", type=Path, help="write the result here")
    arguments = parser.parse_args()
    count = 100 if arguments.quick else 1000
    worst = {"problems": count, "least": np.inf, "mass": 0.0, "steps": 0, "residual": 0.0, "iterations": 0.0}
    for seed in range(count):
        problem = random_problem(seed)
        for found in (check(problem), check_system(seed)):
            worst["least"] = min(worst["least"], found["least"])
            for key in ("mass", "residual", "iterations"):
                worst[key] = max(worst[key], found.get(key, 0.0))
            worst["steps"] += found.get("steps", 0)
            if found["least"] < 0.0 or found["mass"] > TARGET_MASS:
                print(f"problem {seed} ({problem.words}): {found}")
    passed = worst["least"] >= 0.0 and worst["mass"] <= TARGET_MASS
    print(
        f"{count} problems, {worst['steps']} steps: least mass {worst['least']:g} (target >= 0), relative"
        f" change of mass {worst['mass']:.2g} (target {TARGET_MASS:g}), linear systems: residual"
        f" {worst['residual']:.1g}, at most {worst['iterations']:.0f} iterations:"
        f" {'passed' if passed else 'FAILED'}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(worst, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(not passed)


if __name__ == "__main__":
    main()
