"""The two ChatRoutes clients, as they are made and set up, and how they repeat."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import chatroutes
from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import SettingsError, TransportError
from chatloom.core.http import Response
from chatloom.core.secret import Secret
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from chatroutes import AsyncChatRoutes, ChatRoutes, ChatRoutesError, ConflictError, ServerError
from chatroutes.client import repeating
from chatroutes.exceptions import documented
from chatroutes.service import Service
from support.scripted import Answer, Scripted
from transports.scripted import Peer, serving

Client: TypeAlias = type[ChatRoutes | AsyncChatRoutes]
CLIENTS = pytest.mark.parametrize("client", [ChatRoutes, AsyncChatRoutes])
DEFAULT = "https://api.chatroutes.com/api/v1"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has set up nothing."""
    for service in ("CHATROUTES", "CHATLOOM"):
        for name in ("API_KEY", "BASE_URL", "TIMEOUT", "MAX_RETRIES", "LOG", "CONFIG"):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


@CLIENTS
def test_a_client_needs_no_arguments(client: Client) -> None:
    made = client()
    assert (made.base_url, made.api_key, made.timeout) == (DEFAULT, None, 30.0)


@CLIENTS
def test_arguments_are_taken_by_position(client: Client) -> None:
    made = client("k", "http://x/api/v1/", 5, 1, 0.5)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x/api/v1", Secret("k"), 5)


@CLIENTS
@pytest.mark.parametrize("url", ["http://x", "http://x/", "http://x/api/v1", "http://x/api/v1/"])
def test_an_address_may_name_the_api_or_not(client: Client, url: str) -> None:
    assert client(base_url=url).base_url == "http://x/api/v1"


@CLIENTS
def test_a_server_within_the_process_has_its_own_name(client: Client) -> None:
    assert client(base_url="embedded:").base_url == "embedded:"


@CLIENTS
def test_the_environment_is_read_when_a_client_is_made(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATROUTES_API_KEY", "own")
    monkeypatch.setenv("CHATLOOM_API_KEY", "common")
    monkeypatch.setenv("CHATROUTES_BASE_URL", "http://own/api/v1")
    monkeypatch.setenv("CHATLOOM_TIMEOUT", "7")
    made = client(base_url=DEFAULT, timeout=30)
    assert (made.base_url, made.api_key, made.timeout) == (
        "http://own/api/v1",
        Secret("own"),
        7,
    )


@CLIENTS
def test_a_client_does_not_show_its_key(client: Client) -> None:
    made = client("canary")
    assert "canary" not in repr(made) + repr(vars(made)) + repr(vars(made.http))


@CLIENTS
@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "localhost:3284"}, {"retry_delay": -1}, {"retry_delay": "1"}],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_at_once(client: Client, wrong: Any) -> None:
    with pytest.raises(SettingsError):
        client(**wrong)


def test_both_clients_take_the_same_arguments() -> None:
    assert inspect.signature(ChatRoutes) == inspect.signature(AsyncChatRoutes)


def test_clients_close_like_files() -> None:
    async def main() -> None:
        async with AsyncChatRoutes() as client:
            assert isinstance(client, AsyncChatRoutes)

    asyncio.run(main())
    with ChatRoutes() as client:
        assert isinstance(client, ChatRoutes)


def test_what_is_replaced_in_a_test_stays_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = ChatRoutes()
    assert client.messages is client.messages
    monkeypatch.setattr(client.messages, "delete", print)
    client.messages.delete("c1")
    assert capsys.readouterr().out == "c1\n"


def test_other_options_hold_for_every_group() -> None:
    with serving(lambda peer: peer.answer_all(b"{}")) as server, ChatRoutes("k", server.url) as one:
        other = one.with_options(extra_headers={"x-a": "b"})
        other.conversations.list()
        other.http.get("/x")
        one.conversations.list()
    assert [asked.all("x-a") for asked in server.asked] == [["b"], ["b"], []]


@pytest.mark.parametrize("module", ["exceptions", "http_client", "resources", "streaming", "types"])
def test_what_a_module_exports_can_be_had_from_the_package(module: str) -> None:
    exported: list[str] = getattr(chatroutes, module).__all__
    assert exported == sorted(exported)
    assert set(exported) <= set(chatroutes.__all__)


# Repeating

CREATED = Response(201, {}, b'{"data": {"conversation": {"id": "c"}}}')
BUSY, BROKEN = Response(503, {}, b"{}"), Response(500, {}, b"{}")
Use: TypeAlias = Callable[[Service[Sync]], object]
CALLS: dict[str, Use] = {
    "GET": lambda service: service.conversations.get("c"),
    "POST": lambda service: service.conversations.create({"title": "T"}),
    "PATCH": lambda service: service.messages.update("m", "hi"),
    "DELETE": lambda service: service.messages.delete("m"),
}


def asked(use: Use, *script: Answer, most: int = 3, delay: float = 1.0) -> Scripted:
    outside = Scripted(*script)
    retry: Retry = repeating(delay)(most)
    service = Service(Engine(Sync, outside, [Identify(), retry], named=documented))
    with suppress(ChatRoutesError):
        use(service)
    return outside


@pytest.mark.parametrize("method", CALLS)
def test_a_failure_is_repeated_as_the_document_says(method: str) -> None:
    outside = asked(CALLS[method], BUSY, BROKEN, BUSY, CREATED)
    assert [request.method for request in outside.requests] == [method] * 4
    assert outside.slept == [1, 2, 4]
    keys = {request.header("idempotency-key") for request in outside.requests}
    assert len(keys) == 1
    assert (None in keys) == (method in {"GET", "DELETE"})


def test_attempts_and_delays_are_those_that_were_asked_for() -> None:
    assert asked(CALLS["POST"], *[BUSY] * 2, most=1, delay=0.25).slept == [0.25]
    assert asked(CALLS["POST"], BUSY, most=0).slept == []
    assert asked(CALLS["GET"], *[BUSY] * 8, most=7, delay=10).slept == [10, 20, 40, 60, 60, 60, 60]
    assert asked(CALLS["GET"], *[BUSY] * 3, most=2, delay=200).slept == [200, 200]


def test_a_server_that_asks_to_wait_is_waited_for() -> None:
    later = Response(429, {"retry-after": "7"}, b"{}")
    assert asked(CALLS["POST"], later, CREATED).slept == [7]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    assert len(asked(CALLS["POST"], Response(status, {}, b"{}")).requests) == 1


def test_a_conflict_is_repeated_on_the_servers_word_alone() -> None:
    again = Response(409, {"x-should-retry": "true"}, b"{}")
    assert len(asked(CALLS["POST"], again, CREATED).requests) == 2
    never = Response(503, {"x-should-retry": "false"}, b"{}")
    assert len(asked(CALLS["POST"], never).requests) == 1


def test_a_lost_post_is_not_repeated_where_that_could_take_effect_twice() -> None:
    lost = TransportError("lost")
    heeds_no_keys = Response(200, {}, b"")
    outside = asked(CALLS["POST"], lost, heeds_no_keys)
    assert [request.method for request in outside.requests] == ["POST", "OPTIONS"]


def test_what_says_how_things_shall_be_is_repeated_when_lost() -> None:
    def use(service: Service[Sync]) -> object:
        return service.branches.update("c", "b", {"title": "T"})

    assert len(asked(use, TransportError("lost"), CREATED).requests) == 2


@pytest.mark.parametrize(
    ("arguments", "times"),
    [
        ({}, 4),
        ({"retry_attempts": 1}, 2),
        ({"retry_attempts": 0}, 1),
        ({"max_retries": 2}, 3),
        ({"max_retries": 0, "retry_attempts": 2}, 1),
    ],
    ids=str,
)
def test_a_client_tries_once_more_than_its_attempts(arguments: Any, times: int) -> None:
    def talk(peer: Peer) -> None:
        while True:
            peer.asked()
            body = json.dumps({"error": "no"}).encode()
            peer.answer(body, status=b"503 Service Unavailable")

    with serving(talk) as server, pytest.raises(ServerError) as caught:
        ChatRoutes("k", server.url, retry_delay=0, **arguments).conversations.create({"title": "T"})
    assert len(server.asked) == caught.value.attempts == times
    assert caught.value.status_code == 503
    keys = [one.all("idempotency-key") for one in server.asked]
    assert keys == keys[:1] * times


def test_the_environment_tells_attempts_where_no_argument_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHATLOOM_MAX_RETRIES", "1")
    refusal = b'{"error": "no"}'
    busy = b"503 Service Unavailable"

    def talk(peer: Peer) -> None:
        while True:
            peer.asked()
            peer.answer(refusal, status=busy)

    with serving(talk) as server, pytest.raises(ServerError):
        ChatRoutes("k", server.url, retry_attempts=3, retry_delay=0).conversations.get("c")
    assert len(server.asked) == 2


def test_a_conflict_has_a_name() -> None:
    outside = Scripted(Response(409, {}, b'{"error": "the main branch stays"}'))
    service = Service(Engine(Sync, outside, named=documented))
    with pytest.raises(ConflictError, match="the main branch stays"):
        service.branches.delete("c", "b")
