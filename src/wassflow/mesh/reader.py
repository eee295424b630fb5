"""Meshes from files: gmsh's .msh without gmsh, whatever else meshio reads, and XDMF through dolfinx."""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from wassflow.arguments import Array
from wassflow.domain import Box, Domain, Polytope
from wassflow.errors import WassflowError
from wassflow.mesh.boxes import create_dolfinx_mesh
from wassflow.mesh.cell_types import CELL_TYPES, CellType
from wassflow.mesh.dolfinx_import import MPI, dolfinx
from wassflow.mesh.mesh import Mesh
from wassflow.mesh.ranks import on_first_rank

# what a mesh may deviate from its convex hull: files may hold coordinates in single precision
TOLERANCE = 1e-6

_MESHIO_NAMES = {kind.meshio_name: kind for kind in CELL_TYPES.values()}
_ALLOWED = "triangles, quadrilaterals, tetrahedra or hexahedra with straight sides, all of one type"


def read(
    path: str | Path,
    domain: Domain | None = None,
    periodic: Sequence[bool] | None = None,
    comm: MPI.Comm | None = None,
) -> Mesh:
    """Read a mesh of a convex set from a file; collective.

    The cells of the highest dimension make the mesh; boundary elements and physical groups are ignored, and
    so is a third coordinate that is zero on a plane mesh. The mesh is checked
    (:func:`wassflow.mesh.checks.check`).

    Args:
        path: ``.msh`` of gmsh (its library is not needed), ``.xdmf``, or any format that meshio reads.
        domain: Omega; by default the convex hull of the mesh, as a Box where it is one.
        periodic: for each axis of a box whether it is periodic; opposite facets must match.
        comm: MPI communicator over which cells are distributed; all ranks by default.

    Raises:
        ValueError: for a missing or unreadable file, cells of several types or of another type.
        WassflowError: when the mesh does not fill a convex domain, or opposite facets do not match.

    >>> import tempfile, pathlib, wassflow as wf
    >>> square = wf.mesh.box(wf.Box([0.0, 0.0], [1.0, 1.0]), cells=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "square.vtu"
    ...     wf.mesh.write(path, square)
    ...     wf.mesh.read(path, periodic=(True, False))
    Mesh(36 cells of type triangle, h=0.3333, Box([0.0, 0.0], [1.0, 1.0], periodic=(True, False)))
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    path = Path(path)
    if domain is not None and periodic is not None:
        raise ValueError(
            "periodic must be None when domain is given: the domain says which axes are periodic"
        )
    on_first_rank(comm, lambda: _must_exist(path))
    if path.suffix == ".xdmf":
        kind, cells, points = _read_xdmf(path, comm)
    else:
        found = on_first_rank(comm, lambda: _read_meshio(path))
        kind = CELL_TYPES[comm.bcast(None if found is None else found[0].name)]
        # the other ranks bring nothing; create_mesh distributes
        nothing = kind, np.empty((0, kind.num_vertices), dtype=np.int64), np.empty((0, kind.dim))
        _, cells, points = nothing if found is None else found
    if domain is None:
        domain = _hull(comm, points, periodic)
    elif domain.dim != kind.dim:
        raise ValueError(f"domain must have the dimension of the mesh, {kind.dim}, found {domain.dim}")
    mesh = Mesh.from_dolfinx(create_dolfinx_mesh(comm, kind, cells, points), domain)
    mesh.check(TOLERANCE)
    return mesh


def meshio_format(path: Path) -> str | None:
    """Return the format that a suffix stands for, where meshio knows several; .msh is also Ansys's."""
    return "gmsh" if path.suffix == ".msh" else None


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"path must be a mesh file, found none at {path}")


def _read_meshio(path: Path) -> tuple[CellType, NDArray[np.int64], Array]:
    """Return the cells of the highest dimension, in dolfinx's order, and the points that they use."""
    import meshio

    said = io.StringIO()  # meshio prints what went wrong and exits
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = meshio.read(path, file_format=meshio_format(path))
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{said.getvalue()} {error}".split())
        raise ValueError(f"path must be a mesh that meshio can read; {path} is not: {reason}") from None
    blocks = [block for block in file.cells if len(block.data) and block.dim >= 2]
    dim = max((block.dim for block in blocks), default=0)
    kind = _one_kind(path, {block.type for block in blocks if block.dim == dim}, _MESHIO_NAMES)
    cells = np.concatenate([block.data for block in blocks if block.dim == dim])[:, kind.from_vtk]
    used, cells = np.unique(cells, return_inverse=True)
    points = _in_dimension(path, np.asarray(file.points, dtype=np.float64)[used], kind.dim, MPI.COMM_SELF)
    return kind, np.ascontiguousarray(cells.reshape(-1, kind.num_vertices), dtype=np.int64), points


def _read_xdmf(path: Path, comm: MPI.Comm) -> tuple[CellType, NDArray[np.int64], Array]:
    """Return this rank's share of the cells and points of the grid of the highest dimension."""
    try:
        root = ElementTree.parse(path)
    except ElementTree.ParseError as error:
        raise ValueError(f"path must be an XDMF file; {path} is not: {error}") from None
    names = {
        grid.get("Name", ""): topology.get("TopologyType", "").lower()
        for grid in root.iterfind("Domain/Grid")
        if (topology := grid.find("Topology")) is not None
    }
    kinds = {name: _XDMF_NAMES[topology] for name, topology in names.items() if topology in _XDMF_NAMES}
    unknown = set(names.values()) - _XDMF_NAMES.keys() - _XDMF_LOWER
    if unknown or not kinds:
        found = ", ".join(sorted(unknown)) or "none"
        raise ValueError(f"the cells of {path} must be {_ALLOWED}, found {found}")
    name = max(kinds, key=lambda name: kinds[name].dim)
    with dolfinx.io.XDMFFile(comm, path, "r") as file:
        cells = np.asarray(file.read_topology_data(name, "/Xdmf/Domain"), dtype=np.int64)
        points = np.asarray(file.read_geometry_data(name, "/Xdmf/Domain"), dtype=np.float64)
    return kinds[name], cells, _in_dimension(path, points, kinds[name].dim, comm)


# topology types of XDMF, in lower case: those of meshes, and those of boundary elements
_XDMF_NAMES = {kind.name: kind for kind in CELL_TYPES.values()}
_XDMF_LOWER = {"polyvertex", "polyline", "interval"}


def _one_kind(path: Path, found: set[str], known: dict[str, CellType]) -> CellType:
    if len(found) != 1 or not found <= known.keys():
        raise ValueError(
            f"the cells of {path} must be {_ALLOWED}, found {', '.join(sorted(found)) or 'none'}"
        )
    return known[found.pop()]


def _in_dimension(path: Path, points: Array, dim: int, comm: MPI.Comm) -> Array:
    """Drop the third coordinate of a plane mesh; collective."""
    excess = comm.allreduce(float(np.abs(points[:, dim:]).max(initial=0.0)), MPI.MAX)
    if excess > 0.0:
        raise ValueError(
            f"a mesh of two-dimensional cells must lie in the plane z = 0; {path} has a point "
            f"at |z| = {excess}"
        )
    return np.ascontiguousarray(points[:, :dim])


def _hull(comm: MPI.Comm, points: Array, periodic: Sequence[bool] | None) -> Domain:
    """Return the convex hull of the points of all ranks, as a Box where it is one; collective."""
    parts = comm.gather(points)
    domain = on_first_rank(comm, lambda: _box_or_polytope(np.concatenate(parts or []), periodic))
    return comm.bcast(domain)


def _box_or_polytope(points: Array, periodic: Sequence[bool] | None) -> Domain:
    lower, upper = points.min(axis=0), points.max(axis=0)
    try:
        volume = ConvexHull(points).volume
    except QhullError as error:
        raise ValueError(
            f"the points of the mesh must span the space: {str(error).splitlines()[0]}"
        ) from None
    if abs(volume - np.prod(upper - lower)) <= TOLERANCE * volume:
        return Box(lower, upper, periodic)
    if periodic is not None and any(periodic):
        raise WassflowError(
            f"periodic axes need a mesh of a box; the convex hull of this one has volume {volume:.6g}, its "
            f"bounding box {np.prod(upper - lower):.6g}"
        )
    return Polytope.from_points(points)
