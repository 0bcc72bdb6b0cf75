"""Where a body ends, and what it was before it was packed.

A body is a row of blocks as they come from a connection. A framing finds its
end in them, by one of the three ways of RFC 9112 (6.3); `Unzipped` undoes its
coding. The standard library's parser would hand over one chunk at a time, at
several reads each, and does not mind a body that stops short.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

from chatloom.transports.failures import Garbled

_LONGEST_LINE = 65536
_SEMICOLON = ord(";")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Framing(Protocol):
    """Finds the end of a body."""

    whole: bool
    """Whether the end was seen."""
    excess: bool
    """Whether bytes came after it, which nobody asked for."""

    def feed(self, block: bytes) -> bytes:
        """Give the part of *block* that is body."""
        ...

    def end(self) -> None:
        """Take note that the connection ended; raises `Garbled` when the body did not."""
        ...


class Sized:
    """A body as long as its head announced."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.whole = length == 0
        self.excess = False

    def feed(self, block: bytes) -> bytes:
        self.excess = len(block) > self._left
        if self.excess:
            block = block[: self._left]
        self._left -= len(block)
        self.whole = not self._left
        return block

    def end(self) -> None:
        raise Garbled(f"the connection closed {self._left} bytes before the end of the body")


class UntilClosed:
    """A body that ends where the connection does."""

    def __init__(self) -> None:
        self.whole = False
        self.excess = False

    def feed(self, block: bytes) -> bytes:
        return block

    def end(self) -> None:
        self.whole = True


class Chunked:
    """A body in chunks, each with its size in front (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self.whole = False
        self.excess = False
        self._left: int = 0
        self._expected = "size"
        self._unread: bytes = b""

    def feed(self, block: bytes) -> bytes:
        if self._unread:
            block = self._unread + block
        pieces: list[bytes] = []
        at = _whole_chunks(block, pieces) if self._expected == "size" else 0
        while not self.whole:
            if self._left:
                piece = block[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
            end = block.find(b"\r\n", at)
            if end < 0:
                break
            self._take_line(block[at:end])
            at = end + 2
        self._unread = block[at:]
        self.excess = self.whole and bool(self._unread)
        if len(self._unread) > _LONGEST_LINE and not self.whole:
            raise Garbled("a chunk's size is not a size")
        return b"".join(pieces)

    def end(self) -> None:
        raise Garbled("the connection closed before the last chunk of the body")

    def _take_line(self, line: bytes) -> None:
        if self._expected == "size":
            self._left = _chunk_size(line)
            self._expected = "break" if self._left else "trailer"
        elif self._expected == "trailer":
            self.whole = not line
        elif line:
            raise Garbled("a chunk is longer than its size")
        else:
            self._expected = "size"


def _whole_chunks(block: bytes, pieces: list[bytes]) -> int:
    """Take the chunks that *block* begins with and holds to their end; tells where that is."""
    at = 0
    while (end := block.find(b"\r\n", at)) >= 0:
        line = block[at:end]
        size = _chunk_size(line) if _SEMICOLON in line else _size(line)
        stop = end + 2 + size
        if not size or block[stop : stop + 2] != b"\r\n":
            break
        pieces.append(block[end + 2 : stop])
        at = stop + 2
    return at


def _chunk_size(line: bytes) -> int:
    # Extensions, which nobody else sends, are not to be remembered.
    if b";" not in line:
        return _size(line)
    # Others may end the line here, and take what follows for data.
    if b"\n" in line or b"\r" in line:
        raise Garbled("a chunk's size is not a size")
    return _size(line.partition(b";")[0].rstrip(b" \t"))


@lru_cache(maxsize=256)
def _size(digits: bytes) -> int:
    # `int` alone would take signs, underscores, blanks and "0x", and any number of digits.
    if not _SIZE.fullmatch(digits):
        raise Garbled("a chunk's size is not a size")
    return int(digits, 16)


class Unzipped:
    """Undo a gzip or deflate coding, as the blocks come."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._begun = False

    def feed(self, block: bytes) -> bytes:
        import zlib

        if block and not self._begun:
            self._begun = True
            self._window = self._window_bits(block[0])
            self._undo = zlib.decompressobj(self._window)
        pieces: list[bytes] = []
        try:
            while block:
                if self._undo.eof:
                    self._undo = zlib.decompressobj(self._window)
                pieces.append(self._undo.decompress(block))
                block = self._undo.unused_data
        except zlib.error as error:
            raise Garbled(f"the body is not the {self._coding} it claims to be") from error
        return b"".join(pieces)

    def end(self) -> None:
        """Take note that the body ended; raises `Garbled` when the coded data did not."""
        if self._begun and not self._undo.eof:
            raise Garbled(f"the body's {self._coding} stops short")

    def _window_bits(self, first: int) -> int:
        if self._coding != "deflate":
            return 31
        # Some servers leave out the header that "deflate" should have (RFC 9110, 8.4.1.2).
        return 15 if first & 0x0F == 8 else -15


def coding_of(content_encoding: str) -> Unzipped | None:
    """Choose how to undo what a ``Content-Encoding`` header names."""
    if not content_encoding:
        return None
    coding = content_encoding.strip().lower()
    return Unzipped(coding) if coding in {"gzip", "x-gzip", "deflate"} else None
