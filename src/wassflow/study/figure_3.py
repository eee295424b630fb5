"""What Chizat and Bach (2018) found in their Figure 3, read from the vector graphics of their poster."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import one_of

Array = NDArray[np.float64]

PARTICLES, FIXED = "particles", "fixed positions"
METHODS = (PARTICLES, FIXED)


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel of the figure.

    Attributes:
        losses: for each method and m the excess losses at convergence of all runs.
        m0: atoms of the simplest minimiser.
        threshold: a run whose excess loss is below it has succeeded ("optimisation error").
        least: losses below it are drawn there.
    """

    losses: dict[tuple[str, int], Array]
    m0: int
    threshold: float
    least: float

    @property
    def ms(self) -> tuple[int, ...]:
        """The ladder of m."""
        return tuple(sorted({m for _, m in self.losses}))


# m0, threshold, least
_THRESHOLDS = {"deconvolution": (5, 1e-4, 1e-5), "relu": (20, 2e-5, 1e-7), "sigmoid": (20, 1e-4, 1e-6)}


@cache
def panel(problem: str) -> Panel:
    """Return the panel "deconvolution", "relu" or "sigmoid".

    >>> found = panel("deconvolution")
    >>> found.ms[-3:], float((found.losses["particles", 7] < found.threshold).mean())
    ((55, 67, 82), 0.38)
    """
    one_of("problem", problem, _THRESHOLDS)
    table = files("wassflow.study").joinpath("data", "chizat_bach_2018_figure_3.csv").read_text("utf-8")
    losses = {
        (row["method"], int(row["m"])): np.array(row["excess_losses"].split(), dtype=np.float64)
        for row in csv.DictReader(table.splitlines())
        if row["problem"] == problem
    }
    return Panel(losses, *_THRESHOLDS[problem])
