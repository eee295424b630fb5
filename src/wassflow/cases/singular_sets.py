"""Where solutions put mass that has no density."""

from functools import singledispatch

from wassflow.cases.exact import (
    RadialAbsorption,
    WallAccumulation,
    WallRelaxation,
    WeightAbsorption,
)
from wassflow.cases.quadrature_reference import Reference
from wassflow.functional.regularizer import AbsWeight, Norm, Sum, WeightTimesNorm

Place = dict[int, float]


@singledispatch
def singular_set(exact: object) -> list[Place]:
    """Return the sets that hold the singular part of a solution in closed form, or the kinks of a reference.

    Each set is {u : u_i = value for each entry i: value}; no sets where the solution stays a density.

    >>> from wassflow.cases.exact import WallAccumulation, WeightAbsorption
    >>> singular_set(WeightAbsorption()), singular_set(WallAccumulation([1.0, -0.5]))
    ([{0: 0.0}], [{0: 1.0}, {1: 0.0}])
    """
    return []


@singular_set.register
def _(exact: WeightAbsorption) -> list[Place]:
    return [{0: 0.0}]


@singular_set.register
def _(exact: RadialAbsorption) -> list[Place]:
    return [dict.fromkeys(range(exact.dim), 0.0)]


@singular_set.register
def _(exact: WallAccumulation) -> list[Place]:
    return [{axis: 1.0 if c > 0.0 else 0.0} for axis, c in enumerate(exact.c) if c != 0.0]


@singular_set.register
def _(exact: WallRelaxation) -> list[Place]:
    # a coordinate is pulled to c and stops at a wall that lies before it
    return [{axis: min(max(c, 0.0), 1.0)} for axis, c in enumerate(exact.c.tolist()) if not 0.0 <= c <= 1.0]


@singular_set.register
def _(exact: Reference) -> list[Place]:
    return kinks(exact.functional.regularizer, exact.dim)


@singledispatch
def kinks(V: object, dim: int) -> list[Place]:
    """Return the sets on which V has kinks, where they are known.

    >>> from wassflow.functional.regularizer import SquaredNorm
    >>> kinks(AbsWeight(1.0), 2), kinks(WeightTimesNorm(1.0) , 3), kinks(SquaredNorm(1.0), 2)
    ([{0: 0.0}], [{0: 0.0}, {1: 0.0, 2: 0.0}], [])
    """
    return []


@kinks.register
def _(V: AbsWeight, dim: int) -> list[Place]:
    return [{0: 0.0}]


@kinks.register
def _(V: Norm, dim: int) -> list[Place]:
    return [dict.fromkeys(range(dim), 0.0)]


@kinks.register
def _(V: WeightTimesNorm, dim: int) -> list[Place]:
    return [{0: 0.0}, dict.fromkeys(range(1, dim), 0.0)]


@kinks.register
def _(V: Sum, dim: int) -> list[Place]:
    found: list[Place] = []
    for term in V.terms:
        found += [place for place in kinks(term, dim) if place not in found]
    return found
