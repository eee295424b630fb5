"""A progress bar for one run, on stderr, where somebody is looking."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from numba.core import event
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_UPDATES = 0.1


class RunProgress:
    """Show how far a run has come in its own time, as a context manager.

    Nothing is shown when ``enabled`` is false, on ranks other than 0, and when stderr is not a terminal (a
    log file does not want a bar). The display never touches stdout, which belongs to results. While kernels
    are compiled, which happens once and is kept on disk, it says so, and afterwards how long it took.

    >>> with RunProgress("density flow", t_end=2.0, enabled=False) as progress:
    ...     progress.update(1.0, steps=10, energy=0.5)
    """

    def __init__(self, label: str, t_end: float, *, enabled: bool = True, rank: int = 0) -> None:
        self._label = label
        self._t_end = t_end
        self._shown = enabled and rank == 0 and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._last_update = 0.0
        self._compilation = Compilation(self._tell_compilation)

    def __enter__(self) -> "RunProgress":
        if self._shown:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("t = {task.completed:.4g}/{task.total:.4g}  {task.fields[status]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(self._label, total=self._t_end, status="")
            self._bar.start()
            self._compilation.watch()
        return self

    def update(self, t: float, *, steps: int, energy: float) -> None:
        """Show time ``t``, the number of steps and the energy; cheap enough to be called at every step."""
        if self._bar is None:
            return
        now = time.monotonic()
        if t < self._t_end and now - self._last_update < _SECONDS_BETWEEN_UPDATES:
            return
        self._last_update = now
        spent = self._compilation.seconds
        compiled = f", {spent:.1f} s of compilation" if spent > 0.0 else ""
        self._bar.update(self._task, completed=t, status=f"{steps} steps, F = {energy:.6g}{compiled}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._compilation.stop_watching()
            self._bar.stop()

    def _tell_compilation(self, kernel: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, status=f"compiling {kernel}, once")


class Compilation(event.Listener):
    """The time that numba spends on compiling kernels which are not in its cache on disk.

    Args:
        begins: called with the name of a kernel when its compilation begins.

    >>> from numba import njit
    >>> watched = Compilation(print)
    >>> watched.watch()
    >>> njit(lambda x: x + 1.0)(1.0)
    <lambda>
    2.0
    >>> watched.stop_watching()
    >>> watched.seconds > 0.0
    True
    """

    def __init__(self, begins: Callable[[str], None]) -> None:
        self.seconds = 0.0
        self._begins = begins
        self._depth = 0  # a kernel compiles what it calls
        self._started = 0.0

    def watch(self) -> None:
        """Listen from now on."""
        event.register("numba:compile", self)

    def stop_watching(self) -> None:
        """Listen no more."""
        event.unregister("numba:compile", self)

    def on_start(self, event: event.Event) -> None:
        """Note the beginning of a compilation."""
        if self._depth == 0:
            self._started = time.monotonic()
            self._begins(event.data["dispatcher"].py_func.__name__)
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        """Note its end."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.monotonic() - self._started
