"""Ladders of errors of one problem: rows of the table, observed orders and what is demanded of them."""

from itertools import pairwise
from typing import Any

import numpy as np
from invented.errors import density_errors, particle_error
from invented.problem import Array, Problem

from wassflow.study.criteria import Criterion
from wassflow.study.tables import number

SCHEMES: dict[str, dict[str, Any]] = {
    "upwind": {},
    "implicit": {"integrator": "implicit"},
    "muscl": {"scheme": "muscl"},
}
# Least orders of f and W2 for laws with a density, and with atoms. Orders are approached from below while
# cells are not small against the bump: the short ladders, 12 to 24 cells, only tell first from second order.
SMOOTH = {"upwind": 0.9, "implicit": 0.9, "muscl": 1.8}
SMOOTH_QUICK = {"upwind": 0.8, "implicit": 0.75, "muscl": 1.5}
ATOMIC = {"upwind": 0.65, "implicit": 0.65, "muscl": 0.65}
# Orders of the ladder are judged where so many boxes lie across the support on the finest mesh: the h^{1/2}
# over which schemes of first order smear must be small against the bump. Implicit steps smear more, by h |v|
# (1 + nu) / 2 where explicit ones do by h |v| (1 - nu) / 2, nu the share of the longest explicit step.
# Elsewhere it is the order at h = 0.
ASYMPTOTIC = {"upwind": 64, "implicit": 256, "muscl": 24}
# What is judged of W2: the distance, or an estimate, and for laws with atoms a bound below.
DISTANCES = ("W2", "W2 >=")
# W2 of a scheme of first order has a correction by the length h^{1/2} over which it smears, relative to the
# bump. Measured for the quartic push on 12 to 384 quadrilaterals, implicit: orders .75, .81, .87, .91 and .94
# between meshes, whose distance to 1 falls by 1.3 to 1.5 from one to the next. On a line in h the first three
# meshes would give .87 at h = 0, in h^{1/2} .96.
SMEARED = 0.5
# How far the order between the two finest meshes may be below the one at h = 0.
STILL_RISING = 0.25
# What the error of particles may be: the tolerance of ParticleFlow.
PARTICLES = 1e-5
# What is smaller than this is rounding or an exact cancellation, and has no order.
EXACT = 1e-9


def observed_order(widths: Array, errors: Array) -> float:
    """The order of a power law fitted to the errors; nan where one is rounding or unknown."""
    if not np.all(errors > EXACT):
        return np.nan
    return float(np.polyfit(np.log(widths), np.log(errors), 1)[0])


def limit_order(widths: Array, errors: Array, correction: float = 1.0) -> float:
    """The order at h = 0 of errors c h^p (1 + c' h^q), q = ``correction``: those between meshes, continued to
    h = 0 on a line in h^q.

    The order between the two finest meshes if it is still far below that, or errors do not fall.
    """
    local = np.diff(np.log(errors)) / np.diff(np.log(widths))
    middles = (0.5 * (widths[1:] + widths[:-1])) ** correction
    limit = local[-1] + (local[-1] - local[-2]) * middles[-1] / (middles[-2] - middles[-1])
    trusted = local.min() > 0.0 and local[-1] >= limit - STILL_RISING
    return float(limit if trusted else local[-1])


def densities(
    problem: Problem, cell: str, sizes: tuple[int, ...], quick: bool
) -> tuple[list[list[str]], list[Criterion]]:
    """Ladders of all schemes on one type of cells; F is printed, but its error may change sign."""
    rows, criteria = [], []
    for scheme, options in SCHEMES.items():
        found, deviations = zip(*(density_errors(problem, cell, n, options) for n in sizes), strict=True)
        errors = {key: np.array([error[key] for error in found]) for key in ("f", "F", *DISTANCES)}
        orders = {key: observed_order(1.0 / np.array(sizes), values) for key, values in errors.items()}
        row = [f"{problem.name}, {problem.dim}D", cell, scheme]
        for key, values in errors.items():
            row += [number(values[-1]), number(orders[key])]
        rows.append(row)
        # the error of f may change sign from one mesh to another: then it has no order, and two coarse meshes
        # tell little; without W2 there is nothing else
        turned = quick or any(a @ b <= 0.0 for a, b in pairwise(deviations))
        measured = [key for key in DISTANCES if np.isfinite(errors[key][0])]
        only = turned and bool(measured)
        judged = {key: orders[key] for key in ("f", *measured)[only:] if np.isfinite(orders[key])}
        shown, title = ", ".join(f"{key} {order:.2f}" for key, order in judged.items()), ", ".join(row[:3])
        least = (ATOMIC if problem.back is None else SMOOTH_QUICK if quick else SMOOTH)[scheme]
        claim = f"{title}: orders"
        if not quick and problem.boxes_across(sizes[-1]) < ASYMPTOTIC[scheme]:
            claim = f"{title}: orders at h = 0"
            smeared = {"W2": SMEARED} if scheme != "muscl" and problem.back is not None else {}
            judged = {
                key: limit_order(1.0 / np.array(sizes), errors[key], smeared.get(key, 1.0)) for key in judged
            }
            limits = ", ".join(f"{key} {order:.2f}" for key, order in judged.items())
            shown = f"{limits} from {shown} on the ladder"
        if only and not quick:
            shown = f"{shown} (f {number(errors['f'][-1])}, changes sign)"
        passed = all(order >= least for order in judged.values())
        criteria.append(Criterion(claim, passed, f"{shown} >= {least}"))
    return rows, criteria


def particles(problem: Problem, quick: bool) -> tuple[list[list[str]], list[Criterion]]:
    """Errors of the particles and, where V has kinks, orders of the forward-backward methods."""
    domain = problem.mesh(2, "triangle" if problem.dim == 2 else "tetrahedron").domain
    title, criteria, rows = f"{problem.name}, {problem.dim}D", [], []
    error = particle_error(problem, domain)
    rows.append([title, "particles", "default", "", "", "", "", number(error), "", "", ""])
    criteria.append(Criterion(f"{title}: particles", error <= PARTICLES, f"{error:.1e} <= {PARTICLES:g}"))
    methods = {"forward-backward": 0.9, "forward-backward-2": 1.8}
    for method, least in methods.items() if not problem.functional.regularizer.smooth else ():
        steps = problem.t_end / np.array([10, 20] if quick else [10, 20, 40])
        errors = np.array([particle_error(problem, domain, integrator=method, dt=dt) for dt in steps])
        order = observed_order(steps, errors)
        if np.isfinite(order):
            shown, passed = f"{order:.2f} >= {least}", order >= least
        else:
            shown, passed = f"exact, {errors.max():.1e}", bool(errors.max() < EXACT)
        rows.append([title, "particles", method, "", "", "", "", number(errors[-1]), number(order), "", ""])
        criteria.append(Criterion(f"{title}: order of {method}", passed, shown))
    return rows, criteria
