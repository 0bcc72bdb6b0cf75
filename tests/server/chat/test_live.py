"""The life of a turn: whatever provider, store and readers do, it ends once and is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from chatloom.server.call import BrokenOff
from chatloom.server.chat import live, settling
from chatloom.server.chat.live import LiveTurn
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Delta, Finish, ProviderError, Served, Text, Usage
from chatloom.server.protocols.completions import write_stream
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Node, Opening, Settlement
from chatloom.server.store.sqlite import SQLiteStore
from support.house import PRICE, WHOLE, House, Step, a_house

pytestmark = pytest.mark.anyio

SOME: Sequence[Delta] = [Text("All"), Text(" s")]
TRUNCATED = ProviderError("truncated", "it stopped")
LIMITED = ProviderError("rate_limited", "not now", retry_after=3)


async def text_of(house: House, turn: LiveTurn) -> str | None:
    """The answer as the tree has it; `None` where it has none."""
    if turn.message_id is None:
        return None
    node = await house.store.node(house.account_id, turn.message_id)
    assert node is not None
    return node.message.text


ENDS: dict[str, tuple[list[Step], str, str | None, bool | None]] = {
    # what the provider does: outcome, text kept, whether usage is a guess
    "well": ([WHOLE], "complete", "All said.", False),
    "in pieces": (
        [SOME, [Text("aid.")], [Finish("stop")], [Usage(9, 9)]],
        "complete",
        "All said.",
        False,
    ),
    "uncounted": ([SOME, [Finish("length")]], "length", "All s", True),
    "empty": ([[Finish("stop")]], "complete", "", True),
    "silent": ([], "truncated", None, None),
    "without finish": ([SOME], "truncated", "All s", True),
    "counted without finish": ([SOME, [Usage(9, 9)]], "truncated", "All s", False),
    "broken at once": ([TRUNCATED], "truncated", None, None),
    "broken later": ([SOME, TRUNCATED], "truncated", "All s", True),
    "refused": ([LIMITED], "provider_error", None, None),
    "refused later": ([SOME, LIMITED], "provider_error", "All s", True),
    "refused but counted": ([[Usage(9, 0)], LIMITED], "provider_error", None, False),
    "failed at once": ([RuntimeError("secret")], "provider_error", None, None),
    "failed later": ([SOME, RuntimeError("secret")], "provider_error", "All s", True),
    "served, then broken": ([[Served("x-1")], TRUNCATED], "truncated", None, None),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("steps", "outcome", "text", "guessed"), ENDS.values(), ids=ENDS)
async def test_a_turn_ends_once_and_is_kept(
    tmp_path: Path,
    steps: list[Step],
    outcome: str,
    text: str | None,
    guessed: bool | None,
    streamed: bool,
) -> None:
    async with a_house(tmp_path, *steps) as house:
        turn = await house.settled(house.ask(streamed=streamed))
        stored = await house.stored(turn)
        assert turn.outcome == stored.outcome == outcome
        assert await text_of(house, turn) == text
        assert (stored.usage and stored.usage.estimated) == guessed
        assert stored.cost == (PRICE.of(stored.usage) if stored.usage else 0)
        assert (turn.problem is None) == (outcome in {"complete", "length"})
        assert "secret" not in (stored.problem or "")
        health = await house.store.check()
        assert (health.problems, health.open_turns) == ([], [])


async def test_a_failed_turn_never_tells_a_finish(tmp_path: Path) -> None:
    async with a_house(tmp_path, [Text("a"), Finish("stop"), Usage(1, 1)], TRUNCATED) as house:
        turn = await house.settled()
        assert turn.outcome == "truncated"
        assert turn.said == [Text("a")]


async def test_one_unfinished_choice_of_two_is_a_truncation(tmp_path: Path) -> None:
    half: list[Delta] = [Text("a"), Text("b", 1), Finish("stop"), Usage(1, 1)]
    async with a_house(tmp_path, half) as house:
        turn = await house.settled(house.ask(n=2))
        assert turn.outcome == "truncated"
        assert turn.problem is not None


async def test_a_turn_cancelled_at_once_leaves_and_costs_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        turn = await house.begun()
        turn.cancel()
        async with asyncio.timeout(10):
            await turn.ended()
        stored = await house.stored(turn)
        assert (stored.outcome, stored.cost, stored.message_id) == ("cancelled", 0, None)
        id = turn.opening.conversation_id
        assert await house.store.conversation(house.account_id, id) is None


async def test_a_turn_cancelled_while_it_waits_leaves_and_costs_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path, asyncio.Event(), WHOLE) as house:
        turn = await house.begun()
        await asyncio.sleep(0)
        turn.cancel()
        await turn.ended()
        assert (turn.outcome, turn.said, turn.usage) == ("cancelled", [], None)
        assert house.driver.left == len(house.driver.prompts)


async def test_a_turn_cancelled_after_output_keeps_and_charges_it(tmp_path: Path) -> None:
    async with a_house(tmp_path, SOME, asyncio.Event()) as house:
        turn = await house.begun()
        await anext(turn.read())
        turn.cancel()
        turn.cancel()
        await turn.ended()
        stored = await house.stored(turn)
        assert (stored.outcome, await text_of(house, turn)) == ("cancelled", "All s")
        assert stored.usage is not None
        assert stored.usage.estimated
        assert stored.cost == PRICE.of(stored.usage)
        assert house.driver.left == 1


async def test_cancelling_a_settled_turn_does_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        turn = await house.settled()
        turn.cancel()
        await asyncio.sleep(0)
        assert (turn.outcome, (await house.stored(turn)).outcome) == ("complete", "complete")


async def read(turn: LiveTurn, pause: float = 0, after: int = 0) -> list[Delta]:
    told: list[Delta] = []
    async for batch in turn.read(after):
        told += batch
        await asyncio.sleep(pause)
    return told


async def test_readers_of_every_speed_see_the_same(tmp_path: Path) -> None:
    words: list[Step] = [[Text(f"{number} ")] for number in range(50)]
    async with a_house(tmp_path, *words, [Finish("stop"), Usage(1, 50)]) as house:
        turn = await house.begun()
        readers = [read(turn), read(turn, 0.001), read(turn, 0.02), read(turn, after=10)]
        fast, slow, slowest, later = await asyncio.gather(*readers)
        assert fast == slow == slowest == turn.said
        assert later == turn.said[10:] == await read(turn, after=10)
        assert isinstance(fast[-1], Usage)


async def test_a_reader_who_leaves_or_sleeps_harms_nobody(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with a_house(tmp_path, SOME, go, WHOLE) as house:
        turn = await house.begun()
        leaving, staying = asyncio.create_task(read(turn)), asyncio.create_task(read(turn))
        asleep = turn.read()
        assert await anext(asleep) == SOME
        await asyncio.sleep(0)
        leaving.cancel()
        go.set()
        assert await staying == turn.said
        assert turn.outcome == "complete"
        assert leaving.cancelled()


class Recording(SQLiteStore):
    """Remembers how many deltas were committed, and which turns were settled."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.committed = 0
        self.settled: set[str] = set()

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        await asyncio.sleep(0.001)
        await super().append(turn_id, last, deltas)
        self.committed = last

    async def settle(self, settlement: Settlement) -> str | None:
        await asyncio.sleep(0.001)
        done = await super().settle(settlement)
        self.settled.add(settlement.opening.turn_id)
        return done


async def test_deltas_are_committed_before_they_are_told(tmp_path: Path) -> None:
    words: list[Step] = [[Text(f"{number} ")] for number in range(20)]
    async with a_house(tmp_path, *words, WHOLE, open_store=Recording) as house:
        store = house.store
        assert isinstance(store, Recording)
        turn = await house.begun()
        told = 0
        async for batch in turn.read():
            told += len(batch)
            assert told <= store.committed or turn.id in store.settled
        assert store.committed == 20
        assert turn.id in store.settled


async def told_until_broken(turn: LiveTurn) -> bytes:
    """What a reader over HTTP is told of a turn that fails."""
    told = b""
    try:
        async for piece in write_stream(turn, turn.read()):
            told += piece
    except BrokenOff:
        return told
    raise AssertionError("the stream ended as if nothing had happened")


class Unsettling(SQLiteStore):
    """Cannot write the end of anything."""

    async def settle(self, settlement: Settlement) -> str | None:
        raise OSError("disk full")


async def test_an_end_that_cannot_be_stored_is_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_house(tmp_path, SOME, WHOLE, open_store=Unsettling) as house:
        turn = await house.begun()
        told = await told_until_broken(turn)
        assert b"All" in told
        assert b"could not be stored" in told
        assert b'"finish_reason":"' not in told
        assert b"[DONE]" not in told
        assert (turn.outcome, turn.usage) == ("provider_error", None)
        assert (await house.stored(turn)).outcome is None
    assert "could not be settled" in caplog.text


class Hesitant(SQLiteStore):
    """Fails to write an end once."""

    failed = False

    async def settle(self, settlement: Settlement) -> str | None:
        if not self.failed:
            self.failed = True
            raise OSError("disk full")
        return await super().settle(settlement)


async def test_a_turn_whose_end_could_not_be_stored_is_closed_later_free_of_charge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "RELEASE_PAUSES", (0.0,))
    async with a_house(tmp_path, WHOLE, open_store=Hesitant) as house:
        turn = await house.begun()
        await told_until_broken(turn)
        for _ in range(5000):
            if house.turns.live(house.account_id, turn.id) is None:
                break
            await asyncio.sleep(0.001)
        stored = await house.store.turn(house.account_id, turn.id)
        assert stored is not None
        assert (stored.outcome, stored.cost, stored.message_id) == ("provider_error", 0, None)
        assert (await house.store.check()).problems == []


async def test_an_answer_that_makes_no_node_does_not_keep_its_turn_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object, **__: object) -> list[Node]:
        raise ValueError("no node can be made of it")

    monkeypatch.setattr(settling, "grow", cannot)
    monkeypatch.setattr(live, "RELEASE_PAUSES", (0.0,))
    async with a_house(tmp_path, WHOLE) as house:
        turn = await house.begun()
        await told_until_broken(turn)
        for _ in range(5000):
            if house.turns.live(house.account_id, turn.id) is None:
                break
            await asyncio.sleep(0.001)
        assert (await house.store.check()).open_turns == []


class Forgetful(SQLiteStore):
    """Cannot write any journal."""

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        raise OSError("disk full")


async def test_a_journal_that_cannot_be_written_ends_the_turn(tmp_path: Path) -> None:
    async with a_house(tmp_path, SOME, WHOLE, open_store=Forgetful) as house:
        turn = await house.settled()
        assert (turn.outcome, turn.said) == ("provider_error", SOME)
        assert await text_of(house, turn) == "All s"
        assert house.driver.left == 1


class Slow(SQLiteStore):
    """Commits only when it is let."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.let = asyncio.Event(), asyncio.Event()

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        self.begun.set()
        await self.let.wait()
        await super().append(turn_id, last, deltas)


async def test_a_turn_cancelled_while_it_commits_stops_the_provider(tmp_path: Path) -> None:
    async with a_house(tmp_path, SOME, WHOLE, open_store=Slow) as house:
        store = house.store
        assert isinstance(store, Slow)
        turn = await house.begun()
        await store.begun.wait()
        turn.cancel()
        await turn.ended()
        assert (turn.outcome, turn.said) == ("cancelled", SOME)
        assert house.driver.left == 1


async def test_stopping_lets_turns_end_for_a_while(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with a_house(tmp_path, SOME, go, WHOLE) as house:
        turn = await house.begun()
        stopping = asyncio.create_task(house.turns.close(10))
        await anext(turn.read())
        with pytest.raises(Refusal, match="stopping"):
            await house.begun()
        go.set()
        await stopping
        assert turn.outcome == "complete"


async def test_stopping_cancels_turns_that_take_too_long(tmp_path: Path) -> None:
    async with a_house(tmp_path, SOME, asyncio.Event()) as house:
        turns = [await house.begun() for _ in range(3)]
        for turn in turns:
            await anext(turn.read())
        await house.turns.close(0.01)
        assert [turn.outcome for turn in turns] == ["cancelled"] * 3
        assert (await house.store.check()).open_turns == []


async def test_a_running_turn_is_known_to_its_account_alone(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with a_house(tmp_path, go, WHOLE) as house:
        turn = await house.begun()
        assert house.turns.live(house.account_id, turn.id) is turn
        assert house.turns.live("somebody", turn.id) is None
        go.set()
        await turn.ended()
        await asyncio.sleep(0)
        assert house.turns.live(house.account_id, turn.id) is None


async def test_the_provider_is_told_the_whole_context(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        turn = await house.settled(house.ask(Message("system", "Be brief."), Message("user", "a")))
        id = turn.opening.conversation_id
        await house.settled(house.ask(Message("user", "b"), conversation_id=id))
        told = [message.text for message in house.driver.prompts[-1].messages]
        assert told == ["Be brief.", "a", "All said.", "b"]


class Sluggish(SQLiteStore):
    """Takes its time to begin a turn."""

    async def open_turn(self, opening: Opening) -> int | None:
        price_id = await super().open_turn(opening)
        await asyncio.sleep(0.05)
        return price_id


async def test_a_turn_whose_caller_is_cancelled_while_it_is_stored_is_closed(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path, WHOLE, open_store=Sluggish) as house:
        beginning = asyncio.create_task(house.begun())
        await asyncio.sleep(0.03)
        beginning.cancel()
        await asyncio.wait([beginning])
        await house.turns.close(1)
        assert await house.store.open_turns() == []
        health = await house.store.check()
        assert (health.problems, health.open_turns) == ([], [])
        assert health.checked["turns"] == 1


async def test_a_turn_that_is_stored_as_the_server_stops_is_not_dispatched(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE, open_store=Sluggish) as house:
        beginning = asyncio.create_task(house.begun())
        await asyncio.sleep(0.03)
        await house.turns.close(0)
        turn = await beginning
        await turn.ended()
        assert (turn.outcome, turn.usage, house.driver.prompts) == ("cancelled", None, [])
