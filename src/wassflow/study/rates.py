"""Rates of decay in m, fitted with an interval that says how much the fit can be trusted.

The exponent is the slope of the least-squares line through ``log(root mean square over the seeds)`` against
``log m``. The root mean square, because theory speaks of the expectation of the *squared* distance
(Fournier-Guillin, PTRF 162 (2015) 707) and because the mean of logarithms would be biased by the spread over
seeds, which itself changes with m.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from wassflow.arguments import as_integer, as_number, as_vector

Array = NDArray[np.float64]

# Below twice the floor at least a quarter of the squared distance may belong to the mesh, not to the
# particles.
FLOOR_FACTOR = 2.0

# Errors below are rounding, where the quantities are of order one.
ROUNDING = 1e-12

# Range in which orders are sought when the finest mesh is the reference.
_ORDERS = (1e-3, 6.0)


@dataclass(frozen=True)
class RateFit:
    """``value ~ constant * m**exponent``, with a confidence interval for the exponent.

    Attributes:
        exponent: the slope; nan when fewer than two points could be used.
        low, high: ends of the interval; nan when it cannot be computed (two points of a deterministic
            ladder).
        constant: value of the fitted line at m = 1.
        level: nominal coverage of the interval.
        interval: ``"bootstrap"`` (over the seeds), ``"t"`` (residuals of a deterministic ladder) or
            ``"none"``.
        used: the m that took part.
        left_out: the m that did not, being below ``FLOOR_FACTOR`` times the floor.
        seeds: number of seeds behind each point.
        standard_error: of the exponent; nan where there is no interval.
        degrees: degrees of freedom from which it is known.
    """

    exponent: float
    low: float
    high: float
    constant: float
    level: float
    interval: str
    used: tuple[int, ...]
    left_out: tuple[int, ...]
    seeds: int
    standard_error: float = float("nan")
    degrees: int = 0

    def __call__(self, m: ArrayLike) -> Array:
        """Values of the fitted line at ``m``."""
        return self.constant * np.asarray(m, dtype=np.float64) ** self.exponent

    def covers(self, exponent: float) -> bool:
        """Whether the interval holds ``exponent``."""
        return bool(self.low <= exponent <= self.high)

    def lower_bound(self, confidence: float) -> float:
        """Return what the exponent exceeds with this confidence, by Student's t.

        For confidences near 1, whose quantiles a bootstrap over a few seeds cannot resolve: its standard
        error is taken for that of as many independent deviations as there are seeds beyond the first ones.
        """
        return float(self.exponent - stats.t.ppf(confidence, self.degrees) * self.standard_error)

    def __str__(self) -> str:
        if not np.isfinite(self.exponent):
            return f"no fit ({len(self.used)} usable m)"
        if not np.isfinite(self.low):
            return f"{self.exponent:+.3f} (no interval)"
        return f"{self.exponent:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def root_mean_square(values: ArrayLike, axis: int = -1) -> Array:
    """Root of the mean of the squares along ``axis``."""
    return np.sqrt(np.mean(np.square(np.asarray(values, dtype=np.float64)), axis=axis))


def _line(log_m: Array, log_value: Array) -> tuple[Array, Array]:
    """Slopes and intercepts of the least-squares lines through the last axis of ``log_value``."""
    centred = log_m - log_m.mean()
    slope = log_value @ centred / np.sum(centred**2)
    return slope, log_value.mean(axis=-1) - slope * log_m.mean()


def fit_rate(
    ms: Sequence[int],
    values: Sequence[Sequence[float]] | Array,
    *,
    floor: float = 0.0,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> RateFit:
    """Fit ``value ~ constant * m**exponent`` by least squares on logarithms.

    With several seeds the interval is the percentile interval of a bootstrap: for each m the seeds are drawn
    again with replacement (the samples of different m are independent in
    :func:`wassflow.study.many_particle_limit`) and the line is fitted to the new root mean squares. A sample
    of s seeds has a variance too small by (s-1)/s, so the bootstrap deviations are stretched by
    sqrt(s/(s-1)). With one seed (a deterministic ladder) the interval is Student's t with the residuals of
    the line: it then measures how straight the ladder is, not chance.

    Args:
        ms: the numbers of particles, all different.
        values: one row per m, one column per seed; positive.
        floor: points whose root mean square is below ``FLOOR_FACTOR * floor`` are left out.
        level: nominal coverage of the interval.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Raises:
        ValueError: wrong shapes, repeated m, or values that are negative or not finite.

    >>> fit = fit_rate([16, 64, 256], [[0.25], [0.125], [0.0625]])
    >>> round(fit.exponent, 12), round(fit.constant, 12)
    (-0.5, 1.0)
    """
    m = as_vector("ms", ms)
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != m.size or table.shape[1] < 1:
        raise ValueError(f"values must have shape ({m.size}, seeds), found shape {table.shape}")
    if not np.all(np.isfinite(table)) or table.min(initial=0.0) < 0.0:
        raise ValueError("values must be finite and nonnegative")
    if m.min(initial=1.0) < 1 or np.unique(m).size != m.size:
        raise ValueError(f"ms must be different numbers of particles, at least 1, found {list(ms)}")
    level = as_number("level", level, above=0.0, most=1.0)
    floor = as_number("floor", floor, least=0.0)
    resamples = as_integer("resamples", resamples, least=1)

    means = root_mean_square(table)
    use = (means >= FLOOR_FACTOR * floor) & (means > 0.0)
    used, left_out = (tuple(int(x) for x in m[mask]) for mask in (use, ~use))
    seeds = table.shape[1]
    nan = float("nan")
    if len(used) < 2:
        return RateFit(nan, nan, nan, nan, level, "none", used, left_out, seeds)
    log_m = np.log(m[use])
    slope, intercept = _line(log_m, np.log(means[use]))
    exponent = float(slope)
    if seeds > 1:
        slopes = _resampled_slopes(log_m, table[use], exponent, resamples, seed)
        low, high = (float(q) for q in np.quantile(slopes, [0.5 - 0.5 * level, 0.5 + 0.5 * level]))
        error, degrees, interval = float(slopes.std(ddof=1)), len(used) * (seeds - 1), "bootstrap"
    elif len(used) > 2:
        residuals = np.log(means[use]) - intercept - slope * log_m
        degrees = len(used) - 2
        error = float(np.sqrt(np.sum(residuals**2) / degrees / np.sum((log_m - log_m.mean()) ** 2)))
        half = float(stats.t.ppf(0.5 + 0.5 * level, degrees) * error)
        low, high, interval = exponent - half, exponent + half, "t"
    else:
        low, high, error, degrees, interval = nan, nan, nan, 0, "none"
    constant = float(np.exp(intercept))
    return RateFit(exponent, low, high, constant, level, interval, used, left_out, seeds, error, degrees)


def _resampled_slopes(log_m: Array, table: Array, exponent: float, resamples: int, seed: int) -> Array:
    """Slopes over resampled seeds, their deviations stretched for the small number of seeds."""
    rows, seeds = table.shape
    picks = np.random.default_rng(seed).integers(seeds, size=(resamples, rows, seeds))
    resampled = table[np.arange(rows)[None, :, None], picks]
    # A value of zero among positive ones can make a resample vanish; the smallest float keeps its logarithm
    # finite.
    means = np.maximum(root_mean_square(resampled), np.finfo(np.float64).tiny)
    slopes, _ = _line(log_m, np.log(means))
    return exponent + np.sqrt(seeds / (seeds - 1)) * (slopes - exponent)


def observed_orders(
    sizes: Sequence[float], errors: Sequence[float], finest: float = 0.0
) -> tuple[list[float], float]:
    """Pairwise orders and the least-squares order of ``error ~ C (size**order - finest**order)``.

    ``finest = 0`` means errors against the exact solution. Differences from the solution on a finest mesh
    of size ``finest`` shrink faster than errors do (by 3 instead of 2 at order 1, two levels above it); its
    own error in the formula takes that out. A pair with an error of zero has order nan, and the least-squares
    order leaves zeros out.

    >>> pairwise, order = observed_orders([0.4, 0.2, 0.1], [0.8, 0.4, 0.2])
    >>> [round(p, 12) for p in pairwise], round(order, 12)
    ([1.0, 1.0], 1.0)
    >>> _, order = observed_orders([0.4, 0.2], [0.3, 0.1], finest=0.1)
    >>> round(order, 6)
    1.0
    """
    h = as_vector("sizes", sizes)
    e = as_vector("errors", errors, size=h.size)
    finest = as_number("finest", finest, least=0.0)
    if h.min(initial=np.inf) <= finest or np.any(np.diff(h) >= 0.0):
        raise ValueError(f"sizes must decrease and be larger than {finest:g}, found {h.tolist()}")
    pairwise = [_order(h[i : i + 2], e[i : i + 2], finest) for i in range(h.size - 1)]
    return pairwise, _order(h, e, finest)


def without_rounding(errors: Sequence[float]) -> list[float]:
    """Return the sizes of errors of quantities of order one, 0 for what is rounding: it has no order.

    >>> without_rounding([-0.1, 0.0, 3e-16])
    [0.1, 0.0, 0.0]
    """
    return [abs(error) if abs(error) > ROUNDING else 0.0 for error in errors]


def _order(h: Array, e: Array, finest: float) -> float:
    """Order that explains the logarithms of the errors best; nan with fewer than two positive ones."""
    h, e = h[e > 0.0], e[e > 0.0]
    if h.size < 2:
        return float("nan")
    if finest == 0.0:
        return float(_line(np.log(h), np.log(e))[0])

    def misfit(order: float) -> float:
        return float(np.var(np.log(e) - np.log(h**order - finest**order)))

    low, high = _ORDERS
    order = float(optimize.minimize_scalar(misfit, bounds=_ORDERS, options={"xatol": 1e-13}).x)
    # at an end of the range no order explains the differences
    return order if 1.01 * low < order < 0.99 * high else float("nan")
