"""Piecewise polynomials on a tensor grid of 1, 2 or 3 axes: values, gradients, and the transpose.

Coefficients belong to monomials in local coordinates y in [-1, 1] of a cell and are the last axes of a table
``(cells_1, ..., cells_q, width, ..., width)``: a point reads one block of it.

Points are rows of u ``(n, d)`` whose last q columns are the coordinates; if there is one more, the first, it
is a weight w, and the polynomial is multiplied by it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

# How far outside the grid, in cells, a point is still taken for one inside: rounding errors of a projection.
_SLACK = 1e-6


class Kernels(NamedTuple):
    """What can be done with a table at points; all return how many points are outside the grid.

    Outside, the polynomials of the nearest cells are evaluated. ``grid`` stands for lower corner, cells per
    unit length and whether an axis is periodic, arrays ``(q,)``.

    Attributes:
        value: ``value(u, *grid, table, out)`` writes the values at u to out ``(n,)``.
        gradient: ``gradient(u, *grid, table, out)`` writes their gradients to out ``(n, d)``.
        spread: ``spread(u, weights, *grid, table)`` adds the transpose of ``value``, applied to weights, to
            the table.
    """

    value: Callable[..., int]
    gradient: Callable[..., int]
    spread: Callable[..., int]


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(coordinate, lower, cells_per_unit, cells, periodic):
    """Return the cell of a coordinate, its local coordinate there, and whether it is in the grid."""
    s = (coordinate - lower) * cells_per_unit
    if periodic:
        s -= cells * np.floor(s / cells)
        inside = True
    else:
        inside = (s >= -_SLACK) & (s <= cells + _SLACK)
    # both comparisons are false for what is not a number
    cell = int(s) if (s > 0.0) & (s < cells) else (cells - 1 if s >= cells else 0)
    return cell, 2.0 * (s - cell) - 1.0, inside


@lru_cache
def kernels(axes: int, width: int) -> Kernels:
    """Return the kernels for so many axes and coefficients along each: known loops are unrolled."""
    return {1: _on_lines, 2: _on_planes, 3: _in_space}[axes](width)


@lru_cache
def _line(width: int) -> tuple[Callable, Callable]:
    """Return functions that evaluate a polynomial and its derivative, and that add monomials."""

    @njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
    def evaluate(c, y):  # type: ignore[no-untyped-def]
        value, slope = c[width - 1], 0.0
        for k in range(width - 2, -1, -1):
            slope = slope * y + value
            value = value * y + c[k]
        return value, slope

    @njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
    def add(c, weight, y):  # type: ignore[no-untyped-def]
        for k in range(width):
            c[k] += weight
            weight *= y

    return evaluate, add


@lru_cache
def _plane(width: int) -> tuple[Callable, Callable]:
    """The same in two variables."""
    evaluate_line, add_line = _line(width)

    @njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
    def evaluate(c, x, y):  # type: ignore[no-untyped-def]
        value, slope_x, slope_y = 0.0, 0.0, 0.0
        for k in range(width - 1, -1, -1):
            row, row_slope = evaluate_line(c[k], y)
            slope_x = slope_x * x + value
            value = value * x + row
            slope_y = slope_y * x + row_slope
        return value, slope_x, slope_y

    @njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
    def add(c, weight, x, y):  # type: ignore[no-untyped-def]
        for k in range(width):
            add_line(c[k], weight, y)
            weight *= x

    return evaluate, add


def _on_lines(width: int) -> Kernels:
    evaluate, add = _line(width)

    @njit(cache=True, nogil=True, error_model="numpy")
    def value(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 1
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            out[i] = (u[i, 0] if first else 1.0) * evaluate(table[a], x)[0]
            outside += not inside
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def gradient(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 1
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            height, slope = evaluate(table[a], x)
            weight = 2.0
            if first:
                weight *= u[i, 0]
                out[i, 0] = height
            out[i, first] = weight * scale[0] * slope
            outside += not inside
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def spread(u, weights, lower, scale, periodic, table):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 1
        outside = 0
        for i in range(u.shape[0]):
            weight = weights[i] * (u[i, 0] if first else 1.0)
            if weight != 0.0:  # empty cells are the normal case of a density
                a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
                add(table[a], weight, x)
                outside += not inside
        return outside

    return Kernels(value, gradient, spread)


def _on_planes(width: int) -> Kernels:
    evaluate, add = _plane(width)

    @njit(cache=True, nogil=True, error_model="numpy")
    def value(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 2
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            out[i] = (u[i, 0] if first else 1.0) * evaluate(table[a, b], x, y)[0]
            outside += not (inside & also)
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def gradient(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 2
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            height, slope_x, slope_y = evaluate(table[a, b], x, y)
            weight = 2.0
            if first:
                weight *= u[i, 0]
                out[i, 0] = height
            out[i, first] = weight * scale[0] * slope_x
            out[i, first + 1] = weight * scale[1] * slope_y
            outside += not (inside & also)
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def spread(u, weights, lower, scale, periodic, table):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 2
        outside = 0
        for i in range(u.shape[0]):
            weight = weights[i] * (u[i, 0] if first else 1.0)
            if weight != 0.0:
                a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
                b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
                add(table[a, b], weight, x, y)
                outside += not (inside & also)
        return outside

    return Kernels(value, gradient, spread)


def _in_space(width: int) -> Kernels:
    evaluate_plane, add_plane = _plane(width)

    @njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
    def evaluate(c, x, y, z):  # type: ignore[no-untyped-def]
        value, slope_x, slope_y, slope_z = 0.0, 0.0, 0.0, 0.0
        for k in range(width - 1, -1, -1):
            plane, plane_y, plane_z = evaluate_plane(c[k], y, z)
            slope_x = slope_x * x + value
            value = value * x + plane
            slope_y = slope_y * x + plane_y
            slope_z = slope_z * x + plane_z
        return value, slope_x, slope_y, slope_z

    @njit(cache=True, nogil=True, error_model="numpy")
    def value(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 3
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
            out[i] = (u[i, 0] if first else 1.0) * evaluate(table[a, b, c], x, y, z)[0]
            outside += not (inside & also & too)
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def gradient(u, lower, scale, periodic, table, out):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 3
        outside = 0
        for i in range(u.shape[0]):
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
            height, slope_x, slope_y, slope_z = evaluate(table[a, b, c], x, y, z)
            weight = 2.0
            if first:
                weight *= u[i, 0]
                out[i, 0] = height
            out[i, first] = weight * scale[0] * slope_x
            out[i, first + 1] = weight * scale[1] * slope_y
            out[i, first + 2] = weight * scale[2] * slope_z
            outside += not (inside & also & too)
        return outside

    @njit(cache=True, nogil=True, error_model="numpy")
    def spread(u, weights, lower, scale, periodic, table):  # type: ignore[no-untyped-def]
        first = u.shape[1] - 3
        outside = 0
        for i in range(u.shape[0]):
            weight = weights[i] * (u[i, 0] if first else 1.0)
            if weight != 0.0:
                a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
                b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
                c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
                block = table[a, b, c]
                for k in range(width):
                    add_plane(block[k], weight, y, z)
                    weight *= x
                outside += not (inside & also & too)
        return outside

    return Kernels(value, gradient, spread)
