"""How fast two flows of the same functional can move apart, from numbers that a run records."""

from dataclasses import dataclass

import numpy as np

from wassflow.arguments import Array, as_number
from wassflow.domain import Domain
from wassflow.flow import Trajectory
from wassflow.functional import Functional


@dataclass(frozen=True, eq=False)
class StabilityBound:
    """Result of :func:`stability_bound`: W2(mu_t, nu_t) <= W2(mu_0, nu_0) exp(int_0^t L ds).

    Attributes:
        times: all times at which one of the two flows took a step, ``(n,)``.
        rates: L at these times, ``(n,)``.
        exponents: a bound of int_0^t L ds, ``(n,)``: the larger end of each interval counts.
        initial_distance: W2(mu_0, nu_0), or a bound of it.
        lipschitz: Lip(DPhi).
        semiconvexity: lambda_V.
    """

    times: Array
    rates: Array
    exponents: Array
    initial_distance: float
    lipschitz: float
    semiconvexity: float

    @property
    def bound(self) -> Array:
        """The bound of W2 at ``times``, ``(n,)``; ``inf`` beyond the float range."""
        with np.errstate(over="ignore"):
            return self.initial_distance * np.exp(self.exponents)

    def at(self, t: float) -> float:
        """Return the bound of W2 at a time between the first and the last of ``times``."""
        t = as_number("t", t, least=float(self.times[0]), most=float(self.times[-1]))
        with np.errstate(over="ignore"):
            return self.initial_distance * float(np.exp(np.interp(t, self.times, self.exponents)))


def stability_bound(
    functional: Functional,
    first: Trajectory,
    second: Trajectory,
    initial_distance: float,
    domain: Domain,
    lipschitz: float | None = None,
    semiconvexity: float | None = None,
) -> StabilityBound:
    """Bound the distance of two flows of one functional by what they record, without solving anything.

    For convex R, V with V + lambda_V/2 |u|^2 convex and Omega convex,

        L_s = 1/2 (||R'(f_mu)||_* + ||R'(f_nu)||_*) Lip(DPhi) + lambda_V

    (differentiate int |x - y|^2 along an optimal plan, expand Phi to second order, and use that R' is
    monotone). Any norm of R^N will do for Lip(DPhi) if R'(f) is measured in its dual. Here it is the one in
    which R is an inner product: ||f||^2 = scale <f, W f> for the squared loss, with ||R'(f)||_* =
    sqrt(2 R(f)), and <f, diag(weights) f> for the logistic loss; the Euclidean norm for a loss that does not
    say (``Loss.metric``, ``Loss.slope_norm``). It is a bound for the flows themselves; what schemes add to W2
    is not part of it.

    Args:
        functional: F of both flows.
        first, second: what they recorded, for instance a density flow and a particle flow; to the shorter
            end.
        initial_distance: W2(mu_0, nu_0), or an upper bound of it (``Bracket.upper``).
        domain: where both flows stay: Lip(DPhi) is taken over the box around it.
        lipschitz: a bound of Lip(DPhi) in the norm above, for features that do not know theirs.
        semiconvexity: lambda_V, for a regulariser that does not know its own.

    Raises:
        ValueError: an argument is out of range.
        WassflowError: Lip(DPhi) or lambda_V is not known and not given, or infinite (ReLU neurons).

    >>> import wassflow as wf
    >>> case = wf.cases.get("cosine-2d")
    >>> start, flow = case.start(case.mesh(cells=16)), case.particle_flow()
    >>> a, b = (flow.run(wf.ParticleCloud.sample(start, 50, seed=seed), 1.0, save=[0.0]) for seed in (1, 2))
    >>> apart = [wf.wasserstein2(a.at(t), b.at(t)) for t in (0.0, 1.0)]
    >>> bound = stability_bound(case.functional, a, b, apart[0].upper, case.domain)
    >>> apart[1].lower < bound.at(1.0)
    True
    """
    loss = functional.loss
    if lipschitz is None:
        lipschitz = functional.features.lipschitz_gradient(domain.lower, domain.upper, loss.metric)
    if semiconvexity is None:
        semiconvexity = functional.regularizer.semiconvexity()
    lipschitz = as_number("lipschitz", lipschitz, least=0.0)
    semiconvexity = as_number("semiconvexity", semiconvexity)
    end = min(float(first.times[-1]), float(second.times[-1]))
    times = np.union1d(first.times, second.times)
    times = times[times <= end]
    slopes = np.zeros(times.size)
    for flow in (first, second):
        norms = np.array([loss.slope_norm(moment) for moment in flow.moments])
        # between two steps of a flow: the larger of the two ends, which a straight line would miss
        after = np.clip(np.searchsorted(flow.times, times, side="left"), 0, norms.size - 1)
        before = np.clip(np.searchsorted(flow.times, times, side="right") - 1, 0, norms.size - 1)
        slopes += 0.5 * np.maximum(norms[before], norms[after])
    rates = slopes * lipschitz + semiconvexity
    spent = np.diff(times) * np.maximum(rates[1:], rates[:-1])
    return StabilityBound(
        times=times,
        rates=rates,
        exponents=np.concatenate(([0.0], np.cumsum(spent))),
        initial_distance=as_number("initial_distance", initial_distance, least=0.0),
        lipschitz=lipschitz,
        semiconvexity=semiconvexity,
    )
