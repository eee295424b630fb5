"""The result of a study of several cases: the results of all, one after the other."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from wassflow.study import tables
from wassflow.study.criteria import Criterion


class OneCase(Protocol):
    """The result of a study of one case."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """One per line of the CSV file."""

    def table(self) -> str:
        """What the terminal shows."""

    def criteria(self) -> list[Criterion]:
        """What must hold."""

    def data(self) -> dict[str, Any]:
        """What the JSON file holds."""


class SeveralCases(ABC):
    """Result of a study that is one study per case."""

    @abstractmethod
    def parts(self) -> Sequence[tuple[Mapping[str, str], OneCase]]:
        """The result of every case, behind the column that names the case in the CSV file."""

    def table(self) -> str:
        """The tables of the cases, one below the other."""
        return "\n\n\n".join(part.table() for _, part in self.parts())

    def criteria(self) -> list[Criterion]:
        """The criteria of all cases."""
        return [criterion for _, part in self.parts() for criterion in part.criteria()]

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the records of all cases, each behind the name of its case."""
        return tables.write_csv(
            path, [{**name, **record} for name, part in self.parts() for record in part.records]
        )

    def write_json(self, path: str | os.PathLike[str]) -> Path:
        """Write what the study of one case writes, one entry per case."""
        return tables.write_json(path, [part.data() for _, part in self.parts()])
