"""Piecewise polynomials on a tensor grid of 1, 2 or 3 axes: values, gradients, and the transpose.

Coefficients belong to monomials in local coordinates y in [-1, 1] of a cell and are the last axes of a table
``(cells_1, ..., cells_q, width, ..., width)``: a point reads one block of it.

Points are rows of u ``(n, d)`` whose last q columns are the coordinates; if there is one more, the first, it
is a weight w, and the polynomial is multiplied by it.
"""

import numpy as np
from numba import njit

from wassflow.functional.evaluation.vectors import add_line, add_plane, plane
from wassflow.vectorized import read, write

# How far outside the grid, in cells, a point is still taken for one inside: rounding errors of a projection.
_SLACK = 1e-6
_BLOCK = 256


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(coordinate, lower, cells_per_unit, cells, periodic):
    """Return the cell of a coordinate, its local coordinate there, and whether it is in the grid."""
    s = (coordinate - lower) * cells_per_unit
    if periodic:
        s -= cells * np.floor(s / cells)
    inside = (s >= -_SLACK) & (s <= cells + _SLACK)
    # both comparisons are false for what is not a number
    cell = int(s) if (s > 0.0) & (s < cells) else (cells - 1 if s >= cells else 0)
    return cell, 2.0 * (s - cell) - 1.0, inside


@njit(cache=True, nogil=True, error_model="numpy")
def _locate_2(u, i, lower, scale, periodic, table):
    """Return the cell of a point in the plane, its local coordinates, and whether it is in the grid."""
    first = u.shape[1] - 2
    a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
    b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
    return a, b, x, y, inside & also


@njit(cache=True, nogil=True, error_model="numpy")
def _locate_3(u, i, lower, scale, periodic, table):
    """Return the same of a point in space."""
    first = u.shape[1] - 3
    a, x, inside = _locate(u[i, first], lower[0], scale[0], table.shape[0], periodic[0])
    b, y, also = _locate(u[i, first + 1], lower[1], scale[1], table.shape[1], periodic[1])
    c, z, too = _locate(u[i, first + 2], lower[2], scale[2], table.shape[2], periodic[2])
    return a, b, c, x, y, z, inside & also & too


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


# On a line, points are taken several at a time: only reads that cannot overlap writes let the compiler do it.
@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _value_1(u, lower, scale, periodic, lanes, table, out):
    points, coefficients = u.reshape(-1), table.reshape(-1)
    start, per_unit, cells, cyclic = lower[0], scale[0], table.shape[0], periodic[0]
    first, width, outside = u.shape[1] - 1, len(lanes), 0
    for i in range(out.size):
        weight = read(points, 2 * i) if first else 1.0
        t = read(points, 2 * i + 1 if first else i)
        cell, y, inside = _locate(t, start, per_unit, cells, cyclic)
        value = read(coefficients, width * cell + width - 1)
        for k in range(width - 2, -1, -1):
            value = value * y + read(coefficients, width * cell + k)
        write(out, i, weight * value)
        outside += 0 if inside else 1
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _value_2(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        a, b, x, y, inside = _locate_2(u, i, lower, scale, periodic, table)
        out[i] = (u[i, 0] if first else 1.0) * plane(table[a, b], x, y, lanes)[0]
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _value_3(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        a, b, c, x, y, z, inside = _locate_3(u, i, lower, scale, periodic, table)
        out[i] = (u[i, 0] if first else 1.0) * _solid(table[a, b, c], x, y, z, lanes)[0]
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_1(u, lower, scale, periodic, lanes, table, out):
    grid = (lower[0], scale[0], table.shape[0], periodic[0])
    if u.shape[1] == 2:
        return _weighted_slopes(u.reshape(-1), *grid, lanes, table.reshape(-1), out.reshape(-1))
    # without a weight, it is one
    weighted, both = np.ones((u.shape[0], 2)), np.empty((u.shape[0], 2))
    weighted[:, 1] = u[:, 0]
    outside = _weighted_slopes(weighted.reshape(-1), *grid, lanes, table.reshape(-1), both.reshape(-1))
    out[:, 0] = both[:, 1]
    return outside


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _weighted_slopes(points, lower, scale, cells, periodic, lanes, coefficients, results):
    width, outside = len(lanes), 0
    for i in range(points.size // 2):
        cell, y, inside = _locate(read(points, 2 * i + 1), lower, scale, cells, periodic)
        value, slope = read(coefficients, width * cell + width - 1), 0.0
        for k in range(width - 2, -1, -1):
            slope = slope * y + value
            value = value * y + read(coefficients, width * cell + k)
        write(results, 2 * i, value)
        write(results, 2 * i + 1, 2.0 * scale * read(points, 2 * i) * slope)
        outside += 0 if inside else 1
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_2(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        a, b, x, y, inside = _locate_2(u, i, lower, scale, periodic, table)
        value, slope_x, slope_y = plane(table[a, b], x, y, lanes)
        weight = 2.0
        if first:
            weight *= u[i, 0]
            out[i, 0] = value
        out[i, first] = weight * scale[0] * slope_x
        out[i, first + 1] = weight * scale[1] * slope_y
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient_3(u, lower, scale, periodic, lanes, table, out):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        a, b, c, x, y, z, inside = _locate_3(u, i, lower, scale, periodic, table)
        value, slope_x, slope_y, slope_z = _solid(table[a, b, c], x, y, z, lanes)
        weight = 2.0
        if first:
            weight *= u[i, 0]
            out[i, 0] = value
        out[i, first] = weight * scale[0] * slope_x
        out[i, first + 1] = weight * scale[1] * slope_y
        out[i, first + 2] = weight * scale[2] * slope_z
        outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_1(u, weights, lower, scale, periodic, lanes, table):
    points = u.reshape(-1)
    start, per_unit, cells, cyclic = lower[0], scale[0], table.shape[0], periodic[0]
    first, outside = u.shape[1] - 1, 0
    # some points are located, several at a time, before they are added one by one
    cell, local, factor = np.empty(_BLOCK, np.int64), np.empty(_BLOCK), np.empty(_BLOCK)
    for begin in range(0, weights.size, _BLOCK):
        count = min(_BLOCK, weights.size - begin)
        for k in range(count):
            i = begin + k
            weight = read(weights, i) * (read(points, 2 * i) if first else 1.0)
            t = read(points, 2 * i + 1 if first else i)
            a, x, inside = _locate(t, start, per_unit, cells, cyclic)
            write(cell, k, a)
            write(local, k, x)
            write(factor, k, weight)
            outside += 0 if inside | (weight == 0.0) else 1
        for k in range(count):
            if factor[k] != 0.0:  # empty cells are the normal case of a density
                add_line(table[cell[k]], factor[k], local[k], lanes)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_2(u, weights, lower, scale, periodic, lanes, table):
    first = u.shape[1] - 2
    outside = 0
    for i in range(u.shape[0]):
        weight = weights[i] * (u[i, 0] if first else 1.0)
        if weight != 0.0:
            a, b, x, y, inside = _locate_2(u, i, lower, scale, periodic, table)
            add_plane(table[a, b], weight, x, y, lanes)
            outside += not inside
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_3(u, weights, lower, scale, periodic, lanes, table):
    first = u.shape[1] - 3
    outside = 0
    for i in range(u.shape[0]):
        weight = weights[i] * (u[i, 0] if first else 1.0)
        if weight != 0.0:
            a, b, c, x, y, z, inside = _locate_3(u, i, lower, scale, periodic, table)
            _add_solid(table[a, b, c], weight, x, y, z, lanes)
            outside += not inside
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
