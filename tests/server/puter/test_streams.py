"""Answers line by line: nothing but JSON, gone on with anywhere, billed once, whole or said not."""

from __future__ import annotations

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import Puter, asking, lines, refusal
from server.puter.test_chat import CALL, TOOLS
from support.http import Events
from support.live import Live

ODD = "a\nb\r\nc\u2028d\x85ä🌱"


@pytest.fixture
def ann(live: Live) -> Puter:
    return Puter(live, new_id())


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": new_id()}


def text_of(events: Events) -> str:
    return "".join(one["text"] for one in lines(events) if one["type"] == "text")


def test_a_stream_is_lines_of_text_and_one_of_usage(ann: Puter, live: Live) -> None:
    events = ann.stream(ODD)
    assert (events.status, events.ended) == (200, True)
    assert events.headers["content-type"] == "application/x-ndjson"
    assert events.headers["cache-control"] == "no-store"
    assert events.raw.endswith(b"}\n")
    *texts, end = lines(events)
    assert {tuple(one) for one in texts} == {("type", "text", "event")}
    assert text_of(events) == ODD
    assert set(end) == {"type", "usage", "metadata", "event"}
    whole = ann.send(asking(ODD)).json
    assert end["usage"] == whole["result"]["usage"]
    turn = live.call("GET", f"/v1/turns/{events.headers['x-chatloom-turn']}", key=ann.token).json
    assert turn["message_id"] == end["metadata"]["message_id"]
    assert (turn["outcome"], turn["text"]) == ("complete", ODD)


def test_a_talk_goes_on_from_a_stream(ann: Puter) -> None:
    end = lines(ann.stream("One?"))[-1]
    again = lines(ann.stream("Two?", metadata=end["metadata"]))[-1]
    assert again["metadata"]["conversation_id"] == end["metadata"]["conversation_id"]


def test_a_tool_is_told_whole(ann: Puter) -> None:
    events = ann.stream(CALL, model="loom/scribe", tools=TOOLS)
    use, end = lines(events)
    (call,) = ann.chat(CALL, model="loom/scribe", tools=TOOLS)["message"]["tool_calls"]
    assert use == {
        "type": "tool_use",
        "id": call["id"],
        "name": "get_weather",
        "input": {"city": "Paris"},
        "text": "",
        "event": use["event"],
    }
    assert end["type"] == "usage"


def test_who_has_heard_one_of_two_tools_hears_both_again(ann: Puter, live: Live) -> None:
    events = ann.stream(f"{CALL}\n{CALL}", model="loom/scribe", tools=TOOLS)
    first, second, end = lines(events)
    assert first["id"] != second["id"]
    turn = events.headers["x-chatloom-turn"]
    assert lines(live.follow(turn, first["event"], key=ann.token)) == [first, second, end]
    assert lines(live.follow(turn, second["event"], key=ann.token)) == [end]


@pytest.mark.parametrize("follows", [False, True], ids=["repeated", "followed"])
@pytest.mark.parametrize("calls", [False, True], ids=["text", "tools"])
def test_a_stream_goes_on_behind_any_line(
    ann: Puter, live: Live, named: dict[str, str], follows: bool, calls: bool
) -> None:
    args: dict[str, object] = {"model": "loom/echo"}
    if calls:
        args = {"model": "loom/scribe", "tools": TOOLS}
    question = CALL if calls else "One two three four."
    whole = ann.stream(question, headers=named, **args)
    turn = whole.headers["x-chatloom-turn"]
    for after in range(lines(whole)[-1]["event"] + 1):
        if follows:
            rest = live.follow(turn, after, key=ann.token)
        else:
            told = {**named, "Last-Event-ID": str(after)}
            rest = ann.stream(question, headers=told, **args)
        assert rest.ended
        assert rest.headers["content-type"] == "application/x-ndjson"
        assert lines(rest) == [one for one in lines(whole) if one["event"] > after]


def test_a_repeat_is_charged_once_however_it_is_told(
    ann: Puter, live: Live, named: dict[str, str]
) -> None:
    first = ann.stream("Hello!", headers=named)
    again = ann.send(asking("Hello!"), named)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json["result"]["message"]["content"] == text_of(first)
    turn = first.headers["x-chatloom-turn"]
    assert live.rows("SELECT count(*) FROM ledger WHERE turn_id = ?", turn) == [(2,)]


@pytest.mark.parametrize("fault", ["cut=3", "malformed=3", "stall=3&idle=0.05"])
def test_a_failure_is_told_and_no_usage_behind_it(ann: Puter, live: Live, fault: str) -> None:
    events = ann.stream("One two three four five.", model=f"loom/echo?{fault}")
    *texts, failure = lines(events)
    assert events.ended, "puter.js does not survive a connection that is cut"
    assert {one["type"] for one in texts} == {"text"}
    assert text_of(events) == "One two three"
    assert set(failure) == {"type", "message", "code"}
    assert (failure["type"], failure["code"][:9]) == ("error", "upstream_")
    turn = events.headers["x-chatloom-turn"]
    told = live.follow(turn, key=ann.token)
    assert told.raw == events.raw
    assert live.rows("SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn) == [
        ("reserve",),
        ("settle",),
    ]


def test_a_failure_before_the_first_word_has_a_status(ann: Puter) -> None:
    answer = ann.send(asking("Hello!", model="loom/echo?429=1", stream=True))
    assert refusal(answer) == (429, "upstream_rate_limited")
    assert int(answer.headers["retry-after"]) > 0


def test_a_failure_of_a_whole_answer_says_what_had_been_said(ann: Puter) -> None:
    answer = ann.send(asking("One two three four.", model="loom/echo?cut=2"))
    assert refusal(answer) == (502, "upstream_failed")
    details = answer.json["details"]
    assert (details["partial"], details["turn"]) == (
        "One two",
        answer.headers["x-chatloom-turn"],
    )


def test_who_leaves_ends_nothing(ann: Puter, live: Live, named: dict[str, str]) -> None:
    model = "loom/scribe?delay=2&tokens=30"
    body = {**asking("Hello!", model=model, stream=True), "auth_token": ann.token}
    with live.post("/drivers/call", body, key=ann.token, headers=named) as response:
        assert response.readline().startswith(b'{"type":"text"')
    whole = ann.stream("Hello!", headers=named, model=model)
    assert lines(whole)[-1]["usage"]["completion_tokens"] == 30
    assert whole.headers["idempotent-replayed"] == "true"


def test_a_stranger_follows_nothing(ann: Puter, live: Live) -> None:
    turn = ann.stream("Mine!").headers["x-chatloom-turn"]
    assert live.follow(turn, key="somebody else").status == 404
