"""O7: coordinates that move independently of each other and stop at walls."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_points, as_vector
from wassflow.cases.exact.solution import WithoutLoss
from wassflow.cases.profiles import Profile, product_density, profiles_of
from wassflow.domain import Box
from wassflow.functional import regularizer


class _OnUnitBox(WithoutLoss):
    """O7: coordinates move independently in [0, 1] and stop for good at the walls."""

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None) -> None:
        self.c = as_vector("c", c)
        self.dim = self.c.size
        self.start = profiles_of(start, self.dim, Profile(0.5, 0.5, "uniform"))
        for j, profile in enumerate(self.start):
            if profile.lower < 0.0 or profile.upper > 1.0:
                raise ValueError(
                    f"start must lie in [0, 1], found [{profile.lower}, {profile.upper}] for coordinate {j}"
                )
        self.domain = Box([0.0] * self.dim, [1.0] * self.dim)

    @abstractmethod
    def _free(self, t: float, u: Array, j: int) -> Array:
        """Return where coordinate ``j`` would be at time ``t`` without walls; increasing in ``u``."""

    @abstractmethod
    def _back(self, t: float, u: Array, j: int) -> Array:
        """Return where coordinate ``j`` at ``u`` came from; inverse of :meth:`_free`."""

    @abstractmethod
    def _potential(self, u: Array, j: int) -> Array:
        """Return the part of V that depends on coordinate ``j``."""

    @abstractmethod
    def _speed(self, u: Array, j: int) -> Array:
        """Return minus its derivative."""

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return the mean."""
        return np.array([self._expectation(t, np.array, j) for j in range(self.dim)])

    def energy(self, t: float) -> float:
        """Return int V dmu_t."""
        return float(sum(self._expectation(t, partial(self._potential, j=j), j) for j in range(self.dim)))

    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t: only coordinates between the walls move."""

        def square(x: Array, j: int) -> Array:
            return np.where((x > 0.0) & (x < 1.0), self._speed(x, j), 0.0) ** 2

        return float(sum(self._expectation(t, partial(square, j=j), j) for j in range(self.dim)))

    def wall_mass(self, t: float, axis: int) -> float:
        """Return the mass on the two walls across ``axis``."""
        low, high = (float(self.start[axis].cdf(self._back(t, np.array(x), axis))) for x in (0.0, 1.0))
        return low + 1.0 - high

    def singular_mass(self, t: float) -> float:
        """Return the mass on all walls together."""
        return 1.0 - float(np.prod([1.0 - self.wall_mass(t, j) for j in range(self.dim)]))

    def corner_mass(self, t: float) -> float:
        """Return the mass in the corners."""
        return float(np.prod([self.wall_mass(t, j) for j in range(self.dim)]))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the free motion of each coordinate, stopped at the walls."""
        moved = as_points("u", u, self.dim).copy()
        for j in range(self.dim):
            moved[:, j] = np.clip(self._free(t, moved[:, j], j), 0.0, 1.0)
        return moved

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the density between the walls, and 0 on them."""
        points = as_points("u", u, self.dim)
        back = np.column_stack([self._back(t, points[:, j], j) for j in range(self.dim)])
        inside = np.all((points > 0.0) & (points < 1.0), axis=1)
        return np.where(inside, product_density(self.start, back), 0.0) * self._compression(t)

    def _compression(self, t: float) -> float:
        """Return the factor by which the free motion raises densities."""
        return 1.0

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of the sum over coordinates of the mean square displacement from s to t."""

        def square(x: Array, j: int) -> Array:
            return (np.clip(self._free(t, x, j), 0.0, 1.0) - np.clip(self._free(s, x, j), 0.0, 1.0)) ** 2

        squares = [
            profile.expectation(partial(square, j=j), self._stops(s, j) + self._stops(t, j))
            for j, profile in enumerate(self.start)
        ]
        return float(np.sqrt(sum(squares)))

    def _stops(self, t: float, j: int) -> list[float]:
        return [float(self._back(t, np.array(x), j)) for x in (0.0, 1.0)]

    def _expectation(self, t: float, g: Callable[[Array], Array], j: int) -> float:
        return self.start[j].expectation(
            lambda x: g(np.clip(self._free(t, x, j), 0.0, 1.0)), self._stops(t, j)
        )


class WallAccumulation(_OnUnitBox):
    """O7, linear: V = -<c, u> on [0, 1]^d. u_t = clip(u_0 + c t, 0, 1), coordinate by coordinate.

    Args:
        c: the drift ``(d,)``, of any signs.
        start: laws of the coordinates within [0, 1]; default uniform.

    >>> exact = WallAccumulation(c=[1.0, 0.5])
    >>> exact.wall_mass(0.5, 0), exact.corner_mass(0.5)
    (0.5, 0.125)
    """

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None = None) -> None:
        super().__init__(c, start)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = -<c, u>."""
        return regularizer.Linear(-self.c)

    def _free(self, t: float, u: Array, j: int) -> Array:
        return u + self.c[j] * t

    def _back(self, t: float, u: Array, j: int) -> Array:
        return u - self.c[j] * t

    def _potential(self, u: Array, j: int) -> Array:
        return -self.c[j] * u

    def _speed(self, u: Array, j: int) -> Array:
        return np.full_like(u, self.c[j])


class WallRelaxation(_OnUnitBox):
    """O7, quadratic: V = |u - c|^2/2 on [0, 1]^d. u_t = clip(c + exp(-t)(u_0 - c), 0, 1).

    Args:
        c: the point that attracts ``(d,)``; mass piles up on the walls where it is outside the box.
        start: laws of the coordinates within [0, 1]; default uniform.

    >>> exact = WallRelaxation(c=[1.5, 0.5])
    >>> exact.flow_map(50.0, [[0.2, 0.2]]).round(12)
    array([[1. , 0.5]])
    """

    def __init__(self, c: ArrayLike, start: Sequence[Profile] | None = None) -> None:
        super().__init__(c, start)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = |u - c|^2/2."""
        return regularizer.Quadratic(np.eye(self.dim), self.c)

    def _free(self, t: float, u: Array, j: int) -> Array:
        return self.c[j] + np.exp(-t) * (u - self.c[j])

    def _back(self, t: float, u: Array, j: int) -> Array:
        return self.c[j] + np.exp(t) * (u - self.c[j])

    def _potential(self, u: Array, j: int) -> Array:
        return 0.5 * (u - self.c[j]) ** 2

    def _speed(self, u: Array, j: int) -> Array:
        return self.c[j] - u

    def _compression(self, t: float) -> float:
        return float(np.exp(self.dim * t))
