"""O4 and O5: V with a kink, where mass moves at unit speed to a line, a plane or a point and is absorbed."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_points
from wassflow.cases.exact.solution import WithoutLoss
from wassflow.cases.profiles import Profile, RadialProfile, Shape, product_density, profiles_of
from wassflow.domain import Box, Domain
from wassflow.functional import regularizer


class WeightAbsorption(WithoutLoss):
    """O4: V = alpha |w|, R = 0: weights shrink at speed alpha and are absorbed on the line or plane {w = 0}.

    w_t = sign(w_0)(|w_0| - alpha t)_+, theta fixed.

    Args:
        alpha: positive.
        start: laws of w, theta_1, ...; default w uniform on (-1, 1), theta uniform on (0, 1).
        domain: default the smallest box with w in [-L, L] that holds the start with a margin of 1/4 in w.
        dim: d, when ``start`` is not given.

    >>> exact = WeightAbsorption(alpha=2.0)
    >>> exact.singular_mass(0.25), round(exact.wasserstein2(0.0, 0.25) ** 2, 12)  # x, x^2 - 2 x^3/3
    (0.5, 0.166666666667)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        start: Sequence[Profile] | None = None,
        domain: Domain | None = None,
        dim: int = 2,
    ) -> None:
        self.alpha = as_number("alpha", alpha, above=0.0)
        self.dim = as_integer("dim", dim, least=1) if start is None else len(start)
        default = [Profile(0.0, 1.0, "uniform")] + [Profile(0.5, 0.5, "uniform")] * (self.dim - 1)
        self.start = profiles_of(start or default, self.dim)
        self._weight = self.start[0]
        reach = max(abs(self._weight.lower), abs(self._weight.upper)) + 0.25
        theta = self.start[1:]
        self.domain = domain or Box([-reach, *(p.lower for p in theta)], [reach, *(p.upper for p in theta)])

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = alpha |w|."""
        return regularizer.AbsWeight(self.alpha)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return product_density(self.start, as_points("u", u, self.dim))

    def moment(self, t: float) -> Array:
        """Return the mean."""
        w = self._expectation(lambda w: _shrunk(w, self.alpha * t), self.alpha * t)
        return np.array([w, *(p.mean for p in self.start[1:])])

    def energy(self, t: float) -> float:
        """Return alpha int (|w| - alpha t)_+ dmu_0."""
        return self.alpha * self._expectation(lambda w: np.abs(_shrunk(w, self.alpha * t)), self.alpha * t)

    def dissipation(self, t: float) -> float:
        """Return alpha^2 times the mass that is not yet absorbed."""
        return self.alpha**2 * (1.0 - self.singular_mass(t))

    def singular_mass(self, t: float) -> float:
        """Return the mass on {w = 0}, mu_0(|w| <= alpha t)."""
        return float(self._weight.cdf(self.alpha * t) - self._weight.cdf(-self.alpha * t))

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the points with |w| shortened by alpha t."""
        moved = as_points("u", u, self.dim).copy()
        moved[:, 0] = _shrunk(moved[:, 0], self.alpha * t)
        return moved

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return rho_0(w + alpha t sign w, theta) off {w = 0}, and 0 on it."""
        back = as_points("u", u, self.dim).copy()
        sign = np.sign(back[:, 0])
        back[:, 0] += self.alpha * t * sign
        return np.where(sign != 0.0, product_density(self.start, back), 0.0)

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of int min((|w| - alpha s)_+, alpha (t - s))^2 dmu_0 for s < t."""
        s, t = sorted((s, t))
        squares = self._expectation(
            lambda w: np.minimum(np.abs(_shrunk(w, self.alpha * s)), self.alpha * (t - s)) ** 2,
            self.alpha * s,
            self.alpha * t,
        )
        return float(np.sqrt(squares))

    def _expectation(self, g: Callable[[Array], Array], *radii: float) -> float:
        return self._weight.expectation(g, [0.0, *radii, *(-r for r in radii)])


class RadialAbsorption(WithoutLoss):
    """O5: V = alpha |u|, R = 0: everything moves to 0 at speed alpha and is absorbed there.

    r_t = (r_0 - alpha t)_+; the density blows up like r^(1-d) at the atom.

    Args:
        alpha: positive.
        dim: 2 or 3.
        radius, shape: the start, a :class:`~wassflow.cases.profiles.RadialProfile`.
        domain: default the box [-radius, radius]^d.

    >>> exact = RadialAbsorption(alpha=1.0, dim=3)
    >>> round(exact.singular_mass(0.5), 12), round(exact.energy(0.0), 12)     # x^d, d/(d+1)
    (0.125, 0.75)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        dim: int = 2,
        radius: float = 1.0,
        shape: Shape = "uniform",
        domain: Domain | None = None,
    ) -> None:
        self.alpha = as_number("alpha", alpha, above=0.0)
        self.start = RadialProfile(dim, radius, shape)
        self.dim = dim
        self.domain = domain or Box([-radius] * dim, [radius] * dim)

    @property
    def regularizer(self) -> regularizer.Regularizer:
        """V = alpha |u|."""
        return regularizer.Norm(self.alpha)

    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0."""
        return self.start.density(np.linalg.norm(as_points("u", u, self.dim), axis=1))

    def moment(self, t: float) -> Array:
        """Return the mean, 0 by symmetry."""
        return np.zeros(self.dim)

    def energy(self, t: float) -> float:
        """Return alpha int (r - alpha t)_+ dmu_0."""
        x = self.alpha * t
        return self.alpha * self.start.expectation(lambda r: np.maximum(r - x, 0.0), [x])

    def dissipation(self, t: float) -> float:
        """Return alpha^2 times the mass that is not yet absorbed."""
        return self.alpha**2 * (1.0 - self.singular_mass(t))

    def singular_mass(self, t: float) -> float:
        """Return the mass of the atom at 0, mu_0(r <= alpha t)."""
        x = self.alpha * t
        if x >= self.start.radius:
            return 1.0
        return self.start.expectation(lambda r: (r <= x).astype(np.float64), [x])

    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return the points with |u| shortened by alpha t."""
        points = as_points("u", u, self.dim)
        length = np.linalg.norm(points, axis=1)
        left = np.maximum(length - self.alpha * t, 0.0)
        return points * np.divide(left, length, out=np.zeros_like(length), where=length > 0.0)[:, None]

    def density(self, t: float, u: ArrayLike) -> Array:
        """Return rho_0(r + alpha t) ((r + alpha t)/r)^(d-1), and 0 at the atom."""
        r = np.linalg.norm(as_points("u", u, self.dim), axis=1)
        back = r + self.alpha * t
        stretch = np.divide(back, r, out=np.zeros_like(r), where=r > 0.0)
        return self.start.density(back) * stretch ** (self.dim - 1)

    def wasserstein2(self, s: float, t: float) -> float:
        """Return the root of int min((r - alpha s)_+, alpha (t - s))^2 dmu_0 for s < t."""
        x, y = sorted((self.alpha * s, self.alpha * t))
        return float(
            np.sqrt(self.start.expectation(lambda r: np.minimum(np.maximum(r - x, 0.0), y - x) ** 2, [x, y]))
        )


def _shrunk(w: Array, length: float) -> Array:
    """Return ``w`` moved towards 0 by ``length``, not beyond."""
    return np.sign(w) * np.maximum(np.abs(w) - length, 0.0)
