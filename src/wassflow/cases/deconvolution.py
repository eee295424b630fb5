"""Sparse deconvolution: signed spikes seen through a low-pass filter, on the circle and on the 2-torus."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import as_integer, as_number, as_points, as_vector
from wassflow.cases.case import Case, ProductStart, register, save_times, weight_rays
from wassflow.cases.profiles import Profile
from wassflow.domain import Box
from wassflow.functional import Functional, SpikeFeatures, SquaredLoss, regularizer

# Where the five spikes of Figure 1 of Chizat and Bach (2018) are, as a share of the period, and the masses
# that their particles recover, read from the authors' poster. The true amplitudes are not known: the
# recovered ones stand in.
_POSITIONS = (0.1299, 0.2670, 0.6934, 0.7697, 0.9502)
_AMPLITUDES = (0.1715, 0.1919, -0.1873, -0.1005, 0.1658)


@register("deconvolution-2d")
def deconvolution_2d(
    positions: ArrayLike = _POSITIONS,
    amplitudes: ArrayLike = _AMPLITUDES,
    order: int = 7,
    strength: float = 0.1,
    scale: float = 0.25,
    spread: float = 0.4,
    times: ArrayLike = (0.0, 0.05, 0.1, 2.0),
) -> Case:
    """Signed spikes on the circle seen through a Dirichlet kernel (d = 2).

    Chizat and Bach (2018), section 4.1 and Figure 1: Phi(w, theta) = w psi(. - theta), psi the Dirichlet
    kernel of order 7, R(f) = scale/2 |f - y|^2, V = strength |w|, five spikes at the positions of the figure.
    u = (w, theta), w on the line and theta on a circle of length 2 pi. Our choice, since the paper does not
    say: the amplitudes, ``strength``, ``scale``, box, times, cells, and the start, w a C^1 bump on
    (-spread, spread) and theta
    uniform. Particles on the spikes grow, the others lose their weight to the kink of V at w = 0.
    """
    theta = as_vector("positions", positions)
    weights = as_vector("amplitudes", amplitudes, theta.size)
    order = as_integer("order", order, least=1)
    spread = as_number("spread", spread, above=0.0, most=1.5)
    features = SpikeFeatures("dirichlet", order=order, dim=1, period=2.0 * np.pi)
    spikes = np.column_stack([weights, 2.0 * np.pi * theta])
    return Case(
        functional=_functional(features, spikes, strength, scale),
        domain=Box([-2.5, 0.0], [2.5, 2.0 * np.pi], periodic=(False, True)),
        initial=ProductStart((Profile(0.0, spread), Profile(np.pi, np.pi, "uniform"))),
        times=save_times(times),
        cells=(80, 112),
        cell="triangle",
        coordinates=("$w$", r"$\theta$"),
        planted=weight_rays(spikes),
    )


@register("deconvolution-3d")
def deconvolution_3d(
    positions: ArrayLike = ((0.0, 0.0), (1.7, -0.3), (0.7, 1.3)),
    amplitudes: ArrayLike = (0.21, 0.11, 0.18),
    order: int = 2,
    strength: float = 0.1,
    scale: float = 0.1,
    spread: float = 0.5,
    times: ArrayLike = (0.0, 0.15, 0.4, 1.5),
) -> Case:
    """Spikes on the 2-torus seen through a Dirichlet kernel (d = 3).

    After the example on the 2-torus in the code of Chizat (2019), "Sparse optimization on measures with
    over-parameterized gradient descent": three spikes at pi + ``positions`` on the torus of length 2 pi, two
    Fourier modes in each axis, here in the product metric of Chizat and Bach (2018): u = (w, theta_1,
    theta_2), V = strength |w|. Our choice: the amplitudes, which are between a fifth and a sixth of the
    1.21, 0.64 and 1.00 of that code; ``strength``, ``scale``, box, times, cells, and the start, w a C^1 bump
    on (-spread, spread) and theta uniform.
    """
    theta = as_points("positions", positions, 2)
    weights = as_vector("amplitudes", amplitudes, len(theta))
    order = as_integer("order", order, least=1)
    spread = as_number("spread", spread, above=0.0, most=1.5)
    features = SpikeFeatures("dirichlet", order=order, dim=2, period=2.0 * np.pi)
    spikes = np.column_stack([weights, np.pi + theta])
    circle = Profile(np.pi, np.pi, "uniform")
    return Case(
        functional=_functional(features, spikes, strength, scale),
        domain=Box([-1.5, 0.0, 0.0], [4.5, 2.0 * np.pi, 2.0 * np.pi], periodic=(False, True, True)),
        initial=ProductStart((Profile(0.0, spread), circle, circle)),
        times=save_times(times),
        cells=(36, 24, 24),
        cell="hexahedron",
        coordinates=("$w$", r"$\theta_1$", r"$\theta_2$"),
        planted=weight_rays(spikes % [np.inf, 2.0 * np.pi, 2.0 * np.pi]),
    )


def _functional(features: SpikeFeatures, spikes: np.ndarray, strength: float, scale: float) -> Functional:
    target = features.moment(spikes, np.ones(len(spikes)))
    scale = as_number("scale", scale, above=0.0)
    V = regularizer.AbsWeight(as_number("strength", strength, least=0.0))
    return Functional(features, SquaredLoss(target, scale=scale), V)
