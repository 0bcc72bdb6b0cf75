"""What costs nothing, and makes something: with an idempotency key it is made once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.chatroutes import CONVERSATIONS, Member, Talk, refusal
from support.http import Answer
from support.live import Live

Made = tuple[str, str, dict[str, object]]


@pytest.fixture
def talk(live: Live) -> Talk:
    talk = Member(live, "made-once").begin()
    talk.say("One", "Two")
    return talk


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def message(talk: Talk, at: int) -> str:
    return str(talk.messages()[at]["id"])


MAKING: dict[str, Callable[[Talk], Made]] = {
    "a conversation": lambda talk: ("POST", CONVERSATIONS, {"title": "A"}),
    "a branch": lambda talk: ("POST", f"{talk.path}/branches", {"title": "A"}),
    "a branch at a message": lambda talk: (
        "POST",
        f"{talk.path}/branches",
        {"title": "A", "baseNodeId": message(talk, 0)},
    ),
    "a fork": lambda talk: (
        "POST",
        f"{talk.path}/fork",
        {"title": "A", "forkPointMessageId": message(talk, 1)},
    ),
    "an edit": lambda talk: ("PATCH", f"/messages/{message(talk, 2)}", {"content": "A"}),
}
NAMES = ("conversation", "branch", "message", "keptBranch")


def ids(told: dict[str, dict[str, str]]) -> list[str]:
    """What an answer says was made."""
    return [told[name]["id"] for name in NAMES if name in told]


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_a_repeat_makes_nothing_more(
    live: Live, talk: Talk, named: dict[str, str], making: Callable[[Talk], Made]
) -> None:
    method, path, body = making(talk)
    counted = ("conversation", "branch", "message")
    before = {name: live.counts()[name] for name in counted}

    def make(_: int) -> Answer:
        return talk.member.call(method, path, body, named)

    with ThreadPoolExecutor(6) as crowd:
        answers = [*crowd.map(make, range(6)), make(6)]
    assert {answer.status for answer in answers} <= {200, 201}
    assert len({tuple(ids(answer.json["data"])) for answer in answers}) == 1
    assert {answer.headers["idempotency-key"] for answer in answers} == set(named.values())
    after = {name: live.counts()[name] for name in counted}
    more = {name: after[name] - before[name] for name in counted}
    assert more in (
        {"conversation": 1, "branch": 1, "message": 0},
        {"conversation": 0, "branch": 1, "message": 0},
        {"conversation": 0, "branch": 1, "message": 1},
    )


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_another_request_with_the_same_key_is_refused(
    live: Live, talk: Talk, named: dict[str, str], making: Callable[[Talk], Made]
) -> None:
    method, path, body = making(talk)
    name = "content" if method == "PATCH" else "title"
    talk.member.call(method, path, body, named)
    before = live.dump()
    answer = talk.member.call(method, path, {**body, name: "B"}, named)
    assert refusal(answer) == (422, "idempotency_key_reused")
    assert answer.headers["x-should-retry"] == "false"
    assert live.dump() == before


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_without_a_key_each_request_makes_its_own(
    talk: Talk, making: Callable[[Talk], Made]
) -> None:
    method, path, body = making(talk)
    first = talk.member.data(method, path, body)
    if method == "PATCH":
        path = f"/messages/{first['message']['id']}"
    assert ids(talk.member.data(method, path, body)) != ids(first)


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_a_key_that_is_none_makes_nothing(
    live: Live, talk: Talk, making: Callable[[Talk], Made]
) -> None:
    method, path, body = making(talk)
    before = live.dump()
    answer = talk.member.call(method, path, body, {"Idempotency-Key": "k" * 256})
    assert refusal(answer) == (400, "invalid_idempotency_key")
    assert live.dump() == before


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_what_was_refused_leaves_the_key_free(
    talk: Talk, named: dict[str, str], making: Callable[[Talk], Made]
) -> None:
    method, path, body = making(talk)
    name = "content" if method == "PATCH" else "title"
    refused = talk.member.call(method, path, {**body, name: ""}, named)
    assert refusal(refused) == (400, "invalid_request")
    assert talk.member.call(method, path, body, named).status in {200, 201}
