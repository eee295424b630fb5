"""F* to a certified gap: sliding Frank-Wolfe over measures."""

from dataclasses import dataclass

import numpy as np

from wassflow.arguments import as_integer, as_number
from wassflow.domain import Domain
from wassflow.errors import WassflowError
from wassflow.functional import Functional
from wassflow.measure import ParticleCloud
from wassflow.optimality.atoms import Atoms
from wassflow.optimality.certificate import Certificate, certify
from wassflow.optimality.problem import MAX_BOXES, Problem

# The minimum of F' is searched to this share of what the gap allows.
_SEARCH_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class OptimalMeasure:
    """Result of :func:`minimize_over_measures`: lower_bound <= F* <= value.

    Attributes:
        measure: a sum of atoms, with unit weights w = +-1 or on the unit sphere where the mass is free.
        certificate: what proves it.
        rounds: atoms that were added one after the other.
    """

    measure: ParticleCloud
    certificate: Certificate
    rounds: int

    @property
    def value(self) -> float:
        """F(measure), at most ``gap`` above F*."""
        return self.certificate.value

    @property
    def lower_bound(self) -> float:
        """A certified lower bound of F*."""
        return self.certificate.lower_bound

    @property
    def gap(self) -> float:
        """Certified bound of F(measure) - F*."""
        return self.certificate.gap


def minimize_over_measures(
    functional: Functional,
    domain: Domain | None = None,
    mass: float | str | None = None,
    tolerance: float = 1e-6,
    dim: int | None = None,
    homogeneity: str | None = None,
    mass_bound: float | None = None,
    lipschitz: float | None = None,
    semiconvexity: float | None = None,
    max_rounds: int = 200,
    max_boxes: int = MAX_BOXES,
) -> OptimalMeasure:
    """Minimise F over nonnegative measures, to a gap that is certified.

    Sliding Frank-Wolfe (Denoyelle, Duval, Peyre and Soubies, Inverse Problems 36 (2020) 014001; boosted
    conditional gradient, Boyd, Schiebinger and Recht 2017): an atom is added where F' has its global
    minimum, the masses of all atoms are solved for (a convex problem), then masses and positions descend
    together. It ends by the duality gap of :func:`wassflow.certificate`, so that the result is proven
    whatever the local descents did.

    Args:
        functional: F.
        domain: Omega; ``None`` for the whole space.
        mass: "free" for all nonnegative measures (F homogeneous), or the mass of those that compete.
            ``None``: free if F is homogeneous, else 1.
        tolerance: the gap wanted.
        dim: d, where neither F nor a domain says it.
        homogeneity, mass_bound, lipschitz, semiconvexity, max_boxes: see :func:`wassflow.certificate`.
        max_rounds: atoms that may be added.

    Raises:
        ValueError: see :func:`wassflow.certificate`.
        WassflowError: the tolerance was not reached within ``max_rounds``; the message says what was.

    >>> import wassflow as wf
    >>> case = wf.cases.get("deconvolution-2d")
    >>> best = wf.minimize_over_measures(case.functional, case.domain)
    >>> best.gap <= 1e-6, best.lower_bound <= best.value, best.measure.size
    (True, True, 5)
    """
    tolerance = as_number("tolerance", tolerance, above=0.0)
    max_rounds = as_integer("max_rounds", max_rounds, least=1)
    dims = [dim, getattr(domain, "dim", None), getattr(functional, "dim", None)]
    known = next((number for number in dims if number is not None), None)
    if known is None:
        raise ValueError("dim must be given where neither functional nor domain says it, found None")
    total = None if mass is None or isinstance(mass, str) else as_number("mass", mass, above=0.0)
    problem = Problem.checked(
        functional,
        domain,
        as_integer("dim", known, least=1),
        mass="fixed" if total is not None else mass if isinstance(mass, str) else None,
        homogeneity=homogeneity,
        mass_bound=mass_bound,
        lipschitz=lipschitz,
        semiconvexity=semiconvexity,
        max_boxes=max_boxes,
    )
    if problem.mass == "fixed" and total is None:
        total = 1.0
    return _frank_wolfe(problem, domain, total, tolerance, max_rounds)


def _frank_wolfe(
    problem: Problem, domain: Domain | None, total: float | None, tolerance: float, max_rounds: int
) -> OptimalMeasure:
    functional, section = problem.functional, problem.section
    zero = functional.features.moment(np.zeros((0, section.dim)), np.zeros(0))
    atoms = Atoms.none(section, domain)
    if total is not None:
        first = problem.minimum(zero, tolerance).minimizer if section.zero is None else section.zero
        atoms = atoms.with_atom(first, total)
    for rounds in range(max_rounds + 1):
        cloud = atoms.cloud()
        bound = total or problem.mass_bound(functional.value(cloud))
        if not np.isfinite(bound):
            raise ValueError(
                "mass_bound must be given where V and the infimum of R do not bound the mass of a minimiser, "
                f"found None for {functional.regularizer!r}"
            )
        search = _SEARCH_SHARE * tolerance / bound if bound > 0.0 else tolerance
        found = certify(problem, cloud, search)
        if found.gap <= tolerance:
            return OptimalMeasure(cloud, found, rounds)
        atoms = atoms.with_atom(found.minimizer, 0.0)
        for move in (False, True):
            atoms = atoms.descend(functional, total, move).heavy()
    raise WassflowError(
        f"F* was not reached to {tolerance:g} with {max_rounds} atoms added: the gap is {found.gap:.1e}, "
        f"min F' between {found.least:.3e} and {found.least_upper:.3e}"
    )
