"""``wassflow animate``."""

from pathlib import Path
from typing import Annotated

import typer

from wassflow.cli.case_files import read_problem
from wassflow.cli.chosen import chosen_case, coarser_cells, options_given
from wassflow.cli.options import Case, Cells, CellType, Output, Param, Quick, Quiet, Scheme, Seed, Start
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.values import cells_per_axis


@reports_errors
def animate(
    case: Case,
    m: Annotated[
        int | None, typer.Option("--m", metavar="M", help="Number of particles. \\[default: 200]")
    ] = None,
    method: Start = None,
    seed: Seed = None,
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Number of pictures. \\[default: 60]")
    ] = None,
    fps: Annotated[int, typer.Option(metavar="N", min=1, help="Pictures per second.")] = 12,
    cells: Cells = None,
    cell: CellType = None,
    scheme: Scheme = None,
    param: Param = None,
    output: Output = Path("results"),
    quick: Quick = False,
    quiet: Quiet = False,
) -> None:
    """Film a case in logarithmic time: the density with the particles on top.

    Writes animation.gif, animation.mp4 where ffmpeg is there, and trajectories.png:
    the path of every particle over the planted spikes or neurons.

    Example:  wassflow animate relu-2d --m 100
    """
    report = Report(output, quiet)
    problem = read_problem(case)
    typed = {"m": m, "method": method, "seed": seed, "frames": frames}
    typed |= {"cells": cells, "cell": cell, "scheme": scheme}
    given = options_given(problem, "animate", typed, cells=cells_per_axis)
    chosen = chosen_case(problem, param, given)
    if quick:
        given = {"m": 60, "frames": 20, "cells": coarser_cells(chosen, 2), **given}
    report.announce(f"{problem.label}: density flow and particle flow ...")
    from wassflow import plot
    from wassflow.study import evolution
    from wassflow.study.progress import TaskProgress

    result = evolution(chosen, progress=not quiet, **given)
    report.picture(plot.trajectories(result), problem.label, "trajectories.png")
    for kind in ("gif", "mp4") if plot.can_write_mp4() else ("gif",):
        film = plot.Film(result, fps)
        with TaskProgress(f"animation.{kind}", len(film), enabled=not quiet) as bar:
            film_path = report.output / problem.label / f"animation.{kind}"
            report.files.append(film.save(film_path, done=bar.advance))
    report.close()
