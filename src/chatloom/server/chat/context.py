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
_FEW, _FURTHER = 16, 4
"""Messages that are read first besides those sure to be told; and how many times more then."""


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a conversation a model was told, as it is kept with the turn."""

    mode: ContextMode = "FULL"
    messages: int = 0
    """How many it was told before the new ones."""
    truncated: bool = False
    """Whether there were others."""
    checkpoint_id: str | None = None
    """The checkpoint whose summary stood for them."""


class _Line(msgspec.Struct, frozen=True):
    """A message that is told, and the depth it has on the path."""

    message: Message
    depth: int


async def told_behind(
    store: Store, account_id: str, branch: Branch | None, parent: Node, new: Sequence[Message]
) -> tuple[list[Message], Context]:
    """What a model is told before *new*, which goes on from *parent*.

    *branch* is the one that grows; where a new one will, it is forked from *parent*.
    """
    ground = branch or await store.branch(parent.conversation_id, parent.branch_id or "")
    mode: ContextMode = ground.context_mode if ground is not None else "FULL"
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
    messages = [line.message for line in kept]
    if not _is_told(path, messages):
        messages = coherent(messages, new)
    return messages, Context(
        mode=mode,
        messages=len(messages),
        truncated=kept is not lines,
        checkpoint_id=checkpoint.id if checkpoint is not None else None,
    )


async def _read(
    store: Store, account_id: str, parent: Node, mode: ContextMode, fork: int
) -> tuple[list[Node], list[_Line]]:
    """The path to *parent*, and what it says.

    Of a long one only where it begins and where it ends, if nothing between them can be told.
    """
    if mode != "FULL" and parent.depth > _LONG:
        front, lead = await _front(store, account_id, parent)
        reach = _FEW if mode == "PARTIAL" else parent.depth - fork + _FEW
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
    count = _FEW
    while True:
        nodes = await store.path_start(parent, count)
        lines = await _lines(store, account_id, nodes)
        if _leading(lines) < len(lines) or count >= parent.depth:
            return nodes, lines
        count *= _FURTHER


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
    counted = sum(tokens.count(line.message.text) for line in end[1:])
    return counted > PARTIAL_TOKENS and not all(map(_is_answer, end[1:]))


def _is_answer(line: _Line) -> bool:
    return line.message.role in {"assistant", "tool"}


def _is_told(path: Sequence[Node], messages: Sequence[Message]) -> bool:
    """Whether *messages* are those of *path*, all and as they are."""
    return len(path) == len(messages) and all(
        node.message is message for node, message in zip(path, messages, strict=True)
    )


async def _lines(store: Store, account_id: str, path: Sequence[Node]) -> list[_Line]:
    """What a path says, with merge nodes told as what they stand for."""
    lines: list[_Line] = []
    for node in path:
        if node.deleted_at is not None:
            continue
        name, depth = node.message.name, node.depth
        others = (
            await store.others(node.conversation_id, node.id) if name in {MERGED, SUMMARY} else []
        )
        if not others:
            lines.append(_Line(node.message, depth))
        elif name == SUMMARY:
            lines.append(_Line(Message(role="system", content=node.message.content), depth))
        else:
            brought = await store.nodes(account_id, others[1:])
            lines += [_Line(one.message, depth) for one in brought if one.deleted_at is None]
    return lines


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
    """*messages* without calls that have no result, and results that have no call.

    What *new* holds, which follows them, counts.
    """
    results = {one.tool_call_id for one in (*messages, *new) if one.role == "tool"}
    calls: set[JSON] = set()
    kept: list[Message] = []
    for index, message in enumerate(messages):
        asked = _calls(message)
        is_last = index == len(messages) - 1 and not new
        if asked and not is_last and not asked <= results:
            if message.text:
                kept.append(msgspec.structs.replace(message, tool_calls=None))
        elif message.role != "tool" or message.tool_call_id in calls:
            calls |= asked
            kept.append(message)
    return kept


def _calls(message: Message) -> set[JSON]:
    return {id for call in message.tool_calls or () if isinstance(id := call.get("id"), str)}
