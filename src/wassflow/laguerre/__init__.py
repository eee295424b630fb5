"""Laguerre (power) cells on meshes: semi-discrete optimal transport, certified, on plain arrays."""

from wassflow.laguerre.diagram import LaguerreDiagram
from wassflow.laguerre.quantize import Quantization, quantize, quantized_points, stratified_points
from wassflow.laguerre.transport import SemidiscreteTransport, semidiscrete_transport

__all__ = [
    "LaguerreDiagram",
    "Quantization",
    "SemidiscreteTransport",
    "quantize",
    "quantized_points",
    "semidiscrete_transport",
    "stratified_points",
]
