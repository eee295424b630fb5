"""Particle complexity of several families of problems: the panels of Figure 3 of the paper."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wassflow.cases.random_problems import family
from wassflow.study.particle_complexity import ParticleComplexity, particle_complexity
from wassflow.study.several_cases import SeveralCases


@dataclass(frozen=True, eq=False)
class ParticleComplexities(SeveralCases):
    """Result of :func:`particle_complexities`.

    Attributes:
        panels: the study of every family.
    """

    panels: tuple[ParticleComplexity, ...]

    def parts(self) -> list[tuple[dict[str, str], ParticleComplexity]]:
        """The studies, each with the name of its family."""
        return [({"problem": panel.family.name}, panel) for panel in self.panels]


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
