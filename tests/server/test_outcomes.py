"""What is stored and charged for a turn, whether it went well or not, and when."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from support.http import Answer, Events
from support.live import Live

SCRIBE = "loom/scribe"

_numbers = count()


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"outcomes-{next(_numbers)}"


def turn_of(live: Live, key: str, answer: Answer | Events) -> Any:
    return live.call("GET", f"/v1/turns/{answer.headers['x-chatloom-turn']}", key=key).json


@pytest.mark.parametrize("separate", [False, True], ids=["usage within", "usage apart"])
def test_a_turn_is_settled_before_its_last_event_is_told(
    live: Live, key: str, separate: bool
) -> None:
    for number in range(25):
        options = {"include_usage": separate}
        with live.stream(f"Question {number}.", key=key, stream_options=options) as response:
            turn = response.getheader("X-Chatloom-Turn")
            while b'"finish_reason":"stop"' not in response.readline():
                pass
            told = live.call("GET", f"/v1/turns/{turn}", key=key).json
        assert told["outcome"] == "complete"
        assert told["ended_at"] is not None
        assert told["cost"]["picodollars"] > 0


def test_a_turn_is_told_as_it_was(live: Live, key: str) -> None:
    answer = live.complete("Hello!", key=key)
    turn = turn_of(live, key, answer)
    usage = answer.json["usage"]
    assert turn["text"] == answer.text
    assert (turn["streamed"], turn["provider"], turn["protocol"]) == (False, "loom", "chatserver")
    assert turn["usage"] == {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "estimated": False,
    }
    assert turn["cost"]["picodollars"] == (
        usage["prompt_tokens"] * 100_000 + usage["completion_tokens"] * 400_000
    )


def balance(live: Live, turn_id: str) -> list[tuple[Any, ...]]:
    return live.rows(
        "SELECT balance.reserved, spent FROM balance JOIN turn ON turn.account_id = subject"
        " WHERE scope = 'account' AND turn.id = ?",
        turn_id,
    )


def test_a_streamed_answer_cut_by_the_provider_is_cut_and_kept(live: Live, key: str) -> None:
    told = live.events("Tell me of looms.", key=key, model=f"{SCRIBE}?cut=5")
    assert (told.status, told.ended) == (200, False)
    assert "[DONE]" not in told.data
    error = told.chunks[-1]["error"]
    assert (error["code"], error["turn"]) == ("truncated", told.headers["x-chatloom-turn"])
    finishes = [
        choice["finish_reason"] for chunk in told.chunks[:-1] for choice in chunk["choices"]
    ]
    assert set(finishes) == {None}
    turn = turn_of(live, key, told)
    assert (turn["outcome"], turn["text"]) == ("truncated", told.text)
    assert turn["usage"]["estimated"] is True
    assert turn["usage"]["completion_tokens"] == 5 == told.chunks[-1]["usage"]["completion_tokens"]
    assert balance(live, turn["id"]) == [(0, turn["cost"]["picodollars"])]


def test_a_plain_answer_cut_by_the_provider_is_an_error_and_kept(live: Live, key: str) -> None:
    answer = live.complete("Tell me of looms.", key=key, model=f"{SCRIBE}?cut=5")
    assert (answer.status, answer.error["code"]) == (502, "truncated")
    turn = turn_of(live, key, answer)
    assert (turn["outcome"], turn["text"]) == ("truncated", answer.error["partial"])
    assert answer.headers["x-should-retry"] == "false"
    assert balance(live, turn["id"]) == [(0, turn["cost"]["picodollars"])]
    assert turn["cost"]["picodollars"] > 0


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [
        ("malformed=3", "truncated", "truncated"),
        ("stall=3&idle=0.05", "provider_timed_out", "provider_error"),
    ],
)
def test_other_faults_are_failures_too(
    live: Live, key: str, fault: str, code: str, outcome: str
) -> None:
    told = live.events("Tell me of looms.", key=key, model=f"{SCRIBE}?{fault}")
    assert (told.chunks[-1]["error"]["code"], told.ended) == (code, False)
    plain = live.complete("Tell me of looms.", key=key, model=f"{SCRIBE}?{fault}")
    assert plain.error["code"] == code
    for answer in (told, plain):
        turn = turn_of(live, key, answer)
        assert (turn["outcome"], turn["problem"] is None) == (outcome, False)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_refused_attempt_costs_and_leaves_nothing(live: Live, key: str, streamed: bool) -> None:
    before = live.counts()
    model = f"{SCRIBE}?429=1"
    answer = live.complete("Hello!", key=key, model=model, stream=streamed)
    assert (answer.status, answer.error["type"]) == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-should-retry"] == "true"
    after = live.counts()
    assert [after[name] - before[name] for name in ("conversation", "branch", "message")] == [0] * 3
    turn = turn_of(live, key, answer)
    assert (turn["outcome"], turn["usage"], turn["message_id"]) == ("provider_error", None, None)
    assert balance(live, turn["id"]) == [(0, 0)]
    assert live.complete("Hello!", key=key, model=model, stream=streamed).status == 200


def test_a_refused_attempt_leaves_a_conversation_as_it_was(live: Live, key: str) -> None:
    first = live.complete("Hello!", key=key)
    id = first.json["system_fingerprint"]
    before = live.call("GET", f"/v1/conversations/{id}", key=key).json
    place = {"session_id": id}
    assert live.complete("More!", key=key, model=f"{SCRIBE}?429=9", metadata=place).status == 429
    assert live.call("GET", f"/v1/conversations/{id}", key=key).json == before


def test_a_reader_who_leaves_does_not_end_the_turn(live: Live, key: str) -> None:
    with live.stream("Hello!", key=key, model=f"{SCRIBE}?delay=5&tokens=40") as response:
        turn = response.getheader("X-Chatloom-Turn")
        response.readline()
    told: Any = {"outcome": None}
    until = time.monotonic() + 20
    while told["outcome"] is None and time.monotonic() < until:
        time.sleep(0.02)
        told = live.call("GET", f"/v1/turns/{turn}", key=key).json
    assert told["outcome"] == "complete"
    assert told["usage"]["completion_tokens"] == 40


def test_a_running_turn_can_be_read(live: Live, key: str) -> None:
    with live.stream("Hello!", key=key, model=f"{SCRIBE}?delay=5&tokens=100") as response:
        turn = response.getheader("X-Chatloom-Turn")
        told = live.call("GET", f"/v1/turns/{turn}", key=key).json
        assert (told["outcome"], told["cost"], told["ended_at"]) == (None, None, None)
        id = told["conversation_id"]
        assert live.call("GET", f"/v1/conversations/{id}", key=key).json["messages"] == []
        response.read()
