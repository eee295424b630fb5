"""Meshes of Omega as finite volumes see them: generated, refined, read, written; on one rank or many."""

from wassflow.mesh.boxes import box
from wassflow.mesh.grading import graded
from wassflow.mesh.mesh import Mesh
from wassflow.mesh.reader import read
from wassflow.mesh.refinement import Refinement, refine
from wassflow.mesh.writer import write

__all__ = ["Mesh", "Refinement", "box", "graded", "read", "refine", "write"]
