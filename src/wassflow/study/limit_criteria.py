"""What the many-particle limit must show."""

from typing import TYPE_CHECKING

import numpy as np

from wassflow.study.criteria import Criterion

if TYPE_CHECKING:
    from wassflow.study.many_particle_limit import ManyParticleLimit

# Terms that the laws leave out change local slopes by about this much at the m of our ladders: measured
# corrections of W2^2 are of relative size m^{-1/3} in d = 3, and boundaries and vanishing densities add their
# own.
SUBLEADING = 0.05


def limit_criteria(limit: "ManyParticleLimit") -> list[Criterion]:
    """Judge a many-particle study.

    Brackets shrink with m at every time. At time 0 the interval of the exponent, widened by
    :data:`SUBLEADING`, holds the slope of theory's law over the same m. Later, where law and range of m
    decide between the law of time 0 and that of separated pieces, the interval meets the range between the
    two.
    """
    criteria = []
    for method in limit.methods:
        start = limit.laws[method, limit.times[0]]
        for time in limit.times:
            name = f"{limit.case.name}, {method}, t = {time:g}"
            first, last = (limit.select(method, time, m) for m in (limit.ms[0], limit.ms[-1]))
            largest, least = max(r["upper"] for r in last), min(r["lower"] for r in first)
            criteria.append(
                Criterion(
                    f"{name}: brackets shrink from m = {limit.ms[0]} to {limit.ms[-1]}",
                    limit.shrinks(method, time),
                    f"largest upper bound {largest:.3g} < least lower bound {least:.3g}",
                )
            )
            fit, law = limit.fits[method, time], limit.laws.get((method, time))
            if law is None or not np.isfinite(fit.low):
                continue
            slopes = [law.exponent(fit.used), start.exponent(fit.used)]
            low, high = min(slopes) - SUBLEADING, max(slopes) + SUBLEADING
            criteria.append(
                Criterion(
                    f"{name}: exponent agrees with theory",
                    fit.low <= high and fit.high >= low,
                    f"{fit} against [{low:.3f}, {high:.3f}], law {law.law.formula}",
                )
            )
    return criteria
