"""Pictures: densities with their particles, the many-particle limit, mesh refinement, meshes.

Every function draws on axes or returns a figure of its own; none touches matplotlib's global state.
"""

from wassflow.plot.density import colour_scale, density, marginal, particles
from wassflow.plot.files import save_figure
from wassflow.plot.style import new_figure, style

__all__ = ["colour_scale", "density", "marginal", "new_figure", "particles", "save_figure", "style"]
