"""``wassflow mesh box`` and ``wassflow mesh inspect``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wassflow.cli.options import CellType, Output, Periodic, Quiet
from wassflow.cli.report import Report, reports_errors
from wassflow.cli.values import cells_per_axis, integers, numbers


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
    periodic: Periodic = None,
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


@reports_errors
def mesh_inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A gmsh .msh file, or whatever meshio reads.", show_default=False
        ),
    ],
    periodic: Periodic = None,
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
