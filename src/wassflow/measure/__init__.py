"""Measures on Omega: a density on a mesh, and a cloud of weighted particles."""

from wassflow.measure.mesh_density import MeshDensity
from wassflow.measure.neighbourhood import NearbyMass, mass_near
from wassflow.measure.particle_cloud import ParticleCloud
from wassflow.measure.simplicial import SimplicialDensity
from wassflow.measure.sphere import projection_error, sphere_projection, weighted_directions

__all__ = [
    "MeshDensity",
    "NearbyMass",
    "ParticleCloud",
    "SimplicialDensity",
    "mass_near",
    "projection_error",
    "sphere_projection",
    "weighted_directions",
]
