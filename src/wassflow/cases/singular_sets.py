"""Where the exact solutions put mass that has no density."""

from functools import singledispatch

from wassflow.cases.exact import (
    RadialAbsorption,
    WallAccumulation,
    WallRelaxation,
    WeightAbsorption,
)

Place = dict[int, float]


@singledispatch
def singular_set(exact: object) -> list[Place]:
    """Return the sets that hold the singular part of a solution, whose mass is ``exact.singular_mass(t)``.

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
