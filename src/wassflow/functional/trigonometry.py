"""Tables of cosines and sines, written so that the compiler turns them into vector instructions."""

import numpy as np
from numba import njit


# `contract` allows fused multiply-adds; the functions of the C library would run one number at a time (40
# ns).
@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _cosine_and_sine_of_turns(t):
    """Return cos(2 pi t) and sin(2 pi t); t is first reduced to an eighth of a turn, without rounding."""
    quarter = np.floor(4.0 * t + 0.5)
    y = 6.283185307179586 * (t - 0.25 * quarter)
    yy = y * y
    # Taylor series: |y| <= pi/4, so the first terms left out are below 5e-17.
    cosine = 1.0 / 20922789888000.0
    cosine = cosine * yy - 1.0 / 87178291200.0
    cosine = cosine * yy + 1.0 / 479001600.0
    cosine = cosine * yy - 1.0 / 3628800.0
    cosine = cosine * yy + 1.0 / 40320.0
    cosine = cosine * yy - 1.0 / 720.0
    cosine = cosine * yy + 1.0 / 24.0
    cosine = cosine * yy - 0.5
    cosine = cosine * yy + 1.0
    sine = -1.0 / 1307674368000.0
    sine = sine * yy + 1.0 / 6227020800.0
    sine = sine * yy - 1.0 / 39916800.0
    sine = sine * yy + 1.0 / 362880.0
    sine = sine * yy - 1.0 / 5040.0
    sine = sine * yy + 1.0 / 120.0
    sine = sine * yy - 1.0 / 6.0
    sine = sine * yy * y + y
    half = quarter - 4.0 * np.floor(0.25 * quarter)  # 0, 1, 2, 3: quarters of a turn to go on
    odd = (half == 1.0) | (half == 3.0)
    c, s = (sine, cosine) if odd else (cosine, sine)
    return (-c if (half == 1.0) | (half == 2.0) else c), (-s if half >= 2.0 else s)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def trigonometric_table(turns: np.ndarray, order: int) -> np.ndarray:
    """Return 1, cos(2 pi k t), sin(2 pi k t), k = 1, ..., order, as rows for t ``(n,)``.

    The shape is ``(2 order + 1, n)``. A frequency k comes from k/2 by the addition theorems: the error is
    about 2e-16 k, as large as that of a rounded t.
    """
    n = turns.size
    table = np.empty((2 * order + 1, n))
    table[0] = 1.0
    if order == 0:
        return table
    cosine, sine = table[1], table[order + 1]
    for i in range(n):
        cosine[i], sine[i] = _cosine_and_sine_of_turns(turns[i])
    for k in range(2, order + 1):
        half = k // 2
        c1, s1, c2, s2 = table[half], table[order + half], table[k - half], table[order + k - half]
        cosine, sine = table[k], table[order + k]
        for i in range(n):
            cosine[i] = c1[i] * c2[i] - s1[i] * s2[i]
            sine[i] = s1[i] * c2[i] + c1[i] * s2[i]
    return table
