"""Meshes of Omega as finite volumes see them: generated, read, written; on one rank or many."""

from wassflow.mesh.boxes import box
from wassflow.mesh.mesh import Mesh
from wassflow.mesh.reader import read
from wassflow.mesh.writer import write

__all__ = ["Mesh", "box", "read", "write"]
