"""Independent tasks, here or spread over processes, with the same results either way."""

import multiprocessing
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any

from wassflow.arguments import as_integer
from wassflow.errors import WassflowError
from wassflow.study.ledger import Ledger, open_ledger
from wassflow.study.progress import TaskProgress

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

# How to prepare in this process, and what came of it; module variables, because a process pool has no other
# place.
_recipe: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
_prepared: Any = None


def run_tasks[Task, Result](
    prepare: Callable[..., Any],
    arguments: tuple[Any, ...],
    work: Callable[[Any, Task], Result],
    tasks: Sequence[Task],
    workers: int = 1,
    done: Callable[[Task], None] = lambda task: None,
    ledger: Ledger | None = None,
    key: Callable[[Task], str] = str,
) -> list[Result]:
    """Return ``[work(prepare(*arguments), task) for task in tasks]``, with ``prepare`` once per process.

    With one worker everything runs in this process. With more, fresh processes are started (spawned: a forked
    copy of a process that has started MPI or threads is not safe), each with single-threaded linear algebra,
    since the processes already fill the cores. ``prepare`` and ``work`` are functions of a module, and
    everything they are given can be pickled.

    Args:
        prepare: makes what all tasks share (a mesh, say) from ``arguments``.
        work: one task.
        tasks: started in this order; long ones first keep the processes evenly busy.
        workers: number of processes.
        done: called here after each task, in the order in which they end.
        ledger: results it already holds are taken from it, and new ones are written down as they come, so
            that an interrupted study goes on where it stopped. Results are then what JSON knows.
        key: the name of a task in the ledger; by default what ``str`` says, which for a frozen dataclass is
            all of it.
    """
    workers = as_integer("workers", workers, least=1)
    if ledger is None:
        return _run_all(prepare, arguments, work, tasks, workers, lambda task, result: done(task))
    missing = []
    for task in tasks:
        if key(task) in ledger:
            done(task)
        else:
            missing.append(task)

    def record(task: Task, result: Result) -> None:
        ledger.add(key(task), result)
        done(task)

    _run_all(prepare, arguments, work, missing, workers, record)
    return [ledger[key(task)] for task in tasks]


def run_study[Task, Result](
    study: str,
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    progress: bool,
    ledger: str | os.PathLike[str] | None,
    settings: Mapping[str, Any] | None = None,
) -> dict[Task, Result]:
    """Return ``{task: work(task) for task in tasks}`` for tasks that have nothing to prepare.

    Args:
        study: its name in the ledger and, in words, at the progress bar.
        work: one task; a function of a module, or a ``partial`` of one.
        tasks: different from each other, started in this order, as in :func:`run_tasks`.
        workers: number of processes.
        progress: show a bar on stderr when it is a terminal.
        ledger: a file in which finished tasks stay.
        settings: what all tasks have in common, for the ledger.

    >>> run_study("absolute_values", abs, [-2, 1], workers=1, progress=False, ledger=None)
    {-2: 2, 1: 1}
    """
    with (
        open_ledger(ledger, study, settings or {}) as book,
        TaskProgress(study.replace("_", " "), len(tasks), enabled=progress) as bar,
    ):
        # what every process prepares is the work itself
        results = run_tasks(
            partial, (work,), operator.call, tasks, workers, lambda task: bar.advance(), ledger=book
        )
    return dict(zip(tasks, results, strict=True))


def _run_all[Task, Result](
    prepare: Callable[..., Any],
    arguments: tuple[Any, ...],
    work: Callable[[Any, Task], Result],
    tasks: Sequence[Task],
    workers: int,
    done: Callable[[Task, Result], None],
) -> list[Result]:
    """Run every task, and call ``done`` here with each and its result."""
    if not tasks:
        return []
    workers = min(workers, len(tasks))
    if workers == 1:
        shared = prepare(*arguments)
        results = []
        for task in tasks:
            results.append(work(shared, task))
            done(task, results[-1])
        return results
    with (
        _single_threaded(),
        ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _initialize, (prepare, arguments)
        ) as pool,
    ):
        try:
            futures = {pool.submit(_run, work, task): index for index, task in enumerate(tasks)}
            for future in as_completed(futures):
                done(tasks[futures[future]], future.result())
        except BrokenProcessPool as error:
            raise WassflowError(
                "a worker process ended before its task did. A script that asks for several workers must "
                'call the study under `if __name__ == "__main__":`, since every worker imports the '
                "script; workers=1 needs no guard."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _initialize(prepare: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    global _recipe
    _recipe = (prepare, arguments)


def _run[Task, Result](work: Callable[[Any, Task], Result], task: Task) -> Result:
    # Prepared with the first task, not in the initializer: there an error would only say that the pool is
    # broken.
    global _recipe, _prepared
    if _recipe is not None:
        prepare, arguments = _recipe
        _prepared, _recipe = prepare(*arguments), None
    return work(_prepared, task)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started inside see one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
