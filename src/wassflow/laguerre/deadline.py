"""The time limit of a solve."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Deadline:
    """A time limit shared by all stages of a solve."""

    end: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Start the clock; ``None`` means no limit."""
        return cls(np.inf if seconds is None else time.perf_counter() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, negative when the time is over."""
        return self.end - time.perf_counter()

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self.remaining < 0.0
