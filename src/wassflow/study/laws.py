r"""What theory says about ``E W2^2(mu_m, mu)`` as a function of m, and the rule that picks a law for a
density.

Every law is written ``W2^2 = known(m) + c * basis(m)``: theory gives both functions, the constant c is fitted
to the measurements. So only the *form* of the curves comes from theory; how well the form describes the
points is the question the study asks.

The rule (:func:`expected_law`):

1. Quantised starts: ``c m^{-2/d}`` at every time. A start within ``e m^{-1/d}`` of the density stays within
   ``exp(int L) e m^{-1/d}`` of it, since the flow is stable in W2 (Ambrosio, Gigli and Savare, Gradient
   Flows, Theorem 11.2.1).
2. iid starts, density carried by one connected set: ``(|Omega|/m) (ln m / 4 pi + c)`` in d = 2,
   ``c m^{-2/3}`` in d = 3, with ``|Omega|`` the area of that set.
3. iid starts, density in several separated pieces: the pieces receive random numbers of particles, and mass
   must travel between them: ``c m^{-1/2}`` for the square, that is m^{-1/4} for the distance.

"Carried by" means: the densest cells that hold 99 percent of the mass (:class:`Support`); pieces are their
connected components through faces, and a piece counts when it holds more than one percent. By the stability
in 1 the law of time 0 also holds at every *fixed* later time for m large enough; law 3 is what is seen before
that, when the pieces are further apart than the particles within a piece.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from wassflow.arguments import as_number, as_vector, one_of
from wassflow.measure import MeshDensity

Array = NDArray[np.float64]

# Least m^{2/d} W2^2 of m points of equal mass in the uniform measure of unit volume: d = 2 Fejes Toth's
# hexagons, 5/(18 sqrt 3); d = 3 the body-centred cubic lattice, the best lattice (Barnes and Sloane, SIAM J.
# Alg. Disc. Meth. 4 (1983) 30), 3 * 19/(192 cbrt 2).
QUANTISATION_CONSTANT = {2: 5.0 / (18.0 * np.sqrt(3.0)), 3: 3.0 * 19.0 / (192.0 * np.cbrt(2.0))}

SUPPORT_MASS = 0.99
PIECE_MASS = 0.01


@dataclass(frozen=True)
class SamplingLaw:
    """A law ``W2^2 = known(m) + c * basis(m)``.

    Attributes:
        name: short name, for tables and legends.
        formula: the law of W2 in plain text.
        source: where it comes from.
        known: the part of W2^2 without the constant.
        basis: what the constant multiplies.
    """

    name: str
    formula: str
    source: str
    known: Callable[[Array], Array]
    basis: Callable[[Array], Array]

    def mean_square(self, m: ArrayLike, c: float) -> Array:
        """``known(m) + c * basis(m)``."""
        m = np.asarray(m, dtype=np.float64)
        return self.known(m) + c * self.basis(m)

    def fit(self, ms: ArrayLike, mean_squares: ArrayLike) -> "FittedLaw":
        """Fit c to measured means of W2^2, least squares of the relative errors.

        >>> fitted = iid_connected(2, volume=1.0).fit([64, 256], [(np.log(64) / (4 * np.pi) + 0.42) / 64,
        ...                                                       (np.log(256) / (4 * np.pi) + 0.42) / 256])
        >>> round(fitted.c, 12)
        0.42
        """
        m = as_vector("ms", ms)
        y = as_vector("mean_squares", mean_squares, size=m.size)
        if m.size == 0 or y.min() <= 0.0:
            raise ValueError(f"mean_squares must be positive and at least one, found {y.tolist()}")
        known, basis = self.known(m), self.basis(m)
        return FittedLaw(self, float(np.sum(basis * (y - known) / y**2) / np.sum((basis / y) ** 2)))


@dataclass(frozen=True)
class FittedLaw:
    """A :class:`SamplingLaw` with its constant; a function of m that returns the root mean square of W2."""

    law: SamplingLaw
    c: float

    def __call__(self, m: ArrayLike) -> Array:
        """Root mean square of W2 at m (0 where the law with this constant would be negative)."""
        return np.sqrt(np.maximum(self.law.mean_square(m, self.c), 0.0))

    def exponent(self, ms: Sequence[int]) -> float:
        """Slope of the least-squares line through the law on the same m as the measurements.

        In d = 2 it is not -1/2: the logarithm makes it -1/2 + 1/(2 (ln m + 4 pi c)) locally.
        """
        m = np.asarray(ms, dtype=np.float64)
        values = self(m)
        if m.size < 2 or values.min() <= 0.0:
            return float("nan")
        return float(np.polyfit(np.log(m), np.log(values), 1)[0])


def _power(exponent: float) -> Callable[[Array], Array]:
    return lambda m: m**exponent


def _zero(m: Array) -> Array:
    return np.zeros_like(m)


def iid_connected(dim: int, volume: float) -> SamplingLaw:
    """Law of m iid points of a density that is positive on a connected set of the given volume.

    d = 2: Ambrosio, Stra and Trevisan, PTRF 173 (2019) 433, arXiv 1611.04960 (uniform density) and Benedetto
    and Caglioti, arXiv 1911.10523 (any positive density: only the area enters). d = 3: Goldman and Trevisan,
    Prob. Math. Phys. 2 (2021) 341.

    >>> law = iid_connected(2, volume=1.0)
    >>> round(float(law.mean_square(256, 0.42)) * 256, 3)
    0.861
    """
    one_of("dim", dim, (2, 3))
    area = as_number("volume", volume, above=0.0)
    if dim == 2:
        return SamplingLaw(
            "iid, connected, d = 2",
            "sqrt((|Omega|/m) (ln m / 4 pi + c))",
            "Ambrosio-Stra-Trevisan 1611.04960, Benedetto-Caglioti 1911.10523",
            lambda m: area * np.log(m) / (4.0 * np.pi * m),
            lambda m: area / m,
        )
    return SamplingLaw(
        "iid, connected, d = 3",
        "c m^(-1/3)",
        "Goldman-Trevisan, Prob. Math. Phys. 2 (2021) 341",
        _zero,
        _power(-2.0 / 3.0),
    )


def iid_disconnected() -> SamplingLaw:
    """Law of m iid points of a measure in separated pieces: ``c m^{-1/4}`` in every dimension.

    Two atoms at distance D with equal masses: E W2^2 = D^2 E|B/m - 1/2| ~ D^2 / sqrt(2 pi m), B binomial. The
    rate is the general bound of Fournier and Guillin, PTRF 162 (2015) 707, Theorem 1, attained.

    >>> float(iid_disconnected().mean_square(10_000, 2.0))
    0.02
    """
    return SamplingLaw(
        "iid, separated pieces", "c m^(-1/4)", "Fournier-Guillin, PTRF 162 (2015) 707", _zero, _power(-0.5)
    )


def quantized(dim: int) -> SamplingLaw:
    """Law of the best placement of m points of equal mass: ``c m^{-1/d}`` (Zador).

    >>> round(float(quantized(3).mean_square(1000, 1.0)), 12)
    0.01
    """
    one_of("dim", dim, (2, 3))
    return SamplingLaw(
        f"quantised, d = {dim}",
        f"c m^(-1/{dim})",
        "Zador; stability of the flow in W2 (Ambrosio-Gigli-Savare, Theorem 11.2.1)",
        _zero,
        _power(-2.0 / dim),
    )


def monte_carlo() -> SamplingLaw:
    """Law of an observable of iid particles, ``c m^{-1/2}`` in every dimension.

    The particles interact only through f = int Phi dmu, an average over them.
    """
    return SamplingLaw("Monte Carlo", "c m^(-1/2)", "central limit theorem", _zero, _power(-1.0))


def least_quantisation(mu: MeshDensity, m: ArrayLike) -> Array:
    """Least W2 of m points of equal mass in a density, leading order for large m.

    ``sqrt(e_d m^{-2/d} int rho^{1 - 2/d})`` for unit mass (Zador's formula with equal masses), with the
    constants of
    :data:`QUANTISATION_CONSTANT`.
    """
    dim = mu.mesh.dim
    rho = mu.masses / mu.mass / mu.mesh.volumes[: mu.mesh.num_owned]
    carried = rho > 0.0
    volumes = mu.mesh.volumes[: mu.mesh.num_owned][carried]
    integral = float(np.sum(volumes * rho[carried] ** (1.0 - 2.0 / dim)))
    m = np.asarray(m, dtype=np.float64)
    return np.sqrt(mu.mass * QUANTISATION_CONSTANT[dim] * integral) * m ** (-1.0 / dim)


@dataclass(frozen=True)
class Support:
    """Where a density lives: the densest cells that hold 99 percent of its mass.

    Attributes:
        volume: area or volume of these cells.
        piece_masses: shares of the mass of the connected pieces that hold more than one percent, largest
            first.
    """

    volume: float
    piece_masses: tuple[float, ...]

    @property
    def connected(self) -> bool:
        """Whether there is one piece."""
        return len(self.piece_masses) == 1

    @classmethod
    def of(cls, mu: MeshDensity) -> "Support":
        """Find the support of a density on a mesh held by one process."""
        mesh = mu.mesh
        volumes = mesh.volumes[: mesh.num_owned]
        density = mu.masses / volumes
        order = np.argsort(-density, kind="stable")
        last = order[
            min(int(np.searchsorted(np.cumsum(mu.masses[order]), SUPPORT_MASS * mu.mass)), order.size - 1)
        ]
        # Cells as dense as the last one belong too: a uniform density is then carried by all of its cells.
        inside = (density >= density[last] * (1.0 - 1e-9)) & (density > 0.0)
        faces = mesh.face_cells[np.all(inside[mesh.face_cells], axis=1)]
        graph = coo_matrix(
            (np.ones(len(faces), dtype=bool), (faces[:, 0], faces[:, 1])), shape=(inside.size,) * 2
        )
        _, label = connected_components(graph, directed=False)
        shares = np.bincount(label[inside], weights=mu.masses[inside]) / mu.mass
        pieces = np.sort(shares[shares > PIECE_MASS])[::-1]
        return cls(float(volumes[inside].sum()), tuple(float(share) for share in pieces))


def expected_law(method: str, mu: MeshDensity) -> tuple[SamplingLaw, str]:
    """The law for a kind of start and a density, and why it was picked (the rule is at the top of this
    module).

    Args:
        method: how the particles were placed: ``"iid"``, ``"stratified"`` or ``"quantized"``.
        mu: the density they are compared with.
    """
    one_of("method", method, ("iid", "stratified", "quantized"))
    dim = mu.mesh.dim
    if method != "iid":
        # One point per cell of a partition into cells of equal mass: within a constant of the best placement.
        return quantized(dim), "the start is a placement; the flow is stable in W2"
    support = Support.of(mu)
    if support.connected:
        return iid_connected(dim, support.volume), f"one connected piece of volume {support.volume:.3g}"
    shares = " + ".join(f"{share:.0%}" for share in support.piece_masses)
    return iid_disconnected(), f"{len(support.piece_masses)} separated pieces ({shares})"
