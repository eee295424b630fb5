"""Two-layer networks of ReLU neurons with inputs in the plane."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import Array, as_integer, as_number, as_points
from wassflow.cases.case import Case, ProductStart, RadialStart, register, save_times
from wassflow.cases.profiles import Profile, RadialProfile
from wassflow.domain import Box
from wassflow.functional import Functional, NeuronFeatures, SquaredLoss, regularizer


@register("relu-2d")
def relu_2d(
    teacher: ArrayLike = ((0.6, 0.25), (-0.3, 0.5), (-0.15, -0.5)),
    inputs: int = 40,
    strength: float = 0.05,
    scale: float = 4.0,
    spread: float = 1.0,
    times: ArrayLike = (0.0, 0.5, 1.0, 3.0),
) -> Case:
    """ReLU neurons in the plane in signed-square coordinates, without output weight (d = 2).

    Chizat and Bach (2018), section 4.2, in the parametrisation that makes a ReLU neuron 2-homogeneous:
    Phi(theta)(x) = max(<theta |theta|, x>, 0) with the square coordinatewise, at ``inputs`` points x on the
    unit circle, R(f) = scale/2 times the mean of (f - y)^2, V = strength |theta|^2. The target y is the sum
    of max(<beta, x>, 0) over the ``teacher`` directions beta. The start is a C^1 bump on a disk of radius
    ``spread`` about 0. All numbers are our choice.
    """
    x = _circle(inputs)
    features = NeuronFeatures(x, "relu", output_weight=False, parametrization="signed-square")
    neurons = as_points("teacher", teacher, 2)
    target = np.maximum(neurons @ x.T, 0.0).sum(axis=0)
    V = regularizer.SquaredNorm(as_number("strength", strength, least=0.0))
    spread = as_number("spread", spread, above=0.0, most=2.5)
    return Case(
        functional=Functional(features, _mean_squares(target, scale), V),
        domain=Box([-3.5, -3.5], [3.5, 3.5]),
        initial=RadialStart(RadialProfile(2, spread), (0.0, 0.0)),
        times=save_times(times),
        cells=(72, 72),
        cell="triangle",
        coordinates=(r"$\theta_1$", r"$\theta_2$"),
        planted=_rays(np.sign(neurons) * np.sqrt(np.abs(neurons))),
    )


@register("relu-3d")
def relu_3d(
    teacher: ArrayLike = ((1.0, 0.6, 0.25), (1.0, -0.3, 0.5), (-1.0, -0.15, -0.5)),
    inputs: int = 40,
    strength: float = 0.05,
    scale: float = 4.0,
    spread: float = 1.0,
    times: ArrayLike = (0.0, 0.6, 1.2, 2.5),
) -> Case:
    """ReLU neurons in the plane with output weights (d = 3).

    Chizat and Bach (2018), section 4.2: u = (w, theta), Phi(w, theta)(x) = w max(<theta, x>, 0) at ``inputs``
    points x on the unit circle, R(f) = scale/2 times the mean of (f - y)^2, V = strength |w| |theta|. The
    target is a network of the ``teacher`` neurons (w, theta). The start is the product of C^1 bumps of
    halfwidth ``spread``. All numbers are our choice.
    """
    x = _circle(inputs)
    features = NeuronFeatures(x, "relu")
    neurons = as_points("teacher", teacher, 3)
    target = features.moment(neurons, np.ones(len(neurons)))
    V = regularizer.WeightTimesNorm(as_number("strength", strength, least=0.0))
    bump = Profile(0.0, as_number("spread", spread, above=0.0, most=2.5))
    return Case(
        functional=Functional(features, _mean_squares(target, scale), V),
        domain=Box([-3.5] * 3, [3.5] * 3),
        initial=ProductStart((bump, bump, bump)),
        times=save_times(times),
        cells=(28, 28, 28),
        cell="hexahedron",
        coordinates=("$w$", r"$\theta_1$", r"$\theta_2$"),
        planted=_rays(neurons),
    )


def _rays(points: Array) -> Array:
    """Rays from the origin: neurons are 2-homogeneous in u."""
    return np.stack([np.zeros_like(points), points], axis=1)


def _circle(inputs: int) -> Array:
    n = as_integer("inputs", inputs, least=3)
    # turned by a third of a step: no input is parallel to an axis, where signed squares have their creases
    angles = 2.0 * np.pi * (np.arange(n) + 1.0 / 3.0) / n
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _mean_squares(target: Array, scale: float) -> SquaredLoss:
    weights = np.full(target.size, 1.0 / target.size)
    return SquaredLoss(target, weights=weights, scale=as_number("scale", scale, above=0.0))
