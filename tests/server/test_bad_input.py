"""What cannot be done is refused in its owner's words; nothing is stored, and nothing charged."""

from __future__ import annotations

from typing import Any

import pytest

from chatloom.server.ids import new_id
from support.http import completion
from support.live import Live

KEY = "bad-input"
NOBODYS = new_id()


def chat(**fields: object) -> tuple[str, str, Any]:
    return "POST", "/v1/chat/completions", completion("Hello!", **fields)


def message(**fields: object) -> tuple[str, str, Any]:
    return "POST", "/v1/messages", {**completion("Hello!"), "max_tokens": 9, **fields}


def embedding(**fields: object) -> tuple[str, str, Any]:
    return "POST", "/v1/embeddings", {"model": "loom/embed", "input": "Hello!", **fields}


def placed(**metadata: object) -> dict[str, object]:
    return {"metadata": metadata}


REFUSED: dict[str, tuple[tuple[str, str, Any], int, str]] = {
    "unknown session": (chat(**placed(session_id=NOBODYS)), 404, "not_found"),
    "no session's id": (chat(**placed(session_id="../../etc")), 404, "not_found"),
    "unknown message": (chat(**placed(parent_message_id=NOBODYS)), 404, "not_found"),
    "branch of nothing": (chat(**placed(branch_id=NOBODYS)), 400, "invalid_request"),
    "session of a number": (chat(**placed(session_id=7)), 400, "invalid_request"),
    "variables of a list": (chat(**placed(variables=[1])), 400, "invalid_request"),
    "tools of a text": (chat(**placed(allowed_tools="all")), 400, "invalid_request"),
    "unknown workflow": (chat(**placed(workflow="none")), 400, "unknown_workflow"),
    "no tokens": (chat(max_tokens=0), 400, "invalid_request"),
    "negative tokens": (chat(max_tokens=-1), 400, "invalid_request"),
    "fractional tokens": (chat(max_tokens=1.5), 400, "invalid_request"),
    "too hot": (chat(temperature=2.1), 400, "invalid_request"),
    "too cold": (chat(temperature=-0.1), 400, "invalid_request"),
    "top_p past one": (chat(top_p=1.1), 400, "invalid_request"),
    "no model": (chat(model=""), 400, "invalid_request"),
    "unknown model": (chat(model="nobody/none"), 404, "model_not_found"),
    "no messages": (chat(messages=[]), 400, "invalid_request"),
    "a long user": (chat(user="x" * 257), 400, "invalid_request"),
    "message: unknown session": (message(**placed(session_id=NOBODYS)), 404, "not_found"),
    "message: unknown workflow": (message(**placed(workflow="none")), 400, "unknown_workflow"),
    "message: no tokens": (message(max_tokens=0), 400, "invalid_request"),
    "message: too hot": (message(temperature=1.1), 400, "invalid_request"),
    "message: no messages": (message(messages=[]), 400, "invalid_request"),
    "message: unknown model": (message(model="nobody/none"), 404, "model_not_found"),
    "message: embedder": (message(model="loom/embed"), 400, "provider_rejected"),
    "embeddings of nothing": (embedding(input=[]), 400, "invalid_request"),
    "embeddings of an empty text": (embedding(input=""), 400, "invalid_request"),
    "embeddings of some empty text": (embedding(input=["a", ""]), 400, "invalid_request"),
    "embeddings by a chat model": (embedding(model="loom/scribe"), 400, "provider_rejected"),
    "embeddings in no dimension": (embedding(dimensions=0), 400, "invalid_request"),
    "statistics without the scope": (
        ("GET", "/api/v1/platform/stats", None),
        403,
        "missing_scope",
    ),
    "administrators without the scope": (
        ("POST", "/api/v1/platform/admins", {"workos_id": "w", "email": "a@b"}),
        403,
        "missing_scope",
    ),
    "removal without the scope": (
        ("DELETE", "/api/v1/platform/admins/a%2Fb%2B@c", None),
        403,
        "missing_scope",
    ),
    "keys of others": (("DELETE", f"/v1/keys/{NOBODYS}", None), 404, "not_found"),
    "keys of no name": (("POST", "/v1/keys", {}), 400, "invalid_request"),
    "keys with more": (
        ("POST", "/v1/keys", {"name": "more", "scopes": ["admin"]}),
        403,
        "missing_scope",
    ),
}


def everything(live: Live) -> tuple[object, ...]:
    keys = live.rows("SELECT count(*) FROM api_key")
    return live.counts(), live.holdings(), keys, live.rows("SELECT count(*) FROM administrator")


@pytest.mark.parametrize(("asked", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_stored_and_nothing_charged(
    live: Live, asked: tuple[str, str, Any], status: int, code: str
) -> None:
    live.call("GET", "/v1/models", key=KEY)  # makes the key
    before = everything(live)
    method, path, body = asked
    answer = live.call(method, path, body, key=KEY)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert answer.error["message"]
    assert (answer.json.get("type") == "error") == (path == "/v1/messages")
    assert ("detail" in answer.json) == (path != "/v1/messages")
    assert everything(live) == before


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "not UTF-8": b'{"model": "\xff"}',
    "deep": b'{"a":' * 100 + b"1" + b"}" * 100,
}
POSTS = [
    *("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings"),
    *("/v1/keys", "/api/v1/platform/admins"),
]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_object_is_refused(live: Live, path: str, body: bytes) -> None:
    answer = live.call("POST", path, body, key="admin-bad-input")
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "query", ["limit=1&limit=0", "limit=%00", "limit=%EF%BC%91", "&&limit=abc"]
)
def test_an_odd_query_is_refused(live: Live, query: str) -> None:
    answer = live.call("GET", f"/api/v1/platform/audit?{query}", key="admin-bad-input")
    assert (answer.status, answer.error["param"]) == (400, "limit")


def test_what_is_legal_is_not_refused(live: Live) -> None:
    assert live.complete("Hello!", key=KEY, temperature=0).status == 200
    assert live.complete("Hello!", key=KEY, temperature=2, top_p=0).status == 200
    assert live.call(*message(temperature=0), key=KEY).status == 200
