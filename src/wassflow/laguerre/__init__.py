"""Laguerre (power) cells on meshes: semi-discrete optimal transport, certified, on plain arrays."""

from wassflow.laguerre.transport import SemidiscreteTransport, semidiscrete_transport

__all__ = ["SemidiscreteTransport", "semidiscrete_transport"]
