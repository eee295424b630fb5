"""The many-particle limit of several cases: the evidence for Theorem 2.6."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wassflow import cases as named
from wassflow.study import tables
from wassflow.study.criteria import Criterion
from wassflow.study.many_particle_limit import ManyParticleLimit, many_particle_limit


@dataclass(frozen=True, eq=False)
class ManyParticleLimits:
    """Result of :func:`many_particle_limits`.

    Attributes:
        limits: the study of every case.
    """

    limits: tuple[ManyParticleLimit, ...]

    def table(self) -> str:
        """The tables of the cases, one below the other."""
        return "\n\n\n".join(limit.table() for limit in self.limits)

    def criteria(self) -> list[Criterion]:
        """The criteria of all cases."""
        return [criterion for limit in self.limits for criterion in limit.criteria()]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records of all cases, one line per run and time."""
        return tables.write_csv(
            path,
            [{"case": limit.case.name, **record} for limit in self.limits for record in limit.records],
        )

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write what :meth:`ManyParticleLimit.write_json` writes, one entry per case."""
        return tables.write_json(path, [limit.data() for limit in self.limits])


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
