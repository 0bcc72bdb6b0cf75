"""What cannot be done is refused in the service's words, and leaves everything as it was."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chatloom.server.ids import new_id
from support.http import Answer, Chunks
from support.infinity import CHAT, NAMED, Assistant, refusal
from support.live import Live

LIMIT = 200_000
PATHS = [CHAT, NAMED]
INVALID, NOT_FOUND = (400, "VALIDATION_ERROR"), (404, "NOT_FOUND")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(config=f"max_body_bytes = {LIMIT}")


@pytest.fixture(scope="module")
def assistant(server: Live) -> Assistant:
    """Somebody of whom all is there that the server makes by itself as it goes."""
    member = Assistant(server, "bad-input")
    member.remember("favourite colour", "ultramarine")
    member.know("Colours", "Ultramarine was made of lapis lazuli.")
    member.chat("What of my favourite colour, ultramarine?", mode="search")
    return member


@pytest.fixture(scope="module")
def theirs(server: Live) -> str:
    """A conversation of somebody else's."""
    return str(Assistant(server, "somebody-else").chat("Theirs")["conversationId"])


def assert_untouched(
    assistant: Assistant, server: Live, body: object, *expected: tuple[int, str], path: str = CHAT
) -> Answer:
    """A request must be refused in one of these ways, and leave every table as it was."""
    before = server.dump()
    answer = assistant.call("POST", path, body)
    assert refusal(answer) in expected, answer.body
    assert server.dump() == before
    return answer


def said(**fields: object) -> dict[str, object]:
    return {"message": "My favourite colour?", "model": "loom/echo", **fields}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("letter", ["a", "ä", "🌱"])
def test_a_message_has_five_thousand_characters_at_most(
    assistant: Assistant, server: Live, letter: str, path: str
) -> None:
    too_long = assert_untouched(assistant, server, said(message=letter * 5001), INVALID, path=path)
    assert too_long.json["details"]["param"] == "message"
    assert assistant.chat(letter * 5000)["response"] == letter * 5000


NO_TEXTS: list[object] = ["", " ", "\n\t", "\u2003", None, 5, [], {}, True, ["Hello!"]]
NO_OBJECTS: list[object] = ["dark", [], 5, True]
FIELDS: list[tuple[str, object, str]] = [
    *[("message", value, "message") for value in NO_TEXTS],
    *[("mode", value, "mode") for value in ("", "destroy", "SEARCH", 5, ["search"])],
    *[("preferences", value, "preferences") for value in NO_OBJECTS],
    ("preferences", {"memory": "no"}, "preferences.memory"),
    ("preferences", {"memory": 0}, "preferences.memory"),
    ("preferences", {"language": 5}, "preferences.language"),
    ("preferences", {"tone": "t" * 201}, "preferences.tone"),
    *[("userContext", value, "userContext") for value in NO_OBJECTS],
    ("userContext", {"story": "s" * 20_001}, "userContext"),
    ("userContext", {str(number): "s" * 100 for number in range(300)}, "userContext"),
    ("preferences", {"more": ["s" * 100] * 300}, "userContext"),
    ("essence", {"story": "s" * 20_001}, "userContext"),
    ("essence", 5, "essence"),
    ("drivingMode", "yes", "drivingMode"),
    ("drivingMode", 1, "drivingMode"),
    ("drivingMode", {"enabled": "yes"}, "drivingMode.enabled"),
    ("drivingMode", {"route": "r" * 20_001}, "userContext"),
    ("userId", "", "userId"),
    ("userId", 5, "userId"),
    ("userId", "u" * 257, "userId"),
    ("userTier", 5, "userTier"),
    ("conversationId", 5, "conversationId"),
    ("conversationId", "", "conversationId"),
    ("conversationId", "c" * 65, "conversationId"),
    ("sessionId", [], "sessionId"),
    ("stream", "yes", "stream"),
    ("model", "", "model"),
    ("model", 5, "model"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "value", "param"), FIELDS)
def test_a_field_that_makes_no_sense_is_named(
    assistant: Assistant, server: Live, name: str, value: object, param: str, path: str
) -> None:
    answer = assert_untouched(assistant, server, said(**{name: value}), INVALID, path=path)
    assert answer.json["details"]["param"] == param


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["conversationId", "sessionId"])
def test_a_conversation_that_is_not_ones_own_is_not_there(
    assistant: Assistant, server: Live, theirs: str, name: str, path: str
) -> None:
    odd = ["x", "../../etc/passwd", "' OR 1=1 --", "%", "a\0b", "ä", "\uff10" * 36, "-" * 36]
    for id in (theirs, theirs.upper(), new_id(), *odd):
        assert_untouched(assistant, server, said(**{name: id}), NOT_FOUND, path=path)


def test_a_history_that_is_not_ones_own_is_not_there(
    assistant: Assistant, server: Live, theirs: str
) -> None:
    before = server.dump()
    for id in (theirs, new_id(), "x", "%00", "%25", "..%2f..", "%C3%A4", "%27%20OR%201=1"):
        assert assistant.refused("GET", f"{CHAT}?conversationId={id}") == NOT_FOUND
    for query in ("", "?conversationId=", f"?conversationId={'c' * 65}"):
        assert assistant.refused("GET", CHAT + query) == INVALID
    assert server.dump() == before


BODIES = {
    "empty": b"",
    "blank": b" \r\n",
    "cut": b'{"message": "Hello!"',
    "trailing": b"{} {}",
    "list": b"[]",
    "text": b'"hello"',
    "null": b"null",
    "form": b"message=Hello",
    "nan": b'{"message": "a", "userContext": {"x": NaN}}',
    "surrogate": b'{"message": "\\ud800"}',
    "not utf-8": b'{"message": "\xff"}',
    "utf-16": '{"message": "a"}'.encode("utf-16"),
    "nothing": b"{}",
    "deep": b'{"message": "a", "userContext": {"x": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_makes_no_sense_is_refused(
    assistant: Assistant, server: Live, body: bytes, path: str
) -> None:
    assert_untouched(assistant, server, body, INVALID, path=path)


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_past_the_limit_is_refused(
    assistant: Assistant, server: Live, chunked: bool
) -> None:
    body = json.dumps(said(pad="x" * 1_000_000)).encode()
    sent = Chunks([body[at : at + 9_999] for at in range(0, len(body), 9_999)])
    assert_untouched(assistant, server, sent if chunked else body, (413, "TOO_LARGE"))


@pytest.mark.parametrize("path", PATHS)
def test_a_model_that_is_not_there_is_not_found(
    assistant: Assistant, server: Live, path: str
) -> None:
    assert_untouched(assistant, server, said(model="nobody/knows"), NOT_FOUND, path=path)


ODD = [
    *("a\0b", "\u202e", "'; DROP TABLE turn; --", "\ufeff", "{}", "\x7f"),
    *(
        '"',
        'colour "',
        "colour*",
        "NEAR(colour, 2)",
        "^colour",
        "colour AND",
        "key:colour",
        "-",
        "(",
    ),
    *('" ' * 2500, "colour " * 714, "c" * 5000),
]
"""Texts that mean something to a database, or to what searches in it."""


def test_an_odd_text_is_a_text_all_the_same(assistant: Assistant) -> None:
    for odd in ODD:
        answer = assistant.chat(odd, userContext={odd: odd}, mode="search")
        assert answer["response"] == odd
        assert assistant.history(answer["conversationId"])[0] == ("user", odd)


NOWHERE = ["/api", "/api/", "/api/nothing", "/api/chat/", "/api/chat/stream/x", "/api//chat"]


@pytest.mark.parametrize("path", NOWHERE)
def test_an_address_that_is_not_there_is_told_in_the_services_words(
    server: Live, path: str
) -> None:
    assert refusal(server.call("GET", path, key="odd")) == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", CHAT, "GET, POST"),
        ("GET", NAMED, "POST"),
        ("POST", "/api/health", "GET"),
        ("PUT", "/api/api-keys", "DELETE, GET, POST"),
        ("GET", "/api/memory", "DELETE"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    server: Live, method: str, path: str, allowed: str
) -> None:
    answer = server.call(method, path, key="odd")
    assert refusal(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed


def test_chatroutes_addresses_are_told_in_its_own_words(server: Live) -> None:
    answer = server.call("GET", "/api/v1/nothing", key="odd")
    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")
    assert answer.json["details"]["code"] == "unknown_route"
    bare = server.call("GET", "/api/v1/conversations/x")
    assert (bare.status, bare.json["code"]) != (401, "AUTH_REQUIRED")
