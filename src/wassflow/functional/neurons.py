"""Features of two-layer neural networks."""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from wassflow.arguments import Array, as_points, as_vector, one_of
from wassflow.errors import WassflowError
from wassflow.functional.activations import ACTIVATIONS, activate, activate_with_slope
from wassflow.functional.features import Features, as_corner, largest_quadratic, metric_norm

# Largest |sigma'| and |sigma''|: sigma'' of the sigmoid is s(1 - s)(1 - 2s), of tanh -2t(1 - t^2).
_LARGEST_DERIVATIVES = {
    "sigmoid": (0.25, 1.0 / (6.0 * np.sqrt(3.0))),
    "tanh": (1.0, 4.0 / (3.0 * np.sqrt(3.0))),
    "softplus": (1.0, 0.25),
}
# Inputs handled at a time: a row of activations and its slopes stay in the first-level cache.
_TILE = 1024
# Points summed before their sum joins the total: rounding errors then grow with n/512 + 512 instead of n.
_RUN = 512


class NeuronFeatures(Features):
    """A neuron at N inputs: Phi(w, theta)_j = w sigma(<s(theta), x_j>) (Chizat and Bach 2018, section 4).

    u = (w, theta) with theta in R^p, or u = theta without output weight (then w = 1). A bias is a column of
    ones in the inputs. s(theta) = theta, or theta |theta| coordinatewise for the signed-square
    parametrisation, which makes a ReLU neuron without output weight positively 2-homogeneous; w itself is
    never squared.

    ``moment``, ``pair`` and ``pair_gradient`` hold one row of activations at a time, never an (n, N) array.

    Args:
        inputs: x, shape ``(N, p)``.
        activation: "sigmoid", "tanh", "softplus" or "relu" (its derivative at 0 is taken as 0).
        output_weight: whether column 0 of u is the weight w.
        parametrization: "linear" or "signed-square".

    Raises:
        ValueError: for inputs that are not a finite (N, p) array or an unknown name.

    >>> features = NeuronFeatures([[1.0, 1.0], [2.0, -9.0]], "relu")
    >>> features.value([[2.0, 3.0, 1.0]])
    array([[8., 0.]])
    >>> features.gradient([[2.0, 3.0, 1.0]])
    array([[[ 4.,  0.],
            [ 2.,  0.],
            [ 2., -0.]]])
    >>> features.pair_gradient([[2.0, 3.0, 1.0]], [1.0, 1.0])
    array([[4., 2., 2.]])
    """

    dim: int

    def __init__(
        self,
        inputs: ArrayLike,
        activation: str,
        output_weight: bool = True,
        parametrization: str = "linear",
    ):
        self.inputs = as_points("inputs", inputs)
        if self.inputs.size == 0:
            raise ValueError(f"inputs must not be empty, found shape {self.inputs.shape}")
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.output_weight = self.weighted = bool(output_weight)
        self.parametrization = one_of("parametrization", parametrization, ("linear", "signed-square"))
        self.size, columns = self.inputs.shape
        self.dim = columns + int(self.output_weight)
        self._columns = self.inputs.T.copy(order="C")
        self._code = ACTIVATIONS[self.activation]
        self.smooth = self.activation != "relu" and self.parametrization == "linear"

    def value(self, u: ArrayLike) -> Array:
        """Return Phi at points ``(n, d)`` as an ``(n, N)`` array."""
        weight, theta, _ = self.split(self._points(u))
        sigma = theta @ self._columns
        activate(self._code, sigma.reshape(-1))
        return weight[:, None] * sigma

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives d_j Phi at points ``(n, d)`` as an ``(n, d, N)`` array."""
        u = self._points(u)
        weight, theta, chain = self.split(u)
        sigma = theta @ self._columns
        slope = np.empty_like(sigma)
        activate_with_slope(self._code, sigma.reshape(-1), slope.reshape(-1))
        result = np.empty((*u.shape, self.size))
        first = int(self.output_weight)
        np.multiply((weight * chain.T).T[:, :, None], slope[:, None, :], out=result[:, first:])
        result[:, first:] *= self._columns
        if self.output_weight:
            result[:, 0] = sigma
        return result

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i Phi(u_i), shape ``(N,)``, for points ``(n, d)`` and weights ``(n,)``."""
        u = self._points(u)
        weight, theta, _ = self.split(u)
        return _moment(self._code, self._columns, theta, self._masses(u, weights) * weight)

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, shape ``(n,)``, for points ``(n, d)`` and g ``(N,)``."""
        weight, theta, _ = self.split(self._points(u))
        return weight * _pair(self._code, self._columns, theta, as_vector("g", g, self.size).copy())

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, shape ``(n, d)``, for points ``(n, d)`` and g ``(N,)``."""
        u = self._points(u)
        weight, theta, chain = self.split(u)
        # Columns: <g, sigma>, then <g sigma', x_k>.
        paired = _pair_gradient(self._code, self._columns, theta, as_vector("g", g, self.size).copy())
        paired[:, 1:] *= (weight * chain.T).T
        return paired if self.output_weight else np.ascontiguousarray(paired[:, 1:])

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return a bound of Lip(DPhi) in a box; see :meth:`Features.lipschitz_gradient`.

        In a direction (a, b) of the weight and of theta, D^2 Phi_j = 2 a sigma' (Ds b).x_j
        + w (sigma'' ((Ds b).x_j)^2 + sigma' D^2 s[b, b].x_j), bounded by the largest |sigma'|, |sigma''|, |w|
        and, for signed squares, |theta|.

        Raises:
            WassflowError: for ReLU, whose gradient jumps, and for a box that is not bounded where it must be.
        """
        if self.activation not in _LARGEST_DERIVATIVES:
            raise WassflowError(f"Lip(DPhi) of {self.activation} neurons is infinite: their gradient jumps")
        slope, bend = _LARGEST_DERIVATIVES[self.activation]
        reach = np.maximum(
            np.abs(as_corner("lower", lower, self.dim)), np.abs(as_corner("upper", upper, self.dim))
        )
        weight = float(reach[0]) if self.output_weight else 1.0
        if self.parametrization == "linear":
            along, curved = np.linalg.norm(self.inputs, axis=1), np.zeros(self.size)
        else:
            along = np.linalg.norm(2.0 * reach[int(self.output_weight) :] * self.inputs, axis=1)
            curved = 2.0 * np.abs(self.inputs).max(axis=1)
        if not (np.isfinite(weight) and np.all(np.isfinite(along))):
            raise WassflowError("Lip(DPhi) of neurons needs a box that is bounded in w and signed squares")
        cross = metric_norm(metric, slope * along) if self.output_weight else 0.0
        square = weight * metric_norm(metric, bend * along**2 + slope * curved)
        return largest_quadratic(cross, square)

    def remainder(self, u: ArrayLike, radius: ArrayLike, g: ArrayLike) -> Array:
        """Bound how far <g, Phi> can fall below its tangent planes; see :meth:`Features.remainder`.

        Input by input, so that ReLU neurons have a bound as well: of those, only inputs whose crease meets
        the box and whose coefficient w g_j is negative let the function fall below (elsewhere it is linear
        in s(theta), or convex). Signed squares add the curvature of s against the slope in s.
        """
        u, radius = self._points(u), self._points(radius)
        g = as_vector("g", g, self.size)
        result = np.empty(u.shape[0])
        for rows in self._blocks(u.shape[0], 4 * self.size):
            result[rows] = self._remainder(u[rows], radius[rows], g)
        return result

    def _remainder(self, u: Array, radius: Array, g: Array) -> Array:
        weight, theta, chain = self.split(u)
        reach = radius[:, int(self.output_weight) :]
        curved = np.zeros_like(reach) if self.parametrization == "linear" else reach**2
        inputs = np.abs(self._columns)
        moved = (chain * reach + curved) @ inputs
        z = theta @ self._columns
        slope = np.empty_like(z)
        sigma = z.copy()
        activate_with_slope(self._code, sigma.reshape(-1), slope.reshape(-1))
        coefficients = weight[:, None] * g
        if self.activation == "relu":
            steepest = 1.0
            excess = np.maximum(-coefficients, 0.0) * np.maximum(moved - np.abs(z), 0.0)
        else:
            steepest, bend = _LARGEST_DERIVATIVES[self.activation]
            excess = 0.5 * bend * np.abs(coefficients) * moved**2
        total = excess.sum(axis=1)
        if self.parametrization == "signed-square":
            # s(t + h) - s(t) - s'(t) h is sign(t) h^2 away from t = 0, and at most h^2 in size beside it
            along = (coefficients * slope) @ self.inputs
            held = np.abs(u[:, int(self.output_weight) :]) >= reach
            against = np.where(held, np.maximum(-along * np.sign(theta), 0.0), np.abs(along))
            total += (against * curved).sum(axis=1)
        if self.output_weight:
            total += radius[:, 0] * steepest * (moved @ np.abs(g))
        return total

    def creases(self, u: ArrayLike) -> Array:
        """Return <s(theta), x_j>, ``(n, N)``, for ReLU neurons, which have a crease where it vanishes."""
        if self.activation != "relu":
            return super().creases(u)
        _, theta, _ = self.split(self._points(u))
        return theta @ self._columns

    def crease_gradient(self, u: ArrayLike, crease: NDArray[np.intp]) -> Array:
        """Return the gradient of <s(theta), x_j>, j = ``crease[i]``, at u_i, ``(n, d)``.

        >>> neurons = NeuronFeatures([[1.0, 1.0], [2.0, -9.0]], "relu")
        >>> neurons.crease_gradient([[2.0, 3.0, 1.0]], np.array([1]))
        array([[ 0.,  2., -9.]])
        """
        u = self._points(u)
        _, _, chain = self.split(u)
        result = np.zeros(u.shape)
        result[:, int(self.output_weight) :] = chain * self.inputs[crease]
        return result

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether Phi has this degree in w (1), in theta or in both (ReLU neurons)."""
        theta = {"linear": 1, "signed-square": 2}[self.parametrization] if self.activation == "relu" else None
        weight = 1 if self.output_weight else None
        if part == "all":
            return theta is not None and degree == theta + (weight or 0)
        return degree == {"weight": weight, "theta": theta}[part]

    def split(self, u: Array) -> tuple[Array, Array, Array]:
        """Return w ``(n,)``, s(theta) ``(n, p)`` and its derivative ``(n, p)``, coordinatewise."""
        weight = u[:, 0] if self.output_weight else np.ones(u.shape[0])
        # A copy even when it could be a view: numba compiles anew for arrays that are read-only.
        theta = u[:, int(self.output_weight) :].copy()
        if self.parametrization == "linear":
            return weight, theta, np.broadcast_to(1.0, theta.shape)
        modulus = np.abs(theta)
        return weight, theta * modulus, 2.0 * modulus


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _preactivate(columns, theta, start, z):
    """Write <theta, x_j> into z for the inputs j = start, start + 1, ...; two coordinates in a pass."""
    p = theta.size
    row, t = columns[0, start : start + z.size], theta[0]
    for j in range(z.size):
        z[j] = t * row[j]
    for k in range(1, p - 1, 2):
        row, t = columns[k, start : start + z.size], theta[k]
        other, s = columns[k + 1, start : start + z.size], theta[k + 1]
        for j in range(z.size):
            z[j] += t * row[j] + s * other[j]
    if p % 2 == 0:
        row, t = columns[p - 1, start : start + z.size], theta[p - 1]
        for j in range(z.size):
            z[j] += t * row[j]


# Sums of rows may be reassociated, so that they run in vector registers.
@njit(cache=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _dot(x, y):
    total = 0.0
    for j in range(x.size):
        total += x[j] * y[j]
    return total


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _moment(activation, columns, theta, weights):
    size = columns.shape[1]
    total = np.zeros(size)
    buffer, partial = np.empty(min(size, _TILE)), np.empty(min(size, _TILE))
    for start in range(0, size, _TILE):
        length = min(_TILE, size - start)
        z, part, whole = buffer[:length], partial[:length], total[start : start + length]
        for first in range(0, weights.size, _RUN):
            part[:] = 0.0
            for i in range(first, min(first + _RUN, weights.size)):
                weight = weights[i]
                if weight == 0.0:  # empty cells are the normal case of a density
                    continue
                _preactivate(columns, theta[i], start, z)
                activate(activation, z)
                for j in range(length):
                    part[j] += weight * z[j]
            for j in range(length):
                whole[j] += part[j]
    return total


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _pair(activation, columns, theta, g):
    size = columns.shape[1]
    result = np.zeros(theta.shape[0])
    buffer = np.empty(min(size, _TILE))
    for start in range(0, size, _TILE):
        length = min(_TILE, size - start)
        z, part = buffer[:length], g[start : start + length]
        for i in range(theta.shape[0]):
            _preactivate(columns, theta[i], start, z)
            activate(activation, z)
            result[i] += _dot(part, z)
    return result


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _pair_gradient(activation, columns, theta, g):
    size, p = columns.shape[1], columns.shape[0]
    result = np.zeros((theta.shape[0], p + 1))
    buffer, slopes = np.empty(min(size, _TILE)), np.empty(min(size, _TILE))
    for start in range(0, size, _TILE):
        length = min(_TILE, size - start)
        z, slope, part = buffer[:length], slopes[:length], g[start : start + length]
        for i in range(theta.shape[0]):
            _preactivate(columns, theta[i], start, z)
            activate_with_slope(activation, z, slope)
            result[i, 0] += _dot(part, z)
            for j in range(length):
                slope[j] *= part[j]
            for k in range(p):
                result[i, k + 1] += _dot(slope, columns[k, start : start + length])
    return result
