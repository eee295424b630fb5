"""What a command is asked to do: the options of the case file and those typed, and the case itself."""

from dataclasses import replace
from typing import Any

from wassflow.arguments import one_of
from wassflow.cli.case_files import Problem
from wassflow.cli.values import case_parameters


def options_given(problem: Problem, command: str, typed: dict[str, Any], **readers: Any) -> dict[str, Any]:
    """Return the options given in the case file or typed, which wins, as numbers."""
    options = {}
    for source, prefix in ((problem.options.get(command, {}), f"[{command}] "), (typed, "--")):
        for name, value in source.items():
            if value is not None:
                options[name] = readers[name](prefix + name, value) if name in readers else value
    return options


def chosen_case(problem: Problem, param: list[str] | None, given: dict[str, Any]) -> Any:
    """Build the case: parameters of its file and those typed; a cell type among the options is used up."""
    import wassflow.cases

    case = wassflow.cases.get(problem.case, **{**problem.parameters, **case_parameters(param or [])})
    cell = given.pop("cell", None)
    if cell is None:
        return case
    kinds = ("triangle", "quadrilateral") if case.domain.dim == 2 else ("tetrahedron", "hexahedron")
    return replace(case, cell=one_of("--cell", cell, kinds))


def coarser_cells(case: Any, divisor: int) -> tuple[int, ...]:
    """Return the number of cells along each axis of a mesh coarser than the case's own."""
    return tuple(max(2, n // divisor) for n in case.cells)
