"""Phi, R and V, the functional F(mu) = R(int Phi dmu) + int V dmu built from them, and its velocity field."""

from wassflow.functional import regularizer
from wassflow.functional.evaluation import TabulatedFeatures
from wassflow.functional.features import CallableFeatures, Features
from wassflow.functional.functional import FirstVariation, Functional
from wassflow.functional.losses import LogisticLoss, Loss, SquaredLoss
from wassflow.functional.measure_protocol import Measure
from wassflow.functional.neurons import NeuronFeatures
from wassflow.functional.regularizer import Regularizer
from wassflow.functional.spikes import SpikeFeatures

__all__ = [
    "CallableFeatures",
    "Features",
    "FirstVariation",
    "Functional",
    "LogisticLoss",
    "Loss",
    "Measure",
    "NeuronFeatures",
    "Regularizer",
    "SpikeFeatures",
    "SquaredLoss",
    "TabulatedFeatures",
    "regularizer",
]
