"""A progress bar for one run, on stderr, where somebody is looking."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_UPDATES = 0.1


class RunProgress:
    """Show how far a run has come in its own time, as a context manager.

    Nothing is shown when ``enabled`` is false, on ranks other than 0, and when stderr is not a terminal (a
    log file does not want a bar). The display never touches stdout, which belongs to results.

    >>> with RunProgress("density flow", t_end=2.0, enabled=False) as progress:
    ...     progress.update(1.0, steps=10, energy=0.5)
    """

    def __init__(self, label: str, t_end: float, *, enabled: bool = True, rank: int = 0) -> None:
        self._label = label
        self._t_end = t_end
        self._shown = enabled and rank == 0 and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._last_update = 0.0

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
        return self

    def update(self, t: float, *, steps: int, energy: float) -> None:
        """Show time ``t``, the number of steps and the energy; cheap enough to be called at every step."""
        if self._bar is None:
            return
        now = time.monotonic()
        if t < self._t_end and now - self._last_update < _SECONDS_BETWEEN_UPDATES:
            return
        self._last_update = now
        self._bar.update(self._task, completed=t, status=f"{steps} steps, F = {energy:.6g}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
