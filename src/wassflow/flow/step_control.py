"""The length of the next step from the estimated error of the last one."""

import math

# The next step aims below the tolerance by this factor, so that few steps are taken twice.
_SAFETY = 0.9
# A step grows and shrinks by no more than these factors.
_GROWTH, _SHRINKAGE = 2.0, 0.1
# Exponents of a proportional-integral controller, over the order of the error estimate (Gustafsson 1991;
# Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.2).
_INTEGRAL, _PROPORTIONAL = 0.7, 0.4
# An error below this share of the tolerance says nothing about the next one.
_LEAST_ERROR = 1e-4
# After a step that raised the energy, steps are bounded by half of it; the bound grows back by this factor.
_RECOVERY = 1.1


class StepControl:
    """Proportional-integral control of the step length.

    A step is acceptable if its error is at most the tolerance; the one after it is

        0.9 dt (tolerance / error)^(0.7/q) (previous error / tolerance)^(0.4/q),

    q being the order of the error estimate, and after a step that was refused 0.9 dt (tolerance /
    error)^(1/q). Lengths are taken from the ladder longest 2^(-k/8): rounding errors of the estimate, which
    depend on the number of ranks, then do not reach the steps. Near rest there is no error left that could
    bound the steps, only stability: where a step has raised the energy, the next ones keep below it for a
    while (:meth:`refuse`).

    Args:
        tolerance: of the error of a step.
        order: q, the error of a step being of order dt^q.
        longest: the longest step.

    >>> control = StepControl(tolerance=1e-6, order=4, longest=1.0)
    >>> control.accepts(2e-6), round(control.next(0.5, 2e-6), 3)
    (False, 0.354)
    >>> control.accepts(1e-6), round(control.next(0.354, 1e-6), 3)
    (True, 0.297)
    """

    def __init__(self, tolerance: float, order: int, longest: float) -> None:
        self.tolerance = tolerance
        self.order = order
        self.longest = longest
        self._stable = longest
        self._previous = 1.0

    def accepts(self, error: float) -> bool:
        """Whether a step with this error estimate may stand."""
        return error <= self.tolerance

    def refuse(self, step: float) -> float:
        """Return the length to take instead of a ``step`` that raised the energy: half of it."""
        self._stable = 0.5 * step
        return self._stable

    def next(self, step: float, error: float) -> float:
        """Return the length to take after a ``step`` with this error, or instead of it if it is too large."""
        share = max(error / self.tolerance, _LEAST_ERROR)
        if share > 1.0 or math.isnan(error):
            factor = _SAFETY * share ** (-1.0 / self.order) if math.isfinite(share) else 0.0
            return self._rung(step * max(_SHRINKAGE, factor))
        factor = _SAFETY * share ** (-_INTEGRAL / self.order) * self._previous ** (_PROPORTIONAL / self.order)
        self._previous = share
        self._stable = min(self.longest, _RECOVERY * self._stable)
        return self._rung(min(self._stable, step * min(_GROWTH, max(_SHRINKAGE, factor))))

    def _rung(self, step: float) -> float:
        """Return the longest step of the ladder that is at most ``step``."""
        rung = math.ceil(8.0 * math.log2(self.longest / step) - 1e-6) if step < self.longest else 0
        return self.longest * 2.0 ** (-rung / 8.0)
