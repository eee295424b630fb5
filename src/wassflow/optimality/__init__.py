"""Minimisers of F over measures: optimality certificates, global minima of F', and F* to a certified gap."""

from wassflow.optimality.certificate import Certificate, certificate
from wassflow.optimality.minimization import OptimalMeasure, minimize_over_measures

__all__ = ["Certificate", "OptimalMeasure", "certificate", "minimize_over_measures"]
