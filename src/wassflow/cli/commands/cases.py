"""``wassflow cases``."""

from typing import Annotated, Any

import typer

from wassflow.cli.case_files import Problem, read_problem
from wassflow.cli.report import reports_errors


@reports_errors
def list_cases(
    case: Annotated[
        str | None,
        typer.Argument(metavar="[CASE]", help="Show this case with its parameters.", show_default=False),
    ] = None,
) -> None:
    """List the cases, or show one with its parameters and a case file to start from."""
    from rich.console import Console
    from rich.table import Table

    import wassflow.cases

    if case is not None:
        _show_case(read_problem(case))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("case", no_wrap=True)
    table.add_column("d", justify="right")
    table.add_column("what it is")
    for name in wassflow.cases.names():
        chosen = wassflow.cases.get(name)
        table.add_row(name, str(chosen.domain.dim), chosen.summary)
    Console().print(table)
    typer.echo("\nParameters of a case:  wassflow cases CASE")


def _show_case(problem: Problem) -> None:
    """Print a case: what it is, its domain and times, its parameters, and a case file."""
    import wassflow.cases

    chosen = wassflow.cases.get(problem.case, **problem.parameters)
    typer.echo(f"{chosen.name}: {chosen.summary}\n")
    for label, value in (
        ("dimension", chosen.domain.dim),
        ("domain", repr(chosen.domain)),
        ("times", ", ".join(f"{t:g}" for t in chosen.times)),
        ("mesh", f"{' x '.join(str(n) for n in chosen.cells)} ({chosen.cell})"),
        ("exact solution", "known" if chosen.exact is not None else "not known"),
    ):
        typer.echo(f"  {label:<16}{value}")
    typer.echo("\nA case file with all its parameters (--param KEY=VALUE sets one of them):\n")
    typer.echo(f'case = "{chosen.name}"\n\n[parameters]')
    for key, value in chosen.parameters.items():
        typer.echo(f"{key} = {_toml(value)}" if value is not None else f"# {key} is not set")


def _toml(value: Any) -> str:
    """Return a parameter as TOML writes it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "[" + ", ".join(_toml(part) for part in value) + "]"
