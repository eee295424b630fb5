"""Kernels for many points and finitely many halfspaces {x : n.x <= b}: membership, nearest points, paths."""

import numpy as np
from numba import njit


@njit(cache=True)
def _in_ball(point, center, radius):
    """Whether the point is in the ball, up to a margin that keeps the walls themselves out."""
    square = 0.0
    for a in range(point.size):
        square += (point[a] - center[a]) ** 2
    return square < (radius * (1.0 - 1e-9)) ** 2


@njit(cache=True)
def inside(points, normals, offsets, center, radius, slack):
    """Tell which points ``(n, d)`` lie beyond no wall by more than ``slack``; the ball is inside."""
    dim = points.shape[1]
    found = np.ones(points.shape[0], dtype=np.bool_)
    for i in range(points.shape[0]):
        if _in_ball(points[i], center, radius):
            continue
        for k in range(offsets.size):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * points[i, a]
            if level > slack:
                found[i] = False
                break
    return found


@njit(cache=True)
def _nearest_in_halfspaces(u, normals, offsets, count, x):
    """Write into x the point nearest to u with normals[:count] . x <= offsets[:count]; tell if it worked.

    Dual active-set method for min |x - u|^2 / 2 (Goldfarb and Idnani, Math. Programming 27 (1983) 1-33,
    with the identity as Hessian): x = u - sum_j multiplier_j n_j holds all along, multipliers stay
    nonnegative, and the most violated wall is added until none is violated. It ends after finitely many
    steps with at most d walls active.
    """
    dim = u.size
    scale = 0.0
    for a in range(dim):
        x[a] = u[a]
        scale = max(scale, abs(u[a]))
    for k in range(count):
        scale = max(scale, abs(offsets[k]))
    rounding = 1e-14 * scale
    active = np.empty(dim, dtype=np.int64)
    multiplier = np.empty(dim)
    number = 0
    basis = np.empty((dim, dim))  # orthonormal basis of the active normals, by Gram-Schmidt
    triangle = np.empty((dim, dim))  # active normal j = sum_i triangle[i, j] basis[i]
    step = np.empty(dim)
    rate = np.empty(dim)
    for _ in range(20 * (count + dim)):
        added = -1
        violation = rounding
        for k in range(count):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * x[a]
            if level > violation:
                violation = level
                added = k
        if added < 0:
            break
        added_multiplier = 0.0
        while True:
            # step: the part of the new normal that is orthogonal to the active ones (projected twice, against
            # cancellation)
            for a in range(dim):
                step[a] = normals[added, a]
            for i in range(number):
                rate[i] = 0.0
            for _repeat in range(2):
                for i in range(number):
                    dot = 0.0
                    for a in range(dim):
                        dot += basis[i, a] * step[a]
                    rate[i] += dot
                    for a in range(dim):
                        step[a] -= dot * basis[i, a]
            for i in range(number - 1, -1, -1):
                for j in range(i + 1, number):
                    rate[i] -= triangle[i, j] * rate[j]
                rate[i] /= triangle[i, i]
            square = 0.0
            for a in range(dim):
                square += step[a] * step[a]
            full = violation / square if square > 1e-18 else np.inf
            length = full
            dropped = -1
            for j in range(number):
                if rate[j] > 0.0 and multiplier[j] / rate[j] < length:
                    length = multiplier[j] / rate[j]
                    dropped = j
            if length == np.inf:
                # the new wall is opposed to the active ones: only rounding can bring us here in a nonempty
                # polytope
                return violation < 1e-10 * scale
            if full < np.inf:
                for a in range(dim):
                    x[a] -= length * step[a]
            violation -= length * square
            added_multiplier += length
            for j in range(number):
                multiplier[j] -= length * rate[j]
            if dropped < 0:
                active[number] = added
                multiplier[number] = added_multiplier
                number += 1
            else:
                for j in range(dropped, number - 1):
                    active[j] = active[j + 1]
                    multiplier[j] = multiplier[j + 1]
                number -= 1
            for j in range(number):
                for a in range(dim):
                    basis[j, a] = normals[active[j], a]
                for i in range(j):
                    triangle[i, j] = 0.0
                for _repeat in range(2):
                    for i in range(j):
                        dot = 0.0
                        for a in range(dim):
                            dot += basis[i, a] * basis[j, a]
                        triangle[i, j] += dot
                        for a in range(dim):
                            basis[j, a] -= dot * basis[i, a]
                square = 0.0
                for a in range(dim):
                    square += basis[j, a] * basis[j, a]
                triangle[j, j] = np.sqrt(square)
                for a in range(dim):
                    basis[j, a] /= triangle[j, j]
            if dropped < 0:
                break
    else:
        return False
    # put x back on its active walls: steps from far away leave rounding errors of the size of u
    for _repeat in range(2 if number > 0 else 0):
        for j in range(number):
            rate[j] = offsets[active[j]]
            for a in range(dim):
                rate[j] -= normals[active[j], a] * x[a]
            for i in range(j):
                rate[j] -= triangle[i, j] * rate[i]
            rate[j] /= triangle[j, j]
        for j in range(number):
            for a in range(dim):
                x[a] += rate[j] * basis[j, a]
    return True


@njit(cache=True)
def nearest_points(points, normals, offsets, center, radius):
    """Return the nearest points of the polytope, ``(n, d)``, and which one was not found, or -1."""
    nearest = points.copy()
    for i in range(points.shape[0]):
        if _in_ball(points[i], center, radius):
            continue
        if not _nearest_in_halfspaces(points[i], normals, offsets, offsets.size, nearest[i]):
            return nearest, i
    return nearest, -1


@njit(cache=True)
def project_velocities(points, velocities, normals, offsets, center, radius, slack):
    """Return velocities of least norm in the tangent cones, ``(n, d)``, and one that was not found, or -1."""
    dim = points.shape[1]
    projected = velocities.copy()
    touched = np.empty_like(normals)
    zeros = np.zeros_like(offsets)
    for i in range(points.shape[0]):
        if slack < 1e-9 * radius and _in_ball(points[i], center, radius):
            continue
        count = 0
        for k in range(offsets.size):
            level = -offsets[k]
            for a in range(dim):
                level += normals[k, a] * points[i, a]
            if level >= -slack:
                for a in range(dim):
                    touched[count, a] = normals[k, a]
                count += 1
        if count > 0 and not _nearest_in_halfspaces(velocities[i], touched, zeros, count, projected[i]):
            return projected, i
    return projected, -1


@njit(cache=True)
def slide_along(points, targets, normals, offsets, center, radius, slack):
    """Return ends of paths from points towards targets ``(n, d)`` that slide on walls, and a failure or -1.

    With v the velocity of least norm among target - point minus normals of the walls that are touched, a path
    is straight until the next wall.
    """
    dim = points.shape[1]
    ends = targets.copy()
    touched = np.empty_like(normals)
    zeros = np.zeros_like(offsets)
    shift, velocity, x = np.empty(dim), np.empty(dim), np.empty(dim)
    for i in range(points.shape[0]):
        if _in_ball(targets[i], center, radius):
            continue
        length = 0.0
        for a in range(dim):
            x[a] = points[i, a]
            shift[a] = targets[i, a] - x[a]
            length += shift[a] ** 2
        # what moves towards a wall more slowly moves along it, up to rounding
        still = 1e-12 * np.sqrt(length)
        left = 1.0
        for _ in range(4 * (offsets.size + dim)):
            count = 0
            for k in range(offsets.size):
                level = -offsets[k]
                for a in range(dim):
                    level += normals[k, a] * x[a]
                if level >= -slack:
                    for a in range(dim):
                        touched[count, a] = normals[k, a]
                    count += 1
            if not _nearest_in_halfspaces(shift, touched, zeros, count, velocity):
                return ends, i
            step = left
            for k in range(offsets.size):
                gap, rate = offsets[k], 0.0
                for a in range(dim):
                    gap -= normals[k, a] * x[a]
                    rate += normals[k, a] * velocity[a]
                if rate > still:
                    step = min(step, max(gap, 0.0) / rate)
            for a in range(dim):
                x[a] += step * velocity[a]
            left -= step
            if left <= 0.0:
                break
        else:
            return ends, i
        # on the walls exactly
        if not _nearest_in_halfspaces(x, normals, offsets, offsets.size, ends[i]):
            return ends, i
    return ends, -1
