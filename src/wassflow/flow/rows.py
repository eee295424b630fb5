"""Some rows of an array, or all of them."""

import numpy as np
from numpy.typing import NDArray


def rows[Entries: np.generic](array: NDArray[Entries], chosen: NDArray[np.integer]) -> NDArray[Entries]:
    """The chosen rows; no copy when all of them are chosen, which is the case once mass is everywhere."""
    return array if chosen.size == len(array) else array[chosen]
