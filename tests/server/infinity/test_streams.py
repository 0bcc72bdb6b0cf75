"""Both kinds of stream: read by any line reader, resumed anywhere, billed once, cut on failure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from chatloom.server.ids import new_id
from support.http import Answer, Events
from support.infinity import CHAT, NAMED, Assistant
from support.live import Live

PATHS = [CHAT, NAMED]
FRAME = re.compile(r"(?:: ?\n\n)?(?:id: \d+\n)?data: [^\r\n]+\n\n")
EVENT = re.compile(r"(?:: ?\n\n)?(?:id: \d+\n)?event: \w+\n(?:id: \d+\n)?data: [^\r\n]+\n\n")
ODD = "a\nb\r\nc\u2028d\x85ä🌱"


@pytest.fixture
def assistant(live: Live) -> Assistant:
    return Assistant(live, new_id())


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": new_id()}


def turn_of(answer: Answer | Events) -> str:
    return answer.headers["x-chatloom-turn"]


def text_of(events: Events) -> str:
    told = [one for one in events.chunks if one["type"] in {"text", "chunk"}]
    return "".join(one.get("content", one.get("text")) for one in told)


def frames(events: Events) -> list[tuple[int, str]]:
    """The number and the data of each event; one without stands where the others' end is."""
    return [(int(one.get("id", 10**9)), one["data"]) for one in events.blocks if "data" in one]


def test_the_sdk_is_told_text_then_metadata_then_done(assistant: Assistant) -> None:
    events = assistant.stream(ODD, mode="assist")
    assert events.ended
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.headers["cache-control"] == "no-store"
    assert FRAME.sub("", events.raw.decode()) == ""
    *texts, metadata = events.chunks
    assert events.data[-1] == "[DONE]"
    assert {tuple(one) for one in texts} == {("type", "content")}
    assert text_of(events) == ODD
    assert metadata["type"] == "metadata"
    about = metadata["metadata"]
    assert about["turnId"] == turn_of(events)
    assert assistant.history(about["conversationId"]) == [("user", ODD), ("assistant", ODD)]


def test_the_services_own_pages_are_told_named_events(assistant: Assistant) -> None:
    events = assistant.stream(ODD, path=NAMED, stream=False)
    assert events.ended
    assert EVENT.sub("", events.raw.decode()) == ""
    names = [one["event"] for one in events.blocks]
    assert (names[0], names[-1], set(names[1:-1])) == ("start", "done", {"chunk"})
    start, *_, done = events.chunks
    assert text_of(events) == ODD
    assert start["conversationId"] == done["conversationId"]
    assert done["messageId"] == done["metadata"]["messageId"]
    assert done["metadata"]["tokensUsed"] > 0
    assert "[DONE]" not in events.raw.decode()


def test_every_way_of_telling_tells_the_same(assistant: Assistant) -> None:
    plain = assistant.chat("Say something.", model="loom/scribe")
    told = [assistant.stream("Say something.", path=one, model="loom/scribe") for one in PATHS]
    assert {text_of(one) for one in told} == {plain["response"]}
    for one in told:
        about = one.chunks[-1]["metadata"]
        assert about["usage"] == plain["metadata"]["usage"]
        assert about["finishReason"] == plain["metadata"]["finishReason"] == "stop"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", ["loom/scribe?cut=5", "loom/scribe?malformed=5"])
def test_a_failure_is_told_and_then_there_is_no_end(
    assistant: Assistant, path: str, model: str
) -> None:
    events = assistant.stream("Say something.", path=path, model=model)
    assert (events.status, events.ended) == (200, False)
    *_, error = events.chunks
    assert error["type"] == "error"
    assert isinstance(error["error"], str)
    assert error["error"] == error["message"]
    assert error["code"].isupper()
    assert error["turnId"] == turn_of(events)
    assert not {"metadata", "done"} & {one["type"] for one in events.chunks}
    assert "[DONE]" not in events.data
    assert (events.blocks[-1].get("event") == "error") == (path == NAMED)


@pytest.mark.parametrize("path", PATHS)
def test_a_failure_before_the_first_word_is_told_by_its_status(
    assistant: Assistant, path: str
) -> None:
    events = assistant.stream("Say something.", path=path, model="loom/scribe?429=1")
    assert (events.status, events.ended) == (429, True)
    assert json.loads(events.raw)["code"] == "RATE_LIMIT"
    assert events.headers["retry-after"].isdigit()


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_is_resumed_from_any_event(
    assistant: Assistant, named: dict[str, str], path: str
) -> None:
    whole = assistant.stream("Say it.", named, path=path, model="loom/scribe?tokens=12")
    known, turn = frames(whole), turn_of(whole)
    seen_ones = {number for number, _ in known[:-1] if number < 10**9}
    for seen in (0, *sorted(seen_ones)):
        rest = [(number, data) for number, data in known if number > seen]
        if path == NAMED and seen:
            rest = [one for one in rest if '"start"' not in one[1]]
        headers = {**named, "Last-Event-ID": str(seen)}
        again = assistant.stream("Say it.", headers, path=path, model="loom/scribe?tokens=12")
        followed = assistant.server.follow(turn, seen, key=assistant.key)
        assert frames(again) == frames(followed) == rest
        assert again.ended
        assert followed.ended
        assert again.headers["idempotent-replayed"] == "true"


def test_a_turn_is_followed_in_the_words_it_was_asked_in(assistant: Assistant) -> None:
    plain = assistant.call("POST", CHAT, {"message": "Hello!", "model": "loom/echo"})
    followed = assistant.server.follow(turn_of(plain), key=assistant.key)
    assert followed.chunks[-1]["metadata"] == plain.json["metadata"]
    assert followed.data[-1] == "[DONE]"


def test_a_request_that_comes_again_is_billed_once_however_it_is_told(
    live: Live, assistant: Assistant, named: Mapping[str, str]
) -> None:
    body: dict[str, Any] = {"message": "Say it.", "model": "loom/scribe", "mode": "search"}
    first = assistant.call("POST", CHAT, body, named)
    again = assistant.call("POST", CHAT, {**body, "userTier": "pro"}, named)
    told = [assistant.stream(body.pop("message"), named, path=CHAT, **body)]
    told.append(assistant.stream("Say it.", named, path=NAMED, **body))
    assert again.json == first.json
    for one in told:
        assert turn_of(one) == turn_of(first)
        assert text_of(one) == first.json["response"]
        assert one.chunks[-1]["metadata"] == first.json["metadata"]
    kinds = live.rows("SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn_of(first))
    assert kinds == [("reserve",), ("settle",)]


@pytest.mark.parametrize("path", PATHS)
def test_what_was_remembered_meanwhile_makes_no_other_request_of_it(
    assistant: Assistant, named: dict[str, str], path: str
) -> None:
    assistant.remember("favourite colour", "ultramarine")
    question = "What is my favourite colour?"
    first = assistant.stream(question, named, path=path)
    assistant.remember("favourite colour of all", "vermilion")
    assistant.told("DELETE", "/api/memory?key=favourite%20colour")
    again = assistant.stream(question, named, path=path)
    assert turn_of(again) == turn_of(first)
    assert again.raw == first.raw
    assert again.chunks[-1]["metadata"]["memoriesUsed"] == ["favourite colour"]
    plain = assistant.call("POST", CHAT, {"message": question, "model": "loom/echo"}, named)
    assert plain.json["metadata"] == first.chunks[-1]["metadata"]


OTHERWISE: list[dict[str, object]] = [
    {"message": "Goodbye!"},
    {"mode": "build"},
    {"preferences": {"memory": False}},
    {"preferences": {"tone": "dry"}},
    {"userContext": {"job": "baker"}},
    {"drivingMode": True},
    {"userId": "ann"},
    {"essence": "calm"},
]


@pytest.mark.parametrize("change", OTHERWISE, ids=lambda change: next(iter(change)))
def test_another_request_may_not_come_by_the_same_name(
    assistant: Assistant, named: dict[str, str], change: dict[str, object]
) -> None:
    body = {"message": "Hello!", "model": "loom/echo"}
    assistant.call("POST", CHAT, body, named)
    refused = assistant.call("POST", CHAT, {**body, **change}, named)
    assert (refused.status, refused.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_name_taken_in_chatroutes_words_is_not_this_requests(
    live: Live, assistant: Assistant, named: dict[str, str]
) -> None:
    live.complete("Hello!", key=assistant.key, headers=named, model="loom/echo")
    refused = assistant.call("POST", CHAT, {"message": "Hello!", "model": "loom/echo"}, named)
    assert refused.status == 422


@pytest.mark.parametrize("told", ["x", "-1", "999999"])
def test_an_event_that_was_never_told_is_none_to_go_on_behind(
    assistant: Assistant, named: dict[str, str], told: str
) -> None:
    assistant.stream("Hello!", named)
    refused = assistant.stream("Hello!", {**named, "Last-Event-ID": told})
    assert (refused.status, json.loads(refused.raw)["code"]) == (400, "VALIDATION_ERROR")
