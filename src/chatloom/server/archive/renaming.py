"""An archive under other ids."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias, overload

from msgspec.structs import replace

from chatloom.server.archive.lines import Branch, Checkpoint, Conversation, Message, Record

Rename: TypeAlias = Callable[[str], str]


def new_names() -> Rename:
    """Give ids new names, the same one to an id wherever it stands, and to nobody else's.

    What a UUIDv7 says of its time stays, so that what was made later still sorts later.
    """
    return partial(_renamed, os.urandom(32))


def _renamed(key: bytes, id: str) -> str:
    chance = int.from_bytes(hashlib.blake2b(id.encode(), key=key, digest_size=8).digest())
    digits = f"{1 << 63 | chance & (1 << 62) - 1:016x}"  # the variant of RFC 9562
    return f"{id[:19]}{digits[:4]}-{digits[4:]}"


def renamed(records: Iterable[Record], rename: Rename) -> Iterator[Record]:
    """*records*, with every id replaced."""

    @overload
    def new(id: str) -> str: ...
    @overload
    def new(id: str | None) -> str | None: ...
    def new(id: str | None) -> str | None:
        return None if id is None else rename(id)

    for record in records:
        line = record.line
        if isinstance(line, Conversation):
            line = replace(line, id=new(line.id))
        elif isinstance(line, Branch):
            line = replace(
                line,
                id=new(line.id),
                head=new(line.head),
                parent=new(line.parent),
                forked_from=new(line.forked_from),
                merged_head=new(line.merged_head),
                merged_into=new(line.merged_into),
                merged_by=new(line.merged_by),
            )
        elif isinstance(line, Message):
            line = replace(
                line,
                id=new(line.id),
                branch=new(line.branch),
                parent=new(line.parent),
                others=[new(other) for other in line.others],
            )
        else:
            assert isinstance(line, Checkpoint)
            line = replace(line, id=new(line.id), branch=new(line.branch), anchor=new(line.anchor))
        yield replace(record, line=line, conversation_id=new(record.conversation_id))
