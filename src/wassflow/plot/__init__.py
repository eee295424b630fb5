"""Pictures: densities with their particles, the many-particle limit, mesh refinement, meshes.

Every function draws on axes or returns a figure of its own; none touches matplotlib's global state.
"""

from wassflow.plot.animation import Film, can_write_mp4
from wassflow.plot.comparison import comparison, distances, energies
from wassflow.plot.convergence import convergence
from wassflow.plot.density import colour_scale, density, marginal, particles
from wassflow.plot.exchange_of_limits import exchange_of_limits
from wassflow.plot.files import save_figure
from wassflow.plot.global_convergence import global_convergence
from wassflow.plot.isosurface import isosurface, superlevel_surface
from wassflow.plot.laguerre import laguerre_cells, transport
from wassflow.plot.many_particle_limit import many_particle_limit
from wassflow.plot.many_particle_limits import many_particle_limits
from wassflow.plot.mesh_refinement import errors, mesh_refinement
from wassflow.plot.meshes import mesh, mesh_cells
from wassflow.plot.minimal_norm import minimal_norm
from wassflow.plot.networks import networks
from wassflow.plot.optimality import optimality
from wassflow.plot.particle_complexity import particle_complexities, particle_complexity
from wassflow.plot.sphere_projections import sphere_projections
from wassflow.plot.style import new_figure, style
from wassflow.plot.trajectories import trajectories

__all__ = [
    "Film",
    "can_write_mp4",
    "colour_scale",
    "comparison",
    "convergence",
    "density",
    "distances",
    "energies",
    "errors",
    "exchange_of_limits",
    "global_convergence",
    "isosurface",
    "laguerre_cells",
    "many_particle_limit",
    "many_particle_limits",
    "marginal",
    "mesh",
    "mesh_cells",
    "mesh_refinement",
    "minimal_norm",
    "networks",
    "new_figure",
    "optimality",
    "particle_complexities",
    "particle_complexity",
    "particles",
    "save_figure",
    "sphere_projections",
    "style",
    "superlevel_surface",
    "trajectories",
    "transport",
]
