"""How many threads a density flow takes."""

from typing import Any

from wassflow.functional.evaluation import available_threads


def threads_on(mesh: Any) -> int:
    """All that this process may use if the mesh is its own; one where ranks share the cores."""
    return available_threads() if mesh.comm.size == 1 else 1
