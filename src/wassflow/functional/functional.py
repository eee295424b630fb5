"""The functional F(mu) = R(int Phi dmu) + int V dmu, its first variation and its velocity field."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array
from wassflow.functional.features import Features
from wassflow.functional.losses import Loss
from wassflow.functional.measure_protocol import Measure
from wassflow.functional.regularizer import Regularizer, Walls


@dataclass(frozen=True, eq=False)
class FirstVariation:
    """F'(mu): u -> <R'(f), Phi(u)> + V(u), f = int Phi dmu, and the velocity field it drives.

    Attributes:
        features: Phi.
        slope: R'(f), shape ``(N,)``.
        regularizer: V.
    """

    features: Features
    slope: Array
    regularizer: Regularizer

    def __call__(self, u: ArrayLike) -> Array:
        """Return F'(mu) at points ``(n, d)``, shape ``(n,)``."""
        return self.features.pair(u, self.slope) + self.regularizer.value(u)

    def smooth_velocity(self, u: ArrayLike) -> Array:
        """Return vt(u) = -(<R'(f), d_j Phi(u)>)_j at points ``(n, d)``, shape ``(n, d)``."""
        return -self.features.pair_gradient(u, self.slope)

    def explicit_velocity(self, u: ArrayLike) -> Array:
        """Return vt minus the gradient of the smooth part of V, ``(n, d)``: what a forward step uses."""
        return self.smooth_velocity(u) - self.regularizer.smooth_gradient(u)

    def velocity(self, u: ArrayLike, domain: Walls | None = None) -> Array:
        """Return v(u) = vt(u) - proj_{dV(u)}(vt(u)), ``(n, d)`` (Chizat and Bach 2018, Proposition 2.3).

        With a ``domain`` its normal cone takes part in the same projection: v is the element of least norm of
        vt - dV(u) - N(u), and a point on a wall slides along it.
        """
        return self.regularizer.velocity(u, self.smooth_velocity(u), domain)


class Functional:
    """F(mu) = R(int Phi dmu) + int V dmu on nonnegative measures (Chizat and Bach 2018, section 2).

    A measure is whatever has ``dim``, ``quadrature()`` and ``allsum()``
    (:class:`~wassflow.functional.measure_protocol.Measure`): densities and particles are treated by the same
    code.

    Args:
        features: Phi.
        loss: R, of the same size as the features.
        regularizer: V.

    Raises:
        ValueError: if an argument is of another kind, or if sizes or dimensions do not agree.

    >>> import wassflow.functional as wf
    >>> identity = wf.CallableFeatures(lambda u: u, lambda u: np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    >>> F = Functional(identity, wf.SquaredLoss([1.0, 0.0]), wf.regularizer.AbsWeight(0.5))
    >>> variation = F.linearize(np.array([0.0, 0.0]))
    >>> variation([[2.0, 0.0]])
    array([-1.])
    >>> variation.velocity([[2.0, 0.0], [0.0, 1.0]]) + 0.0
    array([[0.5, 0. ],
           [0.5, 0. ]])
    """

    def __init__(self, features: Features, loss: Loss, regularizer: Regularizer):
        for name, value, kind in (
            ("features", features, Features),
            ("loss", loss, Loss),
            ("regularizer", regularizer, Regularizer),
        ):
            if not isinstance(value, kind):
                raise ValueError(f"{name} must be a {kind.__name__} object, found {type(value).__name__}")
        if loss.size != features.size:
            raise ValueError(f"loss must have the size of the features, {features.size}, found {loss.size}")
        if None not in (features.dim, regularizer.dim) and features.dim != regularizer.dim:
            raise ValueError(
                f"regularizer must have the dimension of the features, {features.dim}, "
                f"found {regularizer.dim}"
            )
        self.features = features
        self.loss = loss
        self.regularizer = regularizer

    @property
    def dim(self) -> int | None:
        """Dimension d of a point; ``None`` if neither features nor regularizer know it."""
        return self.features.dim if self.features.dim is not None else self.regularizer.dim

    def moment(self, mu: Measure) -> Array:
        """Return f = int Phi dmu, shape ``(N,)``."""
        points, weights = self._quadrature(mu)
        return mu.allsum(self.features.moment(points, weights))

    def regularization(self, mu: Measure) -> float:
        """Return int V dmu."""
        points, weights = self._quadrature(mu)
        return float(mu.allsum(np.array([weights @ self.regularizer.value(points)]))[0])

    def moment_and_regularization(self, mu: Measure) -> tuple[Array, float]:
        """Return int Phi dmu and int V dmu after a single sum over ranks."""
        points, weights = self._quadrature(mu)
        local = np.empty(self.features.size + 1)
        local[:-1] = self.features.moment(points, weights)
        local[-1] = weights @ self.regularizer.value(points)
        total = mu.allsum(local)
        return total[:-1], float(total[-1])

    def value(self, mu: Measure) -> float:
        """Return F(mu)."""
        moment, regularization = self.moment_and_regularization(mu)
        return self.loss.value(moment) + regularization

    def linearize(self, moment: ArrayLike) -> FirstVariation:
        """Return F'(mu) of any measure mu with int Phi dmu = ``moment``, shape ``(N,)``."""
        return FirstVariation(self.features, self.loss.gradient(moment), self.regularizer)

    def first_variation(self, mu: Measure, u: ArrayLike) -> Array:
        """Return F'(mu) at points ``(n, d)``, shape ``(n,)``."""
        return self.linearize(self.moment(mu))(u)

    def velocity(self, mu: Measure, u: ArrayLike, domain: Walls | None = None) -> Array:
        """Return the velocity at points ``(n, d)``, shape ``(n, d)``; see :meth:`FirstVariation.velocity`."""
        return self.linearize(self.moment(mu)).velocity(u, domain)

    def _quadrature(self, mu: Measure) -> tuple[Array, Array]:
        if self.dim is not None and mu.dim != self.dim:
            raise ValueError(f"mu must live in dimension {self.dim}, found {mu.dim}")
        return mu.quadrature()
