"""Streams: frames that the published clients can read, resumed anywhere, cut where they fail."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from support.chatroutes import Member, Talk, refusal
from support.http import Events
from support.live import Live

SLOW = "loom/scribe?delay=5&tokens=40"
FRAME = re.compile(r"(?:: ?\n\n)?(?:id: \d+\n)?data: [^\r\n]+\n\n")


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, "streams").begin(model="loom/scribe")


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def stream(talk: Talk, content: str = "Hello!", headers: Any = None, **fields: object) -> Events:
    body = {"content": content, **fields}
    return talk.member.stream(f"{talk.path}/messages/stream", body, headers)


def frames(events: Events) -> list[tuple[int, str]]:
    """The number and the data of each frame; the closing one has none, and counts as the last."""
    return [(int(block.get("id", 10**9)), block["data"]) for block in events.blocks]


def turn_of(events: Events) -> str:
    return events.headers["x-chatloom-turn"]


def test_a_stream_is_content_then_complete_then_done(talk: Talk) -> None:
    events = stream(talk)
    assert events.ended
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.headers["cache-control"] == "no-store"
    *contents, complete = events.chunks
    assert events.data[-1] == "[DONE]"
    assert {tuple(one) for one in contents} == {("type", "content", "model")}
    assert {one["type"] for one in contents} == {"content"}
    text = "".join(one["content"] for one in contents)
    assert complete["type"] == "complete"
    assert complete["message"] == talk.messages()[-1]
    assert complete["message"]["content"] == text
    assert complete["userMessage"]["content"] == "Hello!"
    assert complete["model"] == contents[0]["model"] == "loom/scribe"
    usage = complete["usage"]
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]


def test_a_frame_is_one_line_of_json(talk: Talk) -> None:
    events = stream(talk, "a\nb\r\nc\u2028d\x85\0", model="loom/echo")
    raw = events.raw.decode()
    assert FRAME.sub("", raw) == ""
    assert raw.endswith("data: [DONE]\n\n")
    assert all(json.loads(data)["type"] for data in events.data[:-1])


def test_a_stream_on_a_branch_says_the_same_as_a_plain_answer(talk: Talk) -> None:
    _, answer = talk.say("One")
    one, other = talk.fork(answer), talk.fork(answer)
    told = talk.send("Two", one)["message"]
    complete = stream(talk, "Two", branchId=other["id"]).chunks[-1]["message"]
    assert complete["content"] == told["content"]
    assert complete["contentHash"] == told["contentHash"]
    assert complete["branchId"] == other["id"]


def test_a_stream_is_resumed_from_any_event(talk: Talk, named: dict[str, str]) -> None:
    whole = stream(talk, headers=named)
    turn, known = turn_of(whole), frames(whole)
    for seen in [0, *(number for number, _ in known[:-1])]:
        rest = [(number, data) for number, data in known if number > seen]
        headers = {**named, "Last-Event-ID": str(seen)}
        assert frames(stream(talk, headers=headers)) == rest
        followed = talk.member.server.follow(turn, seen, key=talk.member.key)
        assert frames(followed) == rest
        assert followed.ended
    assert talk.texts() == ["Hello!", whole.chunks[-1]["message"]["content"]]


def test_a_running_stream_is_followed_from_any_event(talk: Talk) -> None:
    body = {"content": "Hello!", "model": SLOW}
    path, key = f"/api/v1{talk.path}/messages/stream", talk.member.key
    with talk.member.server.post(path, body, key=key) as response:
        turn = str(response.getheader("x-chatloom-turn"))
        with ThreadPoolExecutor(4) as crowd:
            places = [0, 0, 1, 2]
            follow = partial(talk.member.server.follow, turn, key=key)
            told = list(crowd.map(follow, places))
    whole = frames(told[0])
    assert whole[-1][1] == "[DONE]"
    for seen, events in zip(places, told, strict=True):
        assert frames(events) == [one for one in whole if one[0] > seen]


@pytest.mark.parametrize("seen", ["99999", "-1", "x", "1.0"])
def test_an_event_that_was_never_told_is_refused(
    talk: Talk, named: dict[str, str], seen: str
) -> None:
    stream(talk, headers=named)
    headers = {**named, "Last-Event-ID": seen}
    answer = talk.member.call(
        "POST", f"{talk.path}/messages/stream", {"content": "Hello!"}, headers
    )
    assert refusal(answer) == (400, "unknown_event")


FAILURES = [
    ("loom/scribe?cut=4", "TRUNCATED"),
    ("loom/scribe?malformed=4", "TRUNCATED"),
    ("loom/scribe?stall=4&idle=0.1", "PROVIDER_TIMED_OUT"),
]


@pytest.mark.parametrize(("model", "code"), FAILURES)
def test_a_failure_is_told_and_then_the_answer_is_cut(
    talk: Talk, named: dict[str, str], model: str, code: str
) -> None:
    events = stream(talk, headers=named, model=model)
    assert (events.status, events.ended) == (200, False)
    *contents, failed = events.chunks
    assert "[DONE]" not in events.data
    assert (failed["type"], failed["code"]) == ("error", code)
    assert failed["error"] == failed["message"]
    assert failed["turnId"] == turn_of(events)
    assert failed["usage"]["completionTokens"] > 0
    assert len(contents) == 4
    partial = "".join(one["content"] for one in contents)
    last = talk.messages()[-1]
    assert last["content"] == partial
    assert last["metadata"]["finishReason"] is None
    again = stream(talk, headers=named, model=model)
    assert (turn_of(again), again.ended) == (turn_of(events), False)
    assert again.headers["x-should-retry"] == "false"
    assert again.data == events.data
    followed = talk.member.server.follow(turn_of(events), 2, key=talk.member.key)
    assert (followed.data, followed.ended) == (events.data[-len(followed.data) :], False)


@pytest.mark.parametrize("path", ["messages", "messages/stream"])
def test_a_failure_before_the_first_word_has_a_status_and_leaves_nothing(
    talk: Talk, path: str
) -> None:
    body = {"content": "Hello!", "model": "loom/scribe?429=9"}
    answer = talk.member.call("POST", f"{talk.path}/{path}", body)
    assert refusal(answer) == (429, "provider_rate_limited")
    assert answer.headers["x-should-retry"] == "true"
    assert answer.json["code"] == "RATE_LIMIT_EXCEEDED"
    assert answer.json["retryAfter"] == float(answer.headers["retry-after"])
    assert talk.messages() == []


@pytest.mark.parametrize("path", ["messages", "messages/stream", "branches/{main}/messages"])
def test_a_repeat_is_answered_alike_and_billed_once(
    live: Live, talk: Talk, named: dict[str, str], path: str
) -> None:
    where = f"/api/v1{talk.path}/" + path.replace("{main}", talk.main["id"])
    before = live.counts()

    def ask(_: int) -> Any:
        return live.call("POST", where, {"content": "Hello!"}, key="streams", headers=named)

    with ThreadPoolExecutor(6) as crowd:
        answers = [*crowd.map(ask, range(6)), ask(6)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 6
    after = live.counts()
    assert (after["turn"], after["ledger"]) == (before["turn"] + 1, before["ledger"] + 2)
    assert len(talk.messages()) == 2
    refused = talk.member.call("POST", where[7:], {"content": "Else"}, named)
    assert refusal(refused) == (422, "idempotency_key_reused")


def test_a_stream_and_a_plain_request_are_the_same_request(
    talk: Talk, named: dict[str, str]
) -> None:
    events = stream(talk, headers=named)
    plain = talk.member.call("POST", f"{talk.path}/messages", {"content": "Hello!"}, named)
    assert plain.headers["x-chatloom-turn"] == turn_of(events)
    assert plain.json["data"]["message"] == events.chunks[-1]["message"]


def gone(talk: Talk) -> None:
    talk.member.data("DELETE", talk.path)


def without_branch(talk: Talk) -> None:
    talk.delete(talk.branches()[1])


@pytest.mark.parametrize("deed", [gone, without_branch])
@pytest.mark.parametrize("streamed", [True, False])
def test_what_is_deleted_while_an_answer_is_written_breaks_nothing(
    live: Live, talk: Talk, deed: Callable[[Talk], None], streamed: bool
) -> None:
    branch = talk.fork(talk.say("One")[1])
    body = {"content": "Two", "branchId": branch["id"], "model": SLOW}
    path, key = f"/api/v1{talk.path}/messages", talk.member.key
    if streamed:
        with live.post(f"{path}/stream", body, key=key) as response:
            deed(talk)
            assert response.read().endswith(b"data: [DONE]\n\n")
        return
    running = "SELECT count(*) FROM turn WHERE conversation_id = ? AND outcome IS NULL"
    with ThreadPoolExecutor(1) as apart:
        asked = apart.submit(live.call, "POST", path, body, key=key)
        while not live.rows(running, talk.id)[0][0]:
            pass
        deed(talk)
        assert asked.result().json["data"]["message"]["role"] == "assistant"


def test_a_cancelled_answer_is_cut_and_keeps_what_was_said(talk: Talk) -> None:
    body, key = {"content": "Hello!", "model": "loom/scribe?stall=5&idle=60"}, talk.member.key
    path, server = f"/api/v1{talk.path}/messages/stream", talk.member.server
    with server.post(path, body, key=key) as response:
        turn = str(response.getheader("x-chatloom-turn"))
        server.call("POST", f"/v1/turns/{turn}/cancel", {}, key=key)
    told = server.follow(turn, key=key)
    assert (told.chunks[-1]["type"], told.chunks[-1]["code"]) == ("error", "CANCELLED")
    assert not told.ended
    said = "".join(one["content"] for one in told.chunks[:-1])
    assert [one["content"] for one in talk.messages()] == (["Hello!", said] if said else [])
