"""Features as piecewise polynomials: what a table holds, and how it is made from features."""

from dataclasses import dataclass

import numpy as np

from wassflow.arguments import Array
from wassflow.functional.evaluation.axes import Axis
from wassflow.functional.evaluation.cores import Core


@dataclass(frozen=True, eq=False)
class Table:
    """phi: R^q -> R^N on a box, through a tensor basis and polynomials on cells.

    A table knows phi as a linear map: g to the piecewise polynomial <g, phi>, and its transpose. Whatever is
    interpolated is continuous, its gradient is that of the interpolant, and sums against phi are its exact
    transpose.

    Attributes:
        axes: the tensor basis and the cells, q axes.
        core: between R^N and coefficients on the basis.
    """

    axes: tuple[Axis, ...]
    core: Core

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the monomials, ``(cells_1, ..., cells_q, width, ..., width)``."""
        return (*(axis.cells for axis in self.axes), *(axis.width for axis in self.axes))

    @property
    def lower(self) -> Array:
        """Lower corner of the box, ``(q,)``."""
        return np.array([axis.lower for axis in self.axes])

    @property
    def upper(self) -> Array:
        """Upper corner of the box, ``(q,)``."""
        return np.array([axis.upper for axis in self.axes])

    def monomials(self, g: Array) -> Array:
        """Return <g, phi> on the cells, for g ``(N,)``."""
        form = self.core.apply(g)
        for axis in self.axes:
            # the first axis is expanded and goes to the end
            expanded = axis.expand(form.reshape(axis.size, -1))
            form = np.ascontiguousarray(expanded.reshape(axis.cells * axis.width, -1).T)
        split = [length for axis in self.axes for length in (axis.cells, axis.width)]
        axes = range(len(split))
        return np.ascontiguousarray(form.reshape(split).transpose([*axes[::2], *axes[1::2]]))

    def collect(self, sums: Array) -> Array:
        """Return sum_i w_i phi(t_i), ``(N,)``, from the sums of w_i times monomials at t_i on the cells."""
        count = len(self.axes)
        form = sums.transpose([place for k in range(count) for place in (k, count + k)])
        for axis in self.axes:
            form = axis.collect(form.reshape(axis.cells, axis.width, -1)).T
        return self.core.transpose(form.reshape([axis.size for axis in self.axes]))
