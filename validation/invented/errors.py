"""Errors of one density flow and of one particle flow against the map of a problem."""

from typing import Any

import numpy as np
from invented.problem import Array, Problem
from invented.singular_laws import debiased_distance, marginal_bound

import wassflow as wf
from wassflow.study.densities import density_distance

Errors = dict[str, float]
# Implicit steps may change F by this share over n: their error in time falls with the mesh's. Where F falls
# ever more slowly, steps lag behind what they may be, more on coarse meshes: with 0.3 that error was as large
# as the mesh's and of order 0.87 on the active ReLU network, 64 to 256 boxes, which hid the order of both.
ENERGY_CHANGE = 0.1
# Particles of a sample whose transport is solved, at least, n^2 beyond; and of one that is only sorted, over
# n^2: half a million on 128 boxes.
LEAST_SAMPLE = 2048
SORTED = 32


def density_errors(problem: Problem, cell: str, n: int, options: dict[str, Any]) -> tuple[Errors, Array]:
    """Errors of f, F and W2 of one density flow, and that of f as a vector.

    With atoms there are an estimate of W2, in three dimensions nan, and a bound below, else nan: see
    :mod:`invented.singular_laws`.
    """
    mesh = problem.mesh(n, cell)
    start = wf.MeshDensity.from_function(mesh, problem.initial)
    run = wf.DensityFlow(problem.functional, mesh, energy_change=ENERGY_CHANGE / n, **options).run(
        start, problem.t_end
    )
    moment, energy = problem.functional.moment(problem.law), problem.functional.value(problem.law)
    distance = below = np.nan
    if problem.back is not None:
        law = wf.MeshDensity.from_function(mesh, problem.density)
        # the upper bound: closing the bracket on coarse meshes takes longer than the flow
        distance = density_distance(run.final, law, mesh.domain, width=1.0).upper
    else:
        below = marginal_bound(problem, run.final, count=SORTED * n**2)
        if problem.dim == 2:
            distance = debiased_distance(problem, run.final, count=max(LEAST_SAMPLE, n**2))
    deviation = run.moments[-1] - moment
    errors = {
        "f": float(np.linalg.norm(deviation)),
        "F": float(abs(run.energy[-1] - energy)),
        "W2": float(distance),
        "W2 >=": below,
    }
    return errors, deviation


def particle_error(problem: Problem, domain: wf.Domain, **options: Any) -> float:
    """Root mean square distance of the particles of a lattice from their exact places, a bound of W2."""
    run = wf.ParticleFlow(problem.functional, domain, **options).run(problem.start, problem.t_end)
    away = domain.difference(run.final.points, problem.law.points)
    return float(np.sqrt(run.final.weights @ np.einsum("ij,ij->i", away, away)))
