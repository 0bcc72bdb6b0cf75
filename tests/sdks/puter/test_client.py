"""What a client shows, and that its two modes are one."""

from __future__ import annotations

import asyncio
import inspect
import json

import httpx
import pytest

from puter import PuterAI
from puter.answers import models
from support.puter import Using, said, service


@pytest.mark.parametrize(
    ("blocking", "awaited"),
    [
        ("login", "async_login"),
        ("chat", "async_chat"),
        ("chat", "astream"),
        ("get_available_models", "async_get_available_models"),
        ("close", "aclose"),
    ],
)
def test_both_modes_take_the_same(blocking: str, awaited: str) -> None:
    one, other = (inspect.signature(getattr(PuterAI, name)) for name in (blocking, awaited))
    taken = {name: kind for name, kind in one.parameters.items() if name != "stream"}
    assert taken == dict(other.parameters)


def test_it_shows_who_asks_whom_and_nothing_secret() -> None:
    client = PuterAI("ann", "hidden", api_base="http://localhost:3284")
    assert repr(client) == "<PuterAI 'claude-opus-4' at http://localhost:3284 as 'ann'>"
    assert repr(PuterAI(token="hidden")) == "<PuterAI 'claude-opus-4' at https://api.puter.com>"


def test_the_document_is_kept_to() -> None:
    parameters = list(inspect.signature(PuterAI).parameters)
    assert parameters[:3] == ["username", "password", "token"]
    assert list(inspect.signature(PuterAI.chat).parameters)[:3] == ["self", "prompt", "model"]


def test_a_client_may_send_through_one_of_httpx(using: Using) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/drivers/call"
        return httpx.Response(200, json=said(json.loads(request.content)["args"]["model"]))

    mock = httpx.MockTransport(answer)
    either = using(PuterAI())
    http = httpx.AsyncClient(transport=mock) if either.is_async else httpx.Client(transport=mock)
    client = PuterAI(token="t", http_client=http, api_base="https://x.test")
    assert using(client).chat("hi", "gpt-4") == "gpt-4"


def test_both_modes_share_an_embedded_server_of_their_own() -> None:
    with PuterAI(api_base="embedded:") as client, PuterAI(api_base="embedded:") as other:
        assert client.chat("hi", "loom/echo") == "hi"
        assert asyncio.run(client.async_chat("again", "loom/echo")) == "again"
        asyncio.run(client.aclose())
        assert other.chat("hi", "loom/echo") == "hi"
    assert len(client.chat_history) == 4


def test_an_embedded_server_lets_in_whoever_has_a_password(using: Using) -> None:
    client = PuterAI("ann", "correct horse", api_base="embedded:")
    either = using(client)
    assert either.login()
    assert either.chat("hi", "loom/echo") == "hi"
    assert client.token is not None
    asyncio.run(client.aclose())


def test_authorization_of_ones_own_needs_no_login(using: Using) -> None:
    with service(said("hi")) as puter:
        using(PuterAI(api_base=puter.url, headers={"Authorization": "Own"})).chat("hi")
        assert puter.asked[0].all("authorization") == ["Own"]


def test_models_are_read_in_either_shape() -> None:
    assert models({"models": ["a", {"id": "b", "provider": "p"}, {"id": 5}, 6]}) == {
        "a": None,
        "b": "p",
    }
