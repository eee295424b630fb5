"""The answer to "how far are two measures apart": two bounds, and what was found on the way."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wassflow.arguments import Array


@dataclass(frozen=True)
class Potential:
    """Kantorovich potentials, one value per particle or per cell of each measure.

    ``first(x) + second(y) <= |x - y|^2``, and W2^2 = sum_i m_i first_i + sum_j n_j second_j with the
    masses m, n: for two clouds to rounding, where a density takes part up to the size of the cells. A
    particle without weight has ``-inf``: nothing is ever sent to it.

    Attributes:
        first: values on the nodes of mu, ``(n,)``.
        second: values on the nodes of nu, ``(k,)``.
    """

    first: Array
    second: Array


@dataclass(frozen=True)
class Bracket:
    """Certified bounds ``lower <= W2(mu, nu) <= upper``, or of another distance.

    Attributes:
        lower: the value of a dual potential, less the rounding estimate.
        upper: the cost of a transport plan, plus the rounding estimate.
        method: the engine that found them, in words.
        value: best estimate, within the bounds; the middle unless the engine knows better.
        rounding: the rounding estimate by which each bound has been widened already.
        plan: on request, the transport plan: a sparse ``(n, k)`` array of masses sent from node i of mu to
            node j of nu; nodes are particles in their order, or cells in the order of the masses (rank
            after rank).
        potential: on request, the :class:`Potential`.
        distance: which distance it bounds.

    >>> w = Bracket(0.99, 1.01, "an example")
    >>> w.value, round(w.width, 12)
    (1.0, 0.02)
    >>> w
    W2 = 1 +- 0.01  [0.99, 1.01]  by an example
    """

    lower: float
    upper: float
    method: str
    value: float = float("nan")
    rounding: float = 0.0
    plan: Any = field(default=None, compare=False)
    potential: Potential | None = field(default=None, compare=False)
    distance: str = "W2"

    def __post_init__(self) -> None:
        for name in ("lower", "upper", "value", "rounding"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not 0.0 <= self.lower <= self.upper < np.inf:
            raise ValueError(
                f"a bracket needs 0 <= lower <= upper < inf, found [{self.lower}, {self.upper}] "
                f"by {self.method}"
            )
        if not self.lower <= self.value <= self.upper:
            object.__setattr__(self, "value", self.lower + 0.5 * (self.upper - self.lower))

    @property
    def width(self) -> float:
        """``upper - lower``."""
        return self.upper - self.lower

    @property
    def relative_width(self) -> float:
        """``width / upper``, 0 when both bounds are 0."""
        return self.width / self.upper if self.upper > 0.0 else 0.0

    def __contains__(self, distance: float) -> bool:
        return self.lower <= distance <= self.upper

    def __repr__(self) -> str:
        half = 0.5 * self.width
        digits = 6
        if 0.0 < half < self.value:
            digits = int(np.clip(np.ceil(np.log10(self.value / half)) + 1, 3, 17))
        return (
            f"{self.distance} = {self.value:.{digits}g} +- {half:.2g}  "
            f"[{self.lower:.{digits}g}, {self.upper:.{digits}g}]  by {self.method}"
        )
