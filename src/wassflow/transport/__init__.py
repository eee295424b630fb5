"""W2 as a bracket between any two measures, and its cheap relatives."""

from wassflow.transport.bounded_lipschitz import bounded_lipschitz
from wassflow.transport.bracket import Bracket, Potential
from wassflow.transport.companions import sinkhorn_divergence, sliced_wasserstein2
from wassflow.transport.wasserstein import wasserstein2

__all__ = [
    "Bracket",
    "Potential",
    "bounded_lipschitz",
    "sinkhorn_divergence",
    "sliced_wasserstein2",
    "wasserstein2",
]
