"""An archive read and checked, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from chatloom.server.archive.lines import VERSION, Conversation, Header, Line, Record
from chatloom.server.archive.tree import Tree, Wrong
from chatloom.server.refusal import Refusal, invalid

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line: more than any request could bring a message with."""

_read_header = msgspec.json.Decoder(Header).decode
_read_line: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of *file*, from its beginning; of one that is too long only so much."""
    file.seek(0)
    while line := file.readline(LONGEST_LINE + 1):
        yield line


def read_archive(lines: Iterable[bytes], *, again: bool = False) -> Iterator[Record]:
    """Read an archive and check all of it: hashes, parents, branches, counts.

    What is read *again* is not hashed again. Raises `Refusal`, which names the line at fault.
    """
    reading, number = _Reading(hashes=not again), 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007 - told where something is wrong
            yield from reading.take(line)
        reading.end()
    except Wrong as wrong:
        raise _damaged(number, str(wrong)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(number, f"it cannot be read: {error}") from error


def _damaged(number: int, what: str) -> Refusal:
    return invalid(f"line {number}: {what}", code="damaged_archive")


class _Reading:
    def __init__(self, *, hashes: bool) -> None:
        self._hashes = hashes
        self._header: Header | None = None
        self._tree: Tree | None = None
        self._seen: set[str] = set()

    def take(self, line: bytes) -> Iterator[Record]:
        """Take in the next line; hand out what it holds. Raises `Wrong`."""
        if len(line) > LONGEST_LINE:
            raise Wrong(f"it is longer than {LONGEST_LINE:,} bytes")
        if self._header is None:
            self._header = _header(line)
            return
        told = _read_line.decode(line)
        if isinstance(told, Conversation):
            self._finish()
            if told.id in self._seen:
                raise Wrong(f"the conversation {told.id} is there twice")
            self._seen.add(told.id)
            self._tree = Tree(told, hashes=self._hashes)
            yield Record(line=told, conversation_id=told.id)
        elif self._tree is None:
            raise Wrong("it stands before any conversation")
        else:
            yield self._tree.take(told)

    def end(self) -> None:
        """Check that nothing is missing. Raises `Wrong`."""
        if self._header is None:
            raise Wrong("the file is empty")
        self._finish()
        if len(self._seen) != self._header.conversations:
            raise Wrong(
                f"the file ends here, after {len(self._seen)} of its"
                f" {self._header.conversations} conversations"
            )

    def _finish(self) -> None:
        if self._tree is not None:
            self._tree.end()


def _header(line: bytes) -> Header:
    try:
        header = _read_header(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Wrong("this is no file that chatloom has exported") from None
    if header.version != VERSION:
        raise Wrong(f"it is of version {header.version}, and this chatloom reads {VERSION}")
    return header
