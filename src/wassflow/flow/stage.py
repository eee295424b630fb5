"""New masses from old ones and their rates of change, in one pass."""

from numba import njit


@njit(cache=True, nogil=True)
def stage_masses(start, masses, rate, out, share, dt, least):  # type: ignore[no-untyped-def]
    """Write (1 - share) start + share (masses + dt rate) to ``out``, with less than ``least`` dropped.

    Returns how many cells are left without mass.
    """
    empty = 0
    for cell in range(rate.size):
        moved = masses[cell] + dt * rate[cell]
        if share != 1.0:
            # in this form what does not move keeps every bit
            moved = start[cell] + share * (moved - start[cell])
        moved = 0.0 if moved < least else moved
        out[cell] = moved
        empty += moved == 0.0
    return empty
