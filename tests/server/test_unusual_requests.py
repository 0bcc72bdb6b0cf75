"""Requests that are unusual, and right."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from support.http import Chunks, completion
from support.live import Live

COMPLETIONS = "/v1/chat/completions"
KEY = "unusual"

HEADERS: list[Mapping[str, str]] = [
    {"Content-Type": ""},
    {"Content-Type": "text/plain;actually=json"},
    {"Expect": "100-continue"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"X-Forwarded-Host": "evil.example"},
    {"Accept": "text/html"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_a_header_of_no_meaning_changes_nothing(live: Live, headers: Mapping[str, str]) -> None:
    body = completion("Hello!", model="loom/echo")
    assert live.call("POST", COMPLETIONS, body, key=KEY, headers=headers).text == "Hello!"


def test_a_body_may_come_in_chunks(live: Live) -> None:
    whole = json.dumps(completion("Grüße!", model="loom/echo"), ensure_ascii=False).encode()
    pieces = Chunks([whole[at : at + 1] for at in range(len(whole))])
    assert live.call("POST", COMPLETIONS, pieces, key=KEY).text == "Grüße!"


FIELDS: list[tuple[str, object]] = [
    ("seed", 10**30),
    ("seed", -1),
    ("max_tokens", 2**63),
    ("max_completion_tokens", 10**30),
    ("n", None),
    ("stop", []),
    ("stop", ""),
    ("user", ""),
    ("user", "\0"),
    ("metadata", {"deep": [[[["x"]]]], "big": 10**300}),
    ("unheard_of", {"a": 10**300}),
    ("logit_bias", {"50256": -100}),
    ("service_tier", "auto"),
    ("store", True),
]


@pytest.mark.parametrize(("name", "value"), FIELDS)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_an_unusual_value_is_taken(live: Live, name: str, value: object, streamed: bool) -> None:
    body = {**completion("Hello!", model="loom/echo", stream=streamed), name: value}
    assert live.call("POST", COMPLETIONS, body, key=KEY).status == 200


TEXTS = ["", " ", "a\0b", "\N{GREEK SMALL LETTER ALPHA}", "\U0001f9f5", "\u2028\r\n\r\ndata: x\n\n"]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_any_text_comes_back_as_it_was(live: Live, text: str) -> None:
    assert live.complete(text, key=KEY, model="loom/echo").text == text
    assert live.events(text, key=KEY, model="loom/echo").text == text


def test_brackets_inside_texts_are_not_depth(live: Live) -> None:
    text = '\\" [[[[ {{{{ ' * 1000
    assert live.complete(text, key=KEY, model="loom/echo").text == text


def test_many_messages_are_not_depth(live: Live) -> None:
    messages = [{"role": "user", "content": f"word {number}"} for number in range(1000)]
    assert live.complete(messages, key=KEY, model="loom/echo").text == "word 999"
