"""Values of ghost cells, fetched from the ranks that own the cells."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.mesh.dolfinx_import import MPI, dolfinx


class Halo:
    """The exchange of cell values between ranks, over an index map of our own.

    dolfinx's own map knows the ghosts across partition boundaries; cells across a periodic axis are further
    ghosts.

    Args:
        comm: the communicator.
        num_owned: cells owned by this rank.
        ghosts: global indices of the ghost cells, (num_ghosts,).
        owners: the ranks that own them, (num_ghosts,).
    """

    # any number that no other index map of this package uses
    _TAG = 1607

    def __init__(
        self, comm: MPI.Comm, num_owned: int, ghosts: NDArray[np.int64], owners: NDArray[np.int32]
    ) -> None:
        self.num_owned = num_owned
        self.num_cells = num_owned + ghosts.size
        self._comm = comm
        self._ghosts, self._owners = ghosts, owners
        self._buffers: dict[int, dolfinx.la.Vector] = {}

    @cached_property
    def index_map(self) -> dolfinx.common.IndexMap:
        """The distribution of cells over ranks, ghosts across periodic axes included."""
        return dolfinx.common.IndexMap(self._comm, self.num_owned, self._ghosts, self._owners, self._TAG)

    @cached_property
    def _sent(self) -> NDArray[np.intp]:
        """Owned cells that are ghosts somewhere: the only ones whose values travel."""
        return np.flatnonzero(
            np.diff(self.index_map.index_to_dest_ranks(self._TAG).offsets)[: self.num_owned]
        )

    def update(self, values: Array) -> Array:
        """Overwrite the ghost rows of ``values`` by those of their owners; collective.

        Args:
            values: one row per cell, ghosts included: (num_cells,) or (num_cells, k).

        Returns:
            ``values`` itself.
        """
        if values.ndim not in (1, 2) or values.shape[0] != self.num_cells:
            raise ValueError(
                f"values must have shape ({self.num_cells},) or ({self.num_cells}, k), found {values.shape}"
            )
        if self._comm.size == 1:
            return values
        width = 1 if values.ndim == 1 else values.shape[1]
        if width not in self._buffers:
            self._buffers[width] = dolfinx.la.vector(self.index_map, width)
        buffer = self._buffers[width]
        rows = buffer.array.reshape(self.num_cells, width)
        rows[self._sent] = values[self._sent].reshape(-1, width)
        buffer.scatter_forward()
        values[self.num_owned :] = rows[self.num_owned :].reshape(values[self.num_owned :].shape)
        return values
