"""``wassflow run``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wassflow.cli.case_files import read_problem
from wassflow.cli.chosen import chosen_case, coarser_cells, options_given
from wassflow.cli.options import (
    Case,
    Cells,
    CellType,
    Output,
    Param,
    Quick,
    Quiet,
    Scheme,
    Seed,
    Start,
    Times,
)
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.values import cells_per_axis, numbers

# More cells than these are too small to be seen.
_MOST_LAGUERRE_CELLS = 200


@reports_errors
def run(
    case: Case,
    m: Annotated[
        int | None, typer.Option("--m", metavar="M", help="Number of particles. \\[default: 1000]")
    ] = None,
    method: Start = None,
    seed: Seed = None,
    times: Times = None,
    cells: Cells = None,
    cell: CellType = None,
    scheme: Scheme = None,
    param: Param = None,
    output: Output = Path("results"),
    quick: Quick = False,
    quiet: Quiet = False,
) -> None:
    """Solve a case both ways, once: density and particles side by side in time.

    Prints energies and W2 between particles and density, and draws the density
    with the particles on top at every time. In 2D with at most 200 particles it
    also draws the transport between the two at the last time: Laguerre cells.

    Example:  wassflow run deconvolution-2d --m 1000 --times 0,0.5,2
    """
    report = Report(output, quiet)
    problem = read_problem(case)
    typed = {"m": m, "method": method, "seed": seed, "times": times, "cells": cells, "cell": cell}
    typed |= {"scheme": scheme}
    given = options_given(problem, "run", typed, times=numbers, cells=cells_per_axis)
    chosen = chosen_case(problem, param, given)
    if quick:
        given = {"m": 128, "cells": coarser_cells(chosen, 2), **given}
    report.announce(f"{problem.label}: density flow and particle flow ...")
    from wassflow import plot
    from wassflow.study import run as compare

    result = compare(chosen, progress=not quiet, **given)
    report.tables(result, problem.label, "comparison")
    report.picture(plot.comparison(result), problem.label, "comparison.png")
    if result.dim == 2 and result.m <= _MOST_LAGUERRE_CELLS:
        report.picture(_transport(result), problem.label, "transport.png")
    report.close()


def _transport(result: Any) -> Any:
    """Draw the optimal transport between density and particles at the last time of a comparison."""
    from wassflow import plot

    t = result.times[-1]
    return plot.transport(
        result.density.at(t),
        result.particles.at(t),
        domain=result.case.domain,
        title=f"{result.case.name}, $t = {t:.3g}$",
        names=result.case.coordinates or None,
    )
