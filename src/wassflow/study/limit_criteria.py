"""What the many-particle limit must show."""

from typing import TYPE_CHECKING

import numpy as np

from wassflow.study.criteria import Criterion
from wassflow.study.laws import iid_disconnected
from wassflow.study.rates import fit_rate

if TYPE_CHECKING:
    from wassflow.study.many_particle_limit import ManyParticleLimit

# Terms that the laws leave out change local slopes by about this much at the m of our ladders: measured
# corrections of W2^2 are of relative size m^{-1/3} in d = 3, and boundaries and vanishing densities add their
# own.
SUBLEADING = 0.05
# The exponents of the observables of a case are judged together: true claims all pass with this confidence.
JOINT_CONFIDENCE = 0.99
# From this many m on, the smaller half of them is taken for the approach to a law.
_LONG_LADDER = 6


def limit_criteria(limit: "ManyParticleLimit") -> list[Criterion]:
    """Judge a many-particle study.

    Brackets shrink with m at every time. At time 0 the interval of the exponent, widened by
    :data:`SUBLEADING`, holds the slope of theory's law over the same m. Later, where law and range of m
    decide between the law of time 0 and that of separated pieces, the interval meets the range between the
    two. f and F of iid starts fall no slower than m^{-1/2}; so does the coupled error while the law is
    connected, and later no slower than m^{-1/4}. W2 stays below its stability bound, up to the density's own
    error.
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
    return [*criteria, *_monte_carlo(limit), *_stability(limit)]


def _monte_carlo(limit: "ManyParticleLimit") -> list[Criterion]:
    """One criterion for every observable of iid starts and every time, on the upper half of a long ladder.

    Errors that a few particles make are not small, and an unstable flow does not spread them in proportion.
    A claim fails if the exponent exceeds its bound with confidence 1 - (1 - :data:`JOINT_CONFIDENCE`)/n, n
    being the number of claims (Bonferroni): :meth:`~wassflow.study.rates.RateFit.lower_bound`.
    """
    first = len(limit.ms) // 2 if len(limit.ms) >= _LONG_LADDER else 0
    ms = limit.ms[first:]
    if len(limit.seeds) < 2 or len(ms) < 2:
        return []
    fits = {}
    for method, time, quantity in limit.observable_fits:
        key = "coupled" if quantity == "coupled" else f"{quantity}_error"
        floor = limit.observable_floor(method, time, quantity)
        fit = fit_rate(ms, limit.values(method, time, key)[first:], floor=floor)
        if method == "iid" and np.isfinite(fit.low):
            fits[time, quantity] = fit
    confidence = 1.0 - (1.0 - JOINT_CONFIDENCE) / max(len(fits), 1)
    criteria = []
    for (time, quantity), fit in fits.items():
        law = limit.laws.get(("iid", time))
        separated = quantity == "coupled" and law is not None and law.law.name == iid_disconnected().name
        slowest = -0.25 if separated else -0.5
        bound = fit.lower_bound(confidence)
        criteria.append(
            Criterion(
                f"{limit.case.name}, iid, t = {time:g}: {quantity} error falls like m^{slowest:g} or faster",
                bound <= slowest + SUBLEADING,
                f"{fit} on m = {fit.used[0]} to {fit.used[-1]}; above {bound:.3f} with confidence "
                f"{confidence:.4f} (one of {len(fits)} claims), allowed {slowest + SUBLEADING:g}",
            )
        )
    return criteria


def _stability(limit: "ManyParticleLimit") -> list[Criterion]:
    """One criterion for all runs, where the bound is known."""
    bounded = [r for r in limit.records if r["stability"] is not None and r["time"] > 0.0]
    if not bounded:
        return []
    share = max(r["lower"] / (r["stability"] + limit.floors[r["time"]].upper) for r in bounded)
    return [
        Criterion(
            f"{limit.case.name}: W2 <= W2(0) exp(int L) + the density's own error, {len(bounded)} distances",
            share <= 1.0,
            f"lower bounds reach {share:.2g} of it at most",
        )
    ]
