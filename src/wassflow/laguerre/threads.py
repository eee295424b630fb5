"""Kernels that hold no lock, run in threads of our own: numba's spin when they are idle."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numba


def in_threads[Item, Result](work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return work(item) for each."""
    threads = min(numba.config.NUMBA_NUM_THREADS, len(items))  # type: ignore[attr-defined]
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
