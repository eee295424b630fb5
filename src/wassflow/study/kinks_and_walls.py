"""Every regulariser, with points on its kinks and on walls: where velocities of least norm are put to the
test.
"""

import numpy as np

from wassflow.arguments import Array, one_of
from wassflow.domain import Box, Domain, Polytope
from wassflow.functional import CallableFeatures, Functional, SquaredLoss, regularizer

_B = np.array([[1.0, 0.5, 0.2], [0.5, -0.3, 0.0], [0.2, 0.0, 2.0]])
_C = np.array([0.3, -0.7, 0.4])
_FEATURES = 4
_CLEAR = 1e-6


def regularizers(dim: int) -> dict[str, regularizer.Regularizer]:
    """Return every kind of V, and sums of them, by a name for tables.

    >>> len(regularizers(2)) == len(regularizers(3)) > 10
    True
    """
    one_of("dim", dim, (2, 3))
    B, c = _B[:dim, :dim], _C[:dim]
    V = regularizer
    return {
        "0": V.Zero(),
        "|w|": V.AbsWeight(0.8),
        "|w||theta|": V.WeightTimesNorm(0.6),
        "|u|": V.Norm(0.9),
        "|u|^2": V.SquaredNorm(0.5),
        "|theta|^2": V.SquaredNorm(0.5, weight_column=True),
        "c.u": V.Linear(c),
        "u.Bu": V.Quadratic(B, center=c),
        "|u|_4^4": V.Callable(lambda u: (u**4).sum(axis=1), gradient=lambda u: 4.0 * u**3),
        "|w| + |u|^2 + c.u": V.Sum(V.AbsWeight(0.4), V.SquaredNorm(0.3), V.Linear(c)),
        "|w| + |w||theta|": V.Sum(V.AbsWeight(0.4), V.WeightTimesNorm(0.6)),
        "|u| + |w|": V.Sum(V.Norm(0.5), V.AbsWeight(0.4)),
        "|u| + |w||theta| + |w| + u.Bu": V.Sum(
            V.Norm(0.5), V.WeightTimesNorm(0.7), V.AbsWeight(0.4), V.Quadratic(B, center=c)
        ),
    }


def functional(dim: int, name: str) -> Functional:
    """Return F with one of these V, a squared loss, and waves as features."""
    rng = np.random.default_rng(dim)
    waves, phases = rng.normal(size=(_FEATURES, dim)), rng.uniform(0.0, 6.0, _FEATURES)
    features = CallableFeatures(
        lambda u: np.sin(u @ waves.T + phases),
        lambda u: np.cos(u @ waves.T + phases)[:, None, :] * waves.T,
        size=_FEATURES,
    )
    V = regularizers(dim)
    return Functional(features, SquaredLoss(np.ones(_FEATURES)), V[one_of("V", name, V)])


def domain_with_points(dim: int, name: str) -> tuple[Domain, Array]:
    """Return Omega and points of it: inside, on {w = 0} and {theta = 0}, on walls and corners, on both.

    Args:
        dim: d.
        name: ``"box"``, kinks across it; ``"orthant"``, a box whose walls are kinks; ``"polytope"``, oblique
            walls through kinks.
    """
    origin, weightless, upright = np.zeros(dim), np.array([0.0, 0.5, 0.3])[:dim], 0.5 * np.eye(dim)[0]
    kinks = [origin, weightless, upright]
    if one_of("domain", name, ("box", "orthant", "polytope")) == "polytope":
        # two walls through the origin, one through each of the other two
        normals = np.array([[-0.8, -0.6, 0.2], [-0.2, -1.0, 0.4], [0.6, 0.8, 0.3], [0.8, -0.3, 0.1]])[:, :dim]
        offsets = np.array([0.0, 0.0, normals[2] @ weightless, normals[3] @ upright])
        sides = np.vstack([np.eye(dim), -np.eye(dim)])
        polytope = Polytope(np.vstack([normals, sides]), np.concatenate([offsets, np.ones(2 * dim)]))
        # a corner that lies on a kink up to rounding is on it or not, as one likes
        corners = [u for u in polytope.vertices if abs(u[0]) > _CLEAR and np.linalg.norm(u[1:]) > _CLEAR]
        return polytope, np.array([*kinks, polytope.center, *corners])
    walls = [
        np.ones(dim),
        np.append(np.zeros(1), np.ones(dim - 1)),
        np.eye(dim)[0],
        np.append(0.3, np.ones(dim - 1)),
    ]
    lower = -1.0 if name == "box" else 0.0
    return Box([lower] * dim, [1.0] * dim), np.array([*kinks, np.full(dim, 0.3), *walls])
