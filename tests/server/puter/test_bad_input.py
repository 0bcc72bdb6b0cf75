"""What cannot be done is refused in Puter's words, and leaves everything as it was."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import CALL, PLAIN, Puter, asking, called, refusal
from support.keys import heir, new_key, secret
from support.live import Live

LIMIT = 200_000
INVALID, NOT_FOUND = (400, "bad_request"), (404, "not_found")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(config=f"max_body_bytes = {LIMIT}")


@pytest.fixture(scope="module")
def ann(server: Live) -> Puter:
    """Somebody whom the server knows."""
    puter = Puter(server, "bad-input")
    puter.chat("Hello!")
    return puter


def assert_untouched(
    puter: Puter, body: dict[str, object], status: int, code: str, param: str | None = None
) -> Any:
    """A call must be refused so, and leave every table as it was."""
    server = puter.server
    assert isinstance(server, Live)
    before = server.dump()
    answer = puter.send(body)
    assert refusal(answer) == (status, code), answer.body
    details = answer.json["details"]
    assert details.get("param") == param
    assert server.dump() == before
    return answer.json


UNKNOWN: list[tuple[dict[str, object], str, str]] = [
    ({"interface": "puter-kvstore"}, "Interface not found", "interface"),
    ({"interface": ""}, "Interface not found", "interface"),
    ({"driver": "cat"}, "Driver not found", "driver"),
    ({"driver": "AI-Chat"}, "Driver not found", "driver"),
    ({"driver": "x" * 10_000}, "Driver not found", "driver"),
    ({"method": "stream"}, "Method not found", "method"),
    ({"method": "__init__"}, "Method not found", "method"),
]


@pytest.mark.parametrize(("fields", "says", "param"), UNKNOWN, ids=lambda one: str(one)[:30])
def test_what_is_called_must_be_there(
    ann: Puter, fields: dict[str, object], says: str, param: str
) -> None:
    told = assert_untouched(ann, {**asking("Hello!"), **fields}, *NOT_FOUND, param)
    assert says in told["message"]
    assert len(told["message"]) < 300


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ["nobody", "loom/scrib", "a" * 256, "openai/gpt-9", ":", "a:b"])
def test_an_unknown_model_is_said_to_be_unknown(ann: Puter, model: str, stream: bool) -> None:
    body = asking("Hello!", model=model, stream=stream)
    told = assert_untouched(ann, body, *INVALID, "args.model")
    assert told["message"].startswith("Model not found. There is no model ")
    assert told["details"]["code"] == "model_not_found"


def user(content: object) -> dict[str, object]:
    return {"messages": [{"content": content}]}


def data(kind: str, held: bytes) -> dict[str, object]:
    url = f"data:{kind};base64,{base64.b64encode(held).decode()}"
    return user(["What is this?", {"image_url": {"url": url}}])


NOTHING: dict[str, object] = {}
AT = "args.messages[0].content"
IMAGE = f"{AT}[1].image_url.url"
ARGS: dict[str, tuple[dict[str, object], str]] = {
    "no messages": ({"messages": None}, "args.messages"),
    "none": ({"messages": []}, "args.messages"),
    "a text": ({"messages": "Hello!"}, "args.messages"),
    "a number": ({"messages": [5]}, "args.messages[0]"),
    "null": ({"messages": [None]}, "args.messages[0]"),
    "empty message": ({"messages": [{}]}, AT),
    "a robot": ({"messages": [{"role": "robot", "content": "a"}]}, "args.messages[0].role"),
    "content number": (user(5), AT),
    "content object": (user({"text": "a"}), AT),
    "no parts": (user([]), AT),
    "part number": (user([5]), f"{AT}[0]"),
    "part of nothing": (user([NOTHING]), f"{AT}[0].type"),
    "part unknown": (user([{"type": "hologram"}]), f"{AT}[0].type"),
    "part type": (user([{"type": ["text"]}]), f"{AT}[0].type"),
    "text number": (user([{"text": 5}]), f"{AT}[0].text"),
    "image text": (user([{"image_url": "https://a"}]), f"{AT}[0].image_url"),
    "file by path": (user([{"type": "file", "puter_path": "~/secret"}]), f"{AT}[0].file"),
    "image by file": (user(["a", {"image_url": {"url": "file:///etc/passwd"}}]), IMAGE),
    "image of nothing": (user(["a", {"image_url": NOTHING}]), IMAGE),
    "image is text": (data("image/png", b"Hello, this is no image"), IMAGE),
    "image is a page": (data("image/svg+xml", b"<svg onload='alert(1)'/>"), IMAGE),
    "image is empty": (data("image/png", b""), IMAGE),
    "image is cut": (data("image/png", b"\x89PNG"), IMAGE),
    "no image": (data("text/plain", b"\x89PNG\r\n\x1a\n"), IMAGE),
    "not base64": (user(["a", {"image_url": {"url": "data:image/png;base64,iVBOR*"}}]), IMAGE),
    "not ascii": (user(["a", {"image_url": {"url": "data:image/png;base64,ä"}}]), IMAGE),
    "not encoded": (user(["a", {"image_url": {"url": "data:image/png,abc"}}]), IMAGE),
    "video by script": (
        user(["a", {"video_url": {"url": "javascript:a"}}]),
        f"{AT}[1].video_url.url",
    ),
    "a user's tool use": (
        user([{"type": "tool_use", "id": "a", "name": "b", "input": NOTHING}]),
        f"{AT}[0]",
    ),
    "result of nothing": (user([{"type": "tool_result"}]), f"{AT}[0].tool_use_id"),
    "an answer's image": (
        {"messages": [{"role": "assistant", "content": [{"image_url": {"url": "https://a"}}]}]},
        f"{AT}[0]",
    ),
    "result of no use": (
        user([{"type": "tool_result", "tool_use_id": "", "content": "a"}]),
        f"{AT}[0].tool_use_id",
    ),
    "use without input": (
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}
            ]
        },
        f"{AT}[0].input",
    ),
    "an empty answer": ({"messages": [{"role": "assistant"}]}, AT),
    "whose result": (
        {"messages": [{"role": "tool", "content": "a"}]},
        "args.messages[0].tool_call_id",
    ),
    "half a call": (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
        "args.messages[0].tool_calls[0].function",
    ),
    "model": ({"model": 5}, "args.model"),
    "model is empty": ({"model": ""}, "args.model"),
    "model is long": ({"model": "a" * 257}, "args.model"),
    "provider": ({"provider": ["a"]}, "args.provider"),
    "stream": ({"stream": "yes"}, "args.stream"),
    "temperature": ({"temperature": 2.1}, "args.temperature"),
    "max_tokens": ({"max_tokens": -1}, "args.max_tokens"),
    "max_tokens is text": ({"max_tokens": "5"}, "args.max_tokens"),
    "more answers": ({"n": 2}, "args.n"),
    "negative tokens": ({"max_completion_tokens": -1}, "args.max_completion_tokens"),
    "top_p": ({"top_p": 2}, "args.top_p"),
    "tools": ({"tools": [{}]}, "args.tools[0].function"),
    "tool choice": ({"tool_choice": 5}, "args.tool_choice"),
    "reasoning": ({"reasoning": "much"}, "args.reasoning"),
    "response": ({"response": {"normalize": "yes"}}, "args.response.normalize"),
    "metadata": ({"metadata": []}, "args.metadata"),
    "metadata's user": ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    "another's response": ({"previous_response_id": "resp_1"}, "args.previous_response_id"),
}


@pytest.mark.parametrize(("args", "param"), ARGS.values(), ids=ARGS)
def test_an_argument_that_makes_no_sense_is_named(
    ann: Puter, args: dict[str, object], param: str
) -> None:
    assert_untouched(ann, asking("Hello!", **args), *INVALID, param)


CALLS: list[tuple[dict[str, object], str]] = [
    ({"method": "complete"}, "interface"),
    ({"interface": "puter-chat-completion"}, "method"),
    (called(), "args.messages"),
    (called(args=[]), "args"),
    (called(args="a"), "args"),
    ({**called(), "method": 5}, "method"),
    ({**called(), "driver": {}}, "driver"),
]


@pytest.mark.parametrize(("body", "param"), CALLS, ids=str)
def test_a_call_that_makes_no_sense_is_refused(
    ann: Puter, body: dict[str, object], param: str
) -> None:
    assert_untouched(ann, body, *INVALID, param)


BODIES = [b"", b"{", b"[]", b'"a"', b"interface=puter", b"\xff", b"[" * 5000 + b"]" * 5000]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("headers", [PLAIN, {"Content-Type": "application/json"}], ids=str)
def test_a_body_that_is_no_json_object_is_refused(
    ann: Puter, server: Live, body: bytes, headers: dict[str, str]
) -> None:
    before = server.dump()
    answer = server.call("POST", CALL, body, key=ann.token, headers=headers)
    assert refusal(answer) == INVALID
    assert server.dump() == before


def test_a_body_past_the_limit_is_refused_before_anybody_is_known(server: Live) -> None:
    body = json.dumps(asking("a" * LIMIT)).encode()
    for token in (None, "bad-input"):
        answer = server.call("POST", CALL, body, key=token)
        assert refusal(answer)[0] == 413


def test_results_of_tools_are_messages_and_there_are_not_too_many(live: Live) -> None:
    puter = Puter(live, new_id())
    puter.chat("Hello!")
    result: object = {"type": "tool_result", "tool_use_id": "a", "content": "b"}
    body = asking({"content": [result] * 5001}, {"content": [result] * 5000})
    assert_untouched(puter, body, *INVALID, "args.messages")


def test_what_a_model_cannot_obey_is_refused(ann: Puter) -> None:
    for args in ({"model": "loom/echo?colour=red"}, {"tool_choice": "required"}):
        body = asking("Hello!", **args)
        param = "model" if "model" in args else "tool_choice"
        assert_untouched(ann, body, 400, "upstream_bad_request", param)


def test_anothers_talk_is_as_if_it_were_not_there(ann: Puter, server: Live) -> None:
    theirs = Puter(server, "theirs").send(asking("Mine!")).json["metadata"]
    for name in ("conversation_id", "branch_id"):
        for id in (theirs[name], new_id()):
            body = asking("Hello!", metadata={name: id})
            if name == "branch_id":
                own = ann.send(asking("Hello!")).json["metadata"]["conversation_id"]
                body = asking("Hello!", metadata={name: id, "conversation_id": own})
            assert_untouched(ann, body, *NOT_FOUND)
    assert_untouched(
        ann, asking("Hello!", metadata={"parent_message_id": theirs["message_id"]}), *NOT_FOUND
    )


def test_a_spent_budget_is_told_in_its_words(server: Live) -> None:
    broke = Puter(server, "broke")
    turn = broke.send(asking("Hello!")).headers["x-chatloom-turn"]
    ((key_id,),) = server.rows("SELECT key_id FROM turn WHERE id = ?", turn)
    limit = {"concern": "key", "subject": key_id, "usd": "0.000000000001"}
    assert server.call("PUT", "/admin/budgets", limit, key="admin-bad-input").status == 200
    for stream in (False, True):
        body = asking("Hello!", model="loom/scribe", stream=stream)
        assert_untouched(broke, body, 402, "insufficient_funds")


def test_what_a_key_may_not_do_is_forbidden_in_its_words(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    root = new_key(server)
    bens = Puter(server, heir(server, root["secret"], scopes=["chat"], user="ben")["secret"])
    echo = Puter(server, secret(server, models=["loom/echo"]))
    listing = Puter(server, secret(server, scopes=["models"]))
    cases = [
        (bens, asking("Hello!", metadata={"user_id": "ann"}), "other_user"),
        (echo, asking("Hello!", model="loom/scribe"), "model_not_allowed"),
        (echo, asking("Hello!", model="scribe", provider="loom"), "model_not_allowed"),
        (listing, asking("Hello!"), "missing_scope"),
    ]
    for puter, body, code in cases:
        answer = puter.send(body)
        assert refusal(answer) == (403, "forbidden")
        assert answer.json["details"]["code"] == code
    assert server.counts()["turn"] == 0


def test_nowhere_is_told_in_its_words(server: Live) -> None:
    for path in ("/drivers/nothing", "/puterai/nothing", "/login/otp", "/rao", "/whoami/a"):
        assert refusal(server.call("POST", path, {})) == NOT_FOUND
    answer = server.call("GET", CALL)
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert "detail" in server.call("POST", "/puterai/openai/v1/nothing", {}).json
    assert server.call("POST", "/puterai/anthropic/v1/nothing", {}).json["type"] == "error"
