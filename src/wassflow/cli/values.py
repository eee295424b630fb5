"""What is typed after an option, turned into numbers; every refusal names the option."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from wassflow.arguments import as_integer, as_number


def integers(name: str, text: str | Sequence[Any] | int) -> list[int]:
    """Return the integers of a list such as ``32,64,128`` or of a doubling range such as ``16:2048``.

    Lists from a case file are taken as they are.

    >>> integers("--m", "32,64,128"), integers("--m", "16:100"), integers("m", [8, 16])
    ([32, 64, 128], [16, 32, 64], [8, 16])
    """
    if isinstance(text, int):
        return [as_integer(name, text, least=1)]
    if not isinstance(text, str):
        return [as_integer(name, value, least=1) for value in text]
    if ":" in text:
        ends = text.split(":")
        if len(ends) != 2:
            raise ValueError(f"{name} must be a list 32,64,128 or a doubling range 16:2048, found {text!r}")
        first, last = (_integer(name, end) for end in ends)
        if last < first:
            raise ValueError(
                f"{name} must be a doubling range from the smaller to the larger, found {text!r}"
            )
        ladder = [first]
        while 2 * ladder[-1] <= last:
            ladder.append(2 * ladder[-1])
        return ladder
    return [_integer(name, part) for part in _parts(name, text)]


def _integer(name: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{name} must be made of whole numbers, found {text!r}") from None
    return as_integer(name, value, least=1)


def numbers(name: str, text: str | Sequence[Any] | float) -> list[float]:
    """Return the numbers of a list such as ``0,0.5,1``.

    >>> numbers("--times", "0, 0.5,2")
    [0.0, 0.5, 2.0]
    """
    if isinstance(text, int | float):
        return [as_number(name, text)]
    return [as_number(name, part) for part in (_parts(name, text) if isinstance(text, str) else text)]


def _parts(name: str, text: str) -> list[str]:
    parts = [part.strip() for part in re.sub(r"(?<=\d)x(?=\d)", ",", text).split(",")]
    if not all(parts):
        raise ValueError(f"{name} must be numbers with commas between them, found {text!r}")
    return parts


def cells_per_axis(name: str, text: str | Sequence[Any] | int) -> int | tuple[int, ...]:
    """Return the number of cells along each axis: one for all, or ``64,48`` (also written ``64x48``).

    >>> cells_per_axis("--cells", "64"), cells_per_axis("--cells", "64x48")
    (64, (64, 48))
    """
    counts = integers(name, text)
    return counts[0] if len(counts) == 1 else tuple(counts)


def case_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a case given as ``key=value``; the value is a Python literal or else a word.

    >>> case_parameters(["strength=0.1", "target=[1, 2]", "kernel=gaussian"])
    {'strength': 0.1, 'target': [1, 2], 'kernel': 'gaussian'}
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise ValueError(f"--param must look like key=value, found {pair!r}")
        if key in parameters:
            raise ValueError(f"--param must give each parameter once, found {key!r} twice")
        try:
            parameters[key] = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            parameters[key] = text.strip()
    return parameters
