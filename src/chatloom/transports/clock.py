"""The clocks and the chance of this machine."""

from __future__ import annotations

import time


class Clock:
    """Tell the time, and numbers nobody can foresee."""

    def now(self) -> float:
        return time.monotonic()

    def wall_time(self) -> float:
        return time.time()

    def random(self) -> float:
        from random import SystemRandom

        return SystemRandom().random()
