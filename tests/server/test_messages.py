"""The Messages API of Anthropic over HTTP: what it says, what it keeps, what it refuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import msgspec
import pytest

from chatloom.wire import anthropic as wire
from support.http import Answer, Events
from support.live import Live

SCRIBE, ECHO = "loom/scribe", "loom/echo"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "get_weather", "description": "Says how it is.", "input_schema": SCHEMA}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
PIXEL = "iVBORw0KGgo="

_numbers = count()


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"messages-{next(_numbers)}"


def asking(content: object, **fields: object) -> dict[str, object]:
    """A request; *content* is the user's words, or all messages."""
    messages = [says("user", content)] if isinstance(content, str) else content
    return {"model": SCRIBE, "max_tokens": 1000, "messages": messages, **fields}


def says(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def ask(
    live: Live, key: str, content: object, headers: Mapping[str, str] | None = None, **fields: Any
) -> Answer:
    return live.call("POST", "/v1/messages", asking(content, **fields), key=key, headers=headers)


def listen(
    live: Live, key: str, content: object, headers: Mapping[str, str] | None = None, **fields: Any
) -> Events:
    """Ask for a stream, and read it until nothing more comes."""
    connection = http.client.HTTPConnection(live.host, live.port, timeout=30)
    try:
        body = json.dumps(asking(content, stream=True, **fields))
        connection.request("POST", "/v1/messages", body, {"x-api-key": key, **(headers or {})})
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        try:
            return Events(response.status, told, response.read(), ended=True)
        except http.client.IncompleteRead as cut:
            return Events(response.status, told, cut.partial, ended=False)
    finally:
        connection.close()


def text_of(events: Events) -> str:
    deltas = [one["delta"] for one in events.chunks if one["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


def words_of(answer: Answer) -> str:
    return "".join(block.get("text", "") for block in answer.json["content"])


def conversation(live: Live, key: str, id: str) -> Any:
    return live.call("GET", f"/v1/conversations/{id}", key=key).json


def turn_of(live: Live, key: str, answer: Answer | Events) -> Any:
    return live.call("GET", f"/v1/turns/{answer.headers['x-chatloom-turn']}", key=key).json


def test_a_plain_answer_has_all_that_anthropic_promises(live: Live, key: str) -> None:
    told = ask(live, key, "Hello!", model=ECHO)
    answer = told.json
    assert msgspec.to_builtins(msgspec.json.decode(told.body, type=wire.MessageAnswer)) == answer
    assert answer["id"].startswith("msg_")
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", ECHO)
    assert answer["content"] == [{"type": "text", "text": "Hello!"}]
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("end_turn", None)
    assert answer["usage"]["input_tokens"] > 0 < answer["usage"]["output_tokens"]
    kept = conversation(live, key, answer["conversation_id"])
    assert [message["role"] for message in kept["messages"]] == ["user", "assistant"]


def test_a_streamed_answer_says_the_same(live: Live, key: str) -> None:
    plain = ask(live, key, "Tell me of looms.")
    told = listen(live, key, "Tell me of looms.")
    assert text_of(told) == words_of(plain)
    *_, end, last = told.chunks
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert end["usage"] == plain.json["usage"]
    assert last == {"type": "message_stop"}
    start = told.chunks[0]["message"]
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert start["usage"]["input_tokens"] == plain.json["usage"]["input_tokens"]
    assert turn_of(live, key, told)["conversation_id"] == start["conversation_id"]


def test_a_stream_keeps_to_the_format(live: Live, key: str) -> None:
    told = listen(live, key, "Tell me of looms.")
    assert told.headers["content-type"].startswith("text/event-stream")
    assert told.ended
    assert all(block["event"] == json.loads(block["data"])["type"] for block in told.blocks)
    order = list(dict.fromkeys(block["event"] for block in told.blocks))
    assert order == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [msgspec.json.decode(data, type=wire.Event) for data in told.data]
    ids = [int(block["id"]) for block in told.blocks if "id" in block]
    assert ids == sorted(set(ids))
    assert "id" not in told.blocks[-1]


def test_every_usage_has_both_counters(live: Live, key: str) -> None:
    told = listen(live, key, "Hello!")
    usages = [one.get("usage") or one.get("message", {}).get("usage") for one in told.chunks]
    found = [usage for usage in usages if usage]
    assert len(found) == 2
    for usage in [*found, ask(live, key, "Hello!").json["usage"]]:
        assert {"input_tokens", "output_tokens"} <= set(usage)
        assert usage["cache_read_input_tokens"] == usage["cache_creation_input_tokens"] == 0


@pytest.mark.parametrize(
    ("fields", "text", "reason"),
    [
        ({"max_tokens": 2}, "one two", "max_tokens"),
        ({"stop_sequences": ["three"]}, "one two", "end_turn"),
        ({}, "one two three four", "end_turn"),
    ],
)
def test_limits_are_obeyed(
    live: Live, key: str, fields: dict[str, Any], text: str, reason: str
) -> None:
    plain = ask(live, key, "one two three four", model=ECHO, **fields)
    told = listen(live, key, "one two three four", model=ECHO, **fields)
    assert (words_of(plain).strip(), text_of(told).strip()) == (text, text)
    assert plain.json["stop_reason"] == told.chunks[-2]["delta"]["stop_reason"] == reason


def test_a_schema_for_the_answer_is_obeyed(live: Live, key: str) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["fine"]}}, "required": ["mood"]}
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    assert words_of(ask(live, key, "How are you?", output_config=wanted)) == '{"mood":"fine"}'


def test_a_talk_begun_on_openais_wire_goes_on_here(live: Live, key: str) -> None:
    talk = [says("system", "Be brief."), says("user", "First?")]
    first = live.complete(talk, key=key)
    blocks = [{"type": "text", "text": first.text, "citations": None}]
    more = [says("user", "First?"), says("assistant", blocks), says("user", "Second?")]
    second = ask(live, key, more, system=[{"type": "text", "text": "Be brief."}])
    id = first.json["system_fingerprint"]
    assert second.json["conversation_id"] == id
    kept = conversation(live, key, id)
    assert [m["content"] for m in kept["messages"]] == [
        "Be brief.", "First?", first.text, "Second?", words_of(second)
    ]  # fmt: skip
    assert len(kept["branches"]) == 1


def test_a_talk_begun_here_goes_on_on_openais_wire(live: Live, key: str) -> None:
    marked = {"type": "text", "text": "First?", "cache_control": {"type": "ephemeral"}}
    first = ask(live, key, [says("user", [marked])], system="Be brief.")
    talk = [says("system", "Be brief."), says("user", "First?"), says("assistant", words_of(first))]
    second = live.complete([*talk, says("user", "Second?")], key=key)
    assert second.json["system_fingerprint"] == first.json["conversation_id"]
    kept = conversation(live, key, first.json["conversation_id"])
    assert (kept["message_count"], len(kept["branches"])) == (5, 1)


def test_the_same_talk_has_the_same_hashes_on_both_wires(live: Live, key: str) -> None:
    shown = [{"type": "text", "text": "Look:"}, image("base64", media_type="image/png", data=PIXEL)]
    here = ask(live, key, [says("user", shown)], system="Be brief.")
    url = {"url": f"data:image/png;base64,{PIXEL}"}
    parts = [shown[0], {"type": "image_url", "image_url": url}]
    there = live.complete([says("system", "Be brief."), says("user", parts)], key=key)
    kept = [
        conversation(live, key, id)["messages"]
        for id in (here.json["conversation_id"], there.json["system_fingerprint"])
    ]
    assert [m["hash"] for m in kept[0]] == [m["hash"] for m in kept[1]]
    assert kept[0][1]["content"] == parts


def image(kind: str, **source: str) -> dict[str, object]:
    return {"type": "image", "source": {"type": kind, **source}}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    "arguments", ['{"city": "Paris"}', '{"city":"Paris"}', '{ "city" :\t"Paris"}', "", "{}", "[no"]
)
def test_tools_are_called_and_their_results_answered(
    live: Live, key: str, arguments: str, streamed: bool
) -> None:
    asked = says("user", f"!call get_weather {arguments}")
    called = ask(live, key, [asked], tools=[WEATHER])
    (block,) = called.json["content"]
    assert called.json["stop_reason"] == "tool_use"
    assert (block["type"], block["name"]) == ("tool_use", "get_weather")
    if streamed:
        told = listen(live, f"{key}-streamed", [asked], tools=[WEATHER])
        pieces = [
            one["delta"]["partial_json"] for one in told.chunks if "index" in one and "delta" in one
        ]
        assert "".join(pieces) == (arguments or "{}")
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "Sunny."}
    talk = [asked, says("assistant", called.json["content"]), says("user", [result])]
    second = ask(live, key, talk, tools=[WEATHER])
    assert "Sunny." in words_of(second)
    kept = conversation(live, key, called.json["conversation_id"])
    assert second.json["conversation_id"] == called.json["conversation_id"]
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert len(kept["branches"]) == 1


def test_results_come_before_what_is_said_with_them(live: Live, key: str) -> None:
    asked = says("user", "!call get_weather {}\n!call get_weather {}")
    blocks = ask(live, key, [asked], tools=[WEATHER]).json["content"]
    ids = [block["id"] for block in blocks]
    results = [
        {
            "type": "tool_result",
            "tool_use_id": ids[0],
            "content": [{"type": "text", "text": "Sun"}],
        },
        {"type": "text", "text": "Well?", "cache_control": {"type": "ephemeral"}},
        {"type": "tool_result", "tool_use_id": ids[1], "is_error": True},
    ]
    talk = [asked, says("assistant", blocks), says("user", results)]
    second = ask(live, key, talk, tools=[WEATHER], tool_choice={"type": "none"})
    kept = conversation(live, key, second.json["conversation_id"])["messages"]
    told = [(m["role"], m["content"]) for m in kept[2:-1]]
    assert told == [("tool", "Sun"), ("tool", ""), ("user", "Well?")]


def test_a_call_in_two_wires_words_is_one_call(live: Live, key: str) -> None:
    asked = says("user", '!call get_weather {"city": "Paris"}')
    called = live.complete([asked], key=key, tools=[FUNCTION]).json
    (call,) = called["choices"][0]["message"]["tool_calls"]
    use = {"type": "tool_use", "id": call["id"], "name": "get_weather", "input": {"city": "Paris"}}
    thought = {"type": "thinking", "thinking": "Where?", "signature": "x"}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "Sunny."}
    talk = [asked, says("assistant", [thought, use]), says("user", [result])]
    answer = ask(live, key, talk, tools=[WEATHER]).json
    assert answer["conversation_id"] == called["system_fingerprint"]
    kept = conversation(live, key, answer["conversation_id"])
    assert (kept["message_count"], len(kept["branches"])) == (4, 1)


@pytest.mark.parametrize("name", ["session_id", "conversation_id"])
def test_what_goes_on_from_a_place_has_its_system_beside_the_tree(
    live: Live, key: str, name: str
) -> None:
    first = live.complete("First?", key=key).json["system_fingerprint"]
    place = {name: first, "user_id": "somebody"}
    with_system, without = (
        ask(live, key, "Second?", metadata=place, system=system).json
        for system in ("Speak of ships.", None)
    )
    assert with_system["conversation_id"] == without["conversation_id"] == first
    kept = conversation(live, key, first)["messages"]
    assert [m["role"] for m in kept] == ["user", "assistant"] * 3


def test_the_user_of_the_metadata_is_the_end_user(live: Live, key: str) -> None:
    first = ask(live, key, "Hello!", metadata={"user_id": "ann"}).json
    talk = [says("user", "Hello!"), says("assistant", first["content"]), says("user", "More!")]
    found = [
        ask(live, key, talk, metadata={"user_id": user}).json["conversation_id"]
        for user in ("ann", "bob")
    ]
    assert [id == first["conversation_id"] for id in found] == [True, False]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": None}, "max_tokens"),
    ({"temperature": 1.5}, "temperature"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [says("user", [])]}, "messages[0].content"),
    ({"messages": [says("user", [{"type": "text"}])]}, "messages[0].content[0].text"),
    ({"messages": [says("user", [{"type": "video"}])]}, "messages[0].content[0].type"),
    ({"messages": [says("user", [{"type": ["text"]}])]}, "messages[0].content[0].type"),
    ({"messages": [says("user", [{"type": "tool_use"}])]}, "messages[0].content[0].type"),
    ({"messages": [says("user", [image("file")])]}, "messages[0].content[0].source.url"),
    (
        {"messages": [says("user", [image("url", url="file:///etc/passwd")])]},
        "messages[0].content[0].source.url",
    ),
    (
        {"messages": [says("user", [image("base64", media_type="text/html", data="x")])]},
        "messages[0].content[0].source.media_type",
    ),
    (
        {"messages": [says("user", [{"type": "tool_result", "content": "x"}])]},
        "messages[0].content[0].tool_use_id",
    ),
    (
        {"messages": [says("user", [{"type": "tool_result", "tool_use_id": "a", "content": [7]}])]},
        "messages[0].content[0].content[0]",
    ),
    (
        {"messages": [says("user", [{"type": "tool_result", "tool_use_id": "a"}] * 10_001)]},
        "messages",
    ),
    (
        {"messages": [says("assistant", [{"type": "tool_use", "id": "a", "name": "b"}])]},
        "messages[0].content[0].input",
    ),
    ({"system": [{"type": "image"}]}, "system[0].type"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"name": "get_weather"}]}, "tools[0].input_schema"),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "tool_choice"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ({"metadata": {"user_id": 7}}, "metadata.user_id"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    live: Live, key: str, fields: dict[str, Any], param: str
) -> None:
    before = live.counts()
    answer = live.call("POST", "/v1/messages", {**asking("Hello!"), **fields}, key=key)
    assert (answer.status, answer.json["type"]) == (400, "error")
    assert (answer.error["type"], answer.error["param"]) == ("invalid_request_error", param)
    assert live.counts() == before


def test_a_tool_that_is_no_function_is_named(live: Live, key: str) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    answer = ask(live, key, "Hello!", tools=[WEATHER, search])
    assert "web_search (web_search_20250305)" in answer.error["message"]


def test_a_reader_goes_on_from_any_event(live: Live, key: str) -> None:
    asked = '!call get_weather {"city": "Paris"}\n!call get_weather {"city": "Rome"}'
    for content, fields in (("Tell me of looms.", {}), (asked, {"tools": [WEATHER]})):
        named = {"Idempotency-Key": f"{key}-{content[:5]}"}
        whole = listen(live, key, content, named, max_tokens=30, **fields)
        seen = 0
        for at, block in enumerate(whole.blocks):
            seen = int(block.get("id", seen))
            if "id" in block:
                rest = live.follow(whole.headers["x-chatloom-turn"], seen, key=key)
                assert rest.blocks == whole.blocks[at + 1 :]
                assert rest.ended
        again = listen(live, key, content, {**named, "Last-Event-ID": "3"}, max_tokens=30, **fields)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.blocks == whole.blocks[-len(again.blocks) :]


def test_a_repeat_is_told_the_same_and_kept_once(live: Live, key: str) -> None:
    named = {"Idempotency-Key": key}
    first, again = (ask(live, key, "Hello!", named) for _ in range(2))
    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    assert ask(live, key, "Another!", named).status == 422
    assert conversation(live, key, first.json["conversation_id"])["message_count"] == 2


@pytest.mark.parametrize(
    ("fault", "code", "type"),
    [
        ("cut=40", "truncated", "api_error"),
        ("malformed=3", "truncated", "api_error"),
        ("stall=3&idle=0.05", "provider_timed_out", "timeout_error"),
    ],
)
def test_a_failure_has_no_clean_end(live: Live, key: str, fault: str, code: str, type: str) -> None:
    model = f"{SCRIBE}?tokens=60&{fault}"
    told = listen(live, key, "Tell me of looms.", model=model)
    assert (told.status, told.ended) == (200, False)
    *before, last = told.blocks
    assert {"message_stop", "message_delta"}.isdisjoint(block["event"] for block in before)
    assert isinstance(msgspec.json.decode(last["data"], type=wire.Event), wire.MessageError)
    failure = json.loads(last["data"])
    assert (last["event"], failure["type"]) == ("error", "error")
    assert (failure["error"]["type"], failure["error"]["code"]) == (type, code)
    assert failure["error"]["turn"] == told.headers["x-chatloom-turn"]
    assert {"input_tokens", "output_tokens"} <= set(failure["usage"])
    assert turn_of(live, key, told)["text"] == text_of(told)
    plain = ask(live, key, "Tell me of looms.", model=model)
    assert plain.error["type"] == type
    assert plain.error["partial"] == text_of(told)


def test_a_refused_attempt_has_a_status(live: Live, key: str) -> None:
    for send in (ask, listen):
        answer = send(live, key, "Hello!", model=f"{SCRIBE}?429=9")
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert ask(live, key, "Hi!", model=f"{SCRIBE}?429=9").error["type"] == "rate_limit_error"


def test_every_refusal_is_told_in_anthropics_words(live: Live, key: str) -> None:
    body = asking("Hello!")
    told = [
        live.call("POST", "/v1/messages", body),
        live.call("GET", "/v1/messages", key=key),
        live.call("POST", "/v1/messages", b"{", key=key),
        live.call("POST", "/v1/messages/nothing", body, key=key),
        live.call("POST", "/v1/messages", {**body, "model": "no/such"}, key=key),
    ]
    assert [(answer.status, answer.json["type"], answer.error["type"]) for answer in told] == [
        (401, "error", "authentication_error"),
        (405, "error", "invalid_request_error"),
        (400, "error", "invalid_request_error"),
        (404, "error", "not_found_error"),
        (404, "error", "not_found_error"),
    ]
    assert told[-1].error["details"] == {"error_code": "model_not_found"}


def test_tokens_are_counted_and_nothing_is_kept(live: Live, key: str) -> None:
    before = live.counts()
    asked = asking("Hello!", tools=[WEATHER], system="Be brief.")
    count = live.call("POST", "/v1/messages/count_tokens", asked, key=key).json
    long = {**asked, "messages": [says("user", "word " * 30_000)]}
    counted = live.call("POST", "/v1/messages/count_tokens", long, key=key).json["input_tokens"]
    assert counted > 30_000
    unknown = live.call("POST", "/v1/messages/count_tokens", {**asked, "model": "no/such"}, key=key)
    assert (unknown.status, unknown.error["type"]) == (404, "not_found_error")
    assert live.counts() == before
    answer = ask(live, key, "Hello!", tools=[WEATHER], system="Be brief.").json
    assert count == {"input_tokens": answer["usage"]["input_tokens"]}
