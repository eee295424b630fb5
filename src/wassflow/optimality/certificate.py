"""How far a measure is from a minimiser of F, with proof: optimality conditions and a duality gap."""

from dataclasses import dataclass

import numpy as np

from wassflow.arguments import Array, as_number
from wassflow.domain import Domain
from wassflow.functional import Functional
from wassflow.measure import MeshDensity, ParticleCloud
from wassflow.optimality.problem import MAX_BOXES, Problem


@dataclass(frozen=True, eq=False)
class Certificate:
    """Result of :func:`certificate`: F(mu) - gap <= F* <= F(mu).

    Attributes:
        mass: "free" (F* over all nonnegative measures, M_+) or "fixed" (over those of the mass of mu).
        homogeneity: "weight", "joint" or ``None``, as far as it was used.
        value: F(mu).
        least: lower bound of min F', certified. With a free mass F' is taken at unit weights or on the unit
            sphere; F' >= 0 there is necessary and sufficient for a minimiser, together with F' = 0 mu-almost
            everywhere (Chizat and Bach 2018, Proposition 3.1).
        least_upper: a value that F' takes: the minimum is between the two.
        minimizer: where F' takes it, ``(d,)``: where mass should be added.
        support_mean, support_max: mean with respect to mu, and maximum over its support, of |F'| (free mass)
            or of F' - least (fixed mass); both vanish at a minimiser.
        integral: int F' dmu.
        mass_bound: bound of the mass of a minimiser on the section (free mass), or the mass of mu.
        gap: bound of F(mu) - F*, certified.
        boxes: what the global search cost.
    """

    mass: str
    homogeneity: str | None
    value: float
    least: float
    least_upper: float
    minimizer: Array
    support_mean: float
    support_max: float
    integral: float
    mass_bound: float
    gap: float
    boxes: int

    @property
    def lower_bound(self) -> float:
        """A certified lower bound of F*."""
        return self.value - self.gap

    def __str__(self) -> str:
        over = (
            "all nonnegative measures" if self.mass == "free" else f"measures of mass {self.mass_bound:.6g}"
        )
        on_support = "|F'|" if self.mass == "free" else "F' - min F'"
        return "\n".join(
            [
                f"F(mu) = {self.value:.10g}; {self.lower_bound:.10g} <= F* <= {self.value:.10g} over {over}",
                f"gap       {self.gap:.3e}",
                f"min F'    between {self.least:.6e} and {self.least_upper:.6e}, near {self.minimizer}",
                f"support   {on_support} {self.support_mean:.3e} in the mean, {self.support_max:.3e} at most",
            ]
        )


def certificate(
    functional: Functional,
    mu: ParticleCloud | MeshDensity,
    domain: Domain | None = None,
    mass: str | None = None,
    homogeneity: str | None = None,
    tolerance: float = 1e-9,
    mass_bound: float | None = None,
    lipschitz: float | None = None,
    semiconvexity: float | None = None,
    max_boxes: int = MAX_BOXES,
) -> Certificate:
    """Bound F(mu) - F* from above, by optimality conditions that are checked everywhere.

    F is convex in mu, so that F(nu) >= F(mu) + int F'(mu) d(nu - mu) for every nu. The minimum of F' over
    Omega, from a branch and bound whose lower bound holds whatever it was interrupted by, turns that into

    - ``mass="fixed"``: F(mu) - F* <= int F' dmu - mass min F', for F* over measures on Omega of the mass of
      mu. At a minimiser F' = min F' mu-almost everywhere.
    - ``mass="free"``: F(mu) - F* <= int F' dmu + B max(0, -min F'), for F* over all nonnegative measures on
      the cone that Omega spans. It needs a homogeneous F, in which weights or lengths stand for mass; then F'
      is needed at unit weights or on the unit sphere only, and B bounds the mass of a minimiser there: (F(mu)
      - inf R) / min V. At a minimiser F' >= 0, and F' = 0 mu-almost everywhere (Chizat and Bach 2018,
      Proposition 3.1).

    Args:
        functional: F.
        mu: a cloud, or a density (seen at its centroids, as everywhere).
        domain: Omega; ``None`` for the whole space.
        mass: "free" or "fixed". ``None``: free if F is homogeneous, else fixed.
        homogeneity: for features or a regulariser of the user: "weight" if Phi = w phi(theta) and V = |w|
            v(theta), "joint" if both are positively 2-homogeneous. It is tried at random points. ``None``:
            what the functional knows of itself.
        tolerance: of min F', which ends the search.
        mass_bound: B, if it is known better, or where V does not bound it (V = 0).
        lipschitz: a bound of Lip(DPhi) over Omega, for features that do not know theirs, in the norm of the
            loss (:func:`wassflow.study.stability_bound`).
        semiconvexity: lambda_V, for a regulariser that does not know its own.
        max_boxes: ends the search as well; the gap is then larger, and still certified.

    Raises:
        ValueError: an argument is out of range; a free mass for an F that is not homogeneous; an unbounded
            domain where F' would have no minimum.
        WassflowError: a constant is not known and not given.

    >>> import wassflow as wf
    >>> spike = wf.SpikeFeatures("dirichlet", order=3)
    >>> F = wf.Functional(spike, wf.SquaredLoss(spike.value([[2.0, 0.25]])[0]), wf.regularizer.AbsWeight(0.7))
    >>> circle = wf.Box([-5, 0], [5, 1], periodic=(False, True))
    >>> print(wf.certificate(F, wf.ParticleCloud([[1.9, 0.25]], [1.0]), circle).gap < 1e-8)
    True
    """
    if not isinstance(mu, ParticleCloud | MeshDensity):
        raise ValueError(f"mu must be a ParticleCloud or a MeshDensity, found {type(mu).__name__}")
    problem = Problem.checked(
        functional,
        domain,
        mu.dim,
        mass=mass,
        homogeneity=homogeneity,
        mass_bound=mass_bound,
        lipschitz=lipschitz,
        semiconvexity=semiconvexity,
        max_boxes=max_boxes,
    )
    return certify(problem, mu, as_number("tolerance", tolerance, above=0.0))


def certify(problem: Problem, mu: ParticleCloud | MeshDensity, tolerance: float) -> Certificate:
    """Return the certificate of mu for a problem that has been checked."""
    functional = problem.functional
    points, weights = mu.quadrature()
    moment, regularization = functional.moment_and_regularization(mu)
    value = functional.loss.value(moment) + regularization
    found = problem.minimum(moment, tolerance)
    slopes = functional.linearize(moment)(points)
    integral = float(mu.allsum(weights @ slopes))
    held = weights > 0.0
    defects = np.abs(slopes) if problem.mass == "free" else np.maximum(slopes - found.lower, 0.0)
    bound = problem.mass_bound(value) if problem.mass == "free" else mu.mass
    return Certificate(
        mass=problem.mass,
        homogeneity=problem.homogeneity,
        value=value,
        least=found.lower,
        least_upper=found.upper,
        minimizer=found.minimizer,
        support_mean=float(mu.allsum(weights @ defects)) / mu.mass,
        support_max=mu.allmax(defects[held].max(initial=0.0)),
        integral=integral,
        mass_bound=bound,
        gap=problem.gap(integral, found.lower, bound),
        boxes=found.boxes,
    )
