"""Several steps in one pass over cells that are changed by their neighbours."""

from collections.abc import Iterator

# Cells that take a step in one go: with their neighbours they stay in a fast cache for some steps.
_BLOCK = 16_384


def staggered(cells: int, count: int, reach: int) -> Iterator[tuple[int, slice]]:
    """Yield which step, from 0, is next, and which cells take it, until all have taken ``count`` steps.

    A step follows the one before at the distance ``reach`` within which neighbours stand: all of them have
    taken that one (time skewing: Wonnacott, Proc. 14th Int. Parallel and Distributed Processing Symposium
    (2000) 171). What they were before that is needed no more: two arrays in turns are enough.

    >>> [(step, part.start, part.stop) for step, part in staggered(20_000, count=2, reach=1000)]
    [(0, 0, 16384), (1, 0, 15384), (0, 16384, 20000), (1, 15384, 20000)]
    """
    done = [0] * count
    for front in range(_BLOCK, cells + count * (reach + _BLOCK), _BLOCK):
        for step, start in enumerate(done):
            stop = min(front - step * reach, cells)
            if stop > start:
                yield step, slice(start, stop)
                done[step] = stop
