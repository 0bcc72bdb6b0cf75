"""How much is tried: a little in every run, all of it where ``CHATLOOM_FAULTS=full``."""

from __future__ import annotations

import os

FULL = os.environ.get("CHATLOOM_FAULTS") == "full"


def size(usual: int, full: int) -> int:
    """As many as this run is to try."""
    return full if FULL else usual
