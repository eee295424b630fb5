"""How int Phi dmu after a step answers to the moment that the velocity of the step is frozen at."""

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from wassflow.arguments import Array
from wassflow.flow.density_scheme import UpwindScheme
from wassflow.flow.rows import rows

# Relative residual at which the equation for a change of the moment counts as solved, and the directions of
# the moment that are looked at on the way: R'' dPhi dPhi^T is smoothing, and few of them respond.
_RESIDUAL, _DIRECTIONS = 1e-4, 40
# Length of the difference that gives the derivative of the velocity, relative to the moment.
_DIFFERENCE = 1e-6


class MomentResponse:
    """Solve g - Phi S T g = r, T g the change of dm/dt when the moment behind the velocity changes by g.

    T g = -div(|f| rho_donor dv/df g) with the donor cells of the present velocity: Phi T is the tangent
    kernel of the scheme, as -int D Phi D Phi^T dmu R'', but for mass at rest at kinks of V and walls, which
    does not respond. The equation is solved by GMRES (Saad and Schultz, SIAM J. Sci. Stat. Comput. 7 (1986)
    856), which needs T for as many directions as the response has, not for all N.

    Args:
        scheme: first-order upwind, whose state was evaluated last at ``moment``.
        masses: those that respond, with ghosts.
        moment: that of the velocity, f, (N,).
    """

    def __init__(self, scheme: UpwindScheme, masses: Array, moment: Array) -> None:
        mesh = scheme.mesh
        self._scheme, self._moment = scheme, moment
        self._fluxes = scheme.fluxes.copy()
        donors = np.where(self._fluxes > 0.0, mesh.face_cells[:, 0], mesh.face_cells[:, 1])
        self._carried = masses[donors] / mesh.volumes[donors]
        self._faces = np.flatnonzero(self._carried)
        self._moved = self._fluxes.copy()
        self._size = max(float(np.linalg.norm(moment)), 1.0)

    def rate(self, change: Array) -> Array:
        """Return T g for g = ``change``, of the owned cells."""
        scheme, mesh, faces = self._scheme, self._scheme.mesh, self._faces
        length = float(np.linalg.norm(change))
        rate = np.zeros(mesh.num_cells)
        if length == 0.0 or not faces.size:
            return rate[: mesh.num_owned]
        share = _DIFFERENCE * self._size / length
        variation = scheme.functional.linearize(self._moment + share * change)
        scheme.velocity.fluxes(variation, faces, self._moved)
        transfer = rows((self._moved - self._fluxes) / share * self._carried, faces)
        left, right = rows(mesh.face_cells, faces).T
        rate -= np.bincount(left, transfer, mesh.num_cells)
        rate += np.bincount(right, transfer, mesh.num_cells)
        return rate[: mesh.num_owned]

    def solve(self, right: Array, dt: float, advance: Callable[[Array], Array] | None = None) -> Array:
        """Return g with g - Phi S dt T g = ``right``, (N,); collective.

        Args:
            right: r, (N,).
            dt: length of the step.
            advance: S, from changes of the owned cells to changes of them; the identity by default.
        """

        def residual(change: Array) -> Array:
            response = dt * self.rate(change)
            return change - self._scheme.moment(response if advance is None else advance(response))

        operator = LinearOperator((right.size, right.size), matvec=residual, dtype=np.float64)
        most = min(right.size, _DIRECTIONS)
        return gmres(operator, right, rtol=_RESIDUAL, restart=most, maxiter=1)[0]
