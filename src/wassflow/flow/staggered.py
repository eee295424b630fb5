"""Several steps in one pass over cells that are changed by their neighbours."""

from collections.abc import Iterator

# Cells that take a step in one go: with their neighbours they stay in a fast cache for some steps.
_BLOCK = 16_384


def staggered(part: slice, cells: int, count: int, reach: int) -> Iterator[tuple[int, slice]]:
    """Yield which step, from 0, is next, and which cells take it, until those of ``part`` have taken all.

    A step follows the one before at the distance ``reach`` within which neighbours stand: all of them have
    taken that one (time skewing: Wonnacott, Proc. 14th Int. Parallel and Distributed Processing Symposium
    (2000) 171). What they were before that is needed no more: two arrays in turns are enough. Cells beside
    the part take all steps but the last ones, so that nobody else needs to be waited for.

    >>> steps = staggered(slice(0, 20_000), cells=30_000, count=2, reach=1000)
    >>> [(step, block.start, block.stop) for step, block in steps]
    [(0, 0, 16384), (1, 0, 15384), (0, 16384, 21000), (1, 15384, 20000)]
    """
    margins = [(count - 1 - step) * reach for step in range(count)]
    done = [max(part.start - margin, 0) for margin in margins]
    ends = [min(part.stop + margin, cells) for margin in margins]
    front = done[0]
    while done[-1] < ends[-1]:
        front += _BLOCK
        for step, start in enumerate(done):
            stop = min(front - step * reach, ends[step])
            if stop > start:
                yield step, slice(start, stop)
                done[step] = stop
