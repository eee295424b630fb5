"""Regularisers without kinks."""

from abc import abstractmethod
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_number, as_vector
from wassflow.errors import WassflowError
from wassflow.functional.losses import symmetric_matrix
from wassflow.functional.regularizer.base import Regularizer, checked_step
from wassflow.functional.subdifferential import Subdifferential


class Smooth(Regularizer):
    """A regulariser without kinks."""

    smooth = True

    @abstractmethod
    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of V, ``(n, d)``."""

    def subdifferential(self, u: ArrayLike) -> Subdifferential:
        """Return dV = {gradient} at points ``(n, d)``."""
        return Subdifferential(self.smooth_gradient(u))


class Zero(Smooth):
    """V = 0.

    >>> Zero().value([[1.0, 2.0]])
    array([0.])
    """

    def __repr__(self) -> str:
        return "Zero()"

    def homogeneous(self, degree: int, part: str) -> bool:
        """Return True: zero is homogeneous of every degree."""
        return True

    def value(self, u: ArrayLike) -> Array:
        """Return zeros, shape ``(n,)``."""
        return np.zeros(self._points(u).shape[0])

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return zeros, ``(n, d)``."""
        return np.zeros_like(self._points(u))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return ``u``."""
        return self.prox(u, step)


class SquaredNorm(Smooth):
    """V(u) = strength |u|^2, or strength |theta|^2.

    Args:
        strength: nonnegative factor.
        weight_column: whether column 0 is a weight w, which is then left out: V = strength |theta|^2.

    >>> SquaredNorm(0.5).value([[3.0, 4.0]]), SquaredNorm(0.5, weight_column=True).value([[3.0, 4.0]])
    (array([12.5]), array([8.]))
    """

    def __init__(self, strength: float, weight_column: bool = False):
        self.strength = as_number("strength", strength, least=0.0)
        self.weight_column = bool(weight_column)
        self._degrees = {"weight": 0, "theta": 2} if self.weight_column else {"all": 2}

    def __repr__(self) -> str:
        return f"SquaredNorm({self.strength:g}, weight_column={self.weight_column})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        penalised = self._points(u)[:, int(self.weight_column) :]
        return self.strength * np.einsum("ij,ij->i", penalised, penalised)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return the gradient of V, ``(n, d)``."""
        gradient = 2.0 * self.strength * self._points(u)
        if self.weight_column:
            gradient[:, 0] = 0.0
        return gradient

    def semiconvexity(self) -> float:
        """Return -2 strength, or 0 where the weight is left out."""
        return 0.0 if self.weight_column else -2.0 * self.strength

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return u / (1 + 2 step strength) in the penalised columns, ``(n, d)``."""
        result = self._points(u).copy()
        result[:, int(self.weight_column) :] /= 1.0 + 2.0 * checked_step(step) * self.strength
        return result


class Linear(Smooth):
    """V(u) = <c, u>.

    >>> Linear([1.0, -2.0]).value([[3.0, 1.0]])
    array([1.])
    """

    _degrees = MappingProxyType({"all": 1})

    def __init__(self, c: ArrayLike):
        self.c = as_vector("c", c)
        self.dim = self.c.size

    def __repr__(self) -> str:
        return f"Linear({self.c.tolist()})"

    def value(self, u: ArrayLike) -> Array:
        """Return <c, u>, shape ``(n,)``."""
        return self._points(u) @ self.c

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return c in every row, ``(n, d)``."""
        return np.tile(self.c, (self._points(u).shape[0], 1))

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return u - step c, ``(n, d)``."""
        return self._points(u) - checked_step(step) * self.c


class Quadratic(Smooth):
    """V(u) = 1/2 <u - center, B (u - center)>, B symmetric; negative eigenvalues are allowed.

    Args:
        B: symmetric ``(d, d)``.
        center: ``(d,)``, the origin if not given.

    >>> Quadratic([[2.0, 0.0], [0.0, 1.0]], center=[1.0, 0.0]).value([[2.0, 2.0]])
    array([3.])
    """

    def __init__(self, B: ArrayLike, center: ArrayLike | None = None):
        self.B = symmetric_matrix("B", B)
        self.dim = self.B.shape[0]
        self.center = np.zeros(self.dim) if center is None else as_vector("center", center, self.dim)

    def __repr__(self) -> str:
        return f"Quadratic({self.B.tolist()}, center={self.center.tolist()})"

    def value(self, u: ArrayLike) -> Array:
        """Return V, shape ``(n,)``."""
        offset = self._points(u) - self.center
        return 0.5 * np.einsum("ij,ij->i", offset, offset @ self.B)

    def smooth_gradient(self, u: ArrayLike) -> Array:
        """Return B (u - center), ``(n, d)``."""
        return (self._points(u) - self.center) @ self.B

    def semiconvexity(self) -> float:
        """Return minus the least eigenvalue of B."""
        return -float(np.linalg.eigvalsh(self.B)[0])

    def resolvent(self, u: ArrayLike, step: float) -> Array:
        """Return center + (I + step B)^-1 (u - center), ``(n, d)``.

        Raises:
            WassflowError: if I + step B is not positive definite, so that there is no minimiser.
        """
        offset, step = self._points(u) - self.center, checked_step(step)
        least = float(np.linalg.eigvalsh(self.B)[0])
        if 1.0 + step * least <= 0.0:
            raise WassflowError(f"the proximal map of {self!r} needs step < {-1.0 / least:g}, found {step:g}")
        return self.center + np.linalg.solve(np.eye(self.B.shape[0]) + step * self.B, offset.T).T
