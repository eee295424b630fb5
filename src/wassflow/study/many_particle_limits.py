"""The many-particle limit of several cases: the evidence for Theorem 2.6."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wassflow import cases as named
from wassflow.study.many_particle_limit import ManyParticleLimit, many_particle_limit
from wassflow.study.several_cases import SeveralCases


@dataclass(frozen=True, eq=False)
class ManyParticleLimits(SeveralCases):
    """Result of :func:`many_particle_limits`.

    Attributes:
        limits: the study of every case.
    """

    limits: tuple[ManyParticleLimit, ...]

    def parts(self) -> list[tuple[dict[str, str], ManyParticleLimit]]:
        """The studies, each with the name of its case."""
        return [({"case": limit.case.name}, limit) for limit in self.limits]


def many_particle_limits(
    cases: Mapping[str, Mapping[str, Any]],
    workers: int | None = None,
    progress: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> ManyParticleLimits:
    """Run :func:`many_particle_limit` on several named cases.

    Args:
        cases: for every name the arguments of its study (ms, seeds, times, ...).
        workers: processes over which the runs of a case are spread; default 1.
        progress: show progress bars on stderr when it is a terminal.
        ledger: a file in which finished runs of all cases stay.

    Raises:
        ValueError: no case, an unknown one, or an argument out of range.
        WassflowError: the ledger holds runs of other settings.

    Source: Chizat and Bach (2018), Theorem 2.6.

    >>> limits = many_particle_limits({"cosine-2d": {"ms": [16, 64], "times": [0.0], "seeds": 2, "cells": 8}})
    >>> [limit.dim for limit in limits.limits]
    [2]
    """
    if not cases:
        raise ValueError("cases must name at least one case, found none")
    return ManyParticleLimits(
        tuple(
            many_particle_limit(named.get(name), **options, workers=workers, progress=progress, ledger=ledger)
            for name, options in cases.items()
        )
    )
