"""How the two Infinity Assistant clients repeat what failed, was lost, or came too soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import pytest

from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import ConnectError, TimedOut, TransportError
from chatloom.core.http import Response
from chatloom.core.outside import Policy
from chatloom.policies.identify import Identify
from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
    InfinityAssistantError,
    InfinityAssistantNetworkError,
    InfinityAssistantRateLimitError,
    InfinityAssistantServerError,
)
from infinity_assistant.configured import repeating
from infinity_assistant.exceptions import documented
from infinity_assistant.limits import heed_limits
from infinity_assistant.service import Service
from support.scripted import Answer, Scripted
from transports.scripted import Peer, serving

Client: TypeAlias = type[InfinityAssistantClient | AsyncInfinityAssistantClient]
CLIENTS = pytest.mark.parametrize("client", [InfinityAssistantClient, AsyncInfinityAssistantClient])
ANSWER = Response(200, {}, b'{"response": "hi", "entry": {"id": "e"}}')
BUSY, BROKEN = Response(503, {}, b"{}"), Response(500, {}, b"{}")
Use: TypeAlias = Callable[[Service[Sync]], object]
CALLS: dict[str, Use] = {
    "GET": lambda service: service.health(),
    "POST": lambda service: service.chat("hi"),
    "PATCH": lambda service: service.update_knowledge("e", {"title": "T"}),
    "DELETE": lambda service: service.delete_memory("k"),
}


def asked(use: Use, *script: Answer, most: int = 3, delay: float = 1.0) -> Scripted:
    outside = Scripted(*script)
    policies: list[Policy] = [Identify(), repeating(delay)(most), heed_limits]
    service = Service(Engine(Sync, outside, policies, named=documented))
    with suppress(InfinityAssistantError):
        use(service)
    return outside


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("failure", [TransportError("lost"), TimedOut("slow"), BROKEN], ids=str)
def test_what_failed_or_was_lost_is_repeated_as_the_document_says(
    method: str, failure: Answer
) -> None:
    outside = asked(CALLS[method], failure, ConnectError("no"), BUSY, ANSWER)
    assert [request.method for request in outside.requests] == [method] * 4
    assert outside.slept == [1, 2, 4]
    keys = {request.header("idempotency-key") for request in outside.requests}
    assert len(keys) == 1
    assert (None in keys) == (method != "POST")


def test_attempts_and_delays_are_those_that_were_asked_for() -> None:
    assert asked(CALLS["POST"], *[BUSY] * 2, most=1, delay=0.25).slept == [0.25]
    assert asked(CALLS["POST"], BUSY, most=0).slept == []
    assert asked(CALLS["GET"], *[BUSY] * 8, most=7, delay=10).slept == [10, 20, 40, 60, 60, 60, 60]
    assert asked(CALLS["GET"], *[BUSY] * 3, most=2, delay=200).slept == [200, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    assert len(asked(CALLS["POST"], Response(status, {}, b"{}")).requests) == 1


NOON: dict[str, tuple[dict[str, str], bytes]] = {
    "seconds": ({"retry-after": "7"}, b"{}"),
    "milliseconds": ({"retry-after-ms": "7000"}, b"{}"),
    "a date": ({"retry-after": "Thu, 01 Jan 2026 12:00:07 GMT"}, b"{}"),
    "its own header": ({"x-ratelimit-retry-after": "7"}, b"{}"),
    "when it begins anew": ({"x-ratelimit-reset": "1767268807"}, b"{}"),
    "in milliseconds": ({"x-ratelimit-reset": "1767268807000"}, b"{}"),
    "as a while": ({"x-ratelimit-reset": "7"}, b"{}"),
    "as a date": ({"x-ratelimit-reset": "2026-01-01T12:00:07Z"}, b"{}"),
    "in the body": ({}, b'{"retryAfter": 7}'),
    "in its error": ({}, b'{"error": {"retry_after": 7}}'),
    "in its limit": ({}, b'{"rateLimit": {"reset_at": "2026-01-01T12:00:07"}}'),
    "in its limit as a number": ({}, b'{"rateLimit": {"reset": 1767268807}}'),
}


@pytest.mark.parametrize(("headers", "body"), NOON.values(), ids=NOON)
def test_a_server_that_asks_to_wait_is_waited_for(headers: dict[str, str], body: bytes) -> None:
    assert asked(CALLS["POST"], Response(429, headers, body), ANSWER).slept == [7]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"retry-after": "tomorrow"}, b"{}"),
        ({"x-ratelimit-reset": "never"}, b"<html>"),
        ({"x-ratelimit-reset": "-1"}, b'{"rateLimit": {"reset_at": null}}'),
        ({}, b'{"rateLimit": [1]}'),
        ({}, b"[]"),
    ],
)
def test_what_nobody_understands_is_no_wait(headers: dict[str, str], body: bytes) -> None:
    assert asked(CALLS["POST"], Response(429, headers, body), ANSWER).slept == [1]


def test_what_is_over_already_is_not_waited_for() -> None:
    past = {"x-ratelimit-reset": "2026-01-01T11:00:00Z"}
    assert asked(CALLS["POST"], Response(429, past, b"{}"), ANSWER).slept == [0]


def test_a_limit_until_tomorrow_is_told_at_once() -> None:
    outside = Scripted(Response(429, {}, b'{"rateLimit": {"reset_at": "2026-01-02T12:00:00Z"}}'))
    policies: list[Policy] = [repeating(1)(3), heed_limits]
    service = Service(Engine(Sync, outside, policies, named=documented))
    with pytest.raises(InfinityAssistantRateLimitError) as caught:
        service.chat("hi")
    assert (caught.value.retry_after, outside.slept) == (86400, [])


@pytest.mark.parametrize(
    ("arguments", "times"),
    [({}, 4), ({"max_retries": 1}, 2), ({"max_retries": 0}, 1), ({"max_retries": None}, 4)],
    ids=str,
)
def test_a_client_tries_once_more_than_its_retries(arguments: Any, times: int) -> None:
    with serving(busy) as server, pytest.raises(InfinityAssistantServerError) as caught:
        InfinityAssistantClient("k", server.url, retry_delay=0, **arguments).chat("hi")
    assert len(server.asked) == caught.value.attempts == times
    keys = [one.all("idempotency-key") for one in server.asked]
    assert keys == keys[:1] * times


def test_the_environment_tells_retries_where_no_argument_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHATLOOM_MAX_RETRIES", "1")
    with serving(busy) as server, pytest.raises(InfinityAssistantServerError):
        InfinityAssistantClient("k", server.url, max_retries=3, retry_delay=0).health()
    assert len(server.asked) == 2


def busy(peer: Peer) -> None:
    while True:
        peer.asked()
        peer.answer(b'{"error": "no"}', status=b"503 Service Unavailable")


@CLIENTS
def test_a_lost_connection_is_one_loop_of_retries(client: Client) -> None:
    def hang_up(peer: Peer) -> None:
        peer.asked()

    with serving(hang_up) as server, pytest.raises(InfinityAssistantNetworkError) as caught:
        use(client("k", server.url, max_retries=2, retry_delay=0))
    assert (len(server.asked), caught.value.attempts) == (3, 3)


def use(client: InfinityAssistantClient | AsyncInfinityAssistantClient) -> None:
    async def awaited(client: AsyncInfinityAssistantClient) -> None:
        async with client:
            await client.chat("hi")

    if isinstance(client, AsyncInfinityAssistantClient):
        asyncio.run(awaited(client))
    else:
        client.chat("hi")
