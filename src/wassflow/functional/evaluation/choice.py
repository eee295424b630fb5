"""How the features of a functional are evaluated: from tables, by sorting, or by direct sums."""

from wassflow.arguments import Array, one_of
from wassflow.errors import WassflowError
from wassflow.functional.evaluation.sorted_relu import SortedReluFeatures
from wassflow.functional.evaluation.tabulated import TabulatedFeatures
from wassflow.functional.features import Features
from wassflow.functional.functional import Functional
from wassflow.functional.neurons import NeuronFeatures

EVALUATIONS = ("auto", "fast", "direct")
# A table pays if a direct sum at all points has so many terms for each number of a cell.
_TERMS_PER_NUMBER = 1 << 14


def evaluated(
    functional: Functional, evaluation: str, lower: Array, upper: Array, points: int, threads: int = 1
) -> Functional:
    """Return the functional with features for repeated evaluation at ``points`` points of a box.

    Args:
        functional: F.
        evaluation: "direct": sums over all N features at each point; "fast": tables that agree with them to
            1e-8 (:class:`~wassflow.functional.evaluation.tabulated.TabulatedFeatures`) or, for ReLU neurons
            of one input and a bias, exact sums by sorting; "auto": the fast way if there is one and it pays.
        lower, upper: corners of the box, ``(d,)``.
        points: how many points there are.
        threads: for tables.

    Raises:
        WassflowError: if evaluation is "fast" and there is no fast way.

    >>> import numpy as np
    >>> from wassflow.functional import NeuronFeatures, SquaredLoss, regularizer
    >>> relu = NeuronFeatures([[1.0, 1.0]] * 100, "relu")
    >>> lower, upper = np.zeros(3), np.ones(3)
    >>> F = Functional(relu, SquaredLoss([0.0] * 100), regularizer.Zero())
    >>> type(evaluated(F, "auto", lower, upper, points=10**6).features).__name__
    'SortedReluFeatures'
    """
    one_of("evaluation", evaluation, EVALUATIONS)
    features = functional.features
    if evaluation == "direct" or isinstance(features, TabulatedFeatures | SortedReluFeatures):
        return functional
    if evaluation == "auto" and not _pays(features, lower.size, points):
        return functional
    fast: Features
    try:
        if isinstance(features, NeuronFeatures) and features.activation == "relu":
            fast = SortedReluFeatures(features)
        else:
            fast = TabulatedFeatures(features, lower, upper, threads=threads, fallback=evaluation == "auto")
    except WassflowError:
        if evaluation == "fast":
            raise
        return functional
    return Functional(fast, functional.loss, functional.regularizer)


def _pays(features: Features, dim: int, points: int) -> bool:
    """Whether making a table is worth while: a guess from the numbers of terms and operations."""
    numbers = 8.0 ** (dim - int(features.weighted))
    return features.size > numbers and features.size * points >= _TERMS_PER_NUMBER * numbers
