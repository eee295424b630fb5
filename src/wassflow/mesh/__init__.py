"""Meshes of Omega as finite volumes see them, generated or read, on one rank or many."""

from wassflow.mesh.boxes import box
from wassflow.mesh.mesh import Mesh

__all__ = ["Mesh", "box"]
