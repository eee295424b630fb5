"""Rows of an array that repeat, as those that belong to the points and faces of a regular mesh do."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array

# Numbers in a column are the same if they differ by rounding: by less than this share of the largest of them.
_ROUNDING = 2.0**-46


def distinct_rows(rows: Array, most: int) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
    """Return where each distinct row stands first, ``(k,)``, and for each row which of them it is, ``(n,)``.

    Rows that differ by rounding errors count as one; if such errors are found on both sides of a boundary of
    the rounding, there are two rows where one would do. None if more than ``most`` are distinct.

    Args:
        rows: ``(n, c)``, finite.
        most: the largest k, at least 1.

    >>> first, number = distinct_rows(np.array([[0.1 + 0.2], [0.5], [0.3]]), most=2)
    >>> print(first, number)
    [0 1] [0 1 0]
    """
    largest = np.abs(rows).max(axis=0, initial=0.0)
    scale = 1.0 / (_ROUNDING * np.where(largest > 0.0, largest, 1.0))
    first, number = np.empty(most, dtype=np.int32), np.empty(len(rows), dtype=np.int32)
    slots = np.full(1 << (2 * most).bit_length(), -1, dtype=np.int32)
    count = _number_rows(rows, scale, slots, first, number)
    return None if count < 0 else (first[:count].copy(), number)


@njit(cache=True)
def _number_rows(rows, scale, slots, first, number):  # type: ignore[no-untyped-def]
    """Number the rows by a table of hashes with linear probing; return how many differ, -1 for too many."""
    columns, mask, count = rows.shape[1], slots.size - 1, 0
    keys = np.empty((first.size, columns), dtype=np.int64)
    key = np.empty(columns, dtype=np.int64)
    for i in range(rows.shape[0]):
        # Fowler, Noll and Vo's, on whole numbers, with the high bits brought down
        code = np.uint64(14695981039346656037)
        for c in range(columns):
            key[c] = np.int64(np.rint(rows[i, c] * scale[c]))
            code = (code ^ np.uint64(key[c])) * np.uint64(1099511628211)
            code ^= code >> np.uint64(29)
        slot = np.int64(code & np.uint64(mask))
        while slots[slot] >= 0 and not _same(keys[slots[slot]], key):
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            if count == first.size:
                return -1
            slots[slot], keys[count], first[count] = count, key, i
            count += 1
        number[i] = slots[slot]
    return count


@njit(cache=True)
def _same(one, other):  # type: ignore[no-untyped-def]
    differences = 0
    for c in range(one.size):
        differences += one[c] != other[c]
    return differences == 0
