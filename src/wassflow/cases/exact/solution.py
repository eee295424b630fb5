"""What is known of a solution of a gradient flow."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array
from wassflow.cases.features import MeanFeatures
from wassflow.domain import Domain
from wassflow.functional import Functional, SquaredLoss, regularizer


class Solution(ABC):
    """A solution mu_t of the gradient flow of ``functional`` on ``domain``.

    Attributes:
        dim: d.
        functional: F.
        domain: Omega, a box that contains the support at the times of interest.
    """

    dim: int
    domain: Domain

    @property
    @abstractmethod
    def functional(self) -> Functional:
        """F."""

    @property
    def has_density(self) -> bool:
        """Whether :meth:`density` is known."""
        return True

    @abstractmethod
    def initial(self, u: ArrayLike) -> Array:
        """Return the density of mu_0 at points ``(n, d)``, shape ``(n,)``."""

    @abstractmethod
    def moment(self, t: float) -> Array:
        """Return int Phi dmu_t, shape ``(N,)``."""

    @abstractmethod
    def energy(self, t: float) -> float:
        """Return F(mu_t)."""

    @abstractmethod
    def dissipation(self, t: float) -> float:
        """Return int |v|^2 dmu_t, which is -dF/dt."""

    @abstractmethod
    def flow_map(self, t: float, u: ArrayLike) -> Array:
        """Return where points ``(n, d)`` of mu_0 are at time ``t``."""

    @abstractmethod
    def density(self, t: float, u: ArrayLike) -> Array:
        """Return the density of the absolutely continuous part of mu_t at points ``(n, d)``, ``(n,)``."""

    def singular_mass(self, t: float) -> float:
        """Return the mass that has no density at time ``t``: atoms, and mass on a line, a plane or a wall."""
        return 0.0


class ExactSolution(Solution):
    """A solution in closed form, of mass 1, on a bounded box."""

    @abstractmethod
    def wasserstein2(self, s: float, t: float) -> float:
        """Return W2(mu_s, mu_t)."""

    def particles(self, t: float, points: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Return where the particles of a finite cloud of mass 1 are at time ``t``, ``(n, d)``.

        Same as :meth:`flow_map` where particles do not interact; else the moments of mu_0 give way to those
        of the cloud. ``weights`` are 1/n if not given.
        """
        return self.flow_map(t, points)


class WithoutLoss(ExactSolution):
    """A flow under V alone: R = 0; the recorded moment is the mean, Phi(u) = u."""

    @property
    @abstractmethod
    def regularizer(self) -> regularizer.Regularizer:
        """V."""

    @cached_property
    def functional(self) -> Functional:
        """F(mu) = int V dmu."""
        return Functional(
            MeanFeatures(self.dim), SquaredLoss(np.zeros(self.dim), scale=0.0), self.regularizer
        )
