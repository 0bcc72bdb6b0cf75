"""Settling what a crash left open: with what the journal holds, and a guess of what it took."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatloom.server.chat.answer import Answer
from chatloom.server.chat.context import told_behind
from chatloom.server.chat.message import Message
from chatloom.server.chat.opening import prompt_again, read_terms
from chatloom.server.chat.settling import End, Growing, given_up, settlement_of
from chatloom.server.models.driver import Delta, Parameters, Prompt, ProviderError
from chatloom.server.store.contract import Node, Opening, Settlement, Store, Unfinished

CRASHED = "the server stopped before the answer was whole"


async def recovered(store: Store, unfinished: Unfinished) -> Settlement:
    """The settlement of a turn whose process is gone.

    What its readers were told stays, and is charged by estimate. Where nobody
    was told anything nothing is charged, and the same request may begin anew.
    """
    opening = unfinished.opening
    said = [delta for deltas in unfinished.deltas for delta in _read_deltas(deltas)]
    new = _read_messages(opening.asked)
    # Also in a conversation that is deleted by now.
    found = await store.nodes(opening.account_id, [opening.parent_id or ""])
    parent = found[0] if found else None
    before = await _before(store, opening, parent, new)
    growing = Growing(
        opening=opening,
        price_id=unfinished.price_id,
        prompt=prompt_again(opening, before, new),
        parent=parent,
        new=new,
    )
    end = End(
        outcome="truncated",
        answer=Answer(said),
        said=said,
        problem=ProviderError("truncated", CRASHED),
        crashed=True,
    )
    return settlement_of(growing, end, journalled=True)[0]


async def _before(
    store: Store, opening: Opening, parent: Node | None, new: Sequence[Message]
) -> list[Message]:
    """What its model was told before *new*."""
    if parent is None:
        return []
    branch = await store.branch(opening.conversation_id, opening.branch_id or "")
    mode = read_terms(opening.request).context.mode
    return (await told_behind(store, opening.account_id, branch, parent, new, mode))[0]


def unrecovered(unfinished: Unfinished) -> Settlement:
    """The settlement of one that cannot be read any more: without its answer, free of charge."""
    opening = unfinished.opening
    prompt = Prompt(model=opening.model, messages=[], parameters=Parameters(), streamed=False)
    growing = Growing(
        opening=opening, price_id=unfinished.price_id, prompt=prompt, parent=None, new=[]
    )
    return given_up(growing, ProviderError("truncated", CRASHED), journalled=True)


_read_deltas = msgspec.json.Decoder(list[Delta]).decode
_read_messages = msgspec.json.Decoder(list[Message]).decode
