"""What a functional asks of a measure: nodes, masses, and a sum over ranks."""

from typing import Protocol

from wassflow.arguments import Array


class Measure(Protocol):
    """A nonnegative measure given by nodes and masses, possibly spread over the ranks of a communicator.

    Densities on a mesh and particle clouds both satisfy it, so that every integral of the package is the same
    code for both.
    """

    @property
    def dim(self) -> int:
        """Dimension d of the space."""
        ...

    def quadrature(self) -> tuple[Array, Array]:
        """Return nodes ``(n, d)`` and masses ``(n,)`` held by this rank."""
        ...

    def allsum(self, local: Array) -> Array:
        """Return the sum of ``local`` over all ranks (``local`` itself in serial)."""
        ...
