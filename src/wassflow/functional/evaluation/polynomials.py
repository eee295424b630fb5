"""Piecewise polynomials on a tensor grid of 1, 2 or 3 axes: values, gradients, and the transpose.

Coefficients belong to monomials in local coordinates y in [-1, 1] of a cell and are the last axes of a table
``(cells_1, ..., cells_q, width, ..., width)``: a point reads one block of it.

Points are rows of u ``(n, d)`` whose last q columns are the coordinates; if there is one more, the first, it
is a weight w, and the polynomial is multiplied by it.
"""

import numpy as np
from numba import njit

from wassflow.functional.evaluation.vectors import add_plane, plane

# How far outside the grid, in cells, a point is still taken for one inside: rounding errors of a projection.
_SLACK = 1e-6


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


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _line(c, y, lanes):
    """Return a polynomial and its derivative at y."""
    value, slope = c[len(lanes) - 1], 0.0
    for k in range(len(lanes) - 2, -1, -1):
        slope = slope * y + value
        value = value * y + c[k]
    return value, slope


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _add_line(c, weight, y, lanes):
    """Add the monomials at y times a weight to c."""
    for k in range(len(lanes)):
        c[k] += weight
        weight *= y


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _solid(c, x, y, z, lanes):
    """Return a polynomial in three variables and its partial derivatives at (x, y, z)."""
    value, slope_x, slope_y, slope_z = 0.0, 0.0, 0.0, 0.0
    for k in range(len(lanes) - 1, -1, -1):
        layer, layer_y, layer_z = plane(c[k], y, z, lanes)
        slope_x = slope_x * x + value
        value = value * x + layer
        slope_y = slope_y * x + layer_y
        slope_z = slope_z * x + layer_z
    return value, slope_x, slope_y, slope_z


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _add_solid(c, weight, x, y, z, lanes):
    """Add the monomials at (x, y, z) times a weight to c."""
    for k in range(len(lanes)):
        add_plane(c[k], weight, y, z, lanes)
        weight *= x


@njit(cache=True, nogil=True, error_model="numpy")
def _value_1(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 1
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        out[i] = (u[i, 0] if first else 1.0) * _line(table[a], x, lanes)[0]
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _value_2(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
        out[i] = (u[i, 0] if first else 1.0) * plane(table[a, b], x, y, lanes)[0]
        outside += not (inside & also)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _value_3(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
        c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
        out[i] = (u[i, 0] if first else 1.0) * _solid(table[a, b, c], x, y, z, lanes)[0]
        outside += not (inside & also & too)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_1(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 1
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        value, slope_x = _line(table[a], x, lanes)
        weight = 2.0
        if first:
            weight *= u[i, 0]
            out[i, 0] = value
        out[i, first] = weight * scale[0] * slope_x
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_2(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
        value, slope_x, slope_y = plane(table[a, b], x, y, lanes)
        weight = 2.0
        if first:
            weight *= u[i, 0]
            out[i, 0] = value
        out[i, first] = weight * scale[0] * slope_x
        out[i, first + 1] = weight * scale[1] * slope_y
        outside += not (inside & also)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_3(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
        b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
        c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
        value, slope_x, slope_y, slope_z = _solid(table[a, b, c], x, y, z, lanes)
        weight = 2.0
        if first:
            weight *= u[i, 0]
            out[i, 0] = value
        out[i, first] = weight * scale[0] * slope_x
        out[i, first + 1] = weight * scale[1] * slope_y
        out[i, first + 2] = weight * scale[2] * slope_z
        outside += not (inside & also & too)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_1(u, weights, lower, scale, periodic, lanes, table):
    first = u.shape[1] - 1
    outside = 0
    for i in range(u.shape[0]):
        weight = weights[i] * (u[i, 0] if first else 1.0)
        if weight != 0.0:  # empty cells are the normal case of a density
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            _add_line(table[a], weight, x, lanes)
            outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_2(u, weights, lower, scale, periodic, lanes, table):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        weight = weights[i] * (u[i, 0] if first else 1.0)
        if weight != 0.0:
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            add_plane(table[a, b], weight, x, y, lanes)
            outside += not (inside & also)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_3(u, weights, lower, scale, periodic, lanes, table):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        weight = weights[i] * (u[i, 0] if first else 1.0)
        if weight != 0.0:
            a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
            b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
            c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
            _add_solid(table[a, b, c], weight, x, y, z, lanes)
            outside += not (inside & also & too)
    return outside


# By the number of axes. All return how many points are outside the grid, where the polynomials of the nearest
# cells are evaluated; ``grid`` stands for lower corner, cells per unit length and whether an axis is
# periodic, arrays ``(q,)``, and the lanes of :mod:`wassflow.functional.evaluation.vectors`.
#
# - ``VALUE[q](u, *grid, table, out)`` writes the values at u to out ``(n,)``;
# - ``GRADIENT[q](u, *grid, table, out)`` writes their gradients to out ``(n, d)``;
# - ``SPREAD[q](u, weights, *grid, table)`` adds the transpose of ``VALUE``, applied to weights, to the table.
VALUE = {1: _value_1, 2: _value_2, 3: _value_3}
GRADIENT = {1: _gradient_1, 2: _gradient_2, 3: _gradient_3}
SPREAD = {1: _spread_1, 2: _spread_2, 3: _spread_3}
