"""Features that evaluate others in another way."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array
from wassflow.functional.features import Features


class WrappedFeatures(Features):
    """The same Phi: what a subclass does not do in its own way, the features do.

    Attributes:
        features: Phi.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self.size, self.dim = features.size, features.dim
        self.smooth, self.weighted = features.smooth, features.weighted

    def value(self, u: ArrayLike) -> Array:
        """Return Phi at points ``(n, d)`` as an ``(n, N)`` array."""
        return self.features.value(u)

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives d_j Phi at points ``(n, d)`` as an ``(n, d, N)`` array."""
        return self.features.gradient(u)

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return a bound of Lip(DPhi) in a box; see :meth:`Features.lipschitz_gradient`."""
        return self.features.lipschitz_gradient(lower, upper, metric)

    def remainder(self, u: ArrayLike, radius: ArrayLike, g: ArrayLike) -> Array:
        """Bound how far <g, Phi> can fall below its tangent planes; see :meth:`Features.remainder`."""
        return self.features.remainder(u, radius, g)

    def creases(self, u: ArrayLike) -> Array:
        """Return functions of u in whose zeros the gradient of Phi jumps, ``(n, k)``."""
        return self.features.creases(u)

    def crease_gradient(self, u: ArrayLike, crease: NDArray[np.intp]) -> Array:
        """Return the gradient of function ``crease[i]`` of :meth:`creases` at u_i, ``(n, d)``."""
        return self.features.crease_gradient(u, crease)

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether Phi has this degree in w, in theta or in both; see :meth:`Features.homogeneous`."""
        return self.features.homogeneous(degree, part)
