"""Second-order finite volumes: the donor cell lends the value of its linear reconstruction at the face."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.flow.face_sums import mean_over_faces
from wassflow.functional.evaluation import over_rows

# Share of the neighbour in the value at a face, for third order on equal boxes.
_BEND = 1.0 / 6.0
# What a donor lends at most, over its mean. On parallelograms and parallelepipeds a linear function that is
# nonnegative at the midpoints of faces is never above it: opposite midpoints have the mean between them. On
# tetrahedra 4/3, the bound of functions that are nonnegative at vertices, doubles the error in W2 of a bump
# whose edge is a few cells wide; without any bound steps halve for a tenth less.
_MOST = 2.0
# What the limiter leaves of a zero, over the mean of the donor: were it lent, cells that hold nothing else
# would limit the steps, by numbers without a true digit.
_ROUNDING = 1e-14


class MusclTransport:
    """dm/dt = -div(v m) with the linear reconstruction of the density at the faces.

    The mass that crosses a face per unit time is |f| (v.n)(x_f) rho(x_f), rho from the side where it comes
    from (van Leer, J. Comput. Phys. 32 (1979) 101), but never more than twice the mean of the donor: then
    dt sum_f |f| (v.n)^+ / |K| <= 1/2 leaves no negative mass on any convex cell. Walls let nothing through.

    Mass that slides along a wall or along a kink of V is a layer thinner than any cell. A linear function
    knows nothing of it, and on simplices, whose centroids are not level with the midpoints of their faces,
    its value there changes with their orientation: there the mean of the donor crosses.

    On parallelograms and parallelepipeds the value at the face may take a sixth of what the density of the
    neighbour differs from the linear function: of the mean values of a smooth density on equal boxes this is
    of third order across the face (kappa = 1/3 of van Leer's family; Burg, AIAA 2005-4999, for any mesh).
    With two-stage methods, whose steps it allows up to 0.87 of the bound only, and on simplices, where it
    gains nothing, it is left out.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.
        curved: whether to use the density of the neighbour where that is of third order.
        threads: for large numbers of cells.
    """

    def __init__(self, mesh: Any, curved: bool = False, threads: int = 1) -> None:
        self.faces = np.ascontiguousarray(np.maximum(mesh.cell_faces, 0).T, dtype=np.int32)
        self.signs: NDArray[np.int8] = np.ascontiguousarray(mesh.cell_face_signs.T)
        self.transfers: Array = np.zeros(len(mesh.face_cells))
        self._arms = mesh.face_arms
        self._face_cells = mesh.face_cells
        self._volumes = mesh.volumes
        self._level = mesh.cell_type in ("quadrilateral", "hexahedron")
        self._nowhere = np.zeros(len(mesh.face_cells), dtype=np.uint8)
        self._bend = _BEND if curved and self._level else 0.0
        self._threads = threads

    def set_fluxes(
        self,
        fluxes: Array,
        slides: NDArray[np.uint8],
        masses: Array,
        slopes: Array,
        faces: NDArray[np.int64],
        rate: Array,
    ) -> float:
        """Write dm/dt of the owned cells for the volume fluxes |f| v.n from left to right to ``rate``.

        ``slides`` is 1 at faces across which held mass slides. ``masses`` and ``slopes`` include ghosts;
        ``faces`` are those with mass on some side. Returns the
        largest share of its mass that an owned cell loses per unit time: a step up to its inverse leaves no
        negative mass.
        """
        self.transfers[:] = 0.0
        means = self._nowhere if self._level else slides
        fixed = (self._face_cells, fluxes, self._arms, self._volumes)
        over_rows(
            lambda part: _transfers(faces[part], *fixed, means, masses, slopes, self._bend, self.transfers),
            faces.size,
            self._threads,
        )
        gathered = (self.faces, self.signs, self.transfers, masses, rate)
        return max(
            over_rows(lambda part: _gather(*gathered, part.start, part.stop), rate.size, self._threads)
        )

    def mean_over_faces(self, values: Array, masses: Array) -> float:
        """Return the sum over cells of mass times the mean of ``values`` over the cell's interior faces."""
        return mean_over_faces(self.faces, self.signs, values, masses, self._threads)

    def sum_over_transfers(self, values: Array, masses: Array) -> float:
        """Return the sum over faces of ``values`` times the mass that crosses the face per unit time.

        It is that of the fluxes and masses last set; ``masses`` are not looked at.
        """
        return float(_sum_over_transfers(self.faces, self.signs, self.transfers, values))


@njit(cache=True, nogil=True)
def _transfers(faces, face_cells, fluxes, arms, volumes, means, masses, slopes, bend, transfers):  # type: ignore[no-untyped-def]
    for face in faces:
        side = 0 if fluxes[face] > 0.0 else 1
        donor = face_cells[face, side]
        if masses[donor] > 0.0:
            mean = masses[donor] / volumes[donor]
            if means[face]:
                transfers[face] = fluxes[face] * mean
                continue
            density = mean
            for a in range(arms.shape[2]):
                density += slopes[donor, a] * arms[face, side, a]
            if bend > 0.0:
                other = face_cells[face, 1 - side]
                excess = masses[other] / volumes[other] - mean
                for a in range(arms.shape[2]):
                    excess -= slopes[donor, a] * (arms[face, side, a] - arms[face, 1 - side, a])
                density += bend * excess
            # never below zero, where the neighbour's share may lead
            if density > _ROUNDING * mean:
                transfers[face] = fluxes[face] * min(density, _MOST * mean)


@njit(cache=True, nogil=True)
def _gather(faces, signs, transfers, masses, rate, start, stop):  # type: ignore[no-untyped-def]
    largest = 0.0
    for cell in range(start, stop):
        total = 0.0
        outflow = 0.0
        for j in range(faces.shape[0]):
            # what leaves the cell is positive; both cells of a face see the same number
            transfer = signs[j, cell] * transfers[faces[j, cell]]
            total += transfer
            outflow += max(transfer, 0.0)
        rate[cell] = -total
        if outflow > 0.0:
            largest = max(largest, outflow / masses[cell])
    return largest


@njit(cache=True)
def _sum_over_transfers(faces, signs, transfers, values):  # type: ignore[no-untyped-def]
    total = 0.0
    for cell in range(faces.shape[1]):
        for j in range(faces.shape[0]):
            # each transfer is counted by its donor, which exactly one rank owns
            transfer = signs[j, cell] * transfers[faces[j, cell]]
            if transfer > 0.0:
                total += transfer * values[faces[j, cell]]
    return total
