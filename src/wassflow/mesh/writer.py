"""Meshes with cell data to files, for ParaView and for :func:`wassflow.mesh.read`."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array
from wassflow.mesh.dolfinx_import import dolfinx
from wassflow.mesh.mesh import Mesh
from wassflow.mesh.ranks import on_first_rank
from wassflow.mesh.reader import meshio_format


def write(path: str | Path, mesh: Mesh, data: Mapping[str, ArrayLike] | None = None) -> None:
    """Write a mesh and named cell data to a file, whole or not at all; collective.

    ``.xdmf`` (with an ``.h5`` beside it) and ``.vtkhdf`` are written by all ranks together; any other format
    of meshio, ``.vtu`` for instance, by rank 0 in the order of the input.

    Args:
        path: the file; what it held before is replaced.
        mesh: the mesh.
        data: arrays with one number per owned cell (num_owned,), or with ghosts (num_cells,). ``.vtkhdf``
            takes one array.

    Raises:
        ValueError: for a folder that does not exist, arrays of another length, or an unknown format.
    """
    path = Path(path)
    arrays = {name: _cell_values(mesh, name, values) for name, values in (data or {}).items()}
    if not path.parent.is_dir():
        raise ValueError(f"path must be in an existing folder, found {path}")
    if path.suffix == ".vtkhdf" and len(arrays) > 1:
        raise ValueError(
            f"data must hold one array for .vtkhdf, found {', '.join(arrays)}; use .xdmf or .vtu"
        )
    formats: dict[str, Callable[[Path, Mesh, dict[str, Array]], None]] = {
        ".xdmf": _write_xdmf,
        ".vtkhdf": _write_vtkhdf,
    }
    writer = formats.get(path.suffix, _write_meshio)
    # under the final names in a folder of its own: .xdmf refers to its .h5 by name
    folder = mesh.comm.bcast(
        on_first_rank(mesh.comm, lambda: tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    )
    try:
        writer(Path(folder) / path.name, mesh, arrays)
        mesh.comm.barrier()
        if mesh.comm.rank == 0:
            # the file that refers to others comes last
            for part in sorted(Path(folder).iterdir(), key=lambda part: part.name == path.name):
                os.replace(part, path.parent / part.name)
    finally:
        if mesh.comm.rank == 0:
            shutil.rmtree(folder, ignore_errors=True)
    mesh.comm.barrier()


def _cell_values(mesh: Mesh, name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((mesh.num_owned,), (mesh.num_cells,)):
        raise ValueError(
            f"data[{name!r}] must have one number per cell, ({mesh.num_owned},), found shape {array.shape}"
        )
    return array[: mesh.num_owned]


def _write_xdmf(path: Path, mesh: Mesh, data: dict[str, Array]) -> None:
    with dolfinx.io.XDMFFile(mesh.comm, path, "w") as file:
        file.write_mesh(mesh.dolfinx_mesh)
        constants = dolfinx.fem.functionspace(mesh.dolfinx_mesh, ("DG", 0))
        for name, values in data.items():
            function = dolfinx.fem.Function(constants, name=name)
            function.x.array[constants.dofmap.list[: mesh.num_owned, 0]] = values
            file.write_function(function)


def _write_vtkhdf(path: Path, mesh: Mesh, data: dict[str, Array]) -> None:
    dolfinx.io.vtkhdf.write_mesh(path, mesh.dolfinx_mesh)
    for values in data.values():
        dolfinx.io.vtkhdf.write_cell_data(path, mesh.dolfinx_mesh, np.ascontiguousarray(values), 0.0)


def _write_meshio(path: Path, mesh: Mesh, data: dict[str, Array]) -> None:
    """Gather on rank 0 and write there."""
    import meshio

    geometry = mesh.dolfinx_mesh.geometry
    node_map = geometry.index_map()
    owned_cells = geometry.dofmaps[0][: mesh.num_owned]
    cells = mesh.gather(node_map.local_to_global(owned_cells.reshape(-1)).reshape(owned_cells.shape))
    # global node numbers run through the ranks
    parts = mesh.comm.gather(geometry.x[: node_map.size_local])
    gathered = {name: [mesh.gather(values)] for name, values in data.items()}
    kind, to_vtk = mesh.kind, np.argsort(mesh.kind.from_vtk)

    def write_file() -> None:
        points = np.concatenate(parts or [])
        content = meshio.Mesh(points, {kind.meshio_name: cells[:, to_vtk]}, cell_data=gathered)
        try:
            content.write(path, file_format=meshio_format(path))
        except (Exception, SystemExit) as error:
            allowed = "path must end in .xdmf, .vtkhdf or a suffix that meshio can write"
            raise ValueError(f"{allowed}; {path.name} failed: {error}") from None

    on_first_rank(mesh.comm, write_file)
