"""Requests that cannot be billed twice: what an idempotency key does, over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatloom.server.app import ROUTES
from support.http import Answer, Events
from support.live import Live

SLOW = "loom/scribe?delay=5&tokens=60"
BROKEN = "loom/scribe?cut=4"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("repeats") / "chatloom.db")
    yield server
    assert server.stop() == 0


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def turn_of(answer: Answer | Events) -> str:
    return answer.headers["x-chatloom-turn"]


def charges(live: Live, turn_id: str) -> list[str]:
    rows = live.rows("SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn_id)
    return [kind for (kind,) in rows]


def test_a_repeat_is_told_the_same_and_charged_once(live: Live, named: dict[str, str]) -> None:
    before = live.counts()["turn"]
    first, again = (live.complete("Hello!", headers=named) for _ in range(2))
    assert first.body == again.body
    assert turn_of(first) == turn_of(again)
    assert [first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]] == [
        None,
        "true",
    ]
    assert first.headers["idempotency-key"] == named["Idempotency-Key"]
    assert live.counts()["turn"] == before + 1
    assert charges(live, turn_of(first)) == ["reserve", "settle"]


def test_repeats_at_once_join_one_turn_however_they_want_it_told(
    live: Live, named: dict[str, str]
) -> None:
    def ask(number: int) -> Answer | Events:
        if number % 2:
            return live.events("Hello!", headers=named, model=SLOW)
        return live.complete("Hello!", headers=named, model=SLOW)

    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(ask, range(12)))
    assert len({turn_of(answer) for answer in answers}) == 1
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 11
    assert charges(live, turn_of(answers[0])) == ["reserve", "settle"]


def test_a_streamed_repeat_goes_on_from_the_event_that_was_seen(
    live: Live, named: dict[str, str]
) -> None:
    whole = live.events("Hello!", headers=named)
    ids = [int(block["id"]) for block in whole.blocks if "id" in block]
    for seen in (0, ids[0], ids[3], ids[-1]):
        told = {**named, "Last-Event-ID": str(seen)}
        rest = live.events("Hello!", headers=told)
        assert rest.ended
        assert rest.blocks == [
            block for block in whole.blocks if int(block.get("id", 10**6)) > seen
        ]


@pytest.mark.parametrize("stream", [True, False])
def test_another_body_is_refused_under_the_same_key(
    live: Live, named: dict[str, str], stream: bool
) -> None:
    live.complete("Hello!", headers=named, temperature=1, stream=stream)
    before = live.counts()
    for content, temperature in (("Goodbye!", 1), ("Hello!", 0.5)):
        refused = live.complete(content, headers=named, temperature=temperature)
        assert (refused.status, refused.error["code"]) == (422, "idempotency_key_reused")
        assert refused.headers["x-should-retry"] == "false"
    assert live.counts() == before


def test_another_body_is_refused_while_the_first_runs(live: Live, named: dict[str, str]) -> None:
    with live.stream("Hello!", headers=named, model=SLOW) as running:
        refused = live.complete("Goodbye!", headers=named, model=SLOW)
        assert refused.status == 422
        assert running.read().endswith(b"data: [DONE]\n\n")


def test_a_key_belongs_to_its_account(live: Live, named: dict[str, str]) -> None:
    mine = live.complete("Hello!", headers=named)
    theirs = live.complete("Goodbye!", headers=named, key="somebody-else")
    assert theirs.status == 200
    assert turn_of(mine) != turn_of(theirs)
    assert "idempotent-replayed" not in theirs.headers


@pytest.mark.parametrize("given", ["", "k" * 256, "two\twords", "ключ".encode().decode("latin-1")])
def test_a_key_that_is_none_is_refused_and_nothing_is_begun(live: Live, given: str) -> None:
    before = live.counts()
    refused = live.complete("Hello!", headers={"Idempotency-Key": given})
    assert (refused.status, refused.error["code"]) == (400, "invalid_idempotency_key")
    assert live.counts() == before


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_word_frees_the_key(
    live: Live, named: dict[str, str], stream: bool
) -> None:
    model = "loom/scribe?429=1"
    refused = live.complete("Hello!", headers=named, model=model, stream=stream)
    answered = live.complete("Hello!", headers=named, model=model)
    assert (refused.status, answered.status) == (429, 200)
    assert "idempotent-replayed" not in answered.headers
    assert charges(live, turn_of(refused)) == ["release", "reserve"]
    assert charges(live, turn_of(answered)) == ["reserve", "settle"]


def test_a_later_failure_is_told_again_and_not_to_be_tried_again(
    live: Live, named: dict[str, str]
) -> None:
    first, again = (live.complete("Hello!", headers=named, model=BROKEN) for _ in range(2))
    assert (first.status, again.status) == (502, 502)
    assert first.body == again.body
    assert again.headers["x-should-retry"] == "false"
    streamed = live.events("Hello!", headers=named, model=BROKEN)
    assert (turn_of(streamed), streamed.ended) == (turn_of(first), False)
    assert streamed.text == first.error["partial"]
    assert charges(live, turn_of(first)) == ["reserve", "settle"]


def test_what_is_refused_at_the_edge_leaves_the_key_free(live: Live, named: dict[str, str]) -> None:
    assert live.complete("Hello!", headers=named, model="nobody/knows").status == 404
    answered = live.complete("Hello!", headers=named)
    assert (answered.status, "idempotent-replayed" in answered.headers) == (200, False)


def test_what_a_key_began_is_remembered_over_a_restart(
    tmp_path_factory: pytest.TempPathFactory, named: dict[str, str]
) -> None:
    database = tmp_path_factory.mktemp("restart") / "chatloom.db"
    before = Live(database)
    first = before.complete("Hello!", headers=named)
    before.kill()
    after = Live(database)
    again = after.complete("Hello!", headers=named)
    streamed = after.events("Hello!", headers=named)
    assert again.body == first.body
    assert streamed.text == first.text
    assert after.counts()["turn"] == 1
    after.stop()


PATHS = sorted({route.path for route in ROUTES})


@pytest.mark.parametrize("path", PATHS)
def test_an_address_tells_whether_it_heeds_keys(
    live: Live, named: dict[str, str], path: str
) -> None:
    routes = [route for route in ROUTES if route.path == path]
    told = live.call("OPTIONS", path.translate({ord("{"): None, ord("}"): None}), headers=named)
    assert told.status == 200
    assert told.headers["allow"] == ", ".join(sorted(route.method for route in routes))
    heeded = named["Idempotency-Key"] if any(route.is_keyed for route in routes) else None
    assert told.headers.get("idempotency-key") == heeded


def test_what_makes_or_costs_something_heeds_keys() -> None:
    keyed = {route.path for route in ROUTES if route.is_keyed}
    assert {route.path for route in ROUTES if route.paid} < keyed
    assert {"/v1/chat/completions", "/api/v1/conversations", "/api/knowledge"} < keyed
    assert {route.method for route in ROUTES if route.is_keyed} == {"POST", "PATCH"}


def test_a_repeat_says_the_same_in_other_words(live: Live, named: dict[str, str]) -> None:
    first = live.complete("Hello!", headers=named, temperature=1)
    for same in (1.0, 1e0):
        again = live.complete("Hello!", headers=named, temperature=same, top_p=None)
        assert again.body == first.body


def test_a_repeat_is_told_as_it_asks_itself(live: Live, named: dict[str, str]) -> None:
    apart = live.events("Hello!", headers=named, stream_options={"include_usage": True})
    within = live.events("Hello!", headers=named)
    assert [chunk["choices"] for chunk in apart.chunks][-1] == []
    assert within.chunks[-1]["usage"] == apart.chunks[-1]["usage"]
    assert all(chunk["choices"] for chunk in within.chunks)


@pytest.mark.parametrize("keyed", [True, False])
def test_what_was_never_begun_cannot_be_gone_on_with(
    live: Live, named: dict[str, str], keyed: bool
) -> None:
    before = live.counts()
    told = {**(named if keyed else {}), "Last-Event-ID": "4"}
    refused = live.complete("Hello!", headers=told, stream=True)
    assert (refused.status, refused.error["code"]) == (400, "unknown_event")
    assert live.counts() == before


def test_two_keys_are_none(live: Live) -> None:
    twice = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    refused = live.complete("Hello!", headers=twice)
    assert (refused.status, refused.error["code"]) == (400, "invalid_idempotency_key")
