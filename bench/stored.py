"""What storing a chat turn takes: CPU of a process that does nothing else, 64 turns in flight.

    python -m bench.stored WHO SECONDS

WHO is ``chatloom`` (a turn opened and settled in its SQLite store, on disk), or
``plain sqlite3`` (the least that storing one takes). Prints microseconds a turn.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from bench import canned
from bench.plain_store import PlainStore
from bench.processes import announce, run
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import grow
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import NewKey
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Price, Usage
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.contract import Attempt, Opening, Settlement
from chatloom.server.store.keys import Key
from chatloom.server.store.sqlite import SQLiteStore

IN_FLIGHT = 64
_ROUND = 20
"""Turns that each of them stores between two looks at the clock."""
_PRICE = Price(prompt=150_000, completion=600_000)
_USAGE = Usage(187, 198)

Store: TypeAlias = "Callable[[Opening, Settlement], Awaitable[object]]"


def turn(key: Key) -> tuple[Opening, Settlement]:
    """A plain request's turn that begins a conversation: the question, and the answer to it."""
    now, turn_id, conversation = milliseconds(), new_id(), new_id()
    opening = Opening(
        turn_id=turn_id,
        account_id=key.account_id,
        key_id=key.id,
        end_user=None,
        conversation_id=conversation,
        starts_conversation=True,
        listed=False,
        metadata={},
        branch_id=new_id(),
        parent_id=None,
        protocol="chatserver",
        model="canned/model",
        provider="canned",
        streamed=False,
        request=b"{}",
        priced_as="canned/model",
        price=_PRICE,
        reserved=1_000_000,
        started_at=now,
        told_as="canned",
        asked=_ASKED,
    )
    question = Message("user", canned.QUESTION[1]["content"])
    answer = Message("assistant", canned.answer())
    nodes = grow(
        None,
        [question, answer],
        conversation_id=conversation,
        turn_id=turn_id,
        now=now,
        said_here=True,
    )
    settlement = Settlement(
        opening=opening,
        outcome="complete",
        problem=None,
        problem_kind=None,
        served_model="canned-model",
        nodes=nodes,
        head_id=nodes[-1].id,
        title=question.text[:80],
        usage=_USAGE,
        price_id=None,
        cost=_PRICE.of(_USAGE),
        deltas=msgspec.json.encode([["t", canned.answer()]]),
        deltas_expire_at=now + 86_400_000,
        journalled=False,
        attempts=[
            Attempt(
                number=1,
                provider="canned",
                model="model",
                started_at=now,
                ended_at=now,
                problem=None,
            )
        ],
        frees_key=False,
        estimated=False,
        first_token_at=now,
        ended_at=now,
    )
    return opening, settlement


_ASKED = msgspec.json.encode(canned.QUESTION)


async def _spent(store: Store, key: Key, seconds: float) -> float:
    """CPU microseconds a turn; what is to be stored is made ready outside of the measurement."""

    async def one_by_one(turns: Sequence[tuple[Opening, Settlement]]) -> None:
        for opening, settlement in turns:
            await store(opening, settlement)

    begun, spent, count = time.perf_counter(), 0.0, 0
    while not count or time.perf_counter() - begun < seconds:
        ready = [[turn(key) for _ in range(_ROUND)] for _ in range(IN_FLIGHT)]
        before = time.process_time()
        await asyncio.gather(*map(one_by_one, ready))
        spent += time.process_time() - before
        count += IN_FLIGHT * _ROUND
    return 1e6 * spent / count


async def _ours(path: Path, seconds: float) -> float:
    store = SQLiteStore(path)
    key, _ = await Identity(store, dev=False).mint(
        NewKey(name="bench"), deed("test", "key.created")
    )

    async def opened_and_settled(opening: Opening, settlement: Settlement) -> None:
        price_id = await store.open_turn(opening)
        await store.settle(msgspec.structs.replace(settlement, price_id=price_id))

    try:
        await _spent(opened_and_settled, key, 0)
        return await _spent(opened_and_settled, key, seconds)
    finally:
        await store.close()


async def _plain(path: Path, seconds: float) -> float:
    key = Key(id=new_id(), account_id=new_id(), name="", scopes=frozenset(), created_at=0)
    plain = PlainStore(path)
    try:
        await _spent(plain.store, key, 0)
        return await _spent(plain.store, key, seconds)
    finally:
        plain.close()


WHO = {"chatloom": _ours, "plain sqlite3": _plain}


def main(who: str, seconds: str) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder:

        async def measured() -> None:
            announce({"cpu_us": await WHO[who](Path(folder, "turns.db"), float(seconds))})

        run(measured())


if __name__ == "__main__":
    main(*sys.argv[1:])
