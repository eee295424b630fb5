"""Checks of the arguments that only this room has: simplices and periods."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import as_vector
from wassflow.laguerre.geometry import Array


def as_simplices(name: str, value: ArrayLike) -> Array:
    """Return simplices as a finite ``(ns, d + 1, d)`` array, d = 2 or 3."""
    array = np.asarray(value, dtype=np.float64)
    if (
        array.ndim != 3
        or array.shape[2] not in (2, 3)
        or array.shape[1] != array.shape[2] + 1
        or not len(array)
    ):
        raise ValueError(f"{name} must have shape (ns, 3, 2) or (ns, 4, 3), ns >= 1, found {array.shape}")
    return as_vector(name, array.ravel()).reshape(array.shape)


def as_period(name: str, value: ArrayLike | None, dim: int) -> Array:
    """Return the period (d,), ``inf`` on axes that do not wrap (``None`` or ``nan`` mean that too)."""
    if value is None:
        return np.full(dim, np.inf)
    period = np.asarray(value, dtype=np.float64)
    if period.shape != (dim,):
        raise ValueError(f"{name} must have shape ({dim},), found {period.shape}")
    period = np.where(np.isnan(period), np.inf, period)
    if np.any(period <= 0.0):
        raise ValueError(f"{name} must be positive, found {period}")
    return period
