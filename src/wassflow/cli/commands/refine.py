"""``wassflow refine``."""

from pathlib import Path
from typing import Annotated

import typer

from wassflow.cli.case_files import read_problem
from wassflow.cli.chosen import chosen_case, coarser_cells, options_given
from wassflow.cli.options import Case, CellType, Output, Param, Quick, Quiet
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.values import integers, numbers


@reports_errors
def refine(
    case: Case,
    levels: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Number of meshes, each twice as fine as the one before. \\[default: 4]"
        ),
    ] = None,
    cells: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Cells along each axis, for each mesh: in place of --levels."),
    ] = None,
    cell: CellType = None,
    times: Annotated[
        str | None, typer.Option(metavar="T,T,...", help="Times at which to compare. \\[default: the end]")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Errors against: exact, quadrature or finest mesh. \\[default: exact where known]",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(metavar="SCHEME", help="upwind, muscl, or both, one after the other. \\[default: both]"),
    ] = None,
    velocity: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Face velocities: pointwise or potential. \\[default: pointwise]"),
    ] = None,
    param: Param = None,
    output: Output = Path("results"),
    quick: Quick = False,
    quiet: Quiet = False,
) -> None:
    """Refine the mesh and measure the order of the density flow.

    Errors against the exact solution, or a reference by quadrature, on meshes of
    halved width, with the observed orders, for every scheme. Where kinks or walls
    absorb mass, also how much of it lies within 1, 2 and 4 cells, and should.

    Example:  wassflow refine cosine-2d --levels 4
    """
    report = Report(output, quiet)
    problem = read_problem(case)
    typed = {"levels": levels, "cells": cells, "cell": cell}
    typed |= {"times": times, "reference": reference, "scheme": scheme, "velocity": velocity}
    given = options_given(problem, "refine", typed, cells=integers, times=numbers)
    if "cells" in given and "levels" in given:
        raise ValueError("--levels and --cells must not both be given: each says which meshes to use")
    chosen = chosen_case(problem, param, given)
    if "cells" in given:
        given["levels"] = given.pop("cells")
    elif quick:
        given = {
            "levels": [coarser_cells(chosen, divisor) for divisor in (8, 4, 2)],
            **given,
        }
    report.announce(f"{problem.label}: density flow on refined meshes ...")
    from wassflow import plot, study

    schemes = given.pop("scheme", "both")
    for name in ("upwind", "muscl") if schemes == "both" else (schemes,):
        result = study.mesh_refinement(chosen, progress=not quiet, scheme=name, **given)
        report.show(f"scheme {name}")
        report.tables(result, problem.label, f"mesh_refinement-{name}")
        absorbed = study.absorbed_mass(result) if study.absorbing_sets(result) else None
        if absorbed is not None:
            report.tables(absorbed, problem.label, f"absorbed_mass-{name}")
        report.picture(plot.mesh_refinement(result, absorbed), problem.label, f"mesh_refinement-{name}.png")
    report.close()
