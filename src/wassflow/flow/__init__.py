"""Wasserstein gradient flows: densities by upwind finite volumes, particles by Runge-Kutta and prox steps."""

from wassflow.flow.trajectory import Trajectory

__all__ = ["Trajectory"]
