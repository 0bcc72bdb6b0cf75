"""Tool calls of a history, spelled as the model that made them did.

On this wire a tool's input is an object, while the tree holds the text that a
model wrote. White space in it is a matter of taste; only in its own spelling
is a call found again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

from chatloom.core.http import JSON, UNREADABLE
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import node_hash, path_hashes
from chatloom.server.protocols.anthropic.blocks import input_of
from chatloom.server.store.contract import Node, Store

MOST_BRANCHES = 16
"""Branches of a conversation that are searched for a call which nobody could guess."""

Spelling: TypeAlias = Callable[[str], str]
"""Writes an object in JSON, which came without needless space, in another way."""


def _dense(arguments: str) -> str:
    return arguments


def _airy(arguments: str) -> str:
    """As Python and some models do by themselves."""
    try:
        return json.dumps(msgspec.json.decode(arguments), ensure_ascii=False)
    except UNREADABLE:
        return arguments


def _silent(arguments: str) -> str:
    """Not at all, where nothing is to be said."""
    return "" if arguments == "{}" else arguments


SPELLINGS: Sequence[Spelling] = (_dense, _airy, _silent)


async def as_told(store: Store, ask: Ask) -> list[Message]:
    """The messages of *ask*, their tool calls spelled as the tree has them, where it does."""
    messages = ask.messages
    calling = [at for at, message in enumerate(messages) if message.tool_calls]
    if not calling:
        return messages
    known = _Known(store, ask)
    # Mostly one model made all the calls.
    for spelling in SPELLINGS:
        told = [_spelled(message, spelling) for message in messages]
        if await known.node(path_hashes(told[: calling[-1] + 1])[-1]):
            return told
    return await _each_as_told(messages, known)


async def _each_as_told(messages: Sequence[Message], known: _Known) -> list[Message]:
    told: list[Message] = []
    behind: Sequence[bytes] = ()
    for message in messages:
        spelled = await known.spelling(message, behind) if message.tool_calls else message
        if spelled is None:  # nor will be anything behind it
            break
        told.append(spelled)
        behind = (node_hash(spelled, behind),)
    return [*told, *messages[len(told) :]]


class _Known:
    """What the tree has of a history."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask
        self._following: dict[bytes, list[Message]] | None = None
        """What follows each node of the conversation, by the node's hash; read when needed."""

    async def node(self, hash: bytes) -> Node | None:
        """The node of this hash, where the request may mean it."""
        ask = self._ask
        return await self._store.find_node(ask.account_id, ask.conversation_id, ask.end_user, hash)

    async def spelling(self, message: Message, behind: Sequence[bytes]) -> Message | None:
        """The *message* as it stands behind these hashes; `None` where it does not."""
        for spelling in SPELLINGS:
            spelled = _spelled(message, spelling)
            if await self.node(node_hash(spelled, behind)):
                return spelled
        if self._following is None and behind:
            self._following = await self._read(behind[0])
        followers = (self._following or {}).get(behind[0], ()) if behind else ()
        return next((one for one in followers if _means(one) == _means(message)), None)

    async def _read(self, hash: bytes) -> dict[bytes, list[Message]]:
        following: dict[bytes, list[Message]] = {}
        node = await self.node(hash)
        branches = await self._store.branches(node.conversation_id) if node else []
        for branch in branches[:MOST_BRANCHES]:
            path = await self._store.path(branch.head_id) if branch.head_id else []
            for before, after in pairwise(path):
                following.setdefault(before.hash, []).append(after.message)
        return following


def _means(message: Message) -> object:
    """What a message with calls says, however it is spelled."""
    calls = [
        (call.get("id"), _function(call).get("name"), input_of(_arguments(call)))
        for call in message.tool_calls or ()
    ]
    return message.role, message.content or None, calls


def _spelled(message: Message, spelling: Spelling) -> Message:
    if not message.tool_calls:
        return message
    calls: list[dict[str, JSON]] = [
        {**call, "function": {**_function(call), "arguments": spelling(_arguments(call))}}
        for call in message.tool_calls
    ]
    return msgspec.structs.replace(message, tool_calls=calls)


def _function(call: dict[str, JSON]) -> dict[str, JSON]:
    function = call.get("function")
    return function if isinstance(function, dict) else {}


def _arguments(call: dict[str, JSON]) -> str:
    arguments = _function(call).get("arguments")
    return arguments if isinstance(arguments, str) else ""
