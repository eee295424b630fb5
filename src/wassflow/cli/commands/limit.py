"""``wassflow limit``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wassflow.cli.case_files import read_problem
from wassflow.cli.chosen import chosen_case, coarser_cells, options_given
from wassflow.cli.options import (
    CaseList,
    Cells,
    CellType,
    Output,
    Param,
    Quick,
    Quiet,
    Scheme,
    Times,
    Workers,
)
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.validation import cores
from wassflow.cli.values import cells_per_axis, integers, numbers


@reports_errors
def limit(
    cases: CaseList,
    m: Annotated[
        str | None,
        typer.Option(
            "--m",
            metavar="M,M,... | A:B",
            help="Numbers of particles; 16:1024 doubles from 16. \\[default: 16:1024]",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Random starts for every m (quantised starts need one). \\[default: 5]"
        ),
    ] = None,
    times: Times = None,
    cells: Cells = None,
    cell: CellType = None,
    scheme: Scheme = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="START",
            help="iid, stratified, quantized, several with commas, or both: iid,quantized. \\[default: both]",
        ),
    ] = None,
    workers: Workers = None,
    param: Param = None,
    output: Output = Path("results"),
    quick: Quick = False,
    quiet: Quiet = False,
) -> None:
    """Measure the many-particle limit: how W2 between m particles and the density falls as m grows.

    For every m, seed and time: a certified bracket of W2. For every time: the
    fitted power of m with its 95 % interval, the law of theory, and the error of
    the density itself, below which nothing can be seen.

    Example:  wassflow limit deconvolution-2d sigmoid-3d --output results
    """
    report = Report(output, quiet)
    problems = [read_problem(case) for case in cases]
    labels = [problem.label for problem in problems]
    if len(set(labels)) < len(labels):
        raise ValueError(f"CASE must be different cases, found {', '.join(labels)}")
    typed = {"m": m, "seeds": seeds, "method": method, "times": times}
    typed |= {"cells": cells, "cell": cell, "scheme": scheme, "workers": workers}
    plans = []
    for problem in problems:
        given = options_given(
            problem, "limit", typed, m=integers, times=numbers, cells=cells_per_axis, method=_methods
        )
        if "m" in given:
            given["ms"] = given.pop("m")
        plans.append((problem, chosen_case(problem, param, given), given))
    from wassflow import plot, study

    results = []
    for problem, chosen, given in plans:
        if quick:
            given = {"ms": [16, 32, 64, 128], "seeds": 2, "cells": coarser_cells(chosen, 2), **given}
        given = {"workers": cores(), **given}
        report.announce(f"{problem.label}: density flow, then particles on {given['workers']} processes ...")
        result = study.many_particle_limit(chosen, progress=not quiet, **given)
        report.tables(result, problem.label, "many_particle_limit")
        report.picture(plot.many_particle_limit(result), problem.label, "many_particle_limit.png")
        results.append(result)
    if len(results) > 1:
        report.picture(plot.many_particle_limit(*results), "many_particle_limit.png")
    report.close()


def _methods(name: str, text: Any) -> list[str]:
    words = text.split(",") if isinstance(text, str) else list(text)
    return ["iid", "quantized"] if words == ["both"] else [word.strip() for word in words]
