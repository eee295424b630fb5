"""What a machine can do at most, measured in the run that is judged: bytes and indexed reads per second."""

import time
from collections.abc import Callable

import numpy as np
from numba import njit

from wassflow.functional.evaluation import over_rows
from wassflow.vectorized import add, read

TURNS = 9
# Entries of a table that a core keeps close, and how often it is read at random places.
TABLE, READS = 4096, 4_000_000


@njit(cache=True, nogil=True)
def triad(a, b, s, c):  # type: ignore[no-untyped-def]
    """McCalpin's STREAM triad: 32 bytes per entry, with the line that is fetched to be written."""
    for i in range(a.size):
        a[i] = b[i] + s * c[i]


@njit(cache=True, nogil=True)
def _gather(table, places):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(places.size):
        total = add(total, read(table, read(places, i)))
    return total


def triad_on(arrays: tuple[np.ndarray, np.ndarray, np.ndarray], threads: int) -> None:
    """A triad on three arrays of the same size."""
    a, b, c = arrays
    over_rows(lambda part: triad(a[part], b[part], 2.0, c[part]), a.size, threads)


def bandwidth(touched: int, threads: int) -> float:
    """Bytes per second of a triad on arrays that have so many bytes in all."""
    entries = touched // 24
    arrays = (np.zeros(entries), np.ones(entries), np.ones(entries))
    return 32 * entries / median_seconds(lambda: triad_on(arrays, threads))


def indexed_reads(threads: int) -> float:
    """Reads per second at random places of a table of 32 KiB, in vector registers where there are any."""
    table, places = np.ones(TABLE), np.random.default_rng(0).integers(0, TABLE, READS).astype(np.int32)
    return READS / median_seconds(
        lambda: over_rows(lambda part: _gather(table, places[part]), READS, threads)
    )


def median_seconds(action: Callable[[], object], calls: int = TURNS) -> float:
    """Median time of a call, after one that is not counted."""
    action()
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
