"""What a command prints and writes, and how an error reaches the user."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from wassflow.errors import WassflowError


def reports_errors[**P](command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command: what it refuses or cannot do becomes one line on stderr and exit code 2.

    With ``WASSFLOW_TRACEBACK=1`` in the environment the traceback is shown instead.
    """

    @functools.wraps(command)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, WassflowError, OSError) as error:
            if os.environ.get("WASSFLOW_TRACEBACK") == "1":
                raise
            typer.echo(f"wassflow: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None

    return inner


class Report:
    """Prints results and remembers the files written, to list them at the end.

    Args:
        output: the folder for results.
        quiet: print nothing.
    """

    def __init__(self, output: Path, quiet: bool = False) -> None:
        if output.exists() and not output.is_dir():
            raise ValueError(f"--output must be a folder, found the file {output}")
        self.output = output
        self.quiet = quiet
        self.files: list[Path] = []

    def announce(self, text: str) -> None:
        """Say on stderr what is about to happen, since it may take minutes."""
        if not self.quiet:
            typer.echo(text, err=True)

    def show(self, text: str) -> None:
        """Print a result on stdout."""
        if not self.quiet:
            typer.echo(text)

    def tables(self, result: Any, folder: str, name: str, verdict: str = "") -> None:
        """Print the table of a study and write it as text, CSV and JSON into ``output/folder/name.*``.

        A verdict is printed and written under the table.
        """
        from wassflow.study.tables import write_whole

        text = "\n\n".join(part for part in (result.table(), verdict) if part)
        self.show("\n" + text)
        place = self.output / folder / name
        self.files.append(Path(write_whole(place.with_suffix(".txt"), text + "\n")))
        self.files.append(Path(result.write_csv(place.with_suffix(".csv"))))
        self.files.append(Path(result.write_json(place.with_suffix(".json"))))

    def picture(self, figure: Any, *parts: str) -> Path:
        """Write a figure to ``output/parts``, and return where that is."""
        from wassflow.plot import save_figure

        self.files.append(save_figure(figure, self.output.joinpath(*parts)))
        return self.files[-1]

    def close(self) -> None:
        """List the files written, the pictures last: they are what one wants to open."""
        if self.quiet or not self.files:
            return
        ordered = sorted(self.files, key=lambda path: path.suffix == ".png")
        typer.echo("\nWritten:")
        for path in ordered:
            typer.echo(f"  {path}")
        sys.stdout.flush()
