"""Check meshes and tell what must not depend on the number of ranks; run and imported by test_ranks.py."""

import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest

from wassflow.domain import Box
from wassflow.mesh import Mesh, box, graded, read, refine, write
from wassflow.mesh.dolfinx_import import MPI

MESHES = Path(__file__).parents[2] / "meshes"


def make_meshes(comm: MPI.Comm):
    """Meshes of all types with walls and periods, 1 and 2 cells per period, idle ranks; refined ones."""
    square, torus = Box([0.0, 0.0], [1.0, 2.0], (True, False)), Box([0.0, 0.0], [1.0, 2.0], (True, True))
    brick = [1.0, 1.3, 0.7]
    made = {
        "triangle": box(square, (5, 4), "triangle", comm),
        "quadrilateral": box(torus, (7, 5), "quadrilateral", comm),
        "tetrahedron": box(Box([0.0] * 3, brick, (True, False, True)), (2, 3, 2), "tetrahedron", comm),
        "hexahedron": box(Box([0.0] * 3, brick, (True, True, True)), (3, 4, 2), "hexahedron", comm),
        "one-cell": box(Box([0.0, 0.0], [1.0, 1.0], (True, True)), 1, "quadrilateral", comm),
        "one-period": box(Box([0.0, 0.0], [1.0, 1.0], (True, True)), (1, 6), "quadrilateral", comm),
        "disk": read(MESHES / "disk.msh", comm=comm),
    }
    w = graded(0.0, 1.0, 5, center=0.4, ratio=3.0)
    made["graded"] = box(torus, (5, 3), "quadrilateral", comm, coordinates=[w, None])
    yield from made.items()
    for name in ("triangle", "tetrahedron", "hexahedron", "one-cell"):
        yield f"refined-{name}", _refined(made[name])
    for name in ("triangle", "tetrahedron", "disk"):
        yield f"locally-refined-{name}", _refined(made[name], lambda u: np.linalg.norm(u, axis=1) < 0.4)


def _refined(mesh: Mesh, marker=None) -> Mesh:
    refinement = refine(mesh, marker)
    volumes, sums = mesh.volumes[: mesh.num_owned], refinement.collect(refinement.fine.volumes)
    assert np.allclose(sums, volumes, rtol=1e-13, atol=0)
    return refinement.fine


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


def report(comm: MPI.Comm) -> dict[str, np.ndarray]:
    """What is known of all meshes, after writing and reading one of them."""
    arrays = {
        f"{name}/{key}": array for name, mesh in make_meshes(comm) for key, array in describe(mesh).items()
    }
    mesh = read(MESHES / "disk.msh", comm=comm)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".vtu", ".xdmf", ".vtkhdf"):
            file = Path(comm.bcast(folder)) / f"mesh{suffix}"
            write(file, mesh, {"density": mesh.volumes})
            if suffix != ".vtkhdf":
                again = read(file, comm=comm)
                assert abs(again.allsum(again.volumes[: again.num_owned].sum()) - mesh.domain.volume) < 1e-12
        comm.barrier()
    # on every rank, not only where the file is looked for
    with pytest.raises(ValueError, match="found none"):
        read("no/such/mesh.msh", comm=comm)
    return arrays


def main(path: str) -> None:
    arrays = report(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, size=MPI.COMM_WORLD.size, **arrays)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BaseException:  # the other ranks would wait for this one
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)
