"""Where the minimum of F' has to be looked for: Omega, or one point of each ray along which F' is a power."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from wassflow.arguments import Array
from wassflow.domain import Box, Domain
from wassflow.functional import Functional

HOMOGENEITIES = ("weight", "joint")
MASSES = ("free", "fixed")
# A declared homogeneity is tried at so many points and factors, to this share of |F'|.
_PROBES, _FACTORS, _AGREEMENT = 32, (0.5, 1.7), 1e-9


@dataclass(frozen=True, eq=False)
class Section:
    """Boxes in which to look, and the norm by which F' is divided there.

    Attributes:
        lower, upper: corners of the boxes, ``(k, d)``; a box is flat in the axes in which they agree.
        domain: what the boxes are cut with (Omega, if it is not a box), or ``None``.
        first, degree: F' is divided by |(u_first, ..., u_d)|^degree, at least 1 on the boxes; degree 0 for no
            division.
        zero: a point, ``(d,)``, at which F' = 0 whatever the measure, to be looked at besides; or ``None``.
    """

    lower: Array
    upper: Array
    domain: Domain | None = None
    first: int = 0
    degree: int = 0
    zero: Array | None = None

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.lower.shape[1]

    def norm(self, u: Array) -> Array:
        """Return what F' is divided by at points ``(n, d)``, ``(n,)``."""
        return np.linalg.norm(u[:, self.first :], axis=1) ** self.degree

    def norm_gradient(self, u: Array) -> Array:
        """Return the gradient of :meth:`norm`, ``(n, d)``."""
        gradient = np.zeros_like(u)
        if self.degree == 1:
            gradient[:, self.first :] = u[:, self.first :] / self.norm(u)[:, None]
        elif self.degree == 2:
            gradient[:, self.first :] = 2.0 * u[:, self.first :]
        return gradient

    def box_of(self, point: Array) -> tuple[Array, Array] | None:
        """Return the corners of a box that holds ``point``, ``None`` if none does."""
        held = np.all((self.lower <= point) & (point <= self.upper), axis=1)
        return (self.lower[held][0], self.upper[held][0]) if held.any() else None

    def normalized(self, u: Array) -> Array:
        """Return the points ``(n, d)`` of the rays through ``u`` that have norm 1."""
        points = u.copy()
        if self.degree:
            points[:, self.first :] /= np.linalg.norm(u[:, self.first :], axis=1)[:, None]
        return points


def known_homogeneity(functional: Functional) -> str | None:
    """Return how F is known to be homogeneous: in the weight, jointly, or not at all.

    "weight": Phi = w phi(theta) and V = |w| v(theta) (Chizat and Bach 2018, Theorem 3.5); "joint": Phi and V
    are positively 2-homogeneous (Theorem 3.3). Where both hold, "weight" is taken.

    >>> import wassflow as wf
    >>> [known_homogeneity(wf.cases.get(name).functional) for name in ("sigmoid-3d", "relu-2d", "cosine-2d")]
    ['weight', 'joint', None]
    """
    parts = (functional.features, functional.regularizer)
    if all(part.homogeneous(1, "weight") for part in parts):
        return "weight"
    if all(part.homogeneous(2, "all") for part in parts):
        return "joint"
    return None


def check_homogeneity(functional: Functional, homogeneity: str, domain: Domain | None, dim: int) -> None:
    """Refuse a homogeneity that a user has declared and that values of Phi and V contradict."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((_PROBES, dim))
    if domain is not None:
        low = np.where(np.isfinite(domain.lower), domain.lower, -2.0)
        high = np.where(np.isfinite(domain.upper), domain.upper, 2.0)
        points = low + (high - low) * rng.random((_PROBES, dim))
    columns, degree = (slice(0, 1), 1) if homogeneity == "weight" else (slice(None), 2)
    g = rng.standard_normal(functional.features.size)
    for name, function in (
        ("features", lambda u: functional.features.pair(u, g)),
        ("regularizer", functional.regularizer.value),
    ):
        values = function(points)
        for factor in _FACTORS:
            scaled = points.copy()
            scaled[:, columns] *= factor
            found = np.abs(function(scaled) - factor**degree * values).max()
            if found > _AGREEMENT * np.abs(values).max():
                raise ValueError(
                    f"homogeneity must be one that {name} have, found {homogeneity!r}, by which they differ "
                    f"by {found:.1e} when u is scaled by {factor}"
                )


def section(
    functional: Functional, domain: Domain | None, mass: str, homogeneity: str | None, dim: int
) -> Section:
    """Return where to look for the minimum of F'.

    ``mass="free"``, homogeneous F: one point of each ray, w = +-1 or a cube about the origin (faces divided
    by |u|^2, so that it stands for the unit sphere). ``mass="fixed"``: Omega; where F' is a power along rays
    its minimum is 0 or where they leave Omega.

    Raises:
        ValueError: a free mass without homogeneity, a domain that is unbounded where it has to be bounded or
            does not hold all rays.
    """
    if mass == "free":
        if homogeneity == "weight":
            return _weight_section(functional, domain, dim)
        if homogeneity == "joint":
            _check_rays(domain, np.ones(dim, dtype=bool))
            lower, upper = _faces(-np.ones(dim), np.ones(dim))
            return Section(lower, upper, degree=2)
        raise ValueError(
            "mass must be 'fixed' for an F that is not homogeneous: a flow keeps its mass, and only "
            "homogeneity lets weights or lengths stand for it. Found 'free'; if Phi and V are homogeneous, "
            "say so with homogeneity='weight' or 'joint'"
        )
    if domain is None or not np.all(np.isfinite([domain.lower, domain.upper])):
        raise ValueError(
            f"domain must be bounded for mass='fixed': F' has to be bounded below, found {domain!r}"
        )
    plain = isinstance(domain, Box)
    inside = bool(domain.contains(np.zeros((1, dim)))[0])
    if homogeneity == "weight" and plain:
        lower, upper = np.tile(domain.lower, (2, 1)), np.tile(domain.upper, (2, 1))
        lower[1, 0], upper[0, 0] = domain.upper[0], domain.lower[0]
        middle = 0.5 * (domain.lower + domain.upper)
        middle[0] = 0.0
        return Section(lower, upper, zero=middle if domain.contains(middle[None])[0] else None)
    if homogeneity == "joint" and plain and inside and not any(domain.periodic):
        return Section(*_faces(domain.lower, domain.upper), zero=np.zeros(dim))
    return Section(domain.lower[None], domain.upper[None], domain=None if plain else domain)


def _weight_section(functional: Functional, domain: Domain | None, dim: int) -> Section:
    """Return w = +-1 times all theta, or times a cube about theta = 0 where F' is 1-homogeneous in theta."""
    if not (domain is None or isinstance(domain, Box)):
        raise ValueError(
            "domain must be a Box for mass='free' and Phi = w phi(theta), so that theta has the same range "
            f"for every w; found {domain!r}"
        )
    least, most = (-np.inf, np.inf) if domain is None else (domain.lower[0], domain.upper[0])
    if not least <= 0.0 <= most:
        raise ValueError(f"domain must hold weights down to w = 0 for mass='free', found {domain!r}")
    signs = [sign for sign, end in ((-1.0, least), (1.0, most)) if end != 0.0]
    rays = all(part.homogeneous(1, "theta") for part in (functional.features, functional.regularizer))
    if rays and dim > 1:
        _check_rays(domain, np.arange(dim) > 0)
        low, high = _faces(-np.ones(dim - 1), np.ones(dim - 1))
        boxes, degree = list(zip(low, high, strict=True)), 1
    elif domain is not None and np.all(np.isfinite([domain.lower[1:], domain.upper[1:]])):
        boxes, degree = [(domain.lower[1:], domain.upper[1:])], 0
    else:
        raise ValueError(
            f"domain must be bounded in theta, since Phi is not homogeneous in it, found {domain!r}"
        )
    corners = [[np.concatenate([[sign], end]) for end in box] for sign, box in product(signs, boxes)]
    lower, upper = np.swapaxes(np.array(corners), 0, 1)
    return Section(lower, upper, first=1, degree=degree)


def _faces(lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the corners of the 2 d faces of a box, both ``(2 d, d)``."""
    dim = lower.size
    low, high = np.tile(lower, (2 * dim, 1)), np.tile(upper, (2 * dim, 1))
    axes = np.arange(dim)
    high[axes, axes], low[dim + axes, axes] = lower, upper
    return low, high


def _check_rays(domain: Domain | None, columns: np.ndarray) -> None:
    """Refuse a domain that does not hold a piece of every ray from the origin, in the given columns."""
    if domain is None:
        return
    scale = np.min(np.where(columns, np.minimum(np.abs(domain.lower), np.abs(domain.upper)), np.inf))
    around = np.zeros((2 * domain.dim, domain.dim))
    for axis in np.flatnonzero(columns):
        around[2 * axis : 2 * axis + 2, axis] = 1e-6 * min(scale, 1.0) * np.array([-1.0, 1.0])
    periodic = any(np.array(domain.periodic)[columns])
    if periodic or not (scale > 0.0 and np.all(domain.contains(around, tol=0.0))):
        raise ValueError(
            "domain must hold the origin as an inner point, so that it holds a piece of every ray; "
            f"found {domain!r}"
        )
