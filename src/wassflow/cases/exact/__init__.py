"""Wasserstein gradient flows known in closed form, in d = 2 and d = 3.

Every flow map here is the gradient of a convex function of the earlier position, so that it is the optimal
map (Brenier) and W2 between two times of the same flow is known too.
"""

from wassflow.cases.exact.absorption import RadialAbsorption, WeightAbsorption
from wassflow.cases.exact.cosine_moments import CosineMoments
from wassflow.cases.exact.logistic_dilation import LogisticDilation
from wassflow.cases.exact.quadratic_mean import QuadraticMean
from wassflow.cases.exact.solution import ExactSolution, Solution
from wassflow.cases.exact.walls import WallAccumulation, WallRelaxation

__all__ = [
    "CosineMoments",
    "ExactSolution",
    "LogisticDilation",
    "QuadraticMean",
    "RadialAbsorption",
    "Solution",
    "WallAccumulation",
    "WallRelaxation",
    "WeightAbsorption",
]
