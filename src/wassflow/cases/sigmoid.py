"""A two-layer network of sigmoid neurons with one input and a bias."""

import numpy as np
from numpy.typing import ArrayLike

from wassflow.arguments import as_integer, as_number, as_points
from wassflow.cases.case import Case, ProductStart, register, save_times, weight_rays
from wassflow.cases.profiles import Profile
from wassflow.domain import Box
from wassflow.functional import Functional, NeuronFeatures, SquaredLoss, regularizer


@register("sigmoid-3d")
def sigmoid_3d(
    teacher: ArrayLike = ((2.0, 3.0, 2.0), (-2.0, 3.0, -2.0)),
    inputs: int = 48,
    strength: float = 0.02,
    scale: float = 10.0,
    times: ArrayLike = (0.0, 0.5, 1.0, 2.0),
) -> Case:
    """Sigmoid neurons with one input and a bias, total variation of the weights (d = 3).

    Chizat and Bach (2018), section 4.2, with one-dimensional inputs: u = (w, a, b),
    Phi(w, a, b)(x) = w / (1 + exp(-(a x + b))), at ``inputs`` points x between -2 and 2,
    R(f) = scale/2 times the mean of (f - y)^2, V = strength |w|. The target y is a network of the ``teacher``
    neurons (w, a, b), by default a bump. The start is a product of C^1 bumps. All numbers are our choice.
    """
    n = as_integer("inputs", inputs, least=2)
    neurons = as_points("teacher", teacher, 3)
    x = np.linspace(-2.0, 2.0, n)
    features = NeuronFeatures(np.column_stack([x, np.ones(n)]), "sigmoid")
    target = features.moment(neurons, np.ones(len(neurons)))
    loss = SquaredLoss(target, weights=np.full(n, 1.0 / n), scale=as_number("scale", scale, above=0.0))
    V = regularizer.AbsWeight(as_number("strength", strength, least=0.0))
    return Case(
        functional=Functional(features, loss, V),
        domain=Box([-2.2, -3.2, -2.8], [4.2, 3.2, 2.8]),
        initial=ProductStart((Profile(0.0, 1.0), Profile(0.0, 2.0), Profile(0.0, 2.0))),
        times=save_times(times),
        cells=(28, 28, 24),
        cell="hexahedron",
        coordinates=("$w$", "$a$", "$b$"),
        planted=weight_rays(neurons),
    )
