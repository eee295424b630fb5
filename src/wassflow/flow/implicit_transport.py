"""One linear system per step: upwind transport at frozen velocity, implicit in time."""

from typing import Any

import numpy as np

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.flow.upwind import UpwindTransport

# What ||m - (I + dt A) m'||_1 may be, relative to the mass that the step handles, ||m||_1 + ||diag m'||_1:
# a few thousand rounding errors.
_TOLERANCE = 1e-12
# What scaling may restore of the mass of m, relative. Solutions that pass the residual miss it by rounding
# errors of the mass handled, 1e-15 in runs to t = 1e8: whatever needs more is a bad solution.
_MOST_RESTORED = 1e-9
# Of the preconditioned residual, relative: what rounding allows.
_LINEAR_TOLERANCE = 1e-15
# The same where only the direction of a Newton step depends on it.
_RESPONSE_TOLERANCE = 1e-8
_MOST_ITERATIONS = 2000


def _petsc() -> Any:
    """Return petsc4py's PETSc; dolfinx, which the mesh has imported, has made its libraries known."""
    try:
        import petsc4py

        # PETSc would abort the whole program on signals such as a closed pipe.
        petsc4py.init(["wassflow", "-no_signal_handler"])
        from petsc4py import PETSc
    except ImportError as error:
        raise WassflowError(
            f"integrator 'implicit' needs petsc4py, which cannot be imported: {error}"
        ) from error
    return PETSc


class ImplicitTransport:
    """Solve (I + dt A) m' = m, where A m = -dm/dt of first-order upwind fluxes.

    A has the outflow rates of the cells on its diagonal, minus the inflow rates beside it, and columns that
    add up to zero. So I + dt A is an M-matrix for every dt: its inverse is nonnegative with columns that
    add up to one; m' is nonnegative, has the mass of m, and an error ||m' - exact||_1 <= ||residual||_1.

    The unknowns are the amounts (1 + dt A_KK) m'_K that pass through the cells, so that all entries are of
    order one whatever dt is. PETSc solves by BiCGStab with block Jacobi and ILU(0), one block per rank,
    whose cells are numbered downwind, by falling F' (Bey and Wittum, Appl. Numer. Math. 23 (1997) 177):
    fluxes along -grad F' have no cycles but those that discretisation makes, and for a triangular matrix
    ILU(0) is exact. A solution is accepted by its true residual, at 1e-12 of the mass handled; negative
    entries, which are smaller than that, are then set to zero and the whole is scaled to the mass of m. What
    that restores is recorded: rounding errors of the mass handled, which grow with dt. It is refused where it
    is more than 1e-9 of the mass of m.

    Args:
        mesh: a :class:`wassflow.mesh.Mesh`.

    Attributes:
        iterations: of the last solve.
        systems, total_iterations: numbers of all solves, responses too, and of iterations of all.
        worst_residual: the largest of all solves, relative as above.
        restored: the largest relative change of mass by scaling.
    """

    def __init__(self, mesh: Any) -> None:
        self._petsc = PETSc = _petsc()
        self._mesh = mesh
        self._owned = mesh.num_owned
        index_map = mesh.halo.index_map
        self._first = index_map.local_range[0]
        self.iterations = self.total_iterations = self.systems = 0
        self.worst_residual = self.restored = 0.0
        self._solver = PETSc.KSP().create(mesh.comm)
        self._solver.setType(PETSc.KSP.Type.BCGS)
        preconditioner = self._solver.getPC()
        preconditioner.setType(PETSc.PC.Type.BJACOBI)
        self._matrix: Any = None
        self._order, self._throughput = np.zeros(0, dtype=np.intp), np.zeros(0)

    def solve(self, transport: UpwindTransport, masses: Array, dt: float, height: Array) -> Array:
        """Return m' with ghosts, (cells,); collective.

        Args:
            transport: with the rates of the frozen velocity set.
            masses: m with ghosts.
            dt: any positive length.
            height: F' in the owned cells, which orders them.

        Raises:
            WassflowError: if the residual stays above the tolerance, or the mass of the solution is not that
                of m.
        """
        mesh, owned = self._mesh, self._owned
        outflow = np.maximum(transport.rates, 0.0).sum(axis=0)
        throughput = np.ones(mesh.num_cells)
        throughput[:owned] += dt * outflow
        mesh.halo.update(throughput)
        # position of each cell in the downwind numbering, global
        order = np.argsort(-height, kind="stable")
        position = np.empty(mesh.num_cells)
        position[order] = self._first + np.arange(owned)
        mesh.halo.update(position)
        numbers = position.astype(self._petsc.IntType)
        # what enters a cell, as a share of what passes through the neighbour that it comes from
        inflow = dt * np.minimum(transport.rates, 0.0) / throughput[transport.neighbours]
        if self._matrix is not None:
            self._matrix.destroy()
        self._matrix = matrix = self._assemble(transport.neighbours, inflow, numbers)
        self._order, self._throughput = order, throughput[:owned]
        b = matrix.createVecRight()
        x = b.duplicate()
        b.array[:] = masses[:owned][order]
        x.array[:] = b.array
        self._solver.setOperators(matrix)
        self._solver.setInitialGuessNonzero(True)
        self._solver.setTolerances(rtol=_LINEAR_TOLERANCE, atol=0.0, max_it=_MOST_ITERATIONS)
        result = np.empty(mesh.num_cells)
        mass = float(mesh.allsum(float(masses[:owned].sum())))
        self.iterations = 0
        self.systems += 1
        residual = np.inf
        for _ in range(3):
            self._solver.solve(b, x)
            self.iterations += self._solver.getIterationNumber()
            passed = np.empty(owned)
            passed[order] = x.array
            if not mesh.allmin(float(np.all(np.isfinite(passed)))):
                break
            np.maximum(passed, 0.0, out=passed)
            x.array[:] = passed[order]
            defect = b - matrix * x
            scale = mass + float(mesh.allsum(float(passed.sum())))
            residual = float(mesh.allsum(float(np.abs(defect.array).sum()))) / scale
            if residual <= _TOLERANCE:
                break
        self.total_iterations += self.iterations
        self.worst_residual = max(self.worst_residual, residual)
        if not residual <= _TOLERANCE:
            raise WassflowError(
                f"the implicit step dt = {dt:.3g} must be solved to {_TOLERANCE:g} of the mass, found a"
                f" residual of {residual:.2g} after {self.iterations} iterations"
            )
        result[:owned] = passed / throughput[:owned]
        factor = mass / float(mesh.allsum(float(result[:owned].sum())))
        self.restored = max(self.restored, abs(factor - 1.0))
        if not abs(factor - 1.0) <= _MOST_RESTORED:
            raise WassflowError(
                f"the implicit step dt = {dt:.3g} must keep the mass to {_MOST_RESTORED:g} before it is"
                f" restored, found a relative change of {1.0 / factor - 1.0:.2g} at a residual of"
                f" {residual:.2g}"
            )
        result[:owned] *= factor
        return mesh.halo.update(result)

    def respond(self, change: Array) -> Array:
        """Return (I + dt A)^-1 of a change of the owned cells, (owned,), with the matrix of the last solve.

        To 1e-8 of the preconditioned residual: this is for Newton steps, no mass is moved by it. Collective.
        """
        b = self._matrix.createVecRight()
        x = b.duplicate()
        b.array[:] = change[self._order]
        self._solver.setInitialGuessNonzero(False)
        self._solver.setTolerances(rtol=_RESPONSE_TOLERANCE, atol=0.0, max_it=_MOST_ITERATIONS)
        self._solver.solve(b, x)
        self.systems += 1
        self.total_iterations += self._solver.getIterationNumber()
        response = np.empty_like(change)
        response[self._order] = x.array
        return response / self._throughput

    def _assemble(self, neighbours: Any, inflow: Array, numbers: Any) -> Any:
        """I plus ``inflow`` (faces per cell, owned cells) from ``neighbours``, in the given numbering."""
        PETSc = self._petsc
        own = np.broadcast_to(numbers[: self._owned], inflow.shape)
        entering = inflow != 0.0
        i = np.concatenate([numbers[: self._owned], own[entering]])
        j = np.concatenate([numbers[: self._owned], numbers[neighbours][entering]])
        values = np.concatenate([np.ones(self._owned), inflow[entering]])
        size = (self._owned, self._mesh.num_cells_global)
        matrix = PETSc.Mat().create(self._mesh.comm)
        matrix.setSizes((size, size))
        matrix.setType(PETSc.Mat.Type.AIJ)
        matrix.setPreallocationCOO(i, j)
        matrix.setValuesCOO(values, PETSc.InsertMode.ADD_VALUES)
        return matrix
