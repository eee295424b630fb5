"""Fast evaluation of <g, Phi(u)>, of its gradient and of sum_i w_i Phi(u_i), to a verified tolerance."""

from wassflow.functional.evaluation.choice import EVALUATIONS, evaluated
from wassflow.functional.evaluation.fixed_points import FixedPoints, Pairings
from wassflow.functional.evaluation.sorted_relu import SortedReluFeatures
from wassflow.functional.evaluation.tabulated import TabulatedFeatures
from wassflow.functional.evaluation.threads import available_threads, over_rows

__all__ = [
    "EVALUATIONS",
    "FixedPoints",
    "Pairings",
    "SortedReluFeatures",
    "TabulatedFeatures",
    "available_threads",
    "evaluated",
    "over_rows",
]
