"""Omega, the convex closed set in which everything moves: boxes with periodic axes, convex polytopes.

A point is projected on Omega, a velocity on the tangent cone of Omega, both exactly: that is how a particle
meets a wall and slides along it.
"""

from wassflow.domain.box import Box
from wassflow.domain.convex import Domain
from wassflow.domain.polytope import Polytope

__all__ = ["Box", "Domain", "Polytope"]
