"""Quadrature of starting densities: Gauss nodes on the support, where the density is smooth."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_vector
from wassflow.cases.case import ProductStart, RadialStart
from wassflow.cases.profiles import Profile, RadialProfile
from wassflow.domain import Domain

# Points per axis of the lattice on which the support of an unknown density is looked for.
_LATTICE = {1: 1025, 2: 129, 3: 49}
# Halvings of a lattice interval that hold an end of the support: down to rounding.
_BISECTIONS = 52


class Rule(Protocol):
    """A family of quadrature rules for the volume."""

    def size(self, order: int) -> int:
        """Return the number of nodes of the rule of this order."""
        ...

    def __call__(self, order: int) -> tuple[Array, Array]:
        """Return nodes ``(n, d)`` and volumes ``(n,)``."""
        ...


@dataclass(frozen=True)
class BoxRule:
    """Gauss-Legendre nodes on a box, ``order`` along each axis; equidistant ones along whole periods.

    A smooth function of a periodic coordinate is integrated by equidistant nodes with geometric convergence,
    and so is an analytic one between two ends by Gauss nodes.

    Attributes:
        lower, upper: the corners.
        whole: for each axis whether it is a whole period.
        cuts: for each axis where functions may have kinks; the nodes are shared by the pieces between.

    >>> points, volumes = BoxRule((0.0, 0.0), (1.0, 2.0), (False, True))(4)
    >>> len(points), round(float(volumes @ points[:, 0] ** 7), 12)      # 2 int_0^1 x^7 dx
    (16, 0.25)
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    whole: tuple[bool, ...]
    cuts: tuple[tuple[float, ...], ...] = ()

    def size(self, order: int) -> int:
        """Return the number of nodes, ``order^d``, or a little less where an axis is cut."""
        return int(np.prod([self._axis(j, order)[0].size for j in range(len(self.lower))]))

    def __call__(self, order: int) -> tuple[Array, Array]:
        """Return nodes and volumes."""
        return _tensor([self._axis(j, order) for j in range(len(self.lower))])

    def _axis(self, j: int, order: int) -> tuple[Array, Array]:
        low, high = self.lower[j], self.upper[j]
        if self.whole[j]:
            return low + (high - low) * (np.arange(order) + 0.5) / order, np.full(order, (high - low) / order)
        inner = [cut for cut in (self.cuts[j] if self.cuts else ()) if low < cut < high]
        ends = [low, *sorted(inner), high]
        per_piece = max(1, order // (len(ends) - 1))
        pieces = [_gauss(a, b, per_piece) for a, b in itertools.pairwise(ends)]
        return np.concatenate([x for x, _ in pieces]), np.concatenate([w for _, w in pieces])


@dataclass(frozen=True)
class BallRule:
    """Gauss nodes of the radius (and of the height, for d = 3) and equidistant angles in a ball.

    >>> points, volumes = BallRule((1.0, 0.0), 2.0)(6)
    >>> len(points), round(float(volumes.sum() / np.pi), 12), round(float(volumes @ points[:, 0] / np.pi), 12)
    (72, 4.0, 4.0)
    """

    center: tuple[float, ...]
    radius: float

    def size(self, order: int) -> int:
        """Return the number of nodes, ``2 order^d``."""
        return 2 * order ** len(self.center)

    def __call__(self, order: int) -> tuple[Array, Array]:
        """Return nodes and volumes."""
        radii = _gauss(0.0, self.radius, order)
        # half a step off the axes, where coordinates change their sign
        angles = np.pi * (np.arange(2 * order) + 0.5) / order, np.full(2 * order, np.pi / order)
        if len(self.center) == 2:
            (r, phi), volumes = _columns(_tensor([radii, angles]))
            points = np.column_stack([r * np.cos(phi), r * np.sin(phi)])
            return points + np.array(self.center), volumes * r
        (r, height, phi), volumes = _columns(_tensor([radii, _gauss(-1.0, 1.0, order), angles]))
        across = r * np.sqrt(1.0 - height**2)
        points = np.column_stack([across * np.cos(phi), across * np.sin(phi), r * height])
        return points + np.array(self.center), volumes * r**2


def rule_for(
    initial: Callable[[Array], ArrayLike],
    domain: Domain,
    support: tuple[ArrayLike, ArrayLike] | None = None,
    cuts: Sequence[tuple[float, ...]] = (),
) -> Rule:
    """Return quadrature rules for a starting density.

    The starts of the named cases and of the exact solutions tell their supports themselves. For any other
    density the support is taken to be a box: ``support`` if given, else the bounding box that bisection
    finds.

    Args:
        initial: the density, ``(n, d) -> (n,)``.
        domain: Omega.
        support: corners (lower, upper) of a box outside which the density vanishes, inside which it is
            smooth.
        cuts: for each axis, coordinates at which what is integrated has kinks.

    Raises:
        ValueError: no finite box is known, or the density vanishes everywhere on a lattice in it.

    >>> from wassflow.domain import Box
    >>> square = Box([-1.0, -1.0], [1.0, 1.0])
    >>> rule = rule_for(lambda u: np.all(np.abs(u) < 0.3, axis=1).astype(float), square)
    >>> [round(end, 12) for end in rule.upper]
    [0.3, 0.3]
    """
    cuts = tuple(cuts) or ((),) * domain.dim
    law = _law(initial) if support is None else None
    if isinstance(law, BallRule):
        return law
    if law is not None:
        lower = np.array([profile.lower for profile in law])
        upper = np.array([profile.upper for profile in law])
        flat = np.array([profile.shape == "uniform" for profile in law])
    elif support is not None:
        lower, upper = (as_vector("support", corner, domain.dim) for corner in support)
        flat = np.ones(domain.dim, dtype=bool)
    else:
        lower, upper = _bounding_box(initial, domain)
        flat = np.ones(domain.dim, dtype=bool)
    period = domain.upper - domain.lower
    whole = np.array(domain.periodic) & flat & (upper - lower >= period * (1.0 - 1e-12))
    return BoxRule(tuple(map(float, lower)), tuple(map(float, upper)), tuple(map(bool, whole)), cuts)


def _law(initial: Callable[[Array], ArrayLike]) -> tuple[Profile, ...] | BallRule | None:
    """Return what a start of this package says about its support."""
    if isinstance(initial, ProductStart):
        return initial.profiles
    if isinstance(initial, RadialStart):
        return BallRule(initial.center, initial.profile.radius)
    # ``initial`` of an exact solution, bound to it
    start = getattr(getattr(initial, "__self__", None), "start", None)
    if isinstance(start, RadialProfile):
        return BallRule((0.0,) * start.dim, start.radius)
    if isinstance(start, tuple) and all(isinstance(profile, Profile) for profile in start):
        return start
    return None


def _bounding_box(initial: Callable[[Array], ArrayLike], domain: Domain) -> tuple[Array, Array]:
    """Return the corners of the box around the support, seen from a lattice and refined by bisection."""
    lower, upper = domain.lower.astype(float), domain.upper.astype(float)
    if not np.all(np.isfinite(upper - lower)):
        raise ValueError(f"support must be given for a start on the unbounded {domain!r}, found None")
    n = _LATTICE.get(domain.dim, 17)
    axes = [np.linspace(a, b, n) for a, b in zip(lower, upper, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, domain.dim)
    inside = domain.contains(lattice)
    values = np.zeros(len(lattice))
    values[inside] = initial(lattice[inside])
    if not (values.min() >= 0.0 and values.max() > 0.0):
        raise ValueError(
            "initial must be nonnegative, and positive somewhere on a lattice in the domain, found values "
            f"from {values.min()} to {values.max()}: give support if the lattice misses it"
        )
    held = values > 0.0
    points = lattice[held]
    for j in range(domain.dim):
        spacing = axes[j][1] - axes[j][0]
        for corner, side, pick in ((lower, -1.0, np.min), (upper, 1.0, np.max)):
            outermost = pick(points[:, j])
            if abs(outermost - corner[j]) < 0.5 * spacing:
                continue
            probes = points[points[:, j] == outermost]
            within, beyond = outermost, outermost + side * spacing
            for _ in range(_BISECTIONS):
                middle = 0.5 * (within + beyond)
                probes[:, j] = middle
                if np.any(np.asarray(initial(probes)) > 0.0):
                    within = middle
                else:
                    beyond = middle
            corner[j] = within
    return lower, upper


def _gauss(low: float, high: float, order: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return 0.5 * (low + high) + 0.5 * (high - low) * nodes, 0.5 * (high - low) * weights


def _tensor(axes: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    points = np.stack(np.meshgrid(*[x for x, _ in axes], indexing="ij"), axis=-1).reshape(-1, len(axes))
    weights = np.stack(np.meshgrid(*[w for _, w in axes], indexing="ij"), axis=-1).reshape(-1, len(axes))
    return points, np.prod(weights, axis=1)


def _columns(rule: tuple[Array, Array]) -> tuple[Array, Array]:
    return rule[0].T, rule[1]
