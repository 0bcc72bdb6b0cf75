"""The tree's arithmetic: what a node's hash is, and how a path continues.

A hash is SHA-256 over the canonical JSON of ``[1, role, content, parents]``:
keys sorted, no white space, UTF-8; *content* is the message without its role,
without fields that are null, and without what is for its provider alone;
*parents* are the parents' hashes in hexadecimal, the one the node continues
first. Never over ids, so that equal talks have equal hashes wherever they are
stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.ids import new_id
from chatloom.server.store.contract import Node

VERSION = 1

_encode = msgspec.json.Encoder(order="sorted").encode


def canonical(message: Message) -> bytes:
    """The message as it is hashed and stored."""
    return _encode(message)


def node_hash(message: Message, parents: Sequence[bytes] = ()) -> bytes:
    """Hash *message* where it stands behind *parents*."""
    content = _essence(message)
    return hashlib.sha256(
        _encode([VERSION, message.role, content, [parent.hex() for parent in parents]])
    ).digest()


def _essence(message: Message) -> Message:
    """What a message says to people and tools, without what only its provider made of it."""
    calls = message.tool_calls
    if calls is not None:
        names = ("id", "type", "function")
        calls = [{name: call[name] for name in names if name in call} for call in calls]
    return msgspec.structs.replace(message, role="", tool_calls=calls, extra=None)


def path_hashes(messages: Iterable[Message], root: bytes | None = None) -> list[bytes]:
    """The hash of each of *messages*, each behind the one before it."""
    hashes: list[bytes] = []
    parent = root
    for message in messages:
        parent = node_hash(message, () if parent is None else (parent,))
        hashes.append(parent)
    return hashes


def grow(
    parent: Node | None,
    messages: Sequence[Message],
    *,
    conversation_id: str,
    turn_id: str,
    now: int,
    said_here: bool,
) -> list[Node]:
    """Make a node of each of *messages*, each behind the one before it."""
    nodes: list[Node] = []
    for message in messages:
        node = Node(
            id=new_id(),
            conversation_id=conversation_id,
            parent_id=parent.id if parent else None,
            depth=parent.depth + 1 if parent else 1,
            message=message,
            hash=node_hash(message, (parent.hash,) if parent else ()),
            turn_id=turn_id,
            tokens=None,
            created_at=now,
            answered=said_here or bool(parent and parent.answered),
        )
        nodes.append(node)
        parent = node
    return nodes


def is_history(messages: Sequence[Message]) -> bool:
    """Whether *messages* tell what was said before: one of them is the assistant's."""
    return any(message.role == "assistant" for message in messages)
