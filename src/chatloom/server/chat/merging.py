"""Branches merged.

Where the target has not moved since the source was forked from its head, it takes over the
source's messages (fast-forward). Otherwise it gains a node with two parents: that brings in
messages of the source, or sums them up. What was merged is not merged again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from chatloom.server.chat.context import MERGED, SUMMARY, others_of
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import node_hash
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal, invalid, not_found
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.server.store.trees import Merging

Strategy: TypeAlias = Literal["append", "pick", "summarize"]

MOST_BROUGHT_IN = 10_000
"""Messages that one merge brings in at most."""
_TRIES = 20
"""How often a merge is tried whose branches others keep moving."""


class Summary(msgspec.Struct, frozen=True):
    """What a model made of messages, and what it took."""

    text: str
    turn_id: str
    tokens: int | None


Summarize: TypeAlias = Callable[[Branch, Branch, Sequence[Node]], Awaitable[Summary]]
"""Sum up what stands on a branch, the first one, for another."""


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did."""

    target: Branch
    source: Branch
    node: Node | None
    """The merge node; `None` where the target took over the source's messages."""
    brought: Sequence[str]
    repeated: bool = False
    """Whether it had been done before."""


async def merge(
    store: Store,
    conversation: Conversation,
    source_id: str,
    *,
    target_id: str | None,
    strategy: Strategy,
    picked: Sequence[str] | None,
    summarize: Summarize,
) -> Merged:
    """Merge a branch into another; without *target_id*, into the one it was forked from.

    Raises `Refusal` for a merge that makes no sense, with the reason; then nothing has changed.
    """
    if bool(picked) != (strategy == "pick"):
        raise invalid("message ids go with the strategy pick, and only with it", param="messageIds")
    summary: Summary | None = None
    summed: set[str] = set()
    for _ in range(_TRIES):
        source, target = await _sides(store, conversation, source_id, target_id)
        beyond, held = await _apart(store, conversation, source, target)
        new = [one for one in beyond if one.id not in held]
        wanted = picked or [one.id for one in beyond]
        if all(id in held for id in wanted):
            return await _done_before(store, conversation, source, target, held, wanted)
        _check_count(new)
        node, others = None, list[str]()
        if not (target.head_id == source.forked_from_id and strategy == "append"):
            chosen = _picked(new, picked) if picked else new
            if strategy == "summarize" and summary is None:
                summary = await summarize(source, target, chosen)
                summed = {one.id for one in chosen}
            if summary is not None:  # what was said meanwhile, it does not cover
                chosen = [one for one in chosen if one.id in summed]
            told = _note(source, chosen) if summary is None else _summary(source, chosen, summary)
            ids = [one.id for one in chosen]
            node, others = await _node(store, conversation, source, target, told, ids, summary)
        if await store.merge(_merging(conversation, source, target, node, others)):
            after = await store.branch(conversation.id, target.id)
            assert after is not None
            brought = [one.id for one in new] if node is None else others[1:]
            return Merged(target=after, source=source, node=node, brought=brought)
    message = "the branches keep moving; try again"
    raise Refusal("conflict", message, code="busy", repeatable=True, retry_after=1)


async def _sides(
    store: Store, conversation: Conversation, source_id: str, target_id: str | None
) -> tuple[Branch, Branch]:
    source = await store.branch(conversation.id, source_id)
    if source is None:
        raise not_found("branch")
    if source.deleted_at is not None:
        raise _senseless("a deleted branch cannot be merged", "branch_deleted")
    if target_id is None and source.is_main:
        raise _senseless("the main branch was forked from none; name a target", "main_branch")
    target = await store.branch(conversation.id, target_id or source.parent_branch_id or "")
    if target is None:
        raise not_found("target branch")
    if target.deleted_at is not None:
        what = "the target" if target_id else "the branch it was forked from"
        raise _senseless(f"{what} is deleted; name another target", "branch_deleted")
    if target.id == source.id:
        raise _senseless("a branch cannot be merged into itself", "same_branch")
    if not target.active:
        raise _senseless("the target is not active", "branch_inactive")
    if await _descends(store, target, source.id):
        raise _senseless(
            "the target was forked from this branch, and reads its messages up to there; merge it"
            " the other way",
            "ancestor",
        )
    return source, target


async def _descends(store: Store, branch: Branch, ancestor_id: str) -> bool:
    above: Branch | None = branch
    while above is not None and above.parent_branch_id is not None:
        if above.parent_branch_id == ancestor_id:
            return True
        above = await store.branch(above.conversation_id, above.parent_branch_id)
    return False


async def _apart(
    store: Store, conversation: Conversation, source: Branch, target: Branch
) -> tuple[list[Node], dict[str, str | None]]:
    """What the source says where the two have parted, and what the target holds there.

    For each message of the latter: the merge node that brought it in, or `None`.
    """
    if source.head_id is None:
        raise _nothing()
    first, held = 1, dict[str, str | None]()
    if target.head_id is not None:
        common = await store.last_common(source.head_id, target.head_id)
        first = common.depth + 1 if common is not None else 1
        await _hold(store, conversation, held, await store.path_slice(target.head_id, first=first))
    if source.head_depth < first:
        return [], held
    nodes = await store.path_slice(source.head_id, first=first)
    return await _flat(store, conversation, nodes), held


async def _hold(
    store: Store,
    conversation: Conversation,
    held: dict[str, str | None],
    nodes: Sequence[Node],
    by: str | None = None,
) -> None:
    """Note *nodes*, and what merge nodes among them bring in or sum up, in *held*."""
    for node in nodes:
        held.setdefault(node.id, by)
        if others := await others_of(store, node):
            brought = await store.nodes(conversation.account_id, others[1:])
            await _hold(store, conversation, held, brought, by or node.id)


async def _done_before(
    store: Store,
    conversation: Conversation,
    source: Branch,
    target: Branch,
    held: Mapping[str, str | None],
    wanted: Sequence[str],
) -> Merged:
    """What merging the source did before, where the target holds all of it. Raises `Refusal`."""
    by = max((one for id in wanted if (one := held[id]) is not None), default=None)
    if by is None and source.merged_into_id != target.id:
        raise _nothing()
    by = by or source.merged_by_id
    node = await store.node(conversation.account_id, by) if by is not None else None
    others = await store.others(conversation.id, by) if by is not None else []
    return Merged(target=target, source=source, node=node, brought=others[1:], repeated=True)


def _check_count(new: Sequence[Node]) -> None:
    if not new:
        raise _nothing()
    if len(new) > MOST_BROUGHT_IN:
        raise _senseless(
            f"more than {MOST_BROUGHT_IN} messages cannot be merged at once", "too_many"
        )


async def _flat(store: Store, conversation: Conversation, nodes: Sequence[Node]) -> list[Node]:
    """*nodes* without deleted ones, and what merge nodes bring in instead of these."""
    flat: list[Node] = []
    for node in nodes:
        others: list[str] = []
        if node.message.name == MERGED:
            others = await others_of(store, node)
        flat += await store.nodes(conversation.account_id, others[1:]) if others else [node]
    return [node for node in flat if node.deleted_at is None]


def _picked(new: Sequence[Node], picked: Sequence[str]) -> list[Node]:
    """The messages named, and what belongs to each: a question's answer, a call's result."""
    unknown = set(picked) - {node.id for node in new}
    if unknown:
        raise invalid(
            f"no message that the target has not: {', '.join(sorted(unknown))[:200]}",
            param="messageIds",
        )
    chosen: list[Node] = []
    exchange: list[Node] = []
    for node in [*new, None]:
        if node is None or (node.message.role in {"user", "system"} and _is_answered(exchange)):
            if any(one.id in picked for one in exchange):
                chosen += exchange
            exchange = []
        if node is not None:
            exchange.append(node)
    return chosen


def _is_answered(exchange: Sequence[Node]) -> bool:
    return not exchange or exchange[-1].message.role != "user"


def _note(source: Branch, brought: Sequence[Node]) -> Message:
    count = f"{len(brought)} message{'' if len(brought) == 1 else 's'}"
    return Message(role="system", name=MERGED, content=f"Merged “{source.name}”: {count}")


def _summary(source: Branch, sources: Sequence[Node], summary: Summary) -> Message:
    named = ", ".join(node.id for node in sources)
    text = f"Summary of “{source.name}”:\n\n{summary.text}\n\nSources: {named}"
    return Message(role="system", name=SUMMARY, content=text)


async def _node(
    store: Store,
    conversation: Conversation,
    source: Branch,
    target: Branch,
    message: Message,
    brought: Sequence[str],
    summary: Summary | None,
) -> tuple[Node, list[str]]:
    """A merge node, and its second parent with what it brings in."""
    assert source.head_id is not None
    others = [source.head_id, *brought]
    parents = [] if target.head_id is None else [target.head_id]
    found = await store.nodes(conversation.account_id, [*parents, *others])
    node = Node(
        id=new_id(),
        conversation_id=conversation.id,
        parent_id=target.head_id,
        depth=target.head_depth + 1,
        message=message,
        hash=node_hash(message, [one.hash for one in found]),
        turn_id=summary.turn_id if summary is not None else None,
        tokens=summary.tokens if summary is not None else None,
        created_at=milliseconds(),
        answered=any(one.answered for one in found),
        branch_id=target.id,
    )
    return node, others


def _merging(
    conversation: Conversation,
    source: Branch,
    target: Branch,
    node: Node | None,
    others: Sequence[str],
) -> Merging:
    assert source.head_id is not None
    return Merging(
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        source_id=source.id,
        source_head_id=source.head_id,
        target_id=target.id,
        target_head_id=target.head_id,
        node=node,
        others=others,
        now=milliseconds(),
    )


def _nothing() -> Refusal:
    return _senseless("the target has all that this branch says", "nothing_to_merge")


def _senseless(message: str, code: str) -> Refusal:
    return Refusal("conflict", message, code=code, repeatable=False)
