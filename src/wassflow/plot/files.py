"""Pictures on disk."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from wassflow.errors import WassflowError
from wassflow.plot.style import STYLE, style

# A picture of the same data is the same file: no dates, no version of the writer inside.
_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: float | None = None) -> Path:
    """Write ``figure`` to ``path`` (.png, .pdf or .svg) whole or not at all, and return the path.

    The folder is made where it is missing. The picture is written beside its place and moved there in one
    step, so that a reader or an interruption never meets half a file; the same data give the same bytes.

    Raises:
        ValueError: the ending of the file is none of the three.
        WassflowError: the file cannot be written.

    >>> import tempfile
    >>> from wassflow.plot import new_figure
    >>> figure = new_figure(2.0, 1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(figure, folder + "/deep/empty.png").stat().st_size > 100
    True
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise ValueError(f"path must end in .png, .pdf or .svg, found {path.name!r}")
    with whole_file(path) as temporary, style():
        figure.savefig(temporary, format=kind, metadata=_METADATA[kind], dpi=dpi or STYLE["savefig.dpi"])
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[str]:
    """Give a name beside ``path`` to write to, and move the file there when the block ends without an error.

    Raises:
        WassflowError: the file cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes private files; a picture is an ordinary one
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise WassflowError(f"cannot write the picture {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
