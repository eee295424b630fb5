"""F over nonnegative measures of free or of fixed mass: where F' is looked at, and what it proves."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wassflow.arguments import Array, as_integer, as_number, one_of
from wassflow.domain import Domain
from wassflow.functional import FirstVariation, Functional
from wassflow.optimality.search import Curvature, Minimum, global_minimum
from wassflow.optimality.section import (
    HOMOGENEITIES,
    MASSES,
    Section,
    check_homogeneity,
    known_homogeneity,
    section,
)

# Boxes after which the search for the minimum of F' ends with the bound it has.
MAX_BOXES = 4_000_000


@dataclass(frozen=True, eq=False)
class Problem:
    """The minimisation of F over measures on Omega, and what a caller knows about it.

    Attributes:
        functional: F.
        section: where F' is looked at.
        mass: "free" or "fixed".
        homogeneity: "weight", "joint" or ``None``.
        known_mass_bound: bound of the mass of a minimiser on the section, or ``None``: V bounds it.
        lipschitz: Lip(DPhi), or ``None``: the features know.
        semiconvexity: lambda_V, or ``None``: the regulariser knows.
        max_boxes: of a search.
    """

    functional: Functional
    section: Section
    mass: str
    homogeneity: str | None
    known_mass_bound: float | None
    lipschitz: float | None
    semiconvexity: float | None
    max_boxes: int

    @classmethod
    def checked(
        cls,
        functional: Functional,
        domain: Domain | None,
        dim: int,
        *,
        mass: str | None,
        homogeneity: str | None,
        mass_bound: float | None,
        lipschitz: float | None,
        semiconvexity: float | None,
        max_boxes: int,
    ) -> "Problem":
        """Check the arguments that :func:`certificate` and :func:`minimize_over_measures` share."""
        if not isinstance(functional, Functional):
            raise ValueError(f"functional must be a Functional, found {type(functional).__name__}")
        if domain is not None and not isinstance(domain, Domain):
            raise ValueError(f"domain must be a Domain or None, found {type(domain).__name__}")
        if domain is not None and domain.dim != dim:
            raise ValueError(f"domain must have dimension {dim}, found {domain.dim}")
        if functional.dim not in (None, dim):
            raise ValueError(f"functional must have dimension {dim}, found {functional.dim}")
        if homogeneity is None:
            homogeneity = known_homogeneity(functional)
        else:
            check_homogeneity(functional, one_of("homogeneity", homogeneity, HOMOGENEITIES), domain, dim)
        mass = one_of("mass", mass or ("fixed" if homogeneity is None else "free"), MASSES)
        if mass == "fixed" and mass_bound is not None:
            raise ValueError(f"mass_bound belongs to mass='free', found {mass_bound} for mass='fixed'")
        return cls(
            functional=functional,
            section=section(functional, domain, mass, homogeneity, dim),
            mass=mass,
            homogeneity=homogeneity,
            known_mass_bound=None if mass_bound is None else as_number("mass_bound", mass_bound, least=0.0),
            lipschitz=None if lipschitz is None else as_number("lipschitz", lipschitz, least=0.0),
            semiconvexity=None if semiconvexity is None else as_number("semiconvexity", semiconvexity),
            max_boxes=as_integer("max_boxes", max_boxes, least=1),
        )

    def minimum(self, moment: Array, tolerance: float) -> Minimum:
        """Bracket the minimum of F' over the section, for measures with int Phi dmu = ``moment``."""
        bound = self.lipschitz
        if bound is not None:
            bound *= self.functional.loss.slope_norm(moment)
        curvature = Curvature(bound, self.semiconvexity)
        variation = self.functional.linearize(moment)
        return global_minimum(variation, self.section, tolerance, self.max_boxes, curvature)

    def mass_bound(self, value: float) -> float:
        """Bound the mass on the section of every nu with F(nu) <= ``value``: (value - inf R) / min V.

        Infinite where V does not bound it and the caller has not.
        """
        if self.known_mass_bound is not None:
            return self.known_mass_bound
        least = self._least_regularization
        return (value - self.functional.loss.infimum) / least if least > 0.0 else np.inf

    @cached_property
    def _least_regularization(self) -> float:
        """A lower bound of V on the section, to three digits."""
        F = self.functional
        alone = FirstVariation(F.features, np.zeros(F.features.size), F.regularizer)
        tolerance = 1e-3 * float(np.abs(F.regularizer.value(self.section.upper)).max()) or 1.0
        curvature = Curvature(0.0, self.semiconvexity)
        return global_minimum(alone, self.section, tolerance, self.max_boxes, curvature).lower

    def gap(self, integral: float, least: float, mass: float) -> float:
        """Bound F(mu) - F* by int F' dmu - mass min F', where only a negative minimum counts if mass is free.

        Args:
            integral: int F' dmu.
            least: lower bound of min F'.
            mass: bound of the mass of a minimiser.
        """
        if self.mass == "free":
            least = min(least, 0.0)
        return max(integral - (mass * least if least else 0.0), 0.0)
