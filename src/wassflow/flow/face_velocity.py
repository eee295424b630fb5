"""Normal velocities on the faces of a mesh, and the dissipation that goes with them.

Both formulas are antisymmetric in the two cells of a face, so that every rank that sees a face finds the same
flux.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.flow.face_fluxes import SteepestFluxes, gradient_and_kinks
from wassflow.flow.rows import rows
from wassflow.flow.special_faces import SpecialFaces
from wassflow.flow.threads import threads_on
from wassflow.functional import FirstVariation, Functional
from wassflow.functional.evaluation import FixedPoints, Pairings

# How far face normals may be from the line between the two centroids.
_ORTHOGONALITY = 1e-8
# How much V may differ, relatively, between two ends of a period.
_PERIODICITY = 1e-8


class Transport(Protocol):
    """What a dissipation needs to know of a discretisation of dm/dt = -div(v m)."""

    def mean_over_faces(self, values: Array, masses: Array) -> float:
        """Return the sum over owned cells of mass times the mean of ``values`` over the cell's faces."""
        ...

    def sum_over_transfers(self, values: Array, masses: Array) -> float:
        """Return the sum of ``values`` times the mass per unit time that leaves owned cells across faces."""
        ...


class FaceVelocity(ABC):
    """|f| v.n on faces of ``mesh``, from the left to the right cell, for the functional's first variation.

    Attributes:
        values: (faces,), |v|^2, or what else :meth:`dissipation` needs; only the entries of the faces last
            evaluated are valid.
        decays_energy: whether first-order upwind fluxes of this velocity never let F_h rise, and lose it at
            the rate :meth:`dissipation`.
    """

    decays_energy: bool

    def __init__(self, functional: Functional, mesh: Any) -> None:
        self.mesh = mesh
        self.values = np.zeros(len(mesh.face_cells))

    @abstractmethod
    def fluxes(self, variation: FirstVariation, faces: NDArray[np.int64], out: Array) -> bool:
        """Write |f| v.n of the given faces to their entries of ``out``; tell whether all are finite.

        ``faces`` are in ascending order, so that as many as there are, are all.
        """

    def slides(self) -> NDArray[np.uint8]:
        """Return 1 for the faces across which mass slid that a wall or a kink of V holds, (faces,).

        As last evaluated.
        """
        return np.zeros(self.values.size, dtype=np.uint8)

    @abstractmethod
    def dissipation(self, transport: Transport, masses: Array) -> float:
        """Return this rank's part of int |v|^2 dmu as this velocity sees it, never negative."""


class PointwiseVelocity(FaceVelocity):
    """v(x_f).n at the face midpoint, v of minimal norm: consistent on every mesh.

    Between cells at a wall or at a kink of V, where mass is held, with the velocity that it has there
    (:class:`wassflow.flow.held.HeldMass`): on simplices mass would not slide along them otherwise. The
    dissipation is the mean of |v(x_f)|^2 over the faces of each cell, weighted by its mass.

    Points do not move: dV is evaluated there once, and where it is a gradient, on nearly all faces, the
    velocity and its flux take one pass over the faces. The others are special.

    Attributes:
        steepest: fluxes where dV is a gradient.
        special: the other faces.
    """

    decays_energy = False

    def __init__(self, functional: Functional, mesh: Any) -> None:
        super().__init__(functional, mesh)
        features, V = functional.features, functional.regularizer
        midpoints = mesh.domain.wrap(mesh.face_midpoints)
        vectors, threads = mesh.face_areas[:, None] * mesh.face_normals, threads_on(mesh)
        gradient, kinked = gradient_and_kinks(V, midpoints)
        self.steepest = SteepestFluxes(gradient, vectors, threads)
        self.special = SpecialFaces(functional, mesh, midpoints, vectors, kinked, threads)
        # midpoints and what lies beside them on walls and kinks have most of their fibres in common
        self._points = FixedPoints(features, np.concatenate([midpoints, self.special.points]), threads)
        self._all_points = np.arange(len(self._points.points))

    def fluxes(self, variation: FirstVariation, faces: NDArray[np.int64], out: Array) -> bool:
        """Write |f| v(x_f).n of the given faces to ``out``; tell whether all are finite."""
        paired, finite = self.evaluate(variation, faces)
        return self.steepest.write(paired, faces, self.special, out, self.values) and finite

    def evaluate(self, variation: FirstVariation, faces: NDArray[np.int64]) -> tuple[Pairings, bool]:
        """Return <R', D Phi> at the given faces and evaluate the special ones; are those finite?"""
        rows = self.special.rows_among(faces)
        points = self._all_points
        if faces.size < self.values.size:
            points = np.concatenate([faces, self.values.size + self.special.points_of(rows)])
        paired = self._points.pair_gradient(variation.slope, points)
        return paired, self.special.evaluate(paired, self.values.size, rows)

    def slides(self) -> NDArray[np.uint8]:
        """Return 1 for the faces across which held mass slid."""
        return self.special.slides()

    def dissipation(self, transport: Transport, masses: Array) -> float:
        """Return this rank's part of sum_K m_K mean_f |v(x_f)|^2."""
        return transport.mean_over_faces(self.values, masses)


class PotentialVelocity(FaceVelocity):
    """(F'_K - F'_L) / d_KL, for which the energy of the semi-discrete scheme decays exactly.

    The dissipation is then that of the scheme, sum_f |f| d_KL (v.n)^2 rho_donor = -DF_h.dm/dt
    (Bailo, Carrillo, Hu, Commun. Math. Sci. 18 (2020) 1259, for boxes).

    Raises:
        WassflowError: if the line between two centroids is not orthogonal to their face, where the formula is
            not consistent; or if V is not periodic along a periodic axis.
    """

    decays_energy = True

    def __init__(self, functional: Functional, mesh: Any) -> None:
        super().__init__(functional, mesh)
        if not mesh.is_orthogonal(_ORTHOGONALITY):
            raise WassflowError(
                "velocity 'potential' needs a mesh whose faces are orthogonal to the lines between the cell"
                f" centroids, such as a box of quadrilaterals or hexahedra, found {mesh.cell_type} cells that"
                " are not; use 'pointwise'"
            )
        self._left, self._right = mesh.face_cells[:, 0], mesh.face_cells[:, 1]
        offsets = mesh.face_offsets  # zero but for faces across a periodic axis
        step = mesh.centroids[self._right] + offsets - mesh.centroids[self._left]
        self._distances = np.einsum("ij,ij->i", step, mesh.face_normals)
        across = np.flatnonzero(np.any(offsets != 0.0, axis=1))
        here = mesh.centroids[self._right[across]]
        value = functional.regularizer.value
        jump = np.abs(value(here + offsets[across]) - value(here))
        if mesh.allmax(float(np.max(jump - _PERIODICITY * (1.0 + np.abs(value(here))), initial=-1.0))) > 0.0:
            raise WassflowError(
                "velocity 'potential' needs a regularizer V that is periodic along the periodic axes of the"
                " mesh, found one that jumps there; use 'pointwise'"
            )
        self._conductance = mesh.face_areas / self._distances
        self._potential = value(mesh.centroids)
        self._wanted = np.zeros(mesh.num_cells, dtype=bool)
        self._first_variation = np.zeros(mesh.num_cells)

    def fluxes(self, variation: FirstVariation, faces: NDArray[np.int64], out: Array) -> bool:
        """Write |f| (F'(x_K) - F'(x_L)) / d_KL of the given faces to ``out``; tell whether all are finite."""
        left, right = rows(self._left, faces), rows(self._right, faces)
        self._wanted[:] = faces.size == len(self._left)
        self._wanted[left] = True
        self._wanted[right] = True
        cells = np.flatnonzero(self._wanted)
        paired = variation.features.pair(rows(self.mesh.centroids, cells), variation.slope)
        self._first_variation[cells] = paired + rows(self._potential, cells)
        drop = self._first_variation[left] - self._first_variation[right]
        self.values[faces] = np.abs(drop)
        out[faces] = drop * rows(self._conductance, faces)
        return bool(np.all(np.isfinite(drop)))

    def dissipation(self, transport: Transport, masses: Array) -> float:
        """Return this rank's part of sum_f |f| d_KL (v.n)^2 rho_donor."""
        return transport.sum_over_transfers(self.values, masses)


FACE_VELOCITIES: dict[str, type[FaceVelocity]] = {
    "pointwise": PointwiseVelocity,
    "potential": PotentialVelocity,
}
