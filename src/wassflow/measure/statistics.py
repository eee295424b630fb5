"""What every measure can tell about itself, from its first two moments."""

import numpy as np

from wassflow.arguments import Array


class Statistics:
    """Mean, second moment and covariance of a measure held in pieces by one or several ranks.

    A subclass gives ``_pieces()``: the mean point ``(n, d)``, the mass ``(n,)`` and the covariance ``(n,
    d, d)`` (``None`` for points) of each of the pieces that this rank holds, and ``mass`` and ``allsum``.
    """

    mass: float

    def _pieces(self) -> tuple[Array, Array, Array | None]:
        raise TypeError(f"{type(self).__name__} does not say what it is made of")

    def allsum(self, local: Array) -> Array:
        """Return the sum of ``local`` over all ranks."""
        raise TypeError(f"{type(self).__name__} does not say how to sum over ranks")

    def mean(self) -> Array:
        """Return the mean point ``(d,)``, int u dmu / mass."""
        points, masses, _ = self._pieces()
        # masses are divided first: they may be so small or so large that products leave the float range
        return self.allsum((masses / self.mass) @ points)

    def second_moment(self) -> float:
        """Return int |u|^2 dmu (not divided by the mass)."""
        points, masses, covariances = self._pieces()
        squares = np.einsum("nd,nd->n", points, points)
        if covariances is not None:
            squares = squares + np.einsum("ndd->n", covariances)
        return float(self.allsum((masses / self.mass) @ squares)) * self.mass

    def covariance(self) -> Array:
        """Return the covariance ``(d, d)`` of a point drawn from the measure divided by its mass."""
        points, masses, covariances = self._pieces()
        shares = masses / self.mass
        offsets = points - self.mean()
        local = (offsets * shares[:, None]).T @ offsets
        if covariances is not None:
            local = local + np.tensordot(shares, covariances, axes=1)
        return self.allsum(local)
