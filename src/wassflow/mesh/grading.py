"""Coordinates of lattice planes that cluster around a point."""

from typing import Literal

import numpy as np

from wassflow.arguments import Array, as_integer, as_number, one_of


def graded(
    lower: float,
    upper: float,
    cells: int,
    center: float = 0.0,
    ratio: float = 10.0,
    align: Literal["face", "cell"] | None = "face",
) -> Array:
    """Return cells + 1 increasing coordinates, closest around ``center``, (cells + 1,).

    The width of an interval grows in proportion to 1 + a |u - center|, so that neighbours differ by a nearly
    constant factor: u = center +- (exp(a |s|) - 1)/a with s in equal steps (on each side).

    Args:
        lower, upper: the ends of the axis.
        cells: how many intervals.
        center: where the intervals are smallest, in [lower, upper]: a kink, a spike, a wall.
        ratio: width at the far end over width at the centre, at least 1; 1 gives equal widths where ``align``
            allows.
        align: "face" puts a coordinate on the centre, so that a kink of V there lies on faces; "cell" puts
            the centre inside an interval, which the kink cuts; None leaves it to the numbers.

    Raises:
        ValueError: for a centre outside, a ratio below 1, or too few cells to align.

    >>> print(graded(-1.0, 1.0, 6, center=0.0, ratio=4.0).round(3))
    [-1.    -0.507 -0.196  0.     0.196  0.507  1.   ]
    """
    lower = as_number("lower", lower)
    upper = as_number("upper", upper, above=lower)
    cells = as_integer("cells", cells, least=1)
    center = as_number("center", center, least=lower, most=upper)
    ratio = as_number("ratio", ratio, least=1.0)
    align = one_of("align", align, ("face", "cell", None))
    left, right = center - lower, upper - center
    # ratio 1 is the limit a -> 0, u = center + s
    a = (ratio - 1.0) / max(left, right)
    length_left, length_right = (np.log1p(a * x) / a if a > 0.0 else x for x in (left, right))
    before = cells * length_left / (length_left + length_right)  # intervals on the left of the centre
    if align == "face" and left > 0.0 and right > 0.0:
        if cells < 2:
            raise ValueError(f"cells must be at least 2 for align 'face' inside the axis, found {cells}")
        before = min(max(round(before), 1), cells - 1)
    elif align == "cell":
        before = min(max(np.floor(before), 0.0), cells - 1.0) + 0.5
    # steps in s on the two sides of the centre
    left_step = length_left / before if before > 0.0 else 0.0
    right_step = length_right / (cells - before) if before < cells else 0.0
    steps = np.arange(cells + 1) - before
    s = steps * np.where(steps < 0.0, left_step, right_step)
    coordinates = center + (np.sign(s) * np.expm1(a * np.abs(s)) / a if a > 0.0 else s)
    coordinates[0], coordinates[-1] = lower, upper
    return coordinates
