"""dolfinx, from whichever distribution is installed.

The wheel ``dolfinx-solver-real`` carries its own MPI, PETSc and HDF5, which ``import dolfinx_solver`` puts in
place; a dolfinx of conda or of a Linux distribution finds its libraries by itself and has no such module.
"""

import contextlib

with contextlib.suppress(ModuleNotFoundError):
    import dolfinx_solver  # noqa: F401  (must come before dolfinx and mpi4py)

import basix
import basix.ufl
import dolfinx
import dolfinx.fem
import dolfinx.io
import dolfinx.io.vtkhdf
import dolfinx.mesh
from mpi4py import MPI

__all__ = ["MPI", "basix", "dolfinx"]
