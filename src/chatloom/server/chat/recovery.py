"""Settling what a crash left open: with what the journal holds, and a guess of what it took."""

from __future__ import annotations

import msgspec

from chatloom.server.chat.answer import Answer
from chatloom.server.chat.message import Message
from chatloom.server.chat.opening import prompt_again
from chatloom.server.chat.settling import End, Growing, given_up, settlement_of
from chatloom.server.models.driver import Delta, Parameters, Prompt, ProviderError
from chatloom.server.store.contract import Settlement, Store, Unfinished

CRASHED = "the server stopped before the answer was whole"


async def recovered(store: Store, unfinished: Unfinished) -> Settlement:
    """The settlement of a turn whose process is gone.

    What its readers were told stays, and is charged by estimate. Where nobody
    was told anything nothing is charged, and the same request may begin anew.
    """
    opening = unfinished.opening
    said = [delta for deltas in unfinished.deltas for delta in _read_deltas(deltas)]
    new = _read_messages(opening.asked)
    path = await store.path(opening.parent_id) if opening.parent_id else []
    before = [node.message for node in path if node.deleted_at is None]
    growing = Growing(
        opening=opening,
        price_id=unfinished.price_id,
        prompt=prompt_again(opening, before, new),
        parent=path[-1] if path else None,
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
