"""Refinement of meshes, everywhere or where it is asked for, with the way back to the coarse cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array
from wassflow.mesh import bisection, geometry
from wassflow.mesh.dolfinx_import import dolfinx
from wassflow.mesh.halo import Halo
from wassflow.mesh.mesh import Mesh
from wassflow.mesh.subdivision import subdivide

Marker = Callable[[Array], ArrayLike] | ArrayLike


@dataclass(frozen=True, eq=False)
class Refinement:
    """A mesh and a refinement of it; each fine cell lies in one coarse cell, on the same rank.

    Attributes:
        coarse, fine: the two meshes.
        parent: the coarse cell that each owned fine cell lies in, (fine.num_owned,).
    """

    coarse: Mesh
    fine: Mesh
    parent: NDArray[np.int32]

    def __repr__(self) -> str:
        coarse, fine = self.coarse.num_cells_global, self.fine.num_cells_global
        return f"Refinement({coarse} -> {fine} cells of type {self.fine.cell_type})"

    def collect(self, values: Array) -> Array:
        """Sum values of fine cells (fine.num_owned,) over each coarse cell, (coarse.num_owned,)."""
        return np.bincount(self.parent, weights=values[: self.parent.size], minlength=self.coarse.num_owned)

    def then(self, further: "Refinement") -> "Refinement":
        """Return the refinement from this coarse mesh to the fine mesh of a refinement of ``fine``.

        Raises:
            ValueError: when ``further`` refines another mesh.
        """
        if further.coarse is not self.fine:
            raise ValueError("further must refine the fine mesh of this refinement, found another mesh")
        return Refinement(self.coarse, further.fine, self.parent[further.parent])


def refine(mesh: Mesh, marker: Marker | None = None) -> Refinement:
    """Refine a mesh where ``marker`` says, or everywhere; collective.

    Marked triangles and tetrahedra are bisected d times at their longest edges, and neighbours as far as a
    conforming mesh asks for (see :func:`wassflow.mesh.bisection.bisect`); across periodic axes too, where
    the cells on the other side are refined alike. Without a marker all cells are cut into 2^d; boxes of
    :func:`wassflow.mesh.box` then become the boxes of twice as many cells. Cells stay on the rank of their
    parent: refine a mesh that is spread evenly.

    Args:
        mesh: the mesh to refine.
        marker: a function of centroids (n, d) that returns n booleans, or n booleans for the owned cells
            (mesh.num_owned,); None for all cells. Quadrilaterals and hexahedra take None only: there is no
            conforming mesh of them between coarse and fine cells (see :func:`wassflow.mesh.graded`).

    Raises:
        ValueError: for a marker of another shape or type, and for one on quadrilaterals or hexahedra.
        WassflowError: when opposite periodic planes are cut differently, which can happen in 3D where two
            edges of a face are equally long; for hexahedra that are cut into pieces with faces that are
            not planar.

    >>> import wassflow as wf
    >>> coarse = wf.mesh.box(wf.Box([-1.0, 0.0], [1.0, 1.0]), cells=(8, 4))
    >>> wf.mesh.refine(coarse)
    Refinement(128 -> 512 cells of type triangle)
    >>> near = wf.mesh.refine(coarse, lambda u: abs(u[:, 0]) < 0.2)
    >>> near.fine.num_cells_global, bool(np.allclose(near.collect(near.fine.volumes), coarse.volumes))
    (232, True)
    """
    simplicial = mesh.cell_type in ("triangle", "tetrahedron")
    if marker is not None and not simplicial:
        raise ValueError(
            f"marker must be None on {mesh.cell_type} cells, where local refinement leaves hanging nodes, "
            f"found {type(marker).__name__}; use triangles or tetrahedra, or graded coordinates"
        )
    if not simplicial:
        family = subdivide(mesh.dolfinx_mesh)
    elif marker is None:
        family = bisection.split_uniformly(mesh.dolfinx_mesh, mesh.domain)
    else:
        family = bisection.bisect(mesh.dolfinx_mesh, mesh.domain, _marked(mesh, marker))
    numbers = _number(mesh, family.mesh, family.parent)
    fine = Mesh.from_dolfinx(family.mesh, mesh.domain, numbers)
    if mesh.cell_type == "hexahedron":
        fine.check()
    return Refinement(mesh, fine, family.parent)


def _marked(mesh: Mesh, marker: Marker) -> NDArray[np.bool_]:
    """Return one boolean per owned cell."""
    owned = mesh.num_owned
    found = np.asarray(marker(mesh.centroids[:owned]) if callable(marker) else marker)
    if found.shape not in ((owned,), (mesh.num_cells,)) or found.dtype != np.bool_:
        raise ValueError(
            f"marker must give one boolean per cell, ({owned},), found {found.dtype} of shape {found.shape}"
        )
    return found[:owned]


def _number(coarse: Mesh, fine: dolfinx.mesh.Mesh, parent: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number fine cells, ghosts too, by parent and centroid: the same for any number of ranks."""
    cells = fine.topology.index_map(coarse.dim)
    nodes = np.ascontiguousarray(fine.geometry.x[:, : coarse.dim])
    owned_cells = np.ascontiguousarray(fine.geometry.dofmaps[0][: parent.size], dtype=np.int32)
    _, centroids = geometry.volumes_and_centroids(nodes, owned_cells, coarse.kind.simplices)
    counts = np.bincount(parent, minlength=coarse.num_owned)
    starts = np.concatenate([[0], np.cumsum(coarse.gather(counts))])
    order = np.lexsort((*centroids.T[::-1], parent))
    among_siblings = np.arange(parent.size) - np.concatenate([[0], np.cumsum(counts)])[parent[order]]
    numbers = np.empty(cells.size_local + cells.num_ghosts)
    numbers[order] = starts[coarse.original_cell_index[parent[order]]] + among_siblings
    ghosts, owners = np.array(cells.ghosts, dtype=np.int64), np.array(cells.owners, dtype=np.int32)
    return Halo(coarse.comm, cells.size_local, ghosts, owners).update(numbers).astype(np.int64)
