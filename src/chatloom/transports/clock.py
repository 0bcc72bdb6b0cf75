"""The clocks and the chance of this machine."""

from __future__ import annotations

import os
import time


class Clock:
    """Tell the time, and numbers nobody can foresee."""

    def now(self) -> float:
        return time.monotonic()

    def wall_time(self) -> float:
        return time.time()

    def random(self) -> float:
        # As `random.SystemRandom` does it, without its import.
        return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53
