"""Which two cells share each face.

A *side* is a facet as seen from one of its cells: side ``c * k + s`` is facet s of cell c, with k facets per
cell. A face is a pair of opposite sides, whether they are the same facet of the mesh or two facets that a
periodic axis identifies.
"""

import numpy as np
from numba import njit

from wassflow.errors import WassflowError

NO_SIDE = -1


def opposite_sides(cell_facets, num_facets):
    """Return for each side the side of the neighbour on the same facet, or NO_SIDE; (cells, k) int32.

    Args:
        cell_facets: the facets of each cell (cells, k), as dolfinx numbers them.
        num_facets: how many facets there are.
    """
    opposite, crowded = _opposite_sides(np.ascontiguousarray(cell_facets), num_facets)
    if crowded >= 0:
        raise WassflowError(
            f"cell {crowded} shares a facet with two other cells; at most two cells may meet at a facet"
        )
    return opposite


@njit(cache=True)
def _opposite_sides(cell_facets, num_facets):
    count, per_cell = cell_facets.shape
    first = np.full(num_facets, -1, dtype=np.int32)
    opposite = np.full((count, per_cell), -1, dtype=np.int32)
    sides = opposite.reshape(-1)
    for c in range(count):
        for s in range(per_cell):
            facet = cell_facets[c, s]
            side = c * per_cell + s
            if first[facet] < 0:
                first[facet] = side
            elif sides[first[facet]] < 0:
                sides[first[facet]] = side
                sides[side] = first[facet]
            else:
                return opposite, c
    return opposite, -1


@njit(cache=True)
def number_faces(opposite, num_owned, original):
    """Number the faces of owned cells in the order in which cells meet them: neighbours stay close in memory.

    Args:
        opposite: opposite side of each side (cells, k), -1 at a wall.
        num_owned: the first num_owned cells are owned by this rank.
        original: partition-independent index of each cell; the left cell is the one with the smaller index.

    Returns:
        face_sides (faces, 2): left and right side; wall_sides (walls,); cell_faces (num_owned, k): faces of
        owned cells, -1 for a wall; cell_face_signs (num_owned, k) int8: +1 where the cell is on the left
        through this side, -1 on the right, 0 at a wall.
    """
    per_cell = opposite.shape[1]
    cell_faces = np.full((num_owned, per_cell), -1, dtype=np.int32)
    signs = np.zeros((num_owned, per_cell), dtype=np.int8)
    faces = walls = 0
    for c in range(num_owned):
        for s in range(per_cell):
            if opposite[c, s] < 0:
                walls += 1
                continue
            if cell_faces[c, s] >= 0:
                continue
            other = opposite[c, s] // per_cell
            slot = opposite[c, s] - other * per_cell
            # a cell that is its own neighbour across a period is on the left through its first side
            left = original[c] < original[other] or (c == other and s < slot)
            cell_faces[c, s] = faces
            signs[c, s] = 1 if left else -1
            if other < num_owned:
                cell_faces[other, slot] = faces
                signs[other, slot] = -signs[c, s]
            faces += 1
    face_sides = np.empty((faces, 2), dtype=np.int32)
    wall_sides = np.empty(walls, dtype=np.int32)
    walls = 0
    for c in range(num_owned):
        for s in range(per_cell):
            side = c * per_cell + s
            if signs[c, s] == 0:
                wall_sides[walls] = side
                walls += 1
            else:
                left = 0 if signs[c, s] > 0 else 1
                face_sides[cell_faces[c, s], left] = side
                face_sides[cell_faces[c, s], 1 - left] = opposite[c, s]
    return face_sides, wall_sides, cell_faces, signs
