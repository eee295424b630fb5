"""Particle complexity of several families of problems: the panels of Figure 3 of the paper."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wassflow.cases.random_problems import family
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.particle_complexity import ParticleComplexity, particle_complexity


@dataclass(frozen=True, eq=False)
class ParticleComplexities:
    """Result of :func:`particle_complexities`.

    Attributes:
        panels: the study of every family.
    """

    panels: tuple[ParticleComplexity, ...]

    def table(self) -> str:
        """The tables of the families, one below the other."""
        return "\n\n\n".join(panel.table() for panel in self.panels)

    def criteria(self) -> list[Criterion]:
        """The criteria of all families."""
        return [criterion for panel in self.panels for criterion in panel.criteria()]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records of all families, one line per run and method."""
        return tables.write_csv(
            path,
            [{"problem": panel.family.name, **record} for panel in self.panels for record in panel.records],
        )

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write what :meth:`ParticleComplexity.write_json` writes, one entry per family."""
        return tables.write_json(path, [panel.data() for panel in self.panels])


def particle_complexities(
    cases: Mapping[str, Mapping[str, Any]],
    workers: int = 1,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> ParticleComplexities:
    """Run :func:`particle_complexity` on several families of problems.

    Args:
        cases: for every family the arguments of its study (ms, runs, threshold, ...) and, as
            ``"parameters"``, of the family.
        workers: processes.
        progress: show progress bars on stderr when it is a terminal.
        ledger: a file in which finished runs of all families stay.

    Raises:
        ValueError: no family, an unknown one, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), section 4 and Figure 3.

    >>> found = particle_complexities({"deconvolution": {"ms": [1], "runs": 1}})
    >>> [panel.family.name for panel in found.panels]
    ['deconvolution']
    """
    if not cases:
        raise ValueError("cases must name at least one family of problems, found none")
    panels = []
    for name, given in cases.items():
        options = dict(given)
        problems = family(name, **options.pop("parameters", {}))
        panels.append(
            particle_complexity(problems, **options, workers=workers, progress=progress, ledger=ledger)
        )
    return ParticleComplexities(tuple(panels))
