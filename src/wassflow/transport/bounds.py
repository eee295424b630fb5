"""Two bounds of W2 and how they are combined: every engine returns this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array


@dataclass(frozen=True)
class NodeCoupling:
    """A sparse coupling between the nodes (particles or cells) of two measures of mass one."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    masses: Array


@dataclass(frozen=True)
class Bounds:
    """``lower <= W2 <= upper`` between measures of mass one, before W2^2 is widened by ``rounding``.

    ``coupling`` and the potentials are there when they were asked for; potentials are values per node.
    """

    lower: float
    upper: float
    estimate: float
    method: str
    rounding: float = 0.0
    coupling: NodeCoupling | None = field(default=None, compare=False)
    first: Array | None = field(default=None, compare=False)
    second: Array | None = field(default=None, compare=False)

    @property
    def relative_width(self) -> float:
        """``(upper - lower) / upper``, 0 when both vanish."""
        return (self.upper - self.lower) / self.upper if self.upper > 0.0 else 0.0

    def improved(self, lower: float = 0.0, upper: float = np.inf) -> Bounds:
        """Return the bounds with another pair of true bounds taken into account."""
        low, high = max(self.lower, lower), min(self.upper, upper)
        low = min(low, high)  # they cross by rounding only
        return Bounds(
            low,
            high,
            min(max(self.estimate, low), high),
            self.method,
            self.rounding,
            self.coupling,
            self.first,
            self.second,
        )

    def with_known(self, known: Bounds) -> Bounds:
        """Return the bounds with others taken into account, which are named where they are better."""
        if not (known.lower > self.lower or known.upper < self.upper):
            return self
        named = replace(
            self, method=f"{self.method}; {known.method}", rounding=max(self.rounding, known.rounding)
        )
        if known.relative_width < self.relative_width:
            named = replace(named, estimate=known.estimate)
        return named.improved(known.lower, known.upper)

    def swapped(self) -> Bounds:
        """Return the bounds with the roles of the two measures exchanged."""
        turned = self.coupling and NodeCoupling(
            self.coupling.columns, self.coupling.rows, self.coupling.masses
        )
        return Bounds(
            self.lower, self.upper, self.estimate, self.method, self.rounding, turned, self.second, self.first
        )


def root(square: float) -> float:
    """Return the square root, 0 for what rounding made negative."""
    return float(np.sqrt(max(square, 0.0)))
