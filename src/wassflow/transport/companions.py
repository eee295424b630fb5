"""Cheap relatives of W2. They are not W2, have no bracket, and are never used in its place."""

from __future__ import annotations

import warnings

import numpy as np
import ot

from wassflow.arguments import as_integer, as_number
from wassflow.domain import Domain
from wassflow.laguerre.coarsening import barycentres, clusters
from wassflow.transport.marginals import Measure, Problem, make_problem
from wassflow.transport.plans import overlay
from wassflow.transport.sandwich import Discretized, contracted

#: atoms on a side beyond which the Sinkhorn divergence works on clusters: its matrices are dense
SINKHORN_ATOMS = 2000


def _flat(problem: Problem, name: str) -> None:
    if problem.period.any():
        raise ValueError(
            f"{name} needs a domain without periodic axes; pass domain=Box(...) to cut the torus open"
        )


def sliced_wasserstein2(
    mu: Measure, nu: Measure, projections: int = 128, seed: int = 0, domain: Domain | None = None
) -> float:
    """Return the sliced W2: root of the mean over random directions of W2^2 between projections on a line.

    It is not W2: it lies between 0 and W2 / sqrt(d), and equals that for translations on average.
    Densities take part through the centroids of their cells.

    Args:
        mu, nu: measures of the same mass.
        projections: number of directions.
        seed: of the directions.
        domain: as in :func:`wasserstein2`; periodic axes are refused.

    Source: Bonneel, Rabin, Peyre and Pfister, Sliced and Radon Wasserstein barycenters (2015).

    >>> import wassflow as wf
    >>> cloud, moved = wf.ParticleCloud([[0.0, 0.0], [1.0, 0.0]]), wf.ParticleCloud([[0.0, 1.0], [1.0, 1.0]])
    >>> 0.6 < sliced_wasserstein2(cloud, moved) < 0.8
    True
    """
    projections = as_integer("projections", projections, least=1)
    problem = make_problem(mu, nu, domain)
    _flat(problem, "sliced_wasserstein2")
    one, other = contracted(problem.mu), contracted(problem.nu)
    directions = np.random.default_rng(seed).standard_normal((projections, problem.dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    total = 0.0
    for direction in directions:
        total += _line_cost(one.points @ direction, one.masses, other.points @ direction, other.masses)
    return float(np.sqrt(max(total / projections, 0.0))) * problem.scale


def _line_cost(x: np.ndarray, a: np.ndarray, y: np.ndarray, b: np.ndarray) -> float:
    """Return W2^2 between two measures on a line: the monotone plan."""
    i, j = np.argsort(x), np.argsort(y)
    plan = overlay(a[i], b[j])
    return float(plan.masses @ (x[i][plan.rows] - y[j][plan.columns]) ** 2)


def sinkhorn_divergence(
    mu: Measure,
    nu: Measure,
    blur: float = 0.05,
    iterations: int = 1000,
    domain: Domain | None = None,
) -> float:
    """Return the root of the debiased entropic cost S = OT(mu, nu) - (OT(mu, mu) + OT(nu, nu)) / 2, by POT.

    It is not W2: it vanishes for equal measures and tends to W2 as ``blur`` tends to 0, with no bound at
    hand.

    Args:
        mu, nu: measures of the same mass. Densities take part through the centroids of their cells; beyond
            2000 atoms on a side through the barycentres of 1024 clusters.
        blur: length below which differences are blurred; the entropic weight is 2 blur^2.
        iterations: Sinkhorn iterations at most.
        domain: as in :func:`wasserstein2`; periodic axes are refused.

    Source: Feydy et al., Interpolating between optimal transport and MMD using Sinkhorn divergences (2019).

    >>> import wassflow as wf
    >>> cloud, moved = wf.ParticleCloud([[0.0, 0.0]]), wf.ParticleCloud([[0.0, 1.0]])
    >>> round(sinkhorn_divergence(cloud, moved), 6)
    1.0
    """
    blur = as_number("blur", blur, above=0.0)
    problem = make_problem(mu, nu, domain)
    _flat(problem, "sinkhorn_divergence")
    unit = problem.scale / np.sqrt(0.5 * mu.mass + 0.5 * nu.mass)
    weight = 2.0 * (blur / unit) ** 2
    one, other = _reduced(contracted(problem.mu)), _reduced(contracted(problem.nu))

    def cost(p: Discretized, q: Discretized) -> float:
        matrix = ot.dist(p.points, q.points)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = ot.sinkhorn(
                p.masses, q.masses, matrix, weight, method="sinkhorn_log", numItermax=iterations, stopThr=1e-9
            )
        # the entropic cost counts the relative entropy of the plan to the product as well
        held = plan > 0.0
        ratio = plan[held] / np.outer(p.masses, q.masses)[held]
        return float(np.sum(plan * matrix) + weight * np.sum(plan[held] * np.log(ratio)))

    value = cost(one, other) - 0.5 * (cost(one, one) + cost(other, other))
    return float(np.sqrt(max(value, 0.0))) * problem.scale


def _reduced(atoms: Discretized) -> Discretized:
    if len(atoms.masses) <= SINKHORN_ATOMS:
        return atoms
    label = clusters(atoms.points, atoms.masses, SINKHORN_ATOMS)
    centres, sums = barycentres(atoms.points, atoms.masses, label)
    return Discretized(centres, sums, 0.0, label)
