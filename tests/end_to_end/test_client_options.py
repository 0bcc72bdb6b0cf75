"""What every client takes beside what its document names, against a real server."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from chatloom import StatusError, TimedOut
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside, Policy
from chatloom.policies.cache import Cache
from chatloom.policies.hooks import Hooks
from chatloom.policies.meter import Call, Measured, Meter
from chatserver_sdk import ChatServerClient, ChatServerTimeoutError
from support.live import Live


@pytest.fixture
def seen() -> list[Request]:
    return []


@pytest.fixture
def watch(seen: list[Request]) -> Hooks:
    return Hooks(on_request=seen.append)


def test_default_headers_and_query_go_with_every_request(
    live: Live, seen: list[Request], watch: Hooks
) -> None:
    client = ChatServerClient(
        "key",
        live.url,
        default_headers={"X-Request-Id": "mine", "User-Agent": "my app"},
        default_query={"n": 1},
        hooks=watch,
    )
    with client:
        assert client.with_raw_response.list_models().request_id == "mine"
    assert seen[0].header("user-agent") == "my app"
    assert seen[0].query == (("n", "1"),)


def test_clients_name_themselves(live: Live, seen: list[Request], watch: Hooks) -> None:
    with ChatServerClient("key", live.url, hooks=watch) as client:
        client.list_models()
    assert (seen[0].header("user-agent") or "").startswith("chatloom-chatserver/")


def test_a_total_timeout_ends_a_call_with_all_its_retries(live: Live) -> None:
    with (
        ChatServerClient("key", live.url, total_timeout=0.4, max_retries=50) as client,
        pytest.raises((ChatServerTimeoutError, StatusError)) as caught,
    ):
        client.create_completion("loom/scribe?429=99", ["hi"])
    assert caught.value.attempts < 5


def test_a_total_timeout_ends_a_stream(live: Live) -> None:
    with ChatServerClient("key", live.url, total_timeout=0.5) as client:
        stream = client.create_completion("loom/scribe?stall=3", ["hi"], stream=True)
        with pytest.raises(Exception, match="deadline") as caught:
            stream.collect()
    assert isinstance(caught.value.__cause__, TimedOut)


def test_clients_with_other_keys_do_not_share_what_is_kept(live: Live) -> None:
    cache = Cache(completions=True)
    for key in ("one", "two"):
        with ChatServerClient(key, live.url, cache=cache) as client:
            assert client.with_raw_response.create_completion("loom/echo", ["hi"], 0).attempts == 1


def test_clients_that_sign_elsewhere_do_not_share_what_is_kept(live: Live) -> None:
    cache = Cache(completions=True)

    def signing(key: str) -> Policy:
        async def sign(request: Request, outside: Outside, /) -> Response:
            return await outside.send(request.with_header("authorization", f"Bearer {key}"))

        return sign

    for key in ("alice", "bob"):
        with ChatServerClient(base_url=live.url, cache=cache, policies=[signing(key)]) as client:
            assert client.with_raw_response.create_completion("loom/echo", ["hi"], 0).attempts == 1
    for key in ("carol", "dave"):
        with (
            httpx.Client(headers={"authorization": f"Bearer {key}"}) as own,
            ChatServerClient(base_url=live.url, cache=cache, http_client=own) as client,
        ):
            assert client.with_raw_response.create_completion("loom/echo", ["hi"], 0).attempts == 1


def test_private_servers_do_not_share_what_is_kept() -> None:
    cache = Cache(completions=True)
    for _ in range(2):
        with ChatServerClient(base_url="embedded:", cache=cache) as client:
            assert client.with_raw_response.create_completion("loom/echo", ["hi"], 0).attempts == 1


def test_a_meter_is_told_of_every_call_and_of_nothing_that_was_kept(live: Live) -> None:
    calls: list[tuple[Call, Measured]] = []

    class Notes:
        def begin(self, call: Call, /) -> Callable[[Measured], object]:
            return lambda measured: calls.append((call, measured))

    meter, cache = Meter(Notes()), Cache(completions=True)
    with ChatServerClient("key", live.url, meter=meter, cache=cache) as client:
        client.create_completion("loom/echo", ["hi"], 0)
        client.create_completion("loom/echo", ["hi"], 0)
        client.create_completion("loom/echo", ["hi you"], stream=True).collect()
    assert [(call.model, call.streamed, measured.outcome) for call, measured in calls] == [
        ("loom/echo", False, "complete"),
        ("loom/echo", True, "complete"),
    ]


def test_middleware_sees_each_attempt_unsigned(live: Live) -> None:
    seen: list[Request] = []

    async def middleware(request: Request, outside: Outside, /) -> Response:
        seen.append(request)
        return await outside.send(request.with_header("x-request-id", "by-middleware"))

    with ChatServerClient("canary-key-0123456789", live.url, policies=[middleware]) as client:
        raw = client.with_raw_response.create_completion("loom/scribe?429=1", ["hi"])
    assert raw.request_id == "by-middleware"
    assert [request.attempt for request in seen] == [1, 2]
    assert "canary" not in str([request.headers for request in seen])
