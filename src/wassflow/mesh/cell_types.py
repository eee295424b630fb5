"""The four cell types: how their vertices are numbered, their facets, and their splitting into simplices.

Vertices are numbered as in dolfinx: quadrilaterals and hexahedra have vertex ``i + 2 j + 4 k`` at the corner
(i, j, k).

       2-----3            6-----7
       |     |           /|    /|
       |     |          4-----5 |
       0-----1          | 2---|-3
                        |/    |/
                        0-----1
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class CellType:
    """The combinatorics of a cell type; the order of ``facets`` is dolfinx's.

    Attributes:
        name: the name in dolfinx.
        dim: the dimension d.
        facets: local vertices of each facet, (facets per cell, vertices per facet).
        simplices: local vertices of the simplices that the cell is cut into, (simplices per cell, d + 1).
        meshio_name: the name in meshio.
        from_vtk: position in the VTK (and meshio and gmsh) order of each vertex in dolfinx's order.
    """

    name: str
    dim: int
    facets: Table
    simplices: Table
    meshio_name: str
    from_vtk: Table

    @property
    def num_vertices(self) -> int:
        """Vertices of a cell."""
        return self.from_vtk.size


def _table(rows: list[list[int]] | list[int]) -> Table:
    return np.array(rows, dtype=np.int32)


CELL_TYPES = {
    kind.name: kind
    for kind in (
        CellType(
            "triangle",
            2,
            _table([[1, 2], [0, 2], [0, 1]]),
            _table([[0, 1, 2]]),
            "triangle",
            _table([0, 1, 2]),
        ),
        CellType(
            "quadrilateral",
            2,
            _table([[0, 1], [0, 2], [1, 3], [2, 3]]),
            _table([[0, 1, 3], [0, 3, 2]]),
            "quad",
            _table([0, 1, 3, 2]),
        ),
        CellType(
            "tetrahedron",
            3,
            _table([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]),
            _table([[0, 1, 2, 3]]),
            "tetra",
            _table([0, 1, 2, 3]),
        ),
        CellType(
            "hexahedron",
            3,
            _table([[0, 1, 2, 3], [0, 1, 4, 5], [0, 2, 4, 6], [1, 3, 5, 7], [2, 3, 6, 7], [4, 5, 6, 7]]),
            # the six tetrahedra around the diagonal 0-7, one for each order of the three axes (Kuhn 1960)
            _table([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]]),
            "hexahedron",
            _table([0, 1, 3, 2, 4, 5, 7, 6]),
        ),
    )
}
