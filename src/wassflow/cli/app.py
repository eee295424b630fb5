"""The commands, put together. Everything heavy is imported inside them, so that help appears at once."""

from typing import Annotated

import typer

from wassflow import __version__
from wassflow.cli.commands.animate import animate
from wassflow.cli.commands.cases import list_cases
from wassflow.cli.commands.limit import limit
from wassflow.cli.commands.mesh import mesh_box, mesh_inspect
from wassflow.cli.commands.refine import refine
from wassflow.cli.commands.run import run
from wassflow.cli.commands.statements import run_statements

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Wasserstein gradient flows, solved twice and compared: as a [bold]density[/] on a mesh, and as m
[bold]particles[/].

The distance W2 between the two always comes as a certified bracket, lower and upper bound.

[bold]Start here:[/]

  wassflow cases                     what can be solved

  wassflow run cosine-2d --quick     both flows once, side by side

  wassflow limit cosine-2d --quick   W2 against m, with its rate
""",
)
mesh_app = typer.Typer(no_args_is_help=True, help="Make the mesh of a box, or look at a mesh file.")
app.add_typer(mesh_app, name="mesh")

app.command("run")(run)
app.command("animate")(animate)
app.command("limit")(limit)
app.command("refine")(refine)
app.command("validate")(run_statements)
app.command("cases")(list_cases)
mesh_app.command("box")(mesh_box)
mesh_app.command("inspect")(mesh_inspect)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"wassflow {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass
