"""O2: a loss of the second moment; the flow is a dilation."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_points
from wassflow.cases.exact.solution import ExactSolution
from wassflow.cases.features import HalfSquaredNorm
from wassflow.cases.profiles import Profile, product_density, profiles_of
from wassflow.domain import Box, Domain
from wassflow.functional import Functional, SquaredLoss, regularizer


class LogisticDilation(ExactSolution):
    """O2: Phi(u) = |u|^2/2, R(f) = kappa/2 (f - y)^2, V = 0: dilation about 0 that drives the moment to y.

    M(t) = M_0 s(t), s = y / (M_0 + (y - M_0) exp(-2 kappa y t)), u_t = sqrt(s) u_0. Directions are conserved.

    Args:
        y: target, nonnegative.
        kappa: positive.
        start: one law per coordinate; default bumps of halfwidth 0.5 about 0.5, 0, (0).
        domain: default the box [-4, 4]^d.
        dim: d, when ``start`` is not given.

    >>> exact = LogisticDilation(y=0.5, kappa=1.0)
    >>> bool(exact.moment(0.0)[0] < exact.moment(1.0)[0] < 0.5 and abs(exact.moment(60.0)[0] - 0.5) < 1e-12)
    True
    """

    def __init__(
        self,
        y: float,
        kappa: float = 1.0,
        start: Sequence[Profile] | None = None,
        domain: Domain | None = None,
        dim: int = 2,
    ) -> None:
        self.y = as_number("y", y, least=0.0)
        self.kappa = as_number("kappa", kappa, above=0.0)
        self.dim = as_integer("dim", dim, least=1) if start is None else len(start)
        default = [Profile(0.5 if j == 0 else 0.0, 0.5) for j in range(self.dim)]
        self.start = profiles_of(start or default, self.dim)
        self.domain = domain or Box([-4.0] * self.dim, [4.0] * self.dim)
        self.moment0 = 0.5 * sum(p.variance + p.mean**2 for p in self.start)

    @cached_property
    def functional(self) -> Functional:
        """F."""
        return Functional(
            HalfSquaredNorm(self.dim), SquaredLoss([self.y], scale=self.kappa), regularizer.Zero()
        )

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def scale(self, t: float, moment0: float | None = None) -> float:
        """Return the factor of the dilation, lambda = sqrt(s), from 1/2 int |u|^2 dmu_0 = ``moment0``."""
        M0 = self.moment0 if moment0 is None else moment0
        if self.y == 0.0:
            return float((1.0 + 2.0 * self.kappa * M0 * t) ** -0.5)
        return float(np.sqrt(self.y / (M0 + (self.y - M0) * np.exp(-2.0 * self.kappa * self.y * t))))

    def moment(self, t: float) -> Array:
        """Return M(t), shape (1,)."""
        return np.array([self.moment0 * self.scale(t) ** 2])

    def energy(self, t: float) -> float:
        """Return kappa/2 (M - y)^2."""
        return float(0.5 * self.kappa * (self.moment(t)[0] - self.y) ** 2)

    def dissipation(self, t: float) -> float:
        """Return kappa^2 (M - y)^2 2 M."""
        M = self.moment(t)[0]
        return float(self.kappa**2 * (M - self.y) ** 2 * 2.0 * M)

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return lambda(t) u."""
        return self.scale(t) * as_points("u", u, self.dim)

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return the particles of a cloud, whose own moment takes the place of M_0."""
        u = as_points("points", points, self.dim)
        squares = np.einsum("ij,ij->i", u, u)
        M0 = 0.5 * float(np.average(squares, weights=None if weights is None else np.asarray(weights)))
        return self.scale(t, M0) * u

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return lambda^-d rho_0(u / lambda)."""
        scale = self.scale(t)
        return product_density(self.start, as_points("u", u, self.dim) / scale) / scale**self.dim

    def wasserstein2(self, s: float, t: float) -> float:
        """Return |lambda_t - lambda_s| sqrt(2 M_0)."""
        return float(abs(self.scale(t) - self.scale(s)) * np.sqrt(2.0 * self.moment0))
