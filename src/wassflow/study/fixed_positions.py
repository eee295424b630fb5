"""The convex competitor of a particle flow: F minimised over the magnitudes of atoms at fixed positions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lstsq
from scipy.optimize import nnls

from wassflow.arguments import Array, as_points
from wassflow.errors import WassflowError
from wassflow.functional import Functional, SquaredLoss
from wassflow.functional.population import PopulationLoss

# The duality gap that rounding leaves, relative to F(0).
_GAP = 1e-9
_ROUNDING = 1e-11
_ITERATIONS_PER_POSITION = 60


@dataclass(frozen=True, eq=False)
class Magnitudes:
    """Result of :func:`minimize_magnitudes`: value - gap <= minimum <= value.

    Attributes:
        magnitudes: signed, one per position.
        value: F of the sum of atoms.
        gap: duality gap.
    """

    magnitudes: Array
    value: float
    gap: float


def minimize_magnitudes(functional: Functional, positions: ArrayLike) -> Magnitudes:
    """Minimise F(sum_i c_i delta_{theta_i}) over real c, for Phi = w phi(theta) and V = |w| v(theta).

    With a squared loss this is a lasso, 1/2 |y - A c|^2 + sum_i v_i |c_i|. Its dual is the projection of y on
    the polytope {r: |<a_i, r>| <= v_i}, a least distance problem, which Lawson and Hanson (Solving Least
    Squares Problems, 1974, chapter 23) turn into one of nonnegative least squares with as many unknowns as
    the polytope has facets. :func:`scipy.optimize.nnls` solves that by its active set: exactly, up to
    rounding, with no step or tolerance to be tuned. Without penalty it is :func:`scipy.linalg.lstsq`. The
    duality gap proves the result.

    Args:
        functional: F with a squared loss, of finitely many features or in expectation.
        positions: theta, ``(m, d - 1)``.

    Raises:
        ValueError: another loss, or positions of another dimension.
        WassflowError: rounding has left a gap.

    >>> from wassflow.functional import NeuronFeatures, regularizer
    >>> F = Functional(NeuronFeatures(np.eye(2), "relu"), SquaredLoss([3.0, 0.5]), regularizer.AbsWeight(1.0))
    >>> minimize_magnitudes(F, np.eye(2)).magnitudes.round(12)
    array([2., 0.])
    """
    dim = None if functional.dim is None else functional.dim - 1
    theta = as_points("positions", positions, dim)
    units = np.column_stack([np.ones(len(theta)), theta])
    rows, target = _coordinates(functional, units)
    penalties = functional.regularizer.value(units)
    if not penalties.any():
        return _proven(rows, target, penalties, lstsq(rows.T, target)[0])

    # the projection of y on {|rows r| <= penalties} is y + x with x of least norm and G x >= h
    G = np.concatenate([-rows, rows])
    h = np.concatenate([rows @ target, -rows @ target]) - np.tile(penalties, 2)
    system = np.vstack([G.T, h])
    side = np.append(np.zeros(len(target)), 1.0)
    multipliers, _ = nnls(system, side, maxiter=_ITERATIONS_PER_POSITION * len(h))
    # 1 - <h, multipliers> is the squared distance of the problem, and positive: the polytope holds r = 0
    multipliers /= 1.0 - h @ multipliers
    magnitudes = multipliers[: len(theta)] - multipliers[len(theta) :]
    return _proven(rows, target, penalties, magnitudes)


def _coordinates(functional: Functional, units: Array) -> tuple[Array, Array]:
    """Return Phi at units, ``(m, N)``, and the target, ``(N,)``, such that R(f) = |f - y|^2 / 2."""
    features, loss = functional.features, functional.loss
    if isinstance(loss, SquaredLoss) and loss.weights.ndim == 1:
        root = np.sqrt(loss.scale * loss.weights)
        return features.value(units) * root, loss.target * root
    if isinstance(loss, PopulationLoss):
        return loss.coordinates(units)
    raise ValueError(
        f"functional must have a SquaredLoss with a diagonal weight or a PopulationLoss, found {loss!r}"
    )


def _proven(rows: Array, target: Array, penalties: Array, magnitudes: Array) -> Magnitudes:
    residual = target - magnitudes @ rows
    value = float(0.5 * residual @ residual + penalties @ np.abs(magnitudes))
    pairings = np.abs(rows @ residual)
    # without penalties a residual is feasible only up to rounding
    allowed = penalties + _ROUNDING * np.linalg.norm(rows, axis=1) * np.linalg.norm(target)
    excessive = pairings > allowed
    shrink = float(np.min(allowed[excessive] / pairings[excessive], initial=1.0))
    dual = float(shrink * residual @ target - 0.5 * shrink**2 * residual @ residual)
    gap = max(value - dual, 0.0)
    if not gap <= _GAP * 0.5 * float(target @ target):
        raise WassflowError(
            f"the magnitudes are not optimal: a duality gap of {gap:.1e} is left of {value:.6g}"
        )
    return Magnitudes(magnitudes, value, gap)
