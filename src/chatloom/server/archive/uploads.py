"""Files that arrive in parts, as they may be larger than any one request."""

from __future__ import annotations

import tempfile
import time
from typing import IO

import msgspec

from chatloom.server.ids import new_id
from chatloom.server.refusal import Refusal, invalid, not_found

_MOST = 4
"""Files on their way at once."""
_IDLE = 600.0
"""Seconds without a part after which a file may be forgotten for another."""


class _Arriving(msgspec.Struct):
    file: IO[bytes]
    size: int
    touched_at: float


class Uploads:
    """Keeps what has arrived of each file, where it goes when the process ends."""

    def __init__(self) -> None:
        self._arriving: dict[str, _Arriving] = {}

    def begin(self) -> str:
        """Begin a file; return its name. Raises `Refusal` where too many are on their way."""
        now = time.monotonic()
        for id, one in list(self._arriving.items()):
            if now - one.touched_at > _IDLE:
                self.forget(id)
        if len(self._arriving) >= _MOST:
            raise Refusal(
                "conflict", "other files are on their way; try again later", code="too_many_uploads"
            )
        id = new_id()
        self._arriving[id] = _Arriving(tempfile.TemporaryFile(), 0, now)  # noqa: SIM115 - closed by who takes it
        return id

    def add(self, id: str, offset: int, part: bytes) -> int:
        """Add the part of a file that begins at *offset*; return how much of it there is now.

        A part that comes again is no harm. Raises `Refusal` for one that leaves a gap.
        """
        arriving = self._of(id)
        if offset > arriving.size:
            raise invalid(f"{arriving.size} bytes have arrived so far", param="offset")
        arriving.file.seek(offset)
        arriving.file.write(part)
        arriving.size = max(arriving.size, offset + len(part))
        arriving.touched_at = time.monotonic()
        return arriving.size

    def take(self, id: str) -> IO[bytes]:
        """Hand a whole file over, to be closed. Raises `Refusal` where there is none."""
        arriving = self._of(id)
        del self._arriving[id]
        return arriving.file

    def forget(self, id: str) -> None:
        """Forget a file. Raises `Refusal` where there is none."""
        self.take(id).close()

    def close(self) -> None:
        """Forget everything."""
        for id in list(self._arriving):
            self.forget(id)

    def _of(self, id: str) -> _Arriving:
        if id not in self._arriving:
            raise not_found("upload")
        return self._arriving[id]
