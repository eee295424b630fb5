"""``wassflow validate``."""

from pathlib import Path
from typing import Annotated

import typer

from wassflow.cli.options import Output, Quick, Quiet, Workers
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.statements import STATEMENTS, statement
from wassflow.cli.validation import cores, validate


@reports_errors
def run_statements(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Statements. \\[default: all]", show_default=False),
    ] = None,
    workers: Workers = None,
    listed: Annotated[
        bool, typer.Option("--list", metavar="", help="List the statements; run nothing.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar="", help="Forget the finished runs of interrupted studies.")
    ] = False,
    output: Output = Path("results/validation"),
    quick: Quick = False,
    quiet: Quiet = False,
) -> None:
    """Show the statements of the paper, one by one, by numbers that can be believed.

    For every statement: a study with its table, criteria that pass or fail, a
    picture. Ends with one line per statement; the exit code is 1 if one fails.
    An interrupted study goes on where it stopped.

    Example:  wassflow validate --quick
    """
    chosen = [statement(name) for name in names] if names else list(STATEMENTS)
    if listed:
        for entry in chosen:
            typer.echo(f"{entry.name}  ({entry.source})\n  {entry.claim}")
        return
    report = Report(output, quiet)
    rows = validate(chosen, report, quick, cores() if workers is None else workers, fresh)
    report.close()
    if not all(row.holds for row in rows):
        raise typer.Exit(1)
