"""Server-sent events by the WHATWG rules, without I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Two things differ from a browser, on purpose: data stays UTF-8 bytes, which is
what a JSON decoder wants, and an event larger than a limit is an error.
"""

from __future__ import annotations

import msgspec

from chatloom.core.errors import AnswerError

_CR, _LF = ord("\r"), ord("\n")
"""Looking for a number in bytes takes a tenth of looking for bytes."""
_BOM = b"\xef\xbb\xbf"
_LONGEST_RETRY = 18
"""Digits; `int` refuses to read thousands of them."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, whole."""

    data: bytes
    """Valid UTF-8; lines joined by ``\\n``."""
    event: str = "message"
    id: str = ""
    """The last id seen on the stream, on this event or an earlier one."""


class EventStreamDecoder:
    """Feed it bytes as they arrive; it hands back whole events."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        """Milliseconds to wait before reconnecting, where the server said so."""
        self._limit = limit
        self._waiting: list[bytes] = []  # bytes of an unfinished block
        self._size = 0
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Decode the events that *chunk* completes.

        Raises `AnswerError` for an event past the limit.
        """
        decode = self.event
        return [event for block in self.blocks(chunk) if (event := decode(block)) is not None]

    def blocks(self, chunk: bytes) -> list[bytes]:
        """Give the blocks that *chunk* completes: what stands between blank lines, for `event`.

        For readers in a hurry, who know what most of them look like. Line ends
        are ``\\n``. Raises `AnswerError` for a block past the limit.
        """
        if not self._begun:
            chunk = self._without_bom(chunk)
        if _CR in chunk or self._after_cr:
            chunk = self._with_line_feeds(chunk)
        if b"\n\n" not in chunk and not self._is_ended_by(chunk):
            self._keep(chunk)
            return []
        if self._waiting:
            chunk = b"".join((*self._waiting, chunk))
            self._waiting.clear()
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        self._size = 0
        self._keep(rest)
        if len(chunk) > self._limit:
            for block in blocks:
                self._check(len(block))
        return blocks

    def _is_ended_by(self, chunk: bytes) -> bool:
        """Whether *chunk* begins with the second line feed of a blank line."""
        return bool(self._waiting) and self._waiting[-1][-1:] == b"\n" == chunk[:1]

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._size += len(rest)
            self._check(self._size)
            self._waiting.append(rest)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise AnswerError(f"the stream sent an event of more than {self._limit} bytes")

    def _without_bom(self, chunk: bytes) -> bytes:
        chunk = b"".join((*self._waiting, chunk))
        self._waiting.clear()
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._waiting.append(chunk)
            return b""
        self._begun = True
        return chunk.removeprefix(_BOM)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF cut in two
            self._after_cr = False
        if chunk.endswith(b"\r"):
            self._after_cr = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def event(self, block: bytes) -> Event | None:
        """Decode one of the *blocks*, in their order; `None` for one without data."""
        if block.startswith(b"data: ") and _LF not in block:
            return Event(_valid(block[6:]), "message", self.last_event_id)
        data: list[bytes] = []
        name = "message"
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                data.append(value)
            elif field == b"id":
                if b"\0" not in value:
                    self.last_event_id = value.decode("utf-8", "replace")
            elif field == b"event":
                name = value.decode("utf-8", "replace") or "message"
            elif field == b"retry" and value.isdigit() and len(value) <= _LONGEST_RETRY:
                self.retry = int(value)
        if not data:
            return None
        return Event(_valid(b"\n".join(data)), name, self.last_event_id)


def _valid(data: bytes) -> bytes:
    if data.isascii():
        return data
    return data.decode("utf-8", "replace").encode()


def encode_event(data: bytes, *, event: str = "", id: str = "") -> bytes:
    """Encode one event; *event* and *id* may not hold line ends."""
    head = b""
    if event:
        head = b"event: " + event.encode() + b"\n"
    if id:
        head += b"id: " + id.encode() + b"\n"
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"\ndata: ".join(lines)
    return head + b"data: " + data + b"\n\n"


HEARTBEAT = b": still here\n"
"""A comment line alone: a blank line behind it crashes installed clients once ids were seen."""
