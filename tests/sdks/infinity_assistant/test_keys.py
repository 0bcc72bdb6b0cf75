"""The key of a client, replaced while it lives."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.secret import Secret
from chatloom.policies.cache import Cache
from chatloom.policies.hooks import Hooks
from infinity_assistant import AsyncInfinityAssistantClient, InfinityAssistantClient
from transports.scripted import Asked, Peer, serving


def told(peer: Peer) -> None:
    """Answer whatever is asked with the key it is signed with."""
    while True:
        answered(peer, peer.asked())


def answered(peer: Peer, asked: Asked) -> None:
    keys = asked.all("x-api-key")
    peer.answer(json.dumps({"status": keys, "response": str(keys)}).encode())


def key_of(client: InfinityAssistantClient) -> Any:
    return client.health()["status"]


def test_a_client_signs_with_the_key_it_has_now() -> None:
    with serving(told) as server, InfinityAssistantClient(base_url=server.url) as client:
        seen = [key_of(client)]
        for key in ("a", Secret("b"), None, "c", ""):
            client.set_api_key(key)
            seen.append(key_of(client))
    assert seen == [[], ["a"], ["b"], [], ["c"], []]


def test_an_async_client_does_too() -> None:
    async def main(url: str) -> list[Any]:
        async with AsyncInfinityAssistantClient("a", url) as client:
            before: Any = (await client.health())["status"]
            client.set_api_key("b")
            assert client.get_api_key() == "b"
            return [before, (await client.health())["status"]]

    with serving(told) as server:
        assert asyncio.run(main(server.url)) == [["a"], ["b"]]


def test_a_key_is_that_of_clients_in_other_manners_too() -> None:
    with serving(told) as server, InfinityAssistantClient("a", server.url) as client:
        other, raw = client.with_options(timeout=5), client.with_raw_response
        client.set_api_key("b")
        told_raw: Any = raw.health().parsed["status"]
        assert (key_of(other), told_raw, other.get_api_key()) == (["b"], ["b"], "b")
        own = client.with_options(extra_headers={"X-API-Key": "own"})
        assert key_of(own) == ["own"]


def test_what_is_no_key_is_refused() -> None:
    wrong: Any = 7
    client = InfinityAssistantClient("a")
    with pytest.raises(SettingsError):
        client.set_api_key(wrong)
    assert client.get_api_key() == "a"


def test_a_call_ends_with_the_key_it_began_with() -> None:
    keys: list[str] = []

    def talk(peer: Peer) -> None:
        for status in (b"503 Service Unavailable", b"200 OK"):
            keys.extend(peer.asked().all("x-api-key"))
            peer.answer(b'{"response": "hi"}', status=status)

    def replace(*_: object) -> None:
        client.set_api_key("b")

    hooks = Hooks(on_retry=replace)
    with serving(talk) as server:
        client = InfinityAssistantClient("a", server.url, retry_delay=0, hooks=hooks)
        client.chat("hi")
    assert (keys, client.get_api_key()) == (["a", "a"], "b")


def test_nobody_on_the_way_sees_the_key() -> None:
    seen: list[Any] = []

    async def look(request: Request, outside: Outside, /) -> Response:
        seen.extend([repr(request), str(request), request.headers])
        return await outside.send(request)

    hooks = Hooks(on_request=lambda request: seen.append(request.headers))
    with (
        serving(told) as server,
        InfinityAssistantClient("canary", server.url, hooks=hooks, policies=[look]) as client,
    ):
        assert key_of(client) == ["canary"]
    assert seen
    assert "canary" not in str(seen)


def test_a_request_that_a_policy_makes_anew_is_signed_all_the_same() -> None:
    async def anew(request: Request, outside: Outside, /) -> Response:
        return await outside.send(Request("GET", request.path))

    with (
        serving(told) as server,
        InfinityAssistantClient("a", server.url, policies=[anew]) as client,
    ):
        assert key_of(client) == ["a"]


def test_no_key_is_answered_what_another_was() -> None:
    cache = Cache()
    with serving(told) as server, InfinityAssistantClient("a", server.url, cache=cache) as client:
        seen = [key_of(client), key_of(client)]
        for key in ("b", "a", None):
            client.set_api_key(key)
            seen.append(key_of(client))
        same = InfinityAssistantClient("a", server.url, cache=cache)
        seen.append(key_of(same))
        same.close()
    assert seen == [["a"], ["a"], ["b"], ["a"], [], ["a"]]
    assert [one.all("x-api-key") for one in server.asked] == [["a"], ["b"], []]


def test_keys_are_replaced_from_any_thread() -> None:
    with serving(told) as server, InfinityAssistantClient("k0", server.url) as client:

        def use(number: int) -> Any:
            client.set_api_key(f"k{number}")
            return key_of(client)

        with ThreadPoolExecutor(8) as threads:
            seen = list(threads.map(use, range(64)))
    assert {key for (key,) in seen} <= {f"k{number}" for number in range(64)}
