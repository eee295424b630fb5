"""Sums, maxima and gathers over the ranks of a communicator, with ``None`` for one process."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sum_over_ranks(comm: Any, local: Any) -> NDArray[np.float64]:
    """Return the elementwise sum of ``local`` over all ranks (itself without a communicator)."""
    values = np.asarray(local, dtype=np.float64)
    if comm is None or comm.size == 1:
        return values
    total = np.empty_like(values, order="C")
    comm.Allreduce(np.ascontiguousarray(values), total)
    return total


def max_over_ranks(comm: Any, local: float) -> float:
    """Return the largest ``local`` of all ranks (itself without a communicator)."""
    if comm is None or comm.size == 1:
        return float(local)
    return max(comm.allgather(float(local)))


def gather_rows(comm: Any, local: NDArray) -> NDArray:
    """Return the rows of all ranks, in rank order, on every rank."""
    if comm is None or comm.size == 1:
        return local
    return np.concatenate(comm.allgather(local))


def block(size: int, comm: Any) -> slice:
    """Return the part of ``range(size)`` that this rank holds when it is dealt out in contiguous blocks."""
    if comm is None or comm.size == 1:
        return slice(0, size)
    return slice(size * comm.rank // comm.size, size * (comm.rank + 1) // comm.size)


def several_ranks(comm: Any) -> Any:
    """Return ``comm``, or ``None`` when it holds one rank only."""
    return None if comm is None or comm.size == 1 else comm
