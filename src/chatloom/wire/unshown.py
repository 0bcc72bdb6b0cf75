"""What holds secrets on every wire."""

from __future__ import annotations

import msgspec


class Unshown(msgspec.Struct):
    """Holds secrets, so that nothing of it is shown in logs and errors."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"
