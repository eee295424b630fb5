"""What an engine is asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

#: relative width below which more work is lost on rounding
FINEST = 1e-10


@dataclass(frozen=True)
class Request:
    """What is wanted: relative width, when to stop, and whether plan and potentials are to be returned.

    ``enough`` is a larger width with which an engine is content when less costs much more work.
    """

    rtol: float
    deadline: float
    enough: float = 0.0
    plan: bool = False
    potential: bool = False

    @property
    def remaining(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if np.isinf(self.deadline) else max(self.deadline - time.monotonic(), 0.0)

    def patience(self, most: float) -> float:
        """Return how much more work than 20 seconds of it the time is enough for: 1 without a limit."""
        return 1.0 if self.remaining is None else float(np.clip(self.remaining / 40.0, 0.1, most))

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.deadline
