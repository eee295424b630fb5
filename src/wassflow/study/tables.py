"""Plain-text tables, and result files that appear whole or not at all."""

import csv
import io
import json
import os
import tempfile
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns aligned to the right, two spaces apart.

    >>> print(text_table(["m", "W2"], [["16", "0.25"], ["1024", "0.031"]]))
       m     W2
      16   0.25
    1024  0.031
    """
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[j]) for row in table) for j in range(len(header))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table
    )


def number(value: float | None, digits: int = 3) -> str:
    """A number with the given significant digits; a dash for what does not exist.

    >>> number(0.012345), number(float("nan")), number(0.0), number(12345.0)
    ('0.0123', '-', '0', '1.23e+04')
    """
    if value is None or not np.isfinite(value):
        return "-"
    if value == 0.0:
        return "0"
    text = f"{value:#.{digits}g}"
    return text.rstrip(".") if "e" not in text else f"{value:.{digits - 1}e}"


def range_text(low: float, high: float, digits: int = 3) -> str:
    """An interval, as ``[low, high]``."""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def wrapped(text: str, width: int = 100, indent: str = "  ") -> str:
    """A paragraph folded to the width of a terminal."""
    return textwrap.fill(text, width=width, initial_indent=indent, subsequent_indent=indent)


def plain(value: Any) -> Any:
    """The same value in what JSON knows; nan and infinities become null.

    >>> plain({"a": np.float64(1.5), "b": (np.nan, np.arange(2))})
    {'a': 1.5, 'b': [None, [0, 1]]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def write_whole(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file under a temporary name and move it into place, so that no reader sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        # mkstemp makes files private; results are meant to be shared like any other file of the user.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_csv(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write records as CSV, columns in the order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else plain(value) for key, value in row.items()})
    return write_whole(path, text.getvalue())


def write_json(path: str | os.PathLike[str], data: Any) -> Path:
    """Write JSON with an indent."""
    return write_whole(path, json.dumps(plain(data), indent=1, allow_nan=False) + "\n")
