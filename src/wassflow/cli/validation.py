"""Run statements one after the other: tables, criteria, files, and one summary."""

import argparse
import os
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wassflow.cli.report import Report
from wassflow.cli.statements import Statement, statement


@dataclass(frozen=True)
class Row:
    """What became of one statement.

    Attributes:
        statement: which.
        passed: how many criteria passed.
        checked: how many there are.
        seconds: wall time.
        picture: the picture, ``None`` after an error.
        error: what went wrong, empty if nothing did.
    """

    statement: Statement
    passed: int
    checked: int
    seconds: float
    picture: Path | None
    error: str = ""

    @property
    def holds(self) -> bool:
        """Whether the study ended and every criterion passed; a study without criteria shows nothing."""
        return not self.error and 0 < self.checked == self.passed


def validate(
    statements: Sequence[Statement], report: Report, quick: bool, workers: int, fresh: bool = False
) -> list[Row]:
    """Run the statements and print the summary.

    Files go to ``report.output/NAME.*``, with ``-quick`` after the name in quick mode. While a study runs,
    its finished runs are kept in ``NAME.runs.jsonl``, from which an interrupted study goes on; the file is
    removed when the study ends.

    Args:
        statements: which, in this order. An error in one is reported and counts as a failure; the others
            go on.
        report: where to print and write.
        quick: small problems.
        workers: processes.
        fresh: forget the runs of an interrupted study.
    """
    rows = [_run(entry, report, quick, workers, fresh) for entry in statements]
    report.show("\n" + summary(rows))
    return rows


def _run(entry: Statement, report: Report, quick: bool, workers: int, fresh: bool) -> Row:
    from wassflow.study.criteria import verdict

    name = f"{entry.name}-quick" if quick else entry.name
    ledger = report.output / f"{name}.runs.jsonl"
    if fresh:
        ledger.unlink(missing_ok=True)
    report.announce(f"{entry.source}: {entry.claim} ...")
    started = time.perf_counter()
    try:
        result = entry.run(quick, workers=workers, progress=not report.quiet, ledger=ledger)
        criteria = result.criteria()
        report.tables(result, "", name, verdict(criteria))
        picture = report.picture(entry.draw(result), f"{name}.png")
    except Exception as error:  # whatever is wrong with one statement must not keep the others from running
        if os.environ.get("WASSFLOW_TRACEBACK") == "1":
            traceback.print_exc()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        report.announce(f"{entry.name}: {reason}")
        return Row(entry, 0, 0, time.perf_counter() - started, None, reason)
    ledger.unlink(missing_ok=True)
    passed = sum(criterion.passed for criterion in criteria)
    return Row(entry, passed, len(criteria), time.perf_counter() - started, picture)


def summary(rows: Sequence[Row]) -> str:
    """Return one line per statement: what became of it, how long it took, and where its picture is."""
    from wassflow.study.tables import text_table

    lines = [
        [
            row.statement.name.ljust(max(len(other.statement.name) for other in rows)),
            row.statement.source,
            "pass" if row.holds else "FAIL",
            f"{row.passed} of {row.checked}" if not row.error else "error",
            f"{row.seconds:.1f}",
            str(row.picture) if row.picture else row.error[:60],
        ]
        for row in rows
    ]
    held = sum(row.holds for row in rows)
    table = text_table(["statement", "source", "", "criteria", "s", "picture"], lines)
    total = sum(row.seconds for row in rows)
    return f"{table}\n{held} of {len(rows)} statements hold; {total:.0f} s"


def script(name: str, description: str | None, arguments: Sequence[str] | None = None) -> int:
    """Run one statement as the script ``validation/NAME.py`` does, and return its exit code."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small problems: at most a minute")
    parser.add_argument("--output", type=Path, default=Path("results/validation"), help="folder of results")
    parser.add_argument("--workers", type=int, default=cores(), help="processes (default: all cores)")
    parser.add_argument("--fresh", action="store_true", help="forget the runs of an interrupted study")
    options = parser.parse_args(arguments)
    report = Report(options.output)
    rows = validate([statement(name)], report, options.quick, options.workers, options.fresh)
    report.close()
    return 0 if all(row.holds for row in rows) else 1


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
