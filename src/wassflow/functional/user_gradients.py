"""Whether the gradients that users give belong to their functions."""

from collections.abc import Callable

import numpy as np

from wassflow.arguments import Array
from wassflow.functional import regularizer
from wassflow.functional.features import CallableFeatures
from wassflow.functional.functional import Functional

Map = Callable[[Array], Array]

# Random segments of Omega along which slopes are compared.
_SEGMENTS = 16
# Differences over these shares of a segment: a short one for functions that oscillate, a long one for those
# that are rounded to single precision. A gradient is wrong only if both contradict it.
_STEPS = (1e-3, 1e-6)
# Slopes that differ by this share of the larger one agree: a wrong sign or factor is looked for, no rounding.
_AGREEMENT = 0.1
# Values are known to this share of a step.
_NOISE = 0.1


def check_gradients(functional: Functional, lower: Array, upper: Array, project: Map) -> None:
    """Compare the gradients that users gave with differences of their functions, at a few random points.

    At a kink any slope between those of the two sides belongs to the function, and what happens at few points
    (jumps, kinks) decides nothing: refused is what most of the points contradict.

    Args:
        functional: F, whose :class:`CallableFeatures` and smooth :class:`~wassflow.regularizer.Callable` are
            looked at.
        lower, upper: corners of a box around Omega, ``(d,)``, finite.
        project: the projection on Omega.

    Raises:
        ValueError: for a gradient that contradicts its function.

    >>> from wassflow.functional import SquaredLoss
    >>> wrong = CallableFeatures(lambda u: u, lambda u: np.tile(-np.eye(2), (len(u), 1, 1)), size=2)
    >>> F = Functional(wrong, SquaredLoss([0.0, 0.0]), regularizer.Zero())
    >>> check_gradients(F, np.zeros(2), np.ones(2), lambda u: u)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: gradient of CallableFeatures must be that of value: ...
    """
    rng = np.random.default_rng(0)
    starts, ends = (project(lower + (upper - lower) * rng.random((_SEGMENTS, lower.size))) for _ in range(2))
    features, V = functional.features, functional.regularizer
    if isinstance(features, CallableFeatures):
        _check("gradient of CallableFeatures", features.value, features.gradient, starts, ends)
    for term in V.terms if isinstance(V, regularizer.Sum) else (V,):
        if isinstance(term, regularizer.Callable) and term.smooth:
            _check("gradient of a Callable regularizer", *_as_features(term), starts, ends)


def _as_features(V: regularizer.Callable) -> tuple[Map, Map]:
    """Return value ``(n, 1)`` and gradient ``(n, d, 1)`` of V."""
    return lambda u: V.value(u)[:, None], lambda u: V.smooth_gradient(u)[:, :, None]


def _check(name: str, value: Map, gradient: Map, starts: Array, ends: Array) -> None:
    """Refuse a gradient ``(n, d, N)`` that contradicts its function ``(n, N)`` on most of the segments."""
    middles, spans = 0.5 * (starts + ends), ends - starts
    here = value(middles)
    slopes = np.einsum("nd,ndk->nk", spans, gradient(middles))
    wrong, told = np.ones(here.shape, dtype=bool), np.zeros(here.shape, dtype=bool)
    differences = here
    with np.errstate(invalid="ignore", over="ignore"):  # values may be infinite
        for step in _STEPS:
            ahead, behind = (value(middles + way * step * spans) for way in (1.0, -1.0))
            sides = np.stack([(ahead - here) / step, (here - behind) / step])
            differences = sides.mean(axis=0)
            noise = _NOISE * step * np.abs(here).max(axis=0)
            largest = np.maximum(np.abs(sides).max(axis=0), np.abs(slopes))
            slack = _AGREEMENT * largest + noise
            # written so that what is not a number contradicts nothing
            wrong &= (slopes < sides.min(axis=0) - slack) | (slopes > sides.max(axis=0) + slack)
            told |= largest > noise
    count = wrong.sum(axis=0)
    refused = np.flatnonzero((count > 1) & (2 * count > told.sum(axis=0)))
    if refused.size:
        k = refused[0]
        i = np.flatnonzero(wrong[:, k])[0]
        length = np.linalg.norm(spans[i])
        direction = (spans[i] / length).round(4).tolist()
        found, wanted = slopes[i, k] / length, differences[i, k] / length
        raise ValueError(
            f"{name} must be that of value: at {count[k]} of {len(starts)} random points it contradicts "
            f"differences in component {k}; at u = {middles[i].round(4).tolist()}, in the direction "
            f"{direction}, value has the slope {wanted:.6g}, found {found:.6g}"
        )
