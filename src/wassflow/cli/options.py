"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Case = Annotated[
    str,
    typer.Argument(
        metavar="CASE", help="A case (see: wassflow cases) or a case file, NAME.toml.", show_default=False
    ),
]
CaseList = Annotated[
    list[str],
    typer.Argument(
        metavar="CASE", help="Cases (see: wassflow cases) or case files, NAME.toml.", show_default=False
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", metavar="", help="Print nothing but errors; write the files only.")
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick", metavar="", help="Small meshes, few particles: a look in seconds, not for numbers."
    ),
]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="KEY=VALUE", help="Set a parameter of the case; may be repeated."),
]
Cells = Annotated[
    str | None,
    typer.Option(
        metavar="N | N,N[,N]",
        help="Cells along each axis, one number for all or one per axis. \\[default: the case's]",
    ),
]
CellType = Annotated[
    str | None,
    typer.Option(
        metavar="TYPE", help="triangle, quadrilateral, tetrahedron or hexahedron. \\[default: the case's]"
    ),
]
Times = Annotated[
    str | None, typer.Option(metavar="T,T,...", help="Times at which to compare. \\[default: the case's]")
]
Scheme = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEME",
        help="Scheme of the density: muscl, second order, or upwind, first order. \\[default: muscl]",
    ),
]

Start = Annotated[
    str | None,
    typer.Option(
        metavar="START", help="iid, stratified or quantized: how particles start. \\[default: quantized]"
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Seed of the start. \\[default: 0]")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Processes that share the work. \\[default: one per core]")
]
Periodic = Annotated[
    str | None, typer.Option(metavar="AXIS,AXIS", help="Periodic axes, counted from 1. \\[default: none]")
]
