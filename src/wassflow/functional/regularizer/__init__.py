"""Regularisers V: R^d -> R, with minimal-norm velocities and proximal maps.

Points are u = (w, theta): column 0 is the weight w, the others are the position theta. Every V here is the
sum of a smooth part, which a flow moves explicitly, and of a part with kinks, which it moves by its exact
proximal map

    prox(u, step) = argmin_x  V(x) + |x - u|^2 / (2 step).
"""

from wassflow.functional.regularizer.base import Regularizer
from wassflow.functional.regularizer.combined import Sum
from wassflow.functional.regularizer.custom import Callable
from wassflow.functional.regularizer.kinked import AbsWeight, Norm, WeightTimesNorm
from wassflow.functional.regularizer.smooth import Linear, Quadratic, SquaredNorm, Zero
from wassflow.functional.subdifferential import Walls

__all__ = [
    "AbsWeight",
    "Callable",
    "Linear",
    "Norm",
    "Quadratic",
    "Regularizer",
    "SquaredNorm",
    "Sum",
    "Walls",
    "WeightTimesNorm",
    "Zero",
]
