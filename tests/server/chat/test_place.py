"""Where a request goes: histories against a simple model of what is known."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatloom.server.chat.message import Message
from chatloom.server.chat.place import Place, find_place
from chatloom.server.ids import new_id
from chatloom.server.refusal import Refusal
from support.house import WHOLE, House, a_house

Talk = tuple[Message, ...]

QUESTIONS = st.sampled_from([Message("user", text) for text in "ab"])
ANSWERS = st.sampled_from([Message("assistant", text) for text in ("All said.", "Else.")])
HISTORIES = st.lists(st.tuples(QUESTIONS, ANSWERS).map(list), min_size=1, max_size=4).flatmap(
    lambda pairs: QUESTIONS.map(lambda last: (*sum(pairs, list[Message]()), last))
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories=st.lists(HISTORIES, min_size=1, max_size=8))
def test_a_history_goes_on_from_its_longest_known_part(histories: list[Talk]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_follow(Path(folder), histories))


async def _follow(folder: Path, histories: list[Talk]) -> None:
    known: dict[Talk, bool] = {(): False}
    """Every path there is, and whether the newest of its kind holds an answer given here."""
    async with a_house(folder, WHOLE) as house:
        for history in histories:
            place = await find_place(house.store, house.ask(*history))
            longest = max(at for at in range(len(history) + 1) if history[:at] in known)
            if not known[history[:longest]]:
                longest = 0  # an example that prompts begin with, not a talk
            assert tuple(place.before) == history[:longest]
            assert tuple(place.new) == history[longest:]
            assert place.starts_conversation == (longest == 0)
            await _assert_parent(house, place, history[:longest])
            turn = await house.settled(house.ask(*history))
            for at in range(longest, len(history)):
                known[history[: at + 1]] = longest > 0
            known[(*history, turn.answer.choices[0].message())] = True
        assert (await house.store.check()).problems == []


async def _assert_parent(house: House, place: Place, before: Talk) -> None:
    path = await house.store.path(place.parent.id) if place.parent else []
    assert tuple(node.message for node in path) == before
    assert {node.conversation_id for node in path} <= {place.conversation_id}


async def _talk(house: House) -> tuple[str, Talk]:
    """A conversation of two questions: its id, and all that was said."""
    said: Talk = (Message("user", "a"),)
    turn = await house.settled(house.ask(*said))
    said = (*said, turn.answer.choices[0].message(), Message("user", "b"))
    turn = await house.settled(house.ask(*said))
    return turn.opening.conversation_id, (*said, turn.answer.choices[0].message())


@pytest.mark.anyio
async def test_new_messages_go_behind_the_main_branch(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        id, said = await _talk(house)
        new = Message("user", "c")
        place = await find_place(house.store, house.ask(new, conversation_id=id))
        (main,) = await house.store.branches(id)
        assert (tuple(place.before), place.new) == (said, [new])
        assert (place.branch_id, place.parent and place.parent.id) == (main.id, main.head_id)


@pytest.mark.anyio
async def test_new_messages_go_behind_the_message_named(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        id, said = await _talk(house)
        (main,) = await house.store.branches(id)
        path = await house.store.path(main.head_id or "")
        place = await find_place(house.store, house.ask(parent_id=path[1].id))
        assert (place.conversation_id, tuple(place.before)) == (id, said[:2])
        assert (place.branch_id, place.parent) == (None, path[1])
        at_head = await find_place(house.store, house.ask(parent_id=path[3].id))
        assert at_head.branch_id == main.id


@pytest.mark.anyio
async def test_a_named_conversation_limits_where_a_history_is_sought(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        first, said = await _talk(house)
        other = await house.settled(house.ask(Message("user", "else")))
        id = other.opening.conversation_id
        place = await find_place(house.store, house.ask(*said[:3], conversation_id=id))
        assert (place.conversation_id, place.parent, place.before) == (id, None, [])
        place = await find_place(house.store, house.ask(*said[:3], conversation_id=first))
        assert tuple(place.before) == said[:3]


@pytest.mark.anyio
async def test_end_users_of_one_account_do_not_share_histories(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        first = await house.settled(house.ask(end_user="ann"))
        answer = first.answer.choices[0].message()
        history = [Message("user", "Hello!"), answer, Message("user", "more")]
        for user, shared in (("ann", True), ("bob", False), (None, False)):
            place = await find_place(house.store, house.ask(*history, end_user=user))
            assert (place.conversation_id == first.opening.conversation_id) is shared


@pytest.mark.anyio
@pytest.mark.parametrize("history", [False, True], ids=["new", "history"])
async def test_what_is_not_there_is_not_found(tmp_path: Path, history: bool) -> None:
    said = [Message("user", "a"), Message("assistant", "b")] if history else []
    async with a_house(tmp_path, WHOLE) as house:
        id, _ = await _talk(house)
        asks = [
            house.ask(*said, conversation_id=new_id()),
            house.ask(*said, conversation_id="x"),
            house.ask(*said, parent_id=new_id()),
            house.ask(*said, conversation_id=id, parent_id=new_id()),
            house.ask(*said, conversation_id=id, branch_id=new_id()),
        ]
        for ask in asks:
            with pytest.raises(Refusal, match="not found"):
                await find_place(house.store, ask)
