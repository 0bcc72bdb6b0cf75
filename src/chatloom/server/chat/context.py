"""What of a conversation a model is told, by its branch's context mode.

``FULL`` is the whole path. ``PARTIAL`` is the summary of the last checkpoint on it and what
follows that; where there is no checkpoint, the last messages within a budget of tokens.
``MINIMAL`` is the message that the branch was forked from, and the branch itself. System
messages that lead a path are told in every mode. Where a path is cut, a question stays with
its answer, and a tool's call with its result.

A merge node stands for what it brings in: those messages are told in its place, or, where it is
a summary, what it says itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models import tokens
from chatloom.server.store.contract import Branch, Node, Store
from chatloom.server.store.trees import Checkpoint, ContextMode

MERGED = "merge"
"""The name of a message that stands for those it brings in."""
SUMMARY = "merge_summary"
"""The name of a message that sums up another branch."""
PARTIAL_TOKENS = 4000
"""Tokens that `PARTIAL` tells at most of a path without a checkpoint."""

_LONG = 100
"""Messages of a path beyond which no more of it is read than can be told."""
_FEW, _FURTHER = 50, 4
"""Messages that are read first besides those sure to be told; and how many times more then."""


async def others_of(store: Store, node: Node) -> list[str]:
    """A merge node's second parent, and what it brings in or sums up; empty for all others."""
    if node.message.name not in {MERGED, SUMMARY}:
        return []
    return await store.others(node.conversation_id, node.id)


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a conversation a model was told, as it is kept with the turn."""

    mode: ContextMode = "FULL"
    messages: int = 0
    """How many it was told before the new ones."""
    truncated: bool = False
    """Whether there was more: others, or calls whose results are not there."""
    checkpoint_id: str | None = None
    """The checkpoint whose summary stood for them."""


class _Line(msgspec.Struct, frozen=True):
    """A message that is told, and the depth it has on the path."""

    message: Message
    depth: int


async def told_behind(
    store: Store,
    account_id: str,
    branch: Branch | None,
    parent: Node,
    new: Sequence[Message],
    mode: ContextMode | None = None,
) -> tuple[list[Message], Context]:
    """What a model is told before *new*, which goes on from *parent*.

    *branch* is the one that grows; where a new one will, it is forked from *parent*. It says in
    which mode, unless that is named.
    """
    if mode is None:
        ground = branch or await store.branch(parent.conversation_id, parent.branch_id or "")
        mode = ground.context_mode if ground is not None else "FULL"
    fork = branch.fork_depth if branch is not None else parent.depth
    path, lines = await _read(store, account_id, parent, mode, fork)
    checkpoint: Checkpoint | None = None
    kept = lines
    if mode == "MINIMAL":
        kept = _from(lines, fork)
    elif mode == "PARTIAL":
        checkpoint = await store.checkpoint_on(parent.conversation_id, path)
        if checkpoint is not None:
            kept = _behind(lines, checkpoint)
        else:
            kept = _within(lines, PARTIAL_TOKENS)
    messages = coherent([line.message for line in kept], new)
    told = set(map(id, messages))
    return messages, Context(
        mode=mode,
        messages=len(messages),
        truncated=any(id(line.message) not in told for line in lines),
        checkpoint_id=checkpoint.id if checkpoint is not None else None,
    )


async def told_up_to(store: Store, account_id: str, anchor: Node) -> list[Message]:
    """What the path to *anchor* says, with it: from the last checkpoint before it on, where one is.

    Merge nodes are told as what they stand for.
    """
    path = await store.path(anchor.id)
    lines = await _lines(store, account_id, path)
    checkpoint = await store.checkpoint_on(anchor.conversation_id, path[:-1])
    kept = lines if checkpoint is None else _behind(lines, checkpoint)
    return [line.message for line in kept]


async def _read(
    store: Store, account_id: str, parent: Node, mode: ContextMode, fork: int
) -> tuple[list[Node], list[_Line]]:
    """The path to *parent*, and what it says.

    Of a long one only where it begins and where it ends, if nothing between them can be told.
    """
    if mode != "FULL" and parent.depth > _LONG:
        front, lead = await _front(store, account_id, parent)
        reach = _FEW + (parent.depth - fork if mode == "MINIMAL" else 0)
        while (first := parent.depth - reach + 1) > front[-1].depth:
            tail = await store.path_slice(parent.id, first=first)
            end = await _lines(store, account_id, tail)
            is_enough = _reaches_question(end, fork)
            if mode == "PARTIAL":
                is_enough = await _reaches_budget(store, tail, end)
            if is_enough:
                return [*front, *tail], [*lead, *end]
            reach *= _FURTHER
    path = await store.path(parent.id)
    return path, await _lines(store, account_id, path)


async def _front(store: Store, account_id: str, parent: Node) -> tuple[list[Node], list[_Line]]:
    """A path's first nodes, down to one at least that does not lead it, and what they say."""
    count = 1
    while True:
        nodes = await store.path_start(parent, count)
        lines = await _lines(store, account_id, nodes)
        if _leading(lines) < len(lines) or count >= parent.depth:
            return nodes, lines
        count *= 2


def _reaches_question(end: Sequence[_Line], depth: int) -> bool:
    """Whether the *end* of a path holds the question to what stands at *depth*."""
    start = next((n for n, line in enumerate(end) if line.depth >= depth), len(end))
    return start == len(end) or not all(map(_is_answer, end[: start + 1]))


async def _reaches_budget(store: Store, tail: Sequence[Node], end: Sequence[_Line]) -> bool:
    """Whether the *end* of a path holds all that `PARTIAL` can tell of it, and more."""
    id = tail[0].conversation_id
    if await store.checkpoint_on(id, tail) is not None:
        return True
    if any(one.anchor_depth < tail[0].depth for one in await store.checkpoints(id, None)):
        return False
    counts = (tokens.count(line.message.text) for line in reversed(end[1:]))
    is_exceeded = any(counted > PARTIAL_TOKENS for counted in accumulate(counts))
    return is_exceeded and not all(map(_is_answer, end[1:]))


def _is_answer(line: _Line) -> bool:
    return line.message.role in {"assistant", "tool"}


async def _lines(store: Store, account_id: str, path: Sequence[Node]) -> list[_Line]:
    """What a path says, with merge nodes told as what they stand for."""
    lines: list[_Line] = []
    for node in path:
        if node.deleted_at is not None:
            continue
        brought = [node]
        if node.message.name == MERGED:
            others = await others_of(store, node)
            brought = await store.nodes(account_id, others[1:]) if others else [node]
        lines += [
            _Line(await _said(store, one), node.depth) for one in brought if one.deleted_at is None
        ]
    return lines


async def _said(store: Store, node: Node) -> Message:
    """What a message says to a model, to which a summary's name means nothing."""
    message = node.message
    if message.name == SUMMARY and await others_of(store, node):
        return Message(role="system", content=message.content)
    return message


def _leading(lines: Sequence[_Line]) -> int:
    """How many system messages lead a path."""
    return next((n for n, one in enumerate(lines) if one.message.role != "system"), len(lines))


def _from(lines: list[_Line], depth: int) -> list[_Line]:
    """What stands at *depth* and behind, with the question to it, and what leads all."""
    lead = _leading(lines)
    start = next((n for n, line in enumerate(lines) if line.depth >= depth), len(lines))
    return _cut(lines, lead, max(lead, start))


def _cut(lines: list[_Line], lead: int, start: int) -> list[_Line]:
    """*lines* from *start* on, or from the question that this answers, and what leads all."""
    while lead < start < len(lines) and _is_answer(lines[start]):
        start -= 1
    return lines if start <= lead else [*lines[:lead], *lines[start:]]


def _behind(lines: Sequence[_Line], checkpoint: Checkpoint) -> list[_Line]:
    """A checkpoint's summary, and what follows it."""
    said = f"Summary of the conversation so far:\n\n{checkpoint.summary}"
    summary = _Line(Message(role="system", content=said), checkpoint.anchor_depth)
    rest = [line for line in lines if line.depth > checkpoint.anchor_depth]
    lead = [line for line in lines[: _leading(lines)] if line.depth <= checkpoint.anchor_depth]
    return [*lead, summary, *rest]


def _within(lines: list[_Line], budget: int) -> list[_Line]:
    """The last lines that have *budget* tokens at most, from a question on, and what leads all.

    The last exchange is always among them.
    """
    lead = _leading(lines)
    start = len(lines)
    while start > lead:
        budget -= tokens.count(lines[start - 1].message.text)
        if budget < 0 and start < len(lines):
            break
        start -= 1
    while lead < start < len(lines) and _is_answer(lines[start]):
        start += 1
    if start == len(lines):  # the last exchange alone is longer
        return _cut(lines, lead, max(lead, len(lines) - 1))
    return lines if start <= lead else [*lines[:lead], *lines[start:]]


def coherent(messages: Sequence[Message], new: Sequence[Message] = ()) -> list[Message]:
    """*messages* without calls that lack a result, and results that lack their call.

    Results stand directly behind their call, as its id may come again. Those count that *new*
    begins with, which follows.
    """
    whole = [*messages, *new]
    waiting: set[JSON] = set()
    kept: list[Message] = []
    for index, message in enumerate(messages, 1):
        if message.role == "tool":
            if message.tool_call_id in waiting:
                waiting.remove(message.tool_call_id)
                kept.append(message)
            continue
        waiting = _calls(message)
        if index == len(whole) or waiting <= _results(whole, index):
            kept.append(message)
            continue
        waiting = set()
        if message.text:
            kept.append(msgspec.structs.replace(message, tool_calls=None))
    return kept


def _calls(message: Message) -> set[JSON]:
    return {id for call in message.tool_calls or () if isinstance(id := call.get("id"), str)}


def _results(messages: Sequence[Message], start: int) -> set[JSON]:
    """The calls whose results stand at *start*."""
    behind = (messages[at] for at in range(start, len(messages)))
    return {one.tool_call_id for one in takewhile(lambda one: one.role == "tool", behind)}
