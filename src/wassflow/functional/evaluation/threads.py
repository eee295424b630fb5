"""Kernels over rows of points, on some threads.

The kernels release the interpreter's lock. Threads of our own wait passively between calls, unlike those of
OpenMP, whose spinning makes small calls slow where the cores have other work.
"""

from collections import abc
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

from numba import config

# Rows for which a second thread pays.
_ROWS = 16384


def available_threads() -> int:
    """Return how many threads this process may use: NUMBA_NUM_THREADS, by default the number of cores."""
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def over_rows[Result](work: abc.Callable[[slice], Result], rows: int, threads: int) -> list[Result]:
    """Return ``work`` on consecutive slices that make up ``rows`` rows, one for each thread.

    >>> over_rows(lambda part: part.stop - part.start, 100_000, threads=2)
    [50000, 50000]
    """
    threads = max(1, min(threads, rows // _ROWS))
    bounds = [rows * k // threads for k in range(threads + 1)]
    first, *others = (slice(*pair) for pair in pairwise(bounds))
    if not others:
        return [work(first)]
    # the calling thread takes its share: a wake-up less
    promised = [_pool(threads - 1).submit(work, part) for part in others]
    return [work(first), *(promise.result() for promise in promised)]


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
