"""The ledger of a study of many runs: what is finished stays, and an interrupted study goes on where it
stopped.

A ledger is a file of JSON lines. A header says of which study and of which settings the runs are; every
further line is one finished run: its study, its key and its result. Runs of other settings, or of other code,
are refused: they would be mixed with new ones unseen. A study made of several studies keeps them all in one
file, each under its own name.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import wassflow
from wassflow.errors import WassflowError
from wassflow.study.tables import plain


class Ledger:
    """Finished runs of one study in a file, as a context manager.

    Lines are written whole and flushed; a last line that an interruption has torn is ignored and cut off. A
    study can be given more runs (a longer ladder, more seeds) with the same ledger, since what tells runs
    apart is in their keys; what is common to all is in the settings.

    Args:
        path: the file; made, with its folder, where it does not exist.
        study: name of the study; others may have runs in the same file.
        settings: what all its runs have in common, in plain data.

    Raises:
        WassflowError: the file is no ledger, or holds runs of this study with other settings or other code.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "runs.jsonl")
    ...     with Ledger(path, "squares", {"power": 2}) as ledger:
    ...         ledger.add("3", 9)
    ...     with Ledger(path, "squares", {"power": 2}) as ledger:
    ...         "3" in ledger, ledger["3"], "4" in ledger
    (True, 9, False)
    """

    def __init__(self, path: str | os.PathLike[str], study: str, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._study = study
        self._runs: dict[str, Any] = {}
        header = _header(study, settings)
        content = self._content()
        known = self._read(content, header)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "ab")  # noqa: SIM115 (closed on exit from the block)
        self._file.truncate(len(content))
        if not known:
            self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._runs

    def __getitem__(self, key: str) -> Any:
        return self._runs[key]

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, key: str, result: Any) -> None:
        """Write down a finished run; its result is what JSON knows: records, lists, numbers, words."""
        self._runs[key] = self._write({"study": self._study, "key": key, "result": result})["result"]

    def _write(self, line: Mapping[str, Any]) -> Any:
        text = json.dumps(line, default=plain)
        self._file.write(f"{text}\n".encode())
        self._file.flush()
        return json.loads(text)

    def _content(self) -> bytes:
        """The whole lines of the file."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise WassflowError(f"cannot read the ledger {self.path}: {error.strerror}") from error
        return content[: content.rfind(b"\n") + 1]

    def _read(self, content: bytes, header: Mapping[str, Any]) -> bool:
        """Read the runs of this study, and return whether the file has its header."""
        known = False
        try:
            lines = [json.loads(line) for line in content.splitlines()]
            for line in lines:
                if line["study"] != self._study:
                    continue
                if "digest" in line:
                    self._refuse_others(line, header)
                    known = True
                else:
                    self._runs[line["key"]] = line["result"]
        except (ValueError, KeyError, TypeError):
            raise WassflowError(f"{self.path} is no ledger of a study; give another file") from None
        return known

    def _refuse_others(self, found: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        if found["digest"] == header["digest"]:
            return
        there, here = found["settings"], header["settings"]
        reasons = [
            f"{name} is {there.get(name)!r} there and {here.get(name)!r} here"
            for name in {**there, **here}
            if there.get(name) != here.get(name)
        ]
        reason = reasons[0] if reasons else "they were made by other code of this package"
        raise WassflowError(
            f"the ledger {self.path} holds other runs of {self._study}: {reason}. Give another file, or "
            "remove it to start afresh"
        )


def open_ledger(
    path: str | os.PathLike[str] | None, study: str, settings: Mapping[str, Any]
) -> AbstractContextManager[Ledger | None]:
    """Return the :class:`Ledger` for a ``with`` block; one that yields ``None`` where no file is given.

    >>> with open_ledger(None, "squares", {}) as ledger:
    ...     print(ledger)
    None
    """
    return nullcontext() if path is None else Ledger(path, study, settings)


def _header(study: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    common = {"study": study, "settings": plain(settings)}
    text = json.dumps({**common, "code": _code()}, sort_keys=True)
    return {**common, "digest": hashlib.sha256(text.encode()).hexdigest()}


@cache
def _code() -> str:
    """Digest of the source of this package: a run of a version with a mistake must not outlive it."""
    root = Path(wassflow.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
