"""Checks of arguments: every refusal names the argument, what was found and what is allowed."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _as_floats(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a C-ordered float64 array of finite numbers."""
    try:
        array = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers, found {type(value).__name__}: {error}") from None
    if not np.all(np.isfinite(array)):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, found {array[index]} at index {index}")
    return array


def as_points(name: str, value: ArrayLike, dim: int | None = None) -> Array:
    """Return points as a finite ``(n, d)`` array; ``dim`` fixes d."""
    points = _as_floats(name, value)
    if points.ndim != 2:
        raise ValueError(f"{name} must have shape (n, d), found shape {points.shape}")
    if dim is not None and points.shape[1] != dim:
        raise ValueError(f"{name} must have {dim} columns (the dimension), found {points.shape[1]}")
    return points


def shaped_points(name: str, u: ArrayLike, dim: int | None) -> Array:
    """Return ``u`` as a C-ordered ``(n, d)`` float64 array.

    Unlike :func:`as_points` it does not look at the values: it is called several times in
    every step of a flow, and a flow notices a number that is not finite in its energy.
    """
    points = np.ascontiguousarray(u, dtype=np.float64)
    if points.ndim != 2 or (dim is not None and points.shape[1] != dim):
        wanted = "(n, d)" if dim is None else f"(n, {dim})"
        raise ValueError(f"{name} must have shape {wanted}, found shape {points.shape}")
    return points


def frozen(array: Array) -> Array:
    """Return a view that cannot be written to: numba compiles a kernel once, if all its callers pass such."""
    view = array.view()
    view.flags.writeable = False
    return view


def as_vector(name: str, value: ArrayLike, size: int | None = None) -> Array:
    """Return a finite ``(size,)`` array."""
    vector = _as_floats(name, value)
    if vector.ndim != 1 or (size is not None and vector.size != size):
        wanted = "(n,)" if size is None else f"({size},)"
        raise ValueError(f"{name} must have shape {wanted}, found shape {vector.shape}")
    return vector


def as_weights(name: str, value: ArrayLike, size: int | None = None) -> Array:
    """Return a finite, nonnegative ``(size,)`` array."""
    weights = as_vector(name, value, size)
    if weights.size and weights.min() < 0.0:
        index = int(weights.argmin())
        raise ValueError(f"{name} must be nonnegative, found {weights[index]} at index {index}")
    return weights


def as_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> float:
    """Return a finite float with ``value > above``, ``value >= least`` and ``value <= most``."""
    bounds = {"above": above, "at least": least, "at most": most}
    allowed = "a finite number" + "".join(f", {word} {b}" for word, b in bounds.items() if b is not None)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {allowed}, found {value!r}") from None
    refused = (
        not np.isfinite(number)
        or (above is not None and number <= above)
        or (least is not None and number < least)
        or (most is not None and number > most)
    )
    if refused:
        raise ValueError(f"{name} must be {allowed}, found {value!r}")
    return number


def as_integer(name: str, value: Any, *, least: int | None = None) -> int:
    """Return an integer with ``value >= least``."""
    allowed = "an integer" + ("" if least is None else f", at least {least}")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or (least is not None and value < least)
    ):
        raise ValueError(f"{name} must be {allowed}, found {value!r}")
    return int(value)


def one_of[Choice](name: str, value: Choice, allowed: Iterable[Choice]) -> Choice:
    """Return ``value`` if it is one of ``allowed``."""
    choices = list(allowed)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, found {value!r}")
    return value
