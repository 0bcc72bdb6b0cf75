"""Messages answered in one piece: by whom, told how, on which talk, for how much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chatloom.server.ids import new_id
from chatloom.wire.puter import LEGACY_DRIVERS
from server.puter.calling import Puter, asking
from support.chatroutes import answering
from support.live import Live
from transports.scripted import Server, serving

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="


@pytest.fixture(scope="module")
def provider() -> Iterator[Server]:
    with serving(answering) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: Server) -> Iterator[Live]:
    config = "".join(
        f'[providers.{name}]\nbase_url = "{provider.url}/v1"\nmax_retries = 0\n'
        for name in ("acme", "anthropic")
    )
    running = Live(tmp_path_factory.mktemp("puter") / "own.db", "--providers", config=config)
    yield running
    assert running.stop() == 0


@pytest.fixture
def ann(server: Live) -> Puter:
    return Puter(server, new_id())


def sent(provider: Server) -> Any:
    return json.loads(provider.asked[-1].body)


def test_an_answer_says_all_of_itself(ann: Puter, server: Live) -> None:
    answer = ann.send(asking("Hello!"))
    told = answer.json
    metadata = told.pop("metadata")
    assert told == {
        "success": True,
        "service": {"name": "ai-chat"},
        "result": {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
            "usage": {
                "prompt_tokens": 8,
                "completion_tokens": 2,
                "cached_tokens": 0,
                "usd_cents": 0.0,
            },
            "via_ai_chat_service": True,
        },
    }
    assert metadata["service_used"] == "ai-chat"
    assert (metadata["providerUsed"], metadata["model"]) == ("loom", "loom/echo")
    turn = server.call("GET", f"/v1/turns/{answer.headers['x-chatloom-turn']}", key=ann.token)
    assert turn.json["protocol"] == "puter"
    assert turn.json["message_id"] == metadata["message_id"]
    assert turn.json["conversation_id"] == metadata["conversation_id"]


def test_cents_are_what_was_charged(ann: Puter, server: Live) -> None:
    answer = ann.send(asking("Hello!", model="loom/scribe"))
    usage = answer.json["result"]["usage"]
    turn = answer.headers["x-chatloom-turn"]
    ((amount,),) = server.rows(
        "SELECT amount FROM ledger WHERE turn_id = ? AND kind = 'settle'", turn
    )
    assert usage["usd_cents"] == amount / 10**10 > 0
    unpriced = ann.chat("Hello!", model="acme/model")
    assert unpriced["usage"]["usd_cents"] is None


@pytest.mark.parametrize("driver", sorted({*LEGACY_DRIVERS, "ai-chat", ""}))
def test_a_driver_of_old_is_the_one_there_is(ann: Puter, driver: str) -> None:
    answer = ann.send({**asking("Hello!"), "driver": driver, "testMode": False, "stream": True})
    assert answer.json["result"]["message"]["content"] == "Hello!"
    assert answer.json["service"] == {"name": "ai-chat"}


def test_who_names_no_model_is_answered(ann: Puter) -> None:
    answer = ann.send(asking("Hello!", model=None))
    assert answer.json["metadata"]["model"] == "loom/scribe"


NAMES = [
    ("loom/echo", None, "loom/echo"),
    ("echo", "loom", "loom/echo"),
    ("loom:loom/echo", None, "loom/echo"),
    ("loom/echo", "openai-completion", "loom/echo"),
    ("gpt-4", "", "loom/scribe"),
    ("acme:acme/model", "acme", "model"),
    ("acme/model", "acme", "model"),
    ("model", "acme", "model"),
    ("claude-opus-4", "claude", "loom/scribe"),
]


@pytest.mark.parametrize(("model", "named", "served"), NAMES)
def test_a_model_is_found_by_the_names_that_clients_have(
    ann: Puter, model: str, named: str | None, served: str
) -> None:
    answer = ann.send(asking("Hello!", model=model, provider=named))
    assert answer.status == 200, answer.body
    assert answer.json["metadata"]["model"] == served


def test_anthropics_answers_are_told_in_its_words(ann: Puter) -> None:
    result = ann.chat("Hello!", model="anthropic/claude-x")
    message = result["message"]
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert [one["type"] for one in message["content"]] == ["text"]
    assert message["stop_reason"] == "end_turn"
    assert result["finish_reason"] == "stop"
    assert set(result["usage"]) == {
        *("input_tokens", "output_tokens", "cache_read_input_tokens", "usd_cents"),
    }
    assert result["via_ai_chat_service"] is True
    same = ann.chat("Hello!", model="anthropic/claude-x", response={"normalize": True})
    assert same["message"]["content"] == message["content"][0]["text"]
    assert same["normalized"] is True


def test_everything_that_is_asked_is_forwarded(ann: Puter, provider: Server) -> None:
    tools: list[object] = [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    ]
    ann.chat(
        {"role": "system", "content": "Be brief."},
        {"content": ["Look:", {"image_url": {"url": PNG}}, {"type": "text", "text": "So?"}]},
        model="acme/model",
        temperature=0,
        max_tokens=0,
        top_p=0.5,
        tools=tools,
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        text={"verbosity": "high"},
        vision=True,
        store=True,
        custom={"a": 1},
        compaction={"after": 5},
        test_mode=False,
        instructions="Answer in Latin.",
        seed=5,
        auth_token="astray",
    )
    told = sent(provider)
    assert told["messages"] == [
        {"role": "system", "content": "Answer in Latin."},
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "text", "text": "So?"},
            ],
        },
    ]
    del told["messages"]
    assert told.pop("stream", False) in {True, False}
    told.pop("stream_options", None)
    assert told == {
        "model": "model",
        "temperature": 0,
        "max_tokens": 0,
        "top_p": 0.5,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "verbosity": "high",
        "seed": 5,
    }


def test_an_answer_is_no_longer_than_either_name_says(ann: Puter, provider: Server) -> None:
    told = ann.send(asking("One two three.", max_tokens=9, max_completion_tokens=1, n=1)).json
    assert told["result"]["usage"]["completion_tokens"] == 1
    ann.chat("Hello!", model="acme/model", max_completion_tokens=7)
    assert sent(provider)["max_tokens"] == 7
    assert "max_completion_tokens" not in sent(provider)


def test_a_test_is_answered_by_a_model_that_costs_nothing(ann: Puter, provider: Server) -> None:
    before = len(provider.asked)
    answer = ann.send(asking("Hello!", model="acme/model", test_mode=True))
    assert answer.json["metadata"]["model"] == "loom/echo"
    assert len(provider.asked) == before


def test_messages_are_the_same_however_they_are_written(ann: Puter) -> None:
    written: list[object] = [
        "Say something.",
        {"content": "Say something."},
        {"role": "user", "content": ["Say something."]},
        {"content": [{"type": "text", "text": "Say something."}]},
        {"content": [{"text": "Say something."}], "note": "unknown"},
    ]
    assert len({ann.chat(one, model="loom/scribe")["message"]["content"] for one in written}) == 1


def test_a_talk_that_is_told_whole_stays_one(ann: Puter, server: Live) -> None:
    first = ann.send(asking("One?"))
    said = first.json["result"]["message"]
    for told in (said, {"role": "assistant", "content": [{"type": "text", "text": "One?"}]}):
        answer = ann.send(asking("One?", told, "Two?"))
        assert (
            answer.json["metadata"]["conversation_id"]
            == (first.json["metadata"]["conversation_id"])
        )
    found = server.rows(
        "SELECT count(*) FROM message WHERE conversation_id = ?",
        first.json["metadata"]["conversation_id"],
    )
    assert found == [(5,)], "the second question was answered twice"


def test_a_talk_goes_on_by_what_an_answer_says_of_its_place(ann: Puter, server: Live) -> None:
    place = ann.send(asking("One?")).json["metadata"]
    again = ann.send(asking("Two?", metadata=place)).json["metadata"]
    assert again["conversation_id"] == place["conversation_id"]
    over = server.complete("Three?", key=ann.token, metadata=again, model="loom/echo").json
    assert over["system_fingerprint"] == place["conversation_id"]
    path = f"/v1/conversations/{place['conversation_id']}"
    told = server.call("GET", path, key=ann.token).json["messages"]
    assert [one["content"] for one in told] == ["One?"] * 2 + ["Two?"] * 2 + ["Three?"] * 2


TOOLS: list[object] = [
    {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
    }
]
CALL = '!call get_weather {"city":  "Paris"}'


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_tools_are_called_and_answered_in_the_words_of_either_family(
    ann: Puter, family: str
) -> None:
    first = ann.send(asking(CALL, model="loom/scribe", tools=TOOLS))
    message = first.json["result"]["message"]
    (call,) = message["tool_calls"]
    assert (call["function"]["name"], first.json["result"]["finish_reason"]) == (
        "get_weather",
        "tool_calls",
    )
    result: object = {"role": "tool", "tool_call_id": call["id"], "content": "Rain."}
    if family == "anthropic":
        use = {"type": "tool_use", "id": call["id"], "name": "get_weather"}
        message = {"role": "assistant", "content": [{**use, "input": {"city": "Paris"}}]}
        told = {"type": "tool_result", "tool_use_id": call["id"], "content": ["Rain."]}
        result = {"role": "user", "content": [told]}
    again = ann.send(asking(CALL, message, result, model="loom/scribe", tools=TOOLS))
    assert "get_weather answered: Rain." in again.json["result"]["message"]["content"]
    assert again.json["metadata"]["conversation_id"] == first.json["metadata"]["conversation_id"]


def test_a_repeat_is_told_the_same_and_charged_once(ann: Puter, server: Live) -> None:
    named = {"Idempotency-Key": new_id()}
    first, again = (ann.send(asking("Hello!"), named) for _ in range(2))
    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    turn = first.headers["x-chatloom-turn"]
    kinds = server.rows("SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn)
    assert kinds == [("reserve",), ("settle",)]
    assert ann.send(asking("Goodbye!"), named).status == 422


def test_an_end_user_is_charged_by_the_name_in_the_metadata(ann: Puter, server: Live) -> None:
    answer = ann.send(asking("Hello!", metadata={"user_id": "ben"}))
    turn = answer.headers["x-chatloom-turn"]
    assert server.rows("SELECT end_user FROM turn WHERE id = ?", turn) == [("ben",)]
