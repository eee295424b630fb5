"""Where int Phi dmu will be after a long step, so that the velocity can be frozen there."""

from typing import Any

import numpy as np

from wassflow.arguments import Array
from wassflow.flow.density_scheme import State, UpwindScheme
from wassflow.functional import Functional
from wassflow.functional.features import BLOCK_FLOATS

# Faces that carry less than this share of the largest density have no part in the response.
_CARRIED = 1e-12
# Step of the differences that give R'' where R is not quadratic.
_DIFFERENCE = 1e-5


class MomentPrediction:
    """A linearly implicit Euler step of f = int Phi dmu alone: (1 + dt T R''(f)) (f* - f) = dt df/dt.

    T g is the rate at which the velocity -grad <g, Phi> would take f down with the donor cells of the present
    velocity,

        T = sum_f |f| rho_donor (Phi(x_R) - Phi(x_L)) (d_n Phi(x_f))^T,

    the tangent kernel of the scheme: as int D Phi D Phi^T dmu, but for mass at rest at kinks of V and walls,
    which does not respond. At rest f* = f whatever T is. The cost is that of N^2 numbers per face with mass.

    Args:
        functional: F.
        mesh: a :class:`wassflow.mesh.Mesh`.
    """

    def __init__(self, functional: Functional, mesh: Any) -> None:
        self._features, self._loss, self._mesh = functional.features, functional.loss, mesh
        self._midpoints = mesh.domain.wrap(mesh.face_midpoints)
        self._response = np.zeros((0, 0))

    def linearize(self, scheme: UpwindScheme, state: State) -> None:
        """Evaluate T R'' at ``state``, whose velocity the scheme saw last; collective."""
        mesh, features, size = self._mesh, self._features, self._features.size
        cells = np.where(scheme.fluxes > 0.0, mesh.face_cells[:, 0], mesh.face_cells[:, 1])
        carried = state.cells.masses[cells] / mesh.volumes[cells] * mesh.face_areas
        carried[mesh.face_cells[:, 0] >= mesh.num_owned] = 0.0  # every face on one rank
        faces = np.flatnonzero(carried > _CARRIED * mesh.allmax(float(carried.max(initial=0.0))))
        tangent = np.zeros((size, size))
        block = max(1, BLOCK_FLOATS // (size * mesh.dim))
        for start in range(0, faces.size, block):
            some = faces[start : start + block]
            left, right = mesh.face_cells[some].T
            rise = features.value(mesh.centroids[right]) - features.value(mesh.centroids[left])
            slope = features.gradient(self._midpoints[some])
            normal = np.einsum("fan,fa->fn", slope, mesh.face_normals[some])
            tangent += rise.T @ (carried[some, None] * normal)
        tangent = mesh.allsum(tangent.reshape(-1)).reshape(size, size)
        self._response = tangent @ self._curvature(state.cells.moment)

    def predict(self, state: State, dt: float) -> Array:
        """Return f*, (N,)."""
        matrix = np.eye(self._features.size) + dt * self._response
        return state.cells.moment + np.linalg.lstsq(matrix, dt * state.moment_rate, rcond=None)[0]

    def _curvature(self, moment: Array) -> Array:
        """R'' at ``moment``, (N, N), by differences that are exact for quadratic R."""
        step = 1.0 if self._loss.quadratic else _DIFFERENCE
        moves = step * np.eye(self._features.size)
        columns = [self._loss.gradient(moment + e) - self._loss.gradient(moment - e) for e in moves]
        return np.array(columns).T / (2.0 * step)
