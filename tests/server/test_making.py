"""What makes something and costs nothing is made once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.http import Answer
from support.live import Live

KEY = "maker"


def asked(live: Live, method: str, path: str, body: object, name: str | None) -> Answer:
    headers = {} if name is None else {"Idempotency-Key": name}
    return live.call(method, f"/api/v1{path}", body, key=KEY, headers=headers)


def begun(live: Live) -> tuple[str, str]:
    """A conversation, and a message in it."""
    conversation = asked(live, "POST", "/conversations", {"title": "Made"}, None).json["data"]
    id = conversation["conversation"]["id"]
    said = {"content": "Hello?", "model": "loom/echo"}
    exchange = asked(live, "POST", f"/conversations/{id}/messages", said, None).json["data"]
    return id, exchange["userMessage"]["id"]


Making = Callable[[Live, str, str | None, str], Answer]


def create(live: Live, name: str, _: str | None, title: str) -> Answer:
    return asked(live, "POST", "/conversations", {"title": title}, name)


def fork(live: Live, name: str, conversation: str | None, title: str) -> Answer:
    path = f"/conversations/{conversation}/branches"
    return asked(live, "POST", path, {"title": title}, name)


MAKINGS: dict[str, tuple[Making, str]] = {
    "a conversation": (create, "conversation"),
    "a branch": (fork, "branch"),
}


@pytest.mark.parametrize(("make", "name"), MAKINGS.values(), ids=MAKINGS)
def test_a_repeated_request_makes_nothing_new(live: Live, make: Making, name: str) -> None:
    conversation, _ = begun(live)
    first = make(live, f"{name}-1", conversation, "One")
    before = live.counts()
    again = make(live, f"{name}-1", conversation, "One")
    assert again.json["data"][name]["id"] == first.json["data"][name]["id"]
    assert (first.status, again.status) == (201, 201)
    assert first.headers["idempotency-key"] == f"{name}-1"
    other = make(live, f"{name}-1", conversation, "Two")
    assert (other.status, other.json["details"]["code"]) == (422, "idempotency_key_reused")
    assert live.counts() == before


def test_the_same_key_is_another_accounts_own(live: Live) -> None:
    title = {"title": "Mine"}
    told = [
        live.call(
            "POST", "/api/v1/conversations", title, key=key, headers={"Idempotency-Key": "shared"}
        ).json["data"]["conversation"]["id"]
        for key in ("maker-a", "maker-b")
    ]
    assert told[0] != told[1]


def test_an_edit_is_made_once(live: Live) -> None:
    conversation, message = begun(live)
    wording = {"content": "Good day?"}
    made: list[Any] = [
        asked(live, "PATCH", f"/messages/{message}", wording, "edit-1").json["data"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    branches = asked(live, "GET", f"/conversations/{conversation}/branches", None, None).json
    assert [one["title"] for one in branches["branches"]] == ["main", "main, before an edit"]
    reworded = asked(live, "PATCH", f"/messages/{message}", {"content": "Hi?"}, "edit-1")
    assert reworded.status == 422


def test_a_key_that_can_be_none_makes_nothing(live: Live) -> None:
    before = live.counts()
    refused = asked(live, "POST", "/conversations", {"title": "x"}, "k" * 256)
    assert (refused.status, refused.json["code"]) == (400, "VALIDATION_ERROR")
    assert live.counts() == before
