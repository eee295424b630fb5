"""How many tasks of a study are done, on stderr, where somebody is looking."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TaskProgress:
    """A bar that counts tasks, as a context manager; silent unless ``enabled`` and stderr is a terminal.

    >>> with TaskProgress("particles", total=2, enabled=False) as progress:
    ...     progress.advance()
    """

    def __init__(self, label: str, total: int, *, enabled: bool = True) -> None:
        self._label = label
        self._total = total
        self._shown = enabled and sys.stderr.isatty()
        self._bar: Progress | None = None

    def __enter__(self) -> "TaskProgress":
        if self._shown:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(self._label, total=self._total)
            self._bar.start()
        return self

    def advance(self) -> None:
        """Count one more task."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
