"""What a study must show to count as a success: criteria with a verdict and the numbers behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Criterion:
    """One claim, whether it held, and the numbers.

    >>> print(Criterion("order of |f_h - f|", True, "1.03 >= 0.95"))
    pass  order of |f_h - f|: 1.03 >= 0.95
    """

    claim: str
    passed: bool
    numbers: str

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}  {self.claim}: {self.numbers}"


def verdict(criteria: Iterable[Criterion]) -> str:
    """All criteria, one per line, and how many passed."""
    checked = list(criteria)
    passed = sum(criterion.passed for criterion in checked)
    return "\n".join([*map(str, checked), f"{passed} of {len(checked)} criteria passed"])


class StudyResult(Protocol):
    """What every study that answers for a statement returns."""

    def table(self) -> str:
        """Plain text of at most a hundred columns: the numbers, and how to read them."""
        ...

    def criteria(self) -> list[Criterion]:
        """What the statement demands of the numbers, and whether they comply."""
        ...

    def write_csv(self, path: str | PathLike[str]) -> Path:
        """Write the records, one line each."""
        ...

    def write_json(self, path: str | PathLike[str]) -> Path:
        """Write everything but the measures."""
        ...
