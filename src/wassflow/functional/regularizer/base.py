"""What a regulariser V can be asked for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_number, shaped_points
from wassflow.errors import WassflowError
from wassflow.functional.subdifferential import Subdifferential, Walls


class Regularizer(ABC):
    """V, semiconvex, of F(mu) = R(int Phi dmu) + int V dmu (Chizat and Bach 2018, Assumptions 2.1).

    Attributes:
        dim: d if V fixes the dimension, else ``None``.
        smooth: whether V has no kinks; :meth:`prox` is then the identity.
    """

    dim: int | None = None
    smooth: bool
    # degrees of homogeneity, by what is scaled; what is missing is not homogeneous or not known to be
    _degrees: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def value(self, u: ArrayLike) -> Array:
        """Return V at points ``(n, d)``, shape ``(n,)``."""

    @abstractmethod
    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV at points ``(n, d)``."""

    def velocity(self, u: ArrayLike, vt: ArrayLike, domain: Walls | None = None) -> Array:
        """Return vt - proj_{dV(u)}(vt), shape ``(n, d)`` (Chizat and Bach 2018, Proposition 2.3).

        With a ``domain`` the normal cone at u is added to dV(u): the result is the element of least norm of
        vt - dV(u) - N(u), exactly, for boxes and for oblique walls.

        Args:
            u: points ``(n, d)``.
            vt: velocities ``(n, d)``, here minus the gradient of the smooth part of F'.
            domain: something with ``project_velocity(u, v)``; nothing stands for the whole space.
        """
        u, vt = self._points_and_velocities(u, vt)
        return self.subdifferential(u).least_velocity(u, vt, domain)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of the part of V that is moved explicitly, ``(n, d)``."""
        return np.zeros_like(self._points(u))

    def prox(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the part of V with kinks at points ``(n, d)``; ``step`` >= 0."""
        checked_step(step)
        return self._points(u).copy()

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return the exact proximal map of the whole V, smooth part included, at points ``(n, d)``.

        Raises:
            WassflowError: if V has no closed form for it.
        """
        raise WassflowError(f"{type(self).__name__} has no proximal map in closed form for its smooth part")

    def semiconvexity(self) -> float:
        """Return the least lambda for which V + lambda/2 |u|^2 is known to be convex; negative for strong
        convexity.

        Raises:
            WassflowError: if it is not known.
        """
        return 0.0

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether V is known to be positively homogeneous: V(r u) = r^degree V(u) for r > 0.

        Args:
            degree: of homogeneity.
            part: what is scaled: "weight" (column 0), "theta" (the other columns) or "all".

        >>> from wassflow.functional.regularizer import AbsWeight
        >>> AbsWeight(0.1).homogeneous(1, "weight"), AbsWeight(0.1).homogeneous(2, "all")
        (True, False)
        """
        return self._degrees.get(part) == degree

    def _points(self, u: ArrayLike, least: int = 1) -> Array:
        points = shaped_points("u", u, self.dim)
        if points.shape[1] < least:
            raise ValueError(f"u must have at least {least} columns for {self!r}, found {points.shape[1]}")
        return points

    def _points_and_velocities(self, u: ArrayLike, vt: ArrayLike) -> tuple[Array, Array]:
        points, velocities = self._points(u), np.ascontiguousarray(vt, dtype=np.float64)
        if velocities.shape != points.shape:
            raise ValueError(f"vt must have the shape of u, {points.shape}, found {velocities.shape}")
        return points, velocities


def checked_step(step: float) -> float:
    """Return the step of a proximal map, refused if negative."""
    return as_number("step", step, least=0.0)
