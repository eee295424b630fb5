"""Fast evaluation of <g, Phi(u)>, of its gradient and of sum_i w_i Phi(u_i), to a verified tolerance."""

from wassflow.functional.evaluation.choice import EVALUATIONS, evaluated
from wassflow.functional.evaluation.sorted_relu import SortedReluFeatures
from wassflow.functional.evaluation.tabulated import TabulatedFeatures
from wassflow.functional.evaluation.threads import available_threads

__all__ = ["EVALUATIONS", "SortedReluFeatures", "TabulatedFeatures", "available_threads", "evaluated"]
