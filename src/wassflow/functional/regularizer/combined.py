"""Sums of regularisers."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.functional.regularizer.base import Regularizer, checked_step
from wassflow.functional.regularizer.custom import Callable
from wassflow.functional.regularizer.kinked import AbsWeight, Norm, WeightTimesNorm
from wassflow.functional.regularizer.smooth import Zero
from wassflow.functional.subdifferential import Subdifferential, Walls


class Sum(Regularizer):
    """V = V_1 + V_2 + ..., with the exact velocity of the sum: kinks of the terms add up (they are regular).

    The velocity is exact for every combination of the regularisers of this module, and for one
    :class:`Callable` with kinks beside smooth terms.

    Smooth terms are moved explicitly. The proximal map of the kinked terms together is exact for terms of the
    same kind, for :class:`AbsWeight` with :class:`Norm` (the one after the other: Yu 2013, "On decomposing
    the proximal map") and for :class:`AbsWeight` with :class:`WeightTimesNorm` (strength |w|
    shifts |w| in the problem of two lengths); other combinations have no closed form and are refused by
    ``prox``.

    >>> from wassflow.functional.regularizer import SquaredNorm
    >>> V = Sum(AbsWeight(0.1), SquaredNorm(1.0, weight_column=True))
    >>> V.value([[2.0, 3.0]]), V.smooth, V.smooth_gradient([[2.0, 3.0]])
    (array([9.2]), False, array([[0., 6.]]))
    """

    def __init__(self, *terms: Regularizer):
        flat: list[Regularizer] = []
        for index, term in enumerate(terms):
            if not isinstance(term, Regularizer):
                raise ValueError(
                    f"terms must be regularizers, found {type(term).__name__} at position {index}"
                )
            flat.extend(term.terms if isinstance(term, Sum) else [term])
        dims = {term.dim for term in flat if term.dim is not None}
        if len(dims) > 1:
            raise ValueError(f"terms must have the same dimension, found {sorted(dims)}")
        self.terms: tuple[Regularizer, ...] = tuple(flat)
        self.dim = dims.pop() if dims else None
        self.smooth = all(term.smooth for term in flat)

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.terms))})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        u = self._points(u)
        return sum((term.value(u) for term in self.terms), start=np.zeros(u.shape[0]))

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV, the Minkowski sum of the subdifferentials of the terms."""
        u = self._points(u)
        return sum((term.subdifferential(u) for term in self.terms), start=Subdifferential(np.zeros_like(u)))

    def velocity(self, u: ArrayLike, vt: ArrayLike, domain: Walls | None = None) -> Array:
        """Return the element of least norm of vt - dV(u) - N(u), ``(n, d)``."""
        opaque = [term for term in self.terms if isinstance(term, Callable) and not term.smooth]
        if not opaque:
            return super().velocity(u, vt, domain)
        kinked = [term for term in self.terms if not term.smooth]
        if len(kinked) > 1:
            raise WassflowError(
                f"the velocity of {self!r} is not known: kinks of a Callable beside other kinks"
            )
        u, vt = self._points_and_velocities(u, vt)
        smooth = sum((term.smooth_gradient(u) for term in self.terms if term.smooth), start=np.zeros_like(u))
        return opaque[0].velocity(u, vt - smooth, domain)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the sum of the gradients of what is moved explicitly, ``(n, d)``."""
        u = self._points(u)
        return sum((term.smooth_gradient(u) for term in self.terms), start=np.zeros_like(u))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the sum of the kinked terms at points ``(n, d)``.

        Raises:
            WassflowError: if the kinked terms have no joint proximal map in closed form.
        """
        result, step = super().prox(u, step), checked_step(step)
        for term in self._kinked():
            result = term.prox(result, step)
        return result

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether all terms are."""
        return all(term.homogeneous(degree, part) for term in self.terms)

    def semiconvexity(self) -> float:
        """Return the sum over the terms."""
        return float(sum(term.semiconvexity() for term in self.terms))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the whole V if no term is moved explicitly or one is left.

        Raises:
            WassflowError: if V has no closed form for it.
        """
        terms = [term for term in self.terms if not isinstance(term, Zero)]
        if len(terms) == 1:
            return terms[0].resolvent(u, step)
        if any(term.smooth or isinstance(term, Callable) for term in terms):
            return super().resolvent(u, step)
        return self.prox(u, step)

    def _kinked(self) -> list[Regularizer]:
        """Return terms whose proximal maps, applied one after the other, are that of the kinked part."""
        kinked = [term for term in self.terms if not term.smooth]
        if len(kinked) <= 1:
            return kinked
        merged = [
            kind(sum(term.strength for term in kinked if isinstance(term, kind)))
            for kind in (AbsWeight, Norm, WeightTimesNorm)
        ]
        _, norm, product = merged
        foreign = [term for term in kinked if not isinstance(term, AbsWeight | Norm | WeightTimesNorm)]
        if foreign or (norm.strength > 0.0 and product.strength > 0.0):
            raise WassflowError(
                f"the kinked terms {', '.join(map(repr, kinked))} have no joint proximal map in closed form: "
                "keep one of them, or combine AbsWeight with Norm or with WeightTimesNorm"
            )
        return [term for term in merged if term.strength > 0.0]
