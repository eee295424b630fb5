"""Wasserstein gradient flows: densities by upwind finite volumes, particles by Runge-Kutta and prox steps."""

from wassflow.flow.density_flow import DensityFlow
from wassflow.flow.particle_flow import ParticleFlow
from wassflow.flow.trajectory import Trajectory

__all__ = ["DensityFlow", "ParticleFlow", "Trajectory"]
