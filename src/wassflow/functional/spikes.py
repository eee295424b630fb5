"""Features of spike deconvolution: a weighted bump on the flat torus."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_vector, one_of
from wassflow.errors import WassflowError
from wassflow.functional.features import Features, as_corner, largest_quadratic, metric_norm
from wassflow.functional.trigonometry import trigonometric_table

# Points of a block: its trigonometric tables stay in the second-level cache for the usual orders.
_BLOCK = 2048
# Fourier coefficients of a sampled Gaussian are kept down to this fraction of the first one.
_CUTOFF = 1e-18


class SpikeFeatures(Features):
    """A spike seen through a kernel: Phi(w, theta) = w psi(. - theta) (Chizat and Bach 2018, section 4).

    u = (w, theta), theta on the flat torus of the given period in every axis (any representative will do); on
    the 2-torus psi is the product of the kernel in each axis. In one axis, with omega = 2 pi / period,

    - "dirichlet": psi(x) = sum over |k| <= order of exp(i k omega x), the unnormalised Dirichlet kernel,
      psi(0) = 2 order + 1;
    - "gaussian": psi(x) = sum over integers n of exp(-(x - n period)^2 / (2 width^2)), truncated to the
      frequencies |k| <= order if an ``order`` is given.

    What is observed of the signal psi(. - theta):

    - without ``samples``, its coefficients in the orthonormal basis 1/sqrt(period), sqrt(2/period) cos(k
      omega x), sqrt(2/period) sin(k omega x), in the order 1, cos 1, ..., cos order, sin 1, ..., sin order
      (tensor products in C order on the 2-torus): N = (2 order + 1)^dim, and |f|^2 is the squared L2 norm of
      the signal;
    - with ``samples``, its values at so many equidistant points 0, period/samples, ... per axis, or at the
      given positions (grid of them in C order on the 2-torus): N = samples^dim. A loss with ``scale``
      multiplied by (period/samples)^dim approximates that of the L2 norm.

    Args:
        kernel: "dirichlet" or "gaussian".
        order: largest frequency; needed by the Dirichlet kernel, and by the Gaussian without ``samples``.
        samples: number of samples per axis, or their positions ``(S,)``.
        dim: 1 or 2, dimension of the torus; a point has dim + 1 coordinates.
        period: length of the torus.
        width: standard deviation of the Gaussian.

    Attributes:
        amplitudes: of psi(. - theta) in one axis on the orthonormal basis: constant, cosines, sines.

    Raises:
        ValueError: for an unknown kernel, or an argument that is missing, superfluous or out of range.

    >>> features = SpikeFeatures("dirichlet", order=2)
    >>> features.size, float((features.value([[2.0, 0.3]]) ** 2).sum().round(12))
    (5, 20.0)
    >>> round(features.kernel_norm_squared, 12)
    5.0
    >>> SpikeFeatures("gaussian", samples=4, width=0.05).value([[1.0, 0.25]]).round(3) + 0.0
    array([[0., 1., 0., 0.]])
    """

    dim: int
    weighted = True

    def __init__(
        self,
        kernel: str,
        order: int | None = None,
        samples: int | ArrayLike | None = None,
        dim: int = 1,
        period: float = 1.0,
        width: float | None = None,
    ):
        self.kernel = one_of("kernel", kernel, ("dirichlet", "gaussian"))
        self.torus_dim = one_of("dim", as_integer("dim", dim), (1, 2))
        self.dim = self.torus_dim + 1
        self.period = as_number("period", period, above=0.0)
        self._omega = 2.0 * np.pi / self.period
        self.width = _checked_width(self.kernel, width)
        self.order = self._checked_order(order, samples is not None)
        per_frequency = self._fourier_coefficients() * np.sqrt(2.0 * self.period)
        self.amplitudes = np.concatenate(
            [per_frequency[:1] / np.sqrt(2.0), per_frequency[1:], per_frequency[1:]]
        )
        self.samples = None if samples is None else self._positions(samples)
        if self.samples is None:
            self._sampling = None
            self.size = (2 * self.order + 1) ** self.torus_dim
        else:
            self._sampling = (self._table(self.samples) * self._basis_heights[:, None]).T
            self.size = self.samples.size**self.torus_dim

    @property
    def kernel_norm_squared(self) -> float:
        """The squared L2 norm of psi on the torus."""
        return float(np.sum(self.amplitudes[: self.order + 1] ** 2) ** self.torus_dim)

    def signal(self, f: ArrayLike, x: ArrayLike) -> Array:
        """Return the signal with coefficients f ``(N,)`` at points x ``(n, dim)`` of the torus, ``(n,)``.

        Raises:
            ValueError: if the features are samples, which do not determine a signal between them.
        """
        if self._sampling is not None:
            raise ValueError("signal needs features that are Fourier coefficients, found samples")
        x = np.ascontiguousarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.torus_dim:
            raise ValueError(f"x must have shape (n, {self.torus_dim}), found shape {x.shape}")
        tables = [(self._table(column) * self._basis_heights[:, None]).T for column in x.T]
        form = as_vector("f", f, self.size).reshape((2 * self.order + 1,) * self.torus_dim)
        if self.torus_dim == 1:
            return tables[0] @ form
        return np.einsum("ik,kl,il->i", tables[0], form, tables[1], optimize=True)

    def value(self, u: ArrayLike) -> Array:
        """Return Phi at points ``(n, d)`` as an ``(n, N)`` array."""
        u = self._points(u)
        return u[:, :1] * self._tensor([self._observed(column) for column in u.T[1:]])

    def gradient(self, u: ArrayLike) -> Array:
        """Return the partial derivatives d_j Phi at points ``(n, d)`` as an ``(n, d, N)`` array."""
        u = self._points(u)
        values = [self._observed(column) for column in u.T[1:]]
        result = np.empty((*u.shape, self.size))
        result[:, 0] = self._tensor(values)
        for axis in range(self.torus_dim):
            factors = list(values)
            factors[axis] = self._observed(u[:, 1 + axis], derivative=True)
            result[:, 1 + axis] = u[:, :1] * self._tensor(factors)
        return result

    def moment(self, u: ArrayLike, weights: ArrayLike) -> Array:
        """Return sum_i weights_i Phi(u_i), shape ``(N,)``, for points ``(n, d)`` and weights ``(n,)``."""
        u = self._points(u)
        masses = self._masses(u, weights) * u[:, 0]
        charged = np.flatnonzero(masses)  # empty cells are the normal case of a density
        total = np.zeros((2 * self.order + 1,) * self.torus_dim)
        for start in range(0, charged.size, _BLOCK):
            rows = charged[start : start + _BLOCK]
            first = self._table(u[rows, 1])
            if self.torus_dim == 1:
                total += first @ masses[rows]
            else:
                total += (first * masses[rows]) @ self._table(u[rows, 2]).T
        return self.observe(total)

    def pair(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, Phi(u_i)>, shape ``(n,)``, for points ``(n, d)`` and g ``(N,)``."""
        u = self._points(u)
        return u[:, 0] * self._forms(u, self.polynomial(g), derivatives=False)[0]

    def pair_gradient(self, u: ArrayLike, g: ArrayLike) -> Array:
        """Return <g, d_j Phi(u_i)>, shape ``(n, d)``, for points ``(n, d)`` and g ``(N,)``."""
        u = self._points(u)
        result = np.ascontiguousarray(self._forms(u, self.polynomial(g), derivatives=True).T)
        result[:, 1:] *= u[:, :1]
        return result

    def polynomial(self, g: ArrayLike) -> Array:
        """Return the coefficients of theta -> <g, psi(. - theta)> on 1, cos, sin in every axis.

        The shape is ``(2 order + 1,)`` for each axis of the torus; frequencies count from theta = 0.
        """
        g = as_vector("g", g, self.size)
        if self._sampling is not None:
            g = g.reshape((self._sampling.shape[0],) * self.torus_dim)
            g = self._sampling.T @ g if self.torus_dim == 1 else self._sampling.T @ g @ self._sampling
        return self._amplified(g.reshape((2 * self.order + 1,) * self.torus_dim))

    def observe(self, sums: Array) -> Array:
        """Return sum_i w_i psi(. - theta_i), ``(N,)``, from the sums of w_i times 1, cos, sin of theta_i.

        The transpose of :meth:`polynomial`.
        """
        return self._sampled(self._amplified(sums)).ravel()

    def lipschitz_gradient(self, lower: ArrayLike, upper: ArrayLike, metric: ArrayLike) -> float:
        """Return a bound of Lip(DPhi) in a box; see :meth:`Features.lipschitz_gradient`.

        In a direction (a, b) of the weight and of theta, D^2 Phi = 2 a <b, D psi> + w D^2 psi[b, b]. For
        Fourier coefficients and a metric that is a multiple of the identity the norms of the derivatives of
        psi do not depend on theta (Parseval); else each feature is bounded by the sum of its frequencies.

        Raises:
            WassflowError: for a box that is unbounded in w.
        """
        reach = np.maximum(
            np.abs(as_corner("lower", lower, self.dim)), np.abs(as_corner("upper", upper, self.dim))
        )
        if not np.isfinite(reach[0]):
            raise WassflowError(
                "Lip(DPhi) of spikes needs a box that is bounded in w, found an unbounded one"
            )
        weights = np.asarray(metric, dtype=np.float64)
        if self._sampling is None and weights.ndim == 1 and np.all(weights == weights[0]):
            # sum over frequencies k of the squared coefficients times (b.k)^2 and (b.k)^4, |b| = 1
            c = self.amplitudes[: self.order + 1] ** 2
            omega = (self._omega * np.arange(self.order + 1)) ** 2
            zero, two, four = float(c.sum()), float(c @ omega), float(c @ omega**2)
            if self.torus_dim == 1:
                first, second = np.sqrt(two), np.sqrt(four)
            else:
                # b along an axis or along a diagonal
                first = np.sqrt(two * zero)
                second = np.sqrt(max(four * zero, 0.5 * four * zero + 1.5 * two**2))
            scale = float(np.sqrt(weights[0]))
            return largest_quadratic(scale * first, scale * float(reach[0]) * second)
        heights = [self._bounds(power) for power in range(3)]
        if self.torus_dim == 1:
            first, second = metric_norm(metric, heights[1]), metric_norm(metric, heights[2])
        else:
            # |<b, D psi>|^2 <= sum of squares; the Hessian is bounded by its Frobenius norm, entry by entry
            pairs = {
                (i, j): np.multiply.outer(heights[i], heights[j]).ravel()
                for i, j in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1))
            }
            first = metric_norm(metric, np.hypot(pairs[1, 0], pairs[0, 1]))
            second = metric_norm(
                metric, np.sqrt(pairs[2, 0] ** 2 + pairs[0, 2] ** 2 + 2.0 * pairs[1, 1] ** 2)
            )
        return largest_quadratic(first, float(reach[0]) * second)

    def homogeneous(self, degree: int, part: str) -> bool:
        """Tell whether Phi(r w, theta) = r Phi(w, theta) is asked for."""
        return part == "weight" and degree == 1

    def _bounds(self, power: int) -> Array:
        """Return a bound of each feature in one axis, of its ``power``-th derivative, over all theta."""
        frequencies = self._omega * np.arange(self.order + 1)
        amplitudes = np.abs(self.amplitudes) * np.concatenate([frequencies, frequencies[1:]]) ** power
        if self._sampling is None:
            return amplitudes
        # the waves of one frequency at one sample, a cosine and a sine of theta, are bounded together
        waves = self._sampling * amplitudes
        pairs = np.hypot(waves[:, 1 : self.order + 1], waves[:, self.order + 1 :])
        return np.abs(waves[:, 0]) + pairs.sum(axis=1)

    def _forms(self, u: Array, form: Array, derivatives: bool) -> Array:
        """Return the polynomial with coefficients ``form`` at theta, and its partial derivatives."""
        result = np.empty((self.dim if derivatives else 1, u.shape[0]))
        derivative = self._derived(form)
        if self.torus_dim == 1:
            stacked = np.stack([form, derivative] if derivatives else [form])
        for start in range(0, u.shape[0], _BLOCK):
            rows = slice(start, start + _BLOCK)
            first = self._table(u[rows, 1])
            if self.torus_dim == 1:
                np.matmul(stacked, first, out=result[:, rows])
                continue
            second = self._table(u[rows, 2])
            contracted = form @ second
            result[0, rows] = np.einsum("ki,ki->i", first, contracted)
            if derivatives:
                result[1, rows] = np.einsum("ki,ki->i", first, self._derived(contracted))
                result[2, rows] = np.einsum("ki,ki->i", first, self._derived(form.T).T @ second)
        return result

    def _derived(self, form: Array) -> Array:
        """Return the coefficients of the derivatives of the polynomials in the columns of ``form``."""
        frequencies = self._omega * np.arange(1, self.order + 1).reshape((-1,) + (1,) * (form.ndim - 1))
        result = np.zeros_like(form)
        result[1 : self.order + 1] = frequencies * form[self.order + 1 :]
        result[self.order + 1 :] = -frequencies * form[1 : self.order + 1]
        return result

    def _sampled(self, coefficients: Array) -> Array:
        if self._sampling is None:
            return coefficients
        if self.torus_dim == 1:
            return self._sampling @ coefficients
        return self._sampling @ coefficients @ self._sampling.T

    def _observed(self, theta: Array, derivative: bool = False) -> Array:
        """Return what is seen of psi(. - theta) in one axis, ``(n, N per axis)``, or its derivative."""
        table = self._table(theta)
        if derivative:
            # (cos)' = -k omega sin, (sin)' = k omega cos: the transpose of the map on coefficients.
            table = -self._derived(table)
        rows = (self.amplitudes[:, None] * table).T
        return rows if self._sampling is None else rows @ self._sampling.T

    def _tensor(self, factors: list[Array]) -> Array:
        if self.torus_dim == 1:
            return factors[0]
        return (factors[0][:, :, None] * factors[1][:, None, :]).reshape(-1, self.size)

    def _table(self, theta: Array) -> Array:
        """Return 1, cos(k omega theta), sin(k omega theta) as rows, ``(2 order + 1, n)``."""
        return trigonometric_table(theta / self.period, self.order)

    @property
    def _basis_heights(self) -> Array:
        """Factors that make 1, cos, sin orthonormal."""
        heights = np.full(2 * self.order + 1, 2.0 / self.period)
        heights[0] = 1.0 / self.period
        heights **= 0.5
        return heights

    def _amplified(self, form: Array) -> Array:
        """Return coefficients times the amplitudes along every axis."""
        return form * (self.amplitudes if self.torus_dim == 1 else np.outer(self.amplitudes, self.amplitudes))

    def _fourier_coefficients(self) -> Array:
        """Return c_k of psi(x) = sum over k of c_k exp(i k omega x), k = 0, ..., order."""
        if self.width is None:
            return np.ones(self.order + 1)
        frequencies = self._omega * np.arange(self.order + 1, dtype=np.float64)
        return (
            self.width * np.sqrt(2.0 * np.pi) / self.period * np.exp(-0.5 * (self.width * frequencies) ** 2)
        )

    def _checked_order(self, order: int | None, sampled: bool) -> int:
        if order is not None:
            return as_integer("order", order, least=0)
        if self.width is None:
            raise ValueError("order must be given for the dirichlet kernel, found None")
        if not sampled:
            raise ValueError("order or samples must be given for the gaussian kernel, found neither")
        return int(np.ceil(np.sqrt(-2.0 * np.log(_CUTOFF)) / (self.width * self._omega)))

    def _positions(self, samples: int | ArrayLike) -> Array:
        if np.ndim(samples) == 0:
            count = as_integer("samples", samples, least=1)
            return np.linspace(0.0, self.period, count, endpoint=False)
        positions = as_vector("samples", samples)
        if positions.size == 0:
            raise ValueError("samples must hold at least one position, found none")
        return positions


def _checked_width(kernel: str, width: float | None) -> float | None:
    if kernel == "gaussian":
        if width is None:
            raise ValueError("width must be given for the gaussian kernel, found None")
        return as_number("width", width, above=0.0)
    if width is not None:
        raise ValueError(f"width belongs to the gaussian kernel, found {width} for the {kernel} kernel")
    return None
