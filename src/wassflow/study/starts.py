"""Starts of particles that satisfy the separation hypothesis of the global convergence theorems, or not."""

import numpy as np
from scipy.stats import qmc

from wassflow.arguments import Array, as_integer, as_number, one_of
from wassflow.cases import Case
from wassflow.domain import Box, Domain
from wassflow.functional import Functional
from wassflow.measure import ParticleCloud
from wassflow.optimality.section import known_homogeneity

STARTS = ("separating", "one sign", "half", "point")
RADIUS = 0.3
# Where in Theta (or on the sphere, by angle) all particles of a point are: no place of symmetry.
_PLACE = 0.618


def theorem(functional: Functional) -> str:
    """Return which theorem of Chizat and Bach (2018) a functional falls under: "3.3" or "3.5".

    Raises:
        ValueError: it is homogeneous in neither way.

    >>> import wassflow as wf
    >>> [theorem(wf.cases.get(name).functional) for name in ("deconvolution-2d", "relu-3d")]
    ['3.5', '3.3']
    """
    if functional.features.homogeneous(2, "all") and functional.regularizer.homogeneous(2, "all"):
        return "3.3"
    if known_homogeneity(functional) == "weight":
        return "3.5"
    raise ValueError(
        "the case must be 2-homogeneous (Theorem 3.3) or partially 1-homogeneous (Theorem 3.5), found "
        f"{type(functional.features).__name__} with {functional.regularizer!r}"
    )


def separates(functional: Functional, start: str) -> bool:
    """Tell whether the limit of the starts ``start`` for many particles satisfies the separation hypothesis.

    Theorem 3.5 asks that the support separates {-r} x Theta from {r} x Theta: one sign of the weights will do
    (the graph of any function of theta separates), a part of Theta will not. Theorem 3.3 asks that it
    separates two spheres about the origin, which takes all directions: one sign will not do.
    """
    if start == "one sign":
        return theorem(functional) == "3.5"
    return one_of("start", start, STARTS) == "separating"


def natural_domain(case: Case) -> Domain | None:
    """Return where the theorems let particles of a case move: all of space, or all weights times Theta."""
    if theorem(case.functional) == "3.3":
        return None
    lower, upper = case.domain.lower.copy(), case.domain.upper.copy()
    lower[0], upper[0] = -np.inf, np.inf
    return Box(lower, upper, case.domain.periodic)


def start_cloud(case: Case, start: str, m: int, radius: float = RADIUS, seed: int = 0) -> ParticleCloud:
    """Return m particles of mass 1/m, a low-discrepancy (Sobol) sample of a start.

    Theorem 3.5: w uniform in (-radius, radius), theta uniform in Theta. Theorem 3.3: uniform on the sphere of
    that radius. Of these, "one sign" takes |w| for w, under Theorem 3.3 at least |theta|: flows keep w^2 -
    |theta|^2 then, so that no w passes through 0; "half" takes the half of Theta or of the directions in
    which the first coordinate of theta is below its middle; "point" puts all particles at one place with w =
    radius, so that they stay together.

    Raises:
        ValueError: an unknown start, "one sign" without output weights, m or radius out of range.

    >>> import wassflow as wf
    >>> cloud = start_cloud(wf.cases.get("deconvolution-2d"), "half", 64)
    >>> bool(cloud.points[:, 1].max() <= 3.15), bool(abs(cloud.points[:, 0]).max() <= 0.3)
    (True, True)
    """
    functional = case.functional
    one_of("start", start, STARTS)
    m = as_integer("m", m, least=1)
    radius = as_number("radius", radius, above=0.0)
    sample: Array = qmc.Sobol(case.dim, seed=seed).random_base2(int(np.ceil(np.log2(m))))[:m]
    if start == "point":
        sample[:], sample[:, 0] = _PLACE, 1.0
    weighted = functional.features.homogeneous(1, "weight")
    if start == "one sign" and not weighted:
        raise ValueError(f"start 'one sign' needs features with an output weight, found those of {case.name}")
    if theorem(functional) == "3.3":
        points = _directions(sample)
        if start == "half":
            points[:, int(weighted)] = -np.abs(points[:, int(weighted)])
        if start == "one sign":
            points[:, 0] = np.maximum(np.abs(points[:, 0]), np.linalg.norm(points[:, 1:], axis=1))
        points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    else:
        points = case.domain.lower + (case.domain.upper - case.domain.lower) * sample
        points[:, 0] = radius * (2.0 * sample[:, 0] - 1.0)
        if start == "half":
            points[:, 1] = 0.5 * (case.domain.lower[1] + points[:, 1])
        if start == "one sign":
            points[:, 0] = np.abs(points[:, 0])
    return ParticleCloud(points)


def _directions(sample: Array) -> Array:
    """Map the unit cube ``(n, d)`` to uniform directions of R^d, d = 2 or 3, keeping low discrepancy."""
    turn = 2.0 * np.pi * sample[:, 0]
    if sample.shape[1] == 2:
        return np.column_stack([np.cos(turn), np.sin(turn)])
    height = 2.0 * sample[:, 1] - 1.0
    ring = np.sqrt(1.0 - height**2)
    return np.column_stack([height, ring * np.cos(turn), ring * np.sin(turn)])
