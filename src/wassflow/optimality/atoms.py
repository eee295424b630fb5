"""Sums of atoms on a section: F as a function of their masses and positions, and its local descent."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from wassflow.arguments import Array
from wassflow.domain import Domain
from wassflow.functional import Functional
from wassflow.measure import ParticleCloud
from wassflow.optimality.section import Section

# Iterations of a descent, and where it ends: as far down as rounding lets it go.
_OPTIONS = {"maxiter": 3000, "maxfun": 20_000, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-13}
# An atom with less than this share of the mass is dropped.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class Atoms:
    """mu = sum of masses_i delta_{points_i} on a section, every point with the box in which it may move.

    Attributes:
        section: where the points are.
        domain: Omega, whose periodic axes have no ends, or ``None``.
        points: ``(k, d)``.
        masses: nonnegative ``(k,)``.
        lower, upper: corners of the boxes, ``(k, d)``, infinite along periodic axes.
    """

    section: Section
    domain: Domain | None
    points: Array
    masses: Array
    lower: Array
    upper: Array

    @classmethod
    def none(cls, section: Section, domain: Domain | None) -> "Atoms":
        """Return the zero measure."""
        nothing = np.zeros((0, section.dim))
        return cls(section, domain, nothing, np.zeros(0), nothing, nothing)

    def with_atom(self, point: Array, mass: float) -> "Atoms":
        """Return the sum with one atom more, at a point of the section."""
        box = self.section.box_of(point)
        lower, upper = (point, point) if box is None else box
        if self.domain is not None:
            moving = np.array(self.domain.periodic) & (upper > lower)
            lower, upper = np.where(moving, -np.inf, lower), np.where(moving, np.inf, upper)
        return replace(
            self,
            points=np.vstack([self.points, point]),
            masses=np.append(self.masses, mass),
            lower=np.vstack([self.lower, lower]),
            upper=np.vstack([self.upper, upper]),
        )

    def heavy(self) -> "Atoms":
        """Return the atoms whose mass is not negligible."""
        kept = self.masses > _NEGLIGIBLE * self.masses.sum()
        return replace(
            self,
            points=self.points[kept],
            masses=self.masses[kept],
            lower=self.lower[kept],
            upper=self.upper[kept],
        )

    def value(self, functional: Functional) -> float:
        """Return F."""
        return _value(functional, self.points, self.masses)

    def cloud(self) -> ParticleCloud:
        """Return the atoms as a cloud; the zero measure as an atom without weight, where Phi = V = 0."""
        if not self.masses.sum() > 0.0:
            point = np.zeros((1, self.section.dim))
            if self.section.first:
                point[0, 1:] = self.section.lower[0, 1:]
            return ParticleCloud(point)
        return ParticleCloud(
            self.section.normalized(self.points), self.masses * self.section.norm(self.points)
        )

    def descend(self, functional: Functional, total: float | None, move: bool) -> "Atoms":
        """Lower F by the masses, and by the positions as well if they may ``move`` (L-BFGS-B).

        In the masses alone F is convex. With a ``total`` mass, masses are its shares: the variables are
        proportional to them. The result is never worse than the start.

        Args:
            functional: F.
            total: mass to be kept, or ``None``.
            move: whether positions move too.
        """
        free = (self.upper > self.lower) & move
        size = self.masses.size
        scale = total or 1.0

        def unpacked(z: Array) -> tuple[Array, Array, float]:
            points = self.points.copy()
            points[free] = z[size:]
            sum_ = float(z[:size].sum()) if total else 1.0
            return points, scale * z[:size] / sum_, sum_

        def objective(z: Array) -> tuple[float, Array]:
            points, masses, sum_ = unpacked(z)
            moment = functional.features.moment(points, masses)
            variation = functional.linearize(moment)
            slopes = variation(points)
            value = functional.loss.value(moment) + float(masses @ functional.regularizer.value(points))
            along = masses[:, None] * -variation.velocity(points)
            if total:
                slopes = (slopes - float(slopes @ masses) / scale) * scale / sum_
            return value, np.concatenate([slopes, along[free]])

        start = np.concatenate([self.masses / scale, self.points[free]])
        lower = np.concatenate([np.zeros(size), self.lower[free]])
        upper = np.concatenate([np.full(size, np.inf), self.upper[free]])
        bounds = np.column_stack([lower, upper])
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_OPTIONS)
        points, masses, _ = unpacked(found.x)
        if self.section.domain is not None:
            points = self.section.domain.project(points)
        if self.domain is not None:
            points = self.domain.wrap(points)
        better = replace(self, points=points, masses=masses)
        return better if better.value(functional) <= self.value(functional) else self


def _value(functional: Functional, points: Array, masses: Array) -> float:
    moment = functional.features.moment(points, masses)
    return functional.loss.value(moment) + float(masses @ functional.regularizer.value(points))
