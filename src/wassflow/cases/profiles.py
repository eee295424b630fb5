"""One-dimensional and radial laws with compact support, from which starts are built."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gamma, pi
from typing import Literal

import numpy as np

from wassflow.arguments import Array, as_number, one_of

Shape = Literal["uniform", "bump"]

# Gauss-Legendre nodes per smooth piece: exact for the polynomials met here (degree <= 31)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def _integrate(g: Callable[[Array], Array], cuts: Sequence[float]) -> float:
    """Integrate ``g`` from the first to the last of the increasing ``cuts``, piece by piece."""
    total = 0.0
    for a, b in itertools.pairwise(cuts):
        total += 0.5 * (b - a) * float(_WEIGHTS @ g(0.5 * (a + b) + 0.5 * (b - a) * _NODES))
    return total


@dataclass(frozen=True)
class Profile:
    """A probability law on the interval ``[center - halfwidth, center + halfwidth]``.

    ``shape="uniform"`` has constant density, ``"bump"`` the density ``15/16 (1 - s^2)^2 / halfwidth`` with
    ``s = (x - center) / halfwidth``, which is C^1 on the line.

    >>> bump = Profile(center=1.0, halfwidth=2.0)
    >>> bump.mean, round(bump.variance, 12), float(bump.cdf(1.0))
    (1.0, 0.571428571429, 0.5)
    """

    center: float = 0.0
    halfwidth: float = 1.0
    shape: Shape = "bump"

    def __post_init__(self) -> None:
        as_number("center", self.center)
        as_number("halfwidth", self.halfwidth, above=0.0)
        one_of("shape", self.shape, ("uniform", "bump"))

    @property
    def lower(self) -> float:
        """Left end of the support."""
        return self.center - self.halfwidth

    @property
    def upper(self) -> float:
        """Right end of the support."""
        return self.center + self.halfwidth

    @property
    def mean(self) -> float:
        """First moment."""
        return self.center

    @property
    def variance(self) -> float:
        """Second central moment."""
        return self.halfwidth**2 * (1.0 / 3.0 if self.shape == "uniform" else 1.0 / 7.0)

    def density(self, x: Array) -> Array:
        """Density at ``x``; any shape."""
        s = (np.asarray(x, dtype=np.float64) - self.center) / self.halfwidth
        if self.shape == "uniform":
            return np.where(np.abs(s) <= 1.0, 0.5, 0.0) / self.halfwidth
        return 15.0 / 16.0 * np.maximum(1.0 - s * s, 0.0) ** 2 / self.halfwidth

    def cdf(self, x: float | Array) -> Array:
        """Mass on ``(-inf, x]``."""
        s = np.clip((np.asarray(x, dtype=np.float64) - self.center) / self.halfwidth, -1.0, 1.0)
        if self.shape == "uniform":
            return 0.5 * (1.0 + s)
        return 0.5 + 15.0 / 16.0 * (s - 2.0 * s**3 / 3.0 + s**5 / 5.0)

    def expectation(self, g: Callable[[Array], Array], breakpoints: Sequence[float] = ()) -> float:
        """``E g(X)`` for ``g`` smooth between the ``breakpoints``; exact for piecewise polynomials."""
        inner = sorted(b for b in breakpoints if self.lower < b < self.upper)
        return _integrate(lambda x: g(x) * self.density(x), [self.lower, *inner, self.upper])


@dataclass(frozen=True)
class RadialProfile:
    """A rotation-invariant probability law on the ball of given ``radius`` about 0 in R^``dim``.

    ``"uniform"`` has constant density, ``"bump"`` a density proportional to ``(1 - r^2 / radius^2)^2``.

    >>> round(RadialProfile(dim=3, shape="uniform").expectation(lambda r: r), 12)   # d / (d + 1)
    0.75
    """

    dim: int
    radius: float = 1.0
    shape: Shape = "bump"

    def __post_init__(self) -> None:
        one_of("dim", self.dim, (2, 3))
        as_number("radius", self.radius, above=0.0)
        one_of("shape", self.shape, ("uniform", "bump"))

    def density(self, r: Array) -> Array:
        """Density with respect to the volume, at distance ``r`` from 0."""
        s = np.asarray(r, dtype=np.float64) / self.radius
        ball = pi ** (self.dim / 2) / gamma(self.dim / 2 + 1) * self.radius**self.dim
        if self.shape == "uniform":
            return np.where(s <= 1.0, 1.0, 0.0) / ball
        # int_0^1 d s^{d-1} (1-s^2)^2 ds = 8 / ((d+2)(d+4))
        return (self.dim + 2) * (self.dim + 4) / 8.0 * np.maximum(1.0 - s * s, 0.0) ** 2 / ball

    def expectation(self, g: Callable[[Array], Array], breakpoints: Sequence[float] = ()) -> float:
        """``E g(|X|)`` for ``g`` smooth between the ``breakpoints``; exact for piecewise polynomials."""
        sphere = 2.0 * pi ** (self.dim / 2) / gamma(self.dim / 2)
        inner = sorted(b for b in breakpoints if 0.0 < b < self.radius)
        return _integrate(
            lambda r: g(r) * self.density(r) * sphere * r ** (self.dim - 1), [0.0, *inner, self.radius]
        )


def product_density(profiles: Sequence[Profile], u: Array) -> Array:
    """Density ``(n,)`` at points ``u (n, d)`` of the product of ``d`` one-dimensional laws.

    >>> product_density([Profile(0.0, 1.0, "uniform")] * 2, np.zeros((1, 2)))
    array([0.25])
    """
    values = np.ones(u.shape[0])
    for j, profile in enumerate(profiles):
        values *= profile.density(u[:, j])
    return values


def profiles_of(
    start: Sequence[Profile] | None, dim: int, default: Profile | None = None
) -> tuple[Profile, ...]:
    """Return the ``dim`` laws of a start, the default ones if none are given."""
    profiles = (default,) * dim if start is None and default is not None else tuple(start or ())
    for profile in profiles:
        if not isinstance(profile, Profile):
            raise ValueError(f"start must hold Profile objects, found {type(profile).__name__}")
    if len(profiles) != dim:
        raise ValueError(f"start must hold {dim} laws, one for each coordinate, found {len(profiles)}")
    return profiles
