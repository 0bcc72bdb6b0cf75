"""JSON texts, one a line, without I/O.

https://github.com/ndjson/ndjson-spec and https://jsonlines.org: UTF-8, lines
end with LF or CRLF, empty ones mean nothing. A last line may lack its end; the
two disagree, and servers do as they please.

Three things are decided here: a byte-order mark at the start is dropped, what
is not UTF-8 becomes U+FFFD, both as browsers do it, and a line larger than a
limit is an error.
"""

from __future__ import annotations

import msgspec

from chatloom.core.errors import AnswerError
from chatloom.core.http import UNREADABLE

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r"
_IN_A_NUMBER = b"-0123456789"


class LineDecoder:
    """Feed it bytes as they arrive; it hands back whole lines, each one JSON text.

    Whether a line is JSON is for the decoder of its type to find out.
    """

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._waiting: list[bytes] = []  # bytes of an unfinished line
        self._size = 0
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Hand back the lines that *chunk* completes, as UTF-8 without their ends.

        Raises `AnswerError` for a line past the limit.
        """
        if not self._begun:
            chunk = self._without_bom(chunk)
        *lines, rest = chunk.split(b"\n")
        if lines and self._waiting:
            lines[0] = self._taken() + lines[0]
        texts = [text for line in lines if (text := self._text(line))]
        self._keep(rest)
        return texts

    def end(self) -> bytes | None:
        """Hand back a last line that has no end; `None` where there is none.

        Raises `AnswerError` where it is not whole. A number alone never is: it
        could be the first digits of a longer one.
        """
        text = self._text(self._taken())
        if not text:
            return None
        try:
            msgspec.json.decode(text, type=msgspec.Raw)
        except UNREADABLE as error:
            raise AnswerError("the last line breaks off") from error
        if text[0] in _IN_A_NUMBER:
            raise AnswerError("the last line may have been cut short")
        return text

    def _taken(self) -> bytes:
        line = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return line

    def _keep(self, part: bytes) -> None:
        if part:
            self._size += len(part)
            self._check(self._size)
            self._waiting.append(part)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise AnswerError(f"the stream sent a line of more than {self._limit} bytes")

    def _text(self, line: bytes) -> bytes:
        self._check(len(line))
        line = line.strip(_BLANK)
        return line if line.isascii() else line.decode("utf-8", "replace").encode()

    def _without_bom(self, chunk: bytes) -> bytes:
        chunk = self._taken() + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._waiting.append(chunk)
            return b""
        self._begun = True
        return chunk.removeprefix(_BOM)


def encode_line(text: bytes) -> bytes:
    """Encode one JSON text; line ends between its parts become blanks."""
    if b"\n" in text:  # never within a string, where JSON has it as an escape
        text = text.replace(b"\n", b" ")
    return text + b"\n"
