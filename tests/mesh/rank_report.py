"""Run under mpiexec by test_ranks.py: check meshes on several ranks and save what must not depend on them."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from wassflow.domain import Box
from wassflow.mesh import Mesh, box, read, write

MESHES = Path(__file__).parents[2] / "meshes"


def make_meshes():
    """Meshes of all cell types with walls and periods, 1 and 2 cells per period, idle ranks; and one read."""
    yield "triangle", box(Box([0.0, 0.0], [1.0, 2.0], (True, False)), (5, 4), "triangle")
    yield "quadrilateral", box(Box([0.0, 0.0], [1.0, 2.0], (True, True)), (7, 5), "quadrilateral")
    yield "tetrahedron", box(Box([0.0] * 3, [1.0, 1.3, 0.7], (True, False, True)), (2, 3, 2), "tetrahedron")
    yield "hexahedron", box(Box([0.0] * 3, [1.0, 1.3, 0.7], (True, True, True)), (3, 4, 2), "hexahedron")
    yield "one-cell", box(Box([0.0, 0.0], [1.0, 1.0], (True, True)), 1, "quadrilateral")
    yield "one-period", box(Box([0.0, 0.0], [1.0, 1.0], (True, True)), (1, 6), "quadrilateral")
    yield "disk", read(MESHES / "disk.msh")


def describe(mesh: Mesh) -> dict[str, np.ndarray]:
    """Arrays in an order that does not depend on the number of ranks: by cell, and by side of a cell."""
    mesh.check()
    owned = mesh.num_owned
    report = {name: mesh.gather(getattr(mesh, name)) for name in ("volumes", "centroids", "covariances")}
    # each side of an owned cell: original indices of the two cells, then the geometry; sorted
    left, right = mesh.face_cells.T
    original = mesh.original_cell_index
    geometry = np.column_stack(
        [mesh.face_areas, mesh.face_distances, mesh.face_normals, mesh.face_midpoints, mesh.face_offsets]
    )
    mine = left < owned  # each face is told by the rank that owns its left cell
    rows = np.column_stack([original[left], original[right], geometry])[mine]
    walls = np.column_stack(
        [original[mesh.wall_cells], mesh.wall_areas, mesh.wall_normals, mesh.wall_midpoints]
    )
    for name, table in (("faces", rows), ("walls", walls)):
        table = np.concatenate(mesh.comm.allgather(table))
        report[name] = table[np.lexsort(table.T[::-1])]
    report["h"] = np.array(mesh.h)

    # what the halo brings is what the owners hold; ghosts across periods too
    values = np.where(np.arange(mesh.num_cells) < owned, original * 1.0, np.nan)
    assert np.array_equal(mesh.halo.update(values), original)
    rows = np.where(np.arange(mesh.num_cells)[:, None] < owned, mesh.centroids, np.nan)
    assert np.array_equal(mesh.halo.update(rows), mesh.centroids)
    assert mesh.halo.index_map.size_global == mesh.num_cells_global

    # the sum over faces, from gathered neighbours, as the flow does it
    u = np.cos(3.0 * original)
    faces, signs = mesh.cell_faces, mesh.cell_face_signs
    flux = mesh.face_areas * (u[left] + 2.0 * u[right]) * (mesh.face_normals @ np.arange(1.0, mesh.dim + 1))
    report["divergence"] = mesh.gather(
        np.where(faces >= 0, np.append(flux, 0.0)[faces] * signs, 0.0).sum(axis=1)
    )
    return report


def main(path: str) -> None:
    arrays = {}
    for name, mesh in make_meshes():
        for key, value in describe(mesh).items():
            arrays[f"{name}/{key}"] = value
        comm = mesh.comm
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".vtu", ".xdmf", ".vtkhdf"):
            file = Path(comm.bcast(folder)) / f"mesh{suffix}"
            write(file, mesh, {"density": mesh.volumes})
            if suffix != ".vtkhdf":
                again = read(file)
                assert abs(again.allsum(again.volumes[: again.num_owned].sum()) - mesh.domain.volume) < 1e-12
        comm.barrier()
    with pytest.raises(
        ValueError, match="found none"
    ):  # on every rank, not only where the file is looked for
        read("no/such/mesh.msh")
    if comm.rank == 0:
        np.savez(path, size=comm.size, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
