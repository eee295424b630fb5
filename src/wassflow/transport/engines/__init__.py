"""The engines behind :func:`wasserstein2`: each takes a problem of unit mass and size and returns bounds."""

from wassflow.transport.engines.atoms import by_atoms
from wassflow.transport.engines.clouds import cloud_to_cloud
from wassflow.transport.engines.densities import common_mass_bound, density_to_density
from wassflow.transport.engines.laguerre_cells import cloud_to_density
from wassflow.transport.engines.request import Request

__all__ = [
    "Request",
    "by_atoms",
    "cloud_to_cloud",
    "cloud_to_density",
    "common_mass_bound",
    "density_to_density",
]
