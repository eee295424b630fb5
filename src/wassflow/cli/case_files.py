"""A problem to run, from the name of a case or from a TOML file.

A case file names a case and may set its parameters and the options of each command, spelt as on the command
line::

    case = "deconvolution-2d"

    [parameters]          # of the case; `wassflow cases NAME` lists them
    strength = 0.1

    [run]                 # options of `wassflow run`
    m = 1000

    [limit]               # options of `wassflow limit`
    m = [32, 128, 512]
    seeds = 4

What is typed on the command line wins over the file. :func:`wassflow.cases.load` reads the same files and
leaves the options aside.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wassflow.errors import WassflowError

# Options that a file may set for each command; the same as the command's own, apart from where results go.
OPTIONS = {
    "run": ("m", "method", "seed", "times", "cells", "cell", "scheme"),
    "animate": ("m", "method", "seed", "frames", "cells", "cell", "scheme"),
    "limit": ("m", "seeds", "method", "times", "cells", "cell", "scheme", "workers"),
    "refine": ("levels", "cells", "cell", "times", "reference", "scheme", "velocity"),
}
_TABLES = ("parameters", *OPTIONS)


@dataclass(frozen=True)
class Problem:
    """What a CASE argument stands for.

    Attributes:
        case: the name of a case.
        parameters: its parameters, from a file.
        options: per command, its options, from a file.
        label: under which results are filed: the name of the case, or of the file.
    """

    case: str
    parameters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    label: str = ""


def read_problem(argument: str) -> Problem:
    """Return the problem that a CASE argument stands for: anything that ends in .toml is a file.

    Raises:
        ValueError: the file is no TOML, has unknown keys or tables, or names no case.
        WassflowError: the file cannot be read.

    >>> read_problem("cosine-2d").case
    'cosine-2d'
    """
    if not argument.endswith(".toml"):
        return Problem(argument, label=argument)
    path = Path(argument)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WassflowError(f"cannot read the case file {argument}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{argument} must be a TOML file: {error}") from error
    _only(argument, content, ("case", *_TABLES))
    name = content.get("case")
    if isinstance(name, dict):
        _only(f"[case] in {argument}", name, ("name", "parameters"))
        if "parameters" in name and "parameters" in content:
            raise ValueError(
                f"{argument} must give parameters once, found [parameters] and [case.parameters]"
            )
        content = {"parameters": name.get("parameters", {}), **content}
        name = name.get("name")
    if not isinstance(name, str):
        raise ValueError(f'{argument} must name a case, case = "...", found {name!r}')
    tables = {table: content.get(table, {}) for table in _TABLES}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{key} in {argument} must be a table, [{key}], found {table!r}")
    for command, allowed in OPTIONS.items():
        _only(f"[{command}] in {argument}", tables[command], allowed)
    parameters = tables.pop("parameters")
    return Problem(name, parameters, tables, path.stem)


def _only(where: str, table: dict[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = [key for key in table if key not in allowed]
    if unknown:
        raise ValueError(f"{where} has the unknown key {unknown[0]!r}; allowed are {', '.join(allowed)}")
