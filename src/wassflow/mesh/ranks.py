"""What one rank does for all."""

from collections.abc import Callable

from wassflow.mesh.dolfinx_import import MPI


def on_first_rank[T](comm: MPI.Comm, task: Callable[[], T]) -> T | None:
    """Do something on rank 0 and return its result there, None elsewhere; an error is raised on all ranks."""
    result: T | None = None
    error: Exception | None = None
    if comm.rank == 0:
        try:
            result = task()
        except Exception as caught:
            error = caught
    error = comm.bcast(error)
    if error is not None:
        raise error
    return result
