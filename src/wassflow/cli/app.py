"""The commands. Everything heavy is imported inside them, so that help appears at once."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from wassflow import __version__
from wassflow.arguments import one_of
from wassflow.cli.case_files import Problem, read_problem
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.statements import STATEMENTS, statement
from wassflow.cli.validation import cores, validate
from wassflow.cli.values import case_parameters, cells_per_axis, integers, numbers

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

# More cells than these are too small to be seen.
_MOST_LAGUERRE_CELLS = 200


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


@app.command()
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
    given = _options(problem, "run", typed, times=numbers, cells=cells_per_axis)
    chosen = _case(problem, param, given)
    if quick:
        given = {"m": 128, "cells": _cells(chosen, 2), **given}
    report.announce(f"{problem.label}: density flow and particle flow ...")
    from wassflow import plot
    from wassflow.study import run as compare

    result = compare(chosen, progress=not quiet, **given)
    report.tables(result, problem.label, "comparison")
    report.picture(plot.comparison(result), problem.label, "comparison.png")
    if result.dim == 2 and result.m <= _MOST_LAGUERRE_CELLS:
        report.picture(_transport(result), problem.label, "transport.png")
    report.close()


@app.command()
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
    given = _options(problem, "animate", typed, cells=cells_per_axis)
    chosen = _case(problem, param, given)
    if quick:
        given = {"m": 60, "frames": 20, "cells": _cells(chosen, 2), **given}
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


@app.command()
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
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that share the work. \\[default: one per core]")
    ] = None,
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
        given = _options(
            problem, "limit", typed, m=integers, times=numbers, cells=cells_per_axis, method=_methods
        )
        if "m" in given:
            given["ms"] = given.pop("m")
        plans.append((problem, _case(problem, param, given), given))
    from wassflow import plot, study

    results = []
    for problem, chosen, given in plans:
        if quick:
            given = {"ms": [16, 32, 64, 128], "seeds": 2, "cells": _cells(chosen, 2), **given}
        given = {"workers": cores(), **given}
        report.announce(f"{problem.label}: density flow, then particles on {given['workers']} processes ...")
        result = study.many_particle_limit(chosen, progress=not quiet, **given)
        report.tables(result, problem.label, "many_particle_limit")
        report.picture(plot.many_particle_limit(result), problem.label, "many_particle_limit.png")
        results.append(result)
    if len(results) > 1:
        report.picture(plot.many_particle_limit(*results), "many_particle_limit.png")
    report.close()


@app.command()
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
    halved width, with the observed orders, for every scheme.

    Example:  wassflow refine cosine-2d --levels 4
    """
    report = Report(output, quiet)
    problem = read_problem(case)
    typed = {"levels": levels, "cells": cells, "cell": cell}
    typed |= {"times": times, "reference": reference, "scheme": scheme, "velocity": velocity}
    given = _options(problem, "refine", typed, cells=integers, times=numbers)
    if "cells" in given and "levels" in given:
        raise ValueError("--levels and --cells must not both be given: each says which meshes to use")
    chosen = _case(problem, param, given)
    if "cells" in given:
        given["levels"] = given.pop("cells")
    elif quick:
        given = {"levels": [_cells(chosen, 8), _cells(chosen, 4), _cells(chosen, 2)], **given}
    report.announce(f"{problem.label}: density flow on refined meshes ...")
    from wassflow import plot, study

    schemes = given.pop("scheme", "both")
    for name in ("upwind", "muscl") if schemes == "both" else (schemes,):
        result = study.mesh_refinement(chosen, progress=not quiet, scheme=name, **given)
        report.show(f"scheme {name}")
        report.tables(result, problem.label, f"mesh_refinement-{name}")
        report.picture(plot.mesh_refinement(result), problem.label, f"mesh_refinement-{name}.png")
    report.close()


@app.command("validate")
@reports_errors
def run_statements(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Statements. \\[default: all]", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that share the work. \\[default: one per core]")
    ] = None,
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


@app.command("cases")
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


@mesh_app.command("box")
@reports_errors
def mesh_box(
    upper: Annotated[
        str, typer.Option(metavar="X,X[,X]", help="Upper corner; its length is the dimension, 2 or 3.")
    ] = "1,1",
    lower: Annotated[
        str | None, typer.Option(metavar="X,X[,X]", help="Lower corner. \\[default: the origin]")
    ] = None,
    cells: Annotated[str, typer.Option(metavar="N | N,N[,N]", help="Boxes along each axis.")] = "16",
    cell: CellType = None,
    periodic: Annotated[
        str | None, typer.Option(metavar="AXIS,AXIS", help="Periodic axes, counted from 1. \\[default: none]")
    ] = None,
    output: Output = Path("results"),
    quiet: Quiet = False,
) -> None:
    """Make the mesh of a box: print its counts and checks, write it and a picture of it.

    Example:  wassflow mesh box --upper 2,1 --cells 32,16 --periodic 2
    """
    report = Report(output, quiet)
    corner = numbers("--upper", upper)
    dim = len(corner)
    if dim not in (2, 3):
        raise ValueError(f"--upper must have 2 or 3 coordinates, found {dim}")
    origin = [0.0] * dim if lower is None else numbers("--lower", lower)
    count = cells_per_axis("--cells", cells)
    axes = [] if periodic is None else integers("--periodic", periodic)
    if any(axis > dim for axis in axes):
        raise ValueError(f"--periodic must name axes between 1 and {dim}, found {max(axes)}")
    kind = cell or ("triangle" if dim == 2 else "tetrahedron")
    import wassflow as wf

    domain = wf.Box(origin, corner, periodic=[axis + 1 in axes for axis in range(dim)])
    mesh = wf.mesh.box(domain, cells=count, cell=kind)
    name = f"box-{kind}-{mesh.num_cells_global}"
    place = report.output / "meshes" / f"{name}.vtu"
    place.parent.mkdir(parents=True, exist_ok=True)
    wf.mesh.write(place, mesh)
    report.files.append(place)
    _show_mesh(report, mesh, name)


@mesh_app.command("inspect")
@reports_errors
def mesh_inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A gmsh .msh file, or whatever meshio reads.", show_default=False
        ),
    ],
    periodic: Annotated[
        str | None, typer.Option(metavar="AXIS,AXIS", help="Periodic axes, counted from 1. \\[default: none]")
    ] = None,
    output: Output = Path("results"),
    quiet: Quiet = False,
) -> None:
    """Read a mesh file: print counts, volumes and whether it is a mesh of a convex domain; draw it.

    Example:  wassflow mesh inspect meshes/disk.msh
    """
    report = Report(output, quiet)
    if not file.exists():
        raise ValueError(f"FILE must exist, found nothing at {file}")
    axes = [] if periodic is None else integers("--periodic", periodic)
    import wassflow as wf

    mesh = wf.mesh.read(file)
    if axes:
        if max(axes) > mesh.dim:
            raise ValueError(f"--periodic must name axes between 1 and {mesh.dim}, found {max(axes)}")
        mesh = wf.mesh.read(file, periodic=[axis + 1 in axes for axis in range(mesh.dim)])
    _show_mesh(report, mesh, file.stem)


def _show_mesh(report: Report, mesh: Any, name: str) -> None:
    """Print what a mesh is and whether it passes the checks, and draw it."""
    from wassflow import plot

    volumes = mesh.volumes[: mesh.num_owned]
    report.show(f"{name}")
    for label, value in (
        ("cells", f"{mesh.num_cells_global} ({mesh.cell_type})"),
        ("faces inside", f"{len(mesh.face_areas)}, of which {_periodic_faces(mesh)} across a period"),
        ("wall facets", f"{len(mesh.wall_areas)}"),
        ("domain", f"{mesh.domain!r}"),
        ("volume", f"{volumes.sum():.12g}"),
        ("cell volumes", f"{volumes.min():.6g} to {volumes.max():.6g}, mean {volumes.mean():.6g}"),
        ("largest diameter", f"{mesh.h:.6g}"),
        ("orthogonal", "yes" if mesh.is_orthogonal() else "no (potential face velocities are refused)"),
    ):
        report.show(f"  {label:<18}{value}")
    errors = mesh.check()
    report.picture(plot.mesh(mesh, name), "meshes", f"{name}.png")
    report.show(
        "  checks            passed: " + ", ".join(f"{what} {error:.1e}" for what, error in errors.items())
    )
    report.close()


def _periodic_faces(mesh: Any) -> int:
    return int((abs(mesh.face_offsets).max(axis=1) > 0.0).sum()) if len(mesh.face_offsets) else 0


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


def _options(problem: Problem, command: str, typed: dict[str, Any], **readers: Any) -> dict[str, Any]:
    """Return the options given in the case file or typed, which wins, as numbers."""
    options = {}
    for source, prefix in ((problem.options.get(command, {}), f"[{command}] "), (typed, "--")):
        for name, value in source.items():
            if value is not None:
                options[name] = readers[name](prefix + name, value) if name in readers else value
    return options


def _methods(name: str, text: Any) -> list[str]:
    words = text.split(",") if isinstance(text, str) else list(text)
    return ["iid", "quantized"] if words == ["both"] else [word.strip() for word in words]


def _case(problem: Problem, param: list[str] | None, given: dict[str, Any]) -> Any:
    """Build the case: parameters of its file and those typed; a cell type among the options is used up."""
    import wassflow.cases

    case = wassflow.cases.get(problem.case, **{**problem.parameters, **case_parameters(param or [])})
    cell = given.pop("cell", None)
    if cell is None:
        return case
    kinds = ("triangle", "quadrilateral") if case.domain.dim == 2 else ("tetrahedron", "hexahedron")
    return replace(case, cell=one_of("--cell", cell, kinds))


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


def _cells(case: Any, divisor: int) -> tuple[int, ...]:
    """Return the number of cells along each axis of a mesh coarser than the case's own."""
    return tuple(max(2, n // divisor) for n in case.cells)
