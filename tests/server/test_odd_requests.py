"""Bad input: a clear error in the owner's words; nothing stored, charged or broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from support.http import Answer, Chunks, completion
from support.live import Live

COMPLETIONS = "/v1/chat/completions"
KEY = "odd"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(config="max_body_bytes = 100_000\nhosts = ['chat.example']\n")


@pytest.fixture(autouse=True)
def unharmed(server: Live) -> Iterator[None]:
    """Nothing may be left behind, and the next request must be answered."""
    before = server.counts(), server.holdings()
    yield
    assert (server.counts(), server.holdings()) == before
    assert server.call("GET", "/v1/models", key=KEY).status == 200


def assert_refused(answer: Answer, status: int, code: str, param: str | None = None) -> None:
    body = answer.json
    assert (answer.status, body["error"]["code"]) == (status, code), body
    assert body["error"].get("param") == param
    assert body["error"]["message"] == body["detail"]
    assert body["error"]["type"].endswith("_error")
    assert answer.headers["content-type"] == "application/json"


def user(content: object) -> list[object]:
    return [{"role": "user", "content": content}]


BODIES = {
    "empty": (b"", "invalid_json"),
    "blank": (b" \r\n", "invalid_json"),
    "cut": (b'{"model": "loom/echo"', "invalid_json"),
    "trailing": (b"{} {}", "invalid_json"),
    "comma": (b'{"a": 1,}', "invalid_json"),
    "list": (b"[]", "invalid_json"),
    "text": (b'"hello"', "invalid_json"),
    "null": (b"null", "invalid_json"),
    "number": (b"1", "invalid_json"),
    "form": (b"model=loom%2Fecho", "invalid_json"),
    "nan": (b'{"temperature": NaN}', "invalid_json"),
    "infinity": (b'{"temperature": -Infinity}', "invalid_json"),
    "overflow": (b'{"temperature": 1e999}', "invalid_json"),
    "digits": (b'{"seed": ' + b"1" * 5000 + b"}", "invalid_json"),
    "surrogate": (b'{"model": "\\ud800"}', "invalid_json"),
    "not utf-8": (b'{"model": "\xff"}', "invalid_json"),
    "utf-16": ('{"model": "loom/echo"}'.encode("utf-16"), "invalid_json"),
    "deep lists": (b"[" * 5000 + b"]" * 5000, "too_deep"),
    "deep objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep"),
    "deep in a text": (b'{"a\\"[": ' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
}


@pytest.mark.parametrize(("body", "code"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_object_is_refused(server: Live, body: bytes, code: str) -> None:
    assert_refused(server.call("POST", COMPLETIONS, body, key=KEY), 400, code)


FIELDS: list[tuple[str, object, str]] = [
    ("model", "", "model"),
    ("model", None, "model"),
    ("model", 5, "model"),
    ("model", "x" * 257, "model"),
    ("messages", None, "messages"),
    ("messages", [], "messages"),
    ("messages", "Hello!", "messages"),
    ("messages", {}, "messages"),
    ("messages", [*user("a"), "b"], "messages[1]"),
    ("messages", [{}], "messages[0].role"),
    ("messages", [{"role": "robot", "content": "a"}], "messages[0].role"),
    ("messages", [{"role": "user"}], "messages[0].content"),
    ("messages", user(5), "messages[0].content"),
    ("messages", user([]), "messages[0].content"),
    ("messages", user([5]), "messages[0].content[0]"),
    ("messages", user([{"type": "video"}]), "messages[0].content[0]"),
    ("messages", user([{"type": ["text"]}]), "messages[0].content[0]"),
    ("messages", user([{"type": "text"}]), "messages[0].content[0].text"),
    ("messages", user([{"type": "image_url"}]), "messages[0].content[0].image_url"),
    (
        "messages",
        user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]),
        "messages[0].content[0].image_url.url",
    ),
    ("messages", [{"role": "tool", "content": "a"}], "messages[0].tool_call_id"),
    ("messages", [{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id"),
    ("temperature", 2.1, "temperature"),
    ("temperature", "hot", "temperature"),
    ("temperature", True, "temperature"),
    ("top_p", -0.1, "top_p"),
    ("n", 0, "n"),
    ("n", 129, "n"),
    ("n", 1.5, "n"),
    ("n", True, "n"),
    ("max_tokens", 0, "max_tokens"),
    ("max_tokens", "5", "max_tokens"),
    ("max_completion_tokens", -1, "max_completion_tokens"),
    ("stop", 5, "stop"),
    ("stop", [5], "stop[0]"),
    ("stop", ["a"] * 17, "stop"),
    ("seed", "x", "seed"),
    ("presence_penalty", 3, "presence_penalty"),
    ("frequency_penalty", -3, "frequency_penalty"),
    ("logit_bias", {"50256": "no"}, "logit_bias[...]"),
    ("logprobs", "yes", "logprobs"),
    ("top_logprobs", 2, "top_logprobs"),
    ("tools", [{}], "tools[0].function"),
    ("tools", [{"type": "browser", "function": {"name": "a"}}], "tools[0].type"),
    ("tools", [{"function": {"name": ""}}], "tools[0].function.name"),
    ("functions", [{"name": "a"}], "functions"),
    ("function_call", "auto", "function_call"),
    ("response_format", "json", "response_format"),
    ("stream", "yes", "stream"),
    ("stream_options", {"include_usage": True}, "stream_options"),
    ("user", 5, "user"),
    ("metadata", [], "metadata"),
    ("metadata", {"session_id": 5}, "metadata.session_id"),
    ("metadata", {"user_id": {}}, "metadata.user_id"),
    ("metadata", {"branch_id": "a"}, "metadata.branch_id"),
    ("system_prompt", 5, "system_prompt"),
]


@pytest.mark.parametrize(("name", "value", "param"), FIELDS)
def test_a_field_that_makes_no_sense_is_named(
    server: Live, name: str, value: object, param: str
) -> None:
    body = {**completion("Hello!"), name: value}
    assert_refused(server.call("POST", COMPLETIONS, body, key=KEY), 400, "invalid_request", param)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_field_that_is_missing_is_named(server: Live, name: str) -> None:
    body = completion("Hello!")
    del body[name]
    answer = server.call("POST", COMPLETIONS, body, key=KEY)
    assert_refused(answer, 400, "invalid_request", name)


BEYOND_THE_MODEL: list[tuple[str, object]] = [
    ("model", "loom/scribe?colour=red"),
    ("model", "loom/scribe?cut=-1"),
    ("tool_choice", "required"),
    ("tool_choice", {"type": "function", "function": {"name": "absent"}}),
    ("response_format", {"type": "yaml"}),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("name", "value"), BEYOND_THE_MODEL)
def test_what_a_model_cannot_obey_is_refused_before_anything_is_stored(
    server: Live, name: str, value: object, streamed: bool
) -> None:
    body = {**completion("Hello!", stream=streamed), name: value}
    answer = server.call("POST", COMPLETIONS, body, key=KEY)
    assert_refused(answer, 400, "provider_rejected", name)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_an_unknown_model_is_told_its_neighbours_and_how_to_configure_one(
    server: Live, streamed: bool
) -> None:
    body = completion("Hello!", model="loom/scrib", stream=streamed)
    answer = server.call("POST", COMPLETIONS, body, key=KEY)
    assert_refused(answer, 404, "model_not_found", "model")
    assert "loom/scribe" in answer.error["message"]
    assert "chatloom.toml" in answer.error["message"]


PLACES: list[tuple[dict[str, object], str]] = [
    ({"session_id": "nobody's"}, "conversation"),
    ({"conversation_id": "00000000-0000-7000-8000-000000000000"}, "conversation"),
    ({"session_id": "'; DROP TABLE turn; --"}, "conversation"),
    ({"parent_message_id": "../../etc/passwd"}, "message"),
]


@pytest.mark.parametrize(("metadata", "what"), PLACES)
def test_a_place_that_is_not_there_is_not_found(
    server: Live, metadata: dict[str, object], what: str
) -> None:
    answer = server.complete("Hello!", key=KEY, metadata=metadata)
    assert_refused(answer, 404, "not_found")
    assert what in answer.error["message"]


def padded(size: int) -> bytes:
    return json.dumps(completion("a", metadata={"pad": "x" * size})).encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_past_the_limit_is_refused(server: Live, chunked: bool) -> None:
    body = padded(1_000_000)
    sent = Chunks([body[at : at + 9_999] for at in range(0, len(body), 9_999)])
    answer = server.call("POST", COMPLETIONS, sent if chunked else body, key=KEY)
    assert_refused(answer, 413, "request_too_large")


def test_a_body_that_is_announced_far_past_the_limit_is_not_waited_for(server: Live) -> None:
    answer = server.raw(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer odd\r\n"
        b"Content-Length: 9999999999\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


NOWHERE = [
    ("GET", "/"),
    ("GET", "/v1"),
    ("GET", "/v1/nothing"),
    ("POST", "/v1/chat/completions/"),
    ("GET", "//v1/models"),
    ("GET", "/v1//models"),
    ("GET", "/v1/../v1/models"),
    ("GET", "/V1/models"),
    ("GET", "/v1/turns/a%2Fb"),
    ("GET", "/docs/../docs.css"),
    ("GET", "/docs/style.css%00"),
    ("OPTIONS", "/anywhere"),
]


@pytest.mark.parametrize(("method", "path"), NOWHERE)
def test_an_address_that_is_not_there_is_not_found(server: Live, method: str, path: str) -> None:
    assert_refused(server.call(method, path, key=KEY), 404, "unknown_route")


WRONG_METHODS = [
    ("GET", COMPLETIONS, "POST"),
    ("POST", "/v1/models", "GET"),
    ("PATCH", "/admin/keys", "GET, POST"),
    ("GET", "/admin/keys/a", "DELETE"),
    ("DELETE", "/health", "GET"),
    ("TRACE", "/health", "GET"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), WRONG_METHODS)
def test_a_wrong_method_is_told_the_right_ones(
    server: Live, method: str, path: str, allowed: str
) -> None:
    answer = server.call(method, path)
    assert_refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_head_is_get_without_a_body(server: Live) -> None:
    head, got = server.call("HEAD", "/health"), server.call("GET", "/health")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert server.call("HEAD", COMPLETIONS, key=KEY).status == 405


FOREIGN_HOSTS = [
    "evil.example",
    "",
    "localhost.evil.example",
    "user@localhost",
    "127.0.0.1:80:evil",
    "127.0.0.1.nip.io",
    "example",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_another_host_name_is_refused(server: Live, host: str) -> None:
    answer = server.call("GET", "/v1/models", key=KEY, headers={"Host": host})
    assert_refused(answer, 421, "unknown_host")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:1", "127.0.0.1:3284", "[::1]:3284", "192.0.2.7", "chat.example"],
)
def test_its_own_host_names_are_served(server: Live, host: str) -> None:
    assert server.call("GET", "/v1/models", key=KEY, headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "file://"]
)
def test_other_web_pages_are_refused_by_the_dev_server(server: Live, origin: str) -> None:
    answer = server.call("GET", "/v1/models", key=KEY, headers={"Origin": origin})
    assert_refused(answer, 403, "foreign_origin")


def test_its_own_web_page_is_served(server: Live) -> None:
    assert server.call("GET", "/v1/models", key=KEY, headers={"Origin": server.url}).status == 200


TWICE: list[tuple[str, str, int, str]] = [
    ("Host", "localhost", 421, "unknown_host"),
    ("Origin", "http://localhost", 403, "foreign_origin"),
    ("Authorization", "Bearer odd", 401, "ambiguous_api_key"),
    ("X-API-Key", "odd", 401, "ambiguous_api_key"),
]


@pytest.mark.parametrize(("name", "value", "status", "code"), TWICE)
def test_a_header_that_decides_may_not_come_twice(
    server: Live, name: str, value: str, status: int, code: str
) -> None:
    twice = [(name, value), (name, value)]
    assert_refused(server.call("GET", "/v1/models", headers=twice), status, code)
    if code == "ambiguous_api_key":
        another = [*twice, ("X-API-Key", "other"), ("Authorization", "Bearer other")]
        assert_refused(server.call("GET", "/v1/models", headers=another), status, code)


SMUGGLING = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n{}",
    "length in words": b"Content-Length: two\r\n\r\n{}",
    "broken chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("tail", SMUGGLING.values(), ids=SMUGGLING)
def test_a_body_of_doubtful_length_is_refused(server: Live, tail: bytes) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer odd\r\n"
    assert server.raw(head + b"Connection: close\r\n" + tail).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "request_line", [b"NONSENSE", b"GET", b"GET /\x00 HTTP/1.1", b"\x16\x03\x01"]
)
def test_what_is_not_http_is_refused(server: Live, request_line: bytes) -> None:
    answer = server.raw(request_line + b"\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_websocket_is_not_opened(server: Live) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "a"}
    answer = server.call("GET", "/v1/nothing", key=KEY, headers=headers)
    assert answer.status == 404


@pytest.mark.parametrize(("name", "value"), [("modalities", ["text", "audio"]), ("audio", {})])
def test_answers_that_are_no_text_are_refused(server: Live, name: str, value: object) -> None:
    answer = server.call("POST", COMPLETIONS, {**completion("Hello!"), name: value}, key=KEY)
    assert_refused(answer, 400, "invalid_request", name)


def test_a_packed_body_is_refused_as_such(server: Live) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = server.call("POST", COMPLETIONS, completion("Hello!"), key=KEY, headers=headers)
    assert_refused(answer, 415, "packed_body", None)


def test_a_flood_of_small_lists_is_refused_before_it_is_decoded(live: Live) -> None:
    nothings: list[list[str]] = [[] for _ in range(200_001)]
    body = {**completion("Hello!"), "foo": nothings}
    answer = live.call("POST", COMPLETIONS, body, key=KEY)
    assert_refused(answer, 400, "too_many", None)


def test_an_offline_model_does_not_count_for_minutes(live: Live) -> None:
    answer = live.call("POST", COMPLETIONS, completion("! " * 600_000), key=KEY)
    assert_refused(answer, 400, "provider_rejected", "messages")
