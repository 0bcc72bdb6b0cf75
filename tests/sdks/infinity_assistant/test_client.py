"""The two Infinity Assistant clients, as they are made and set up."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, TypeAlias

import pytest

import infinity_assistant
from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
)

Client: TypeAlias = type[InfinityAssistantClient | AsyncInfinityAssistantClient]
CLIENTS = pytest.mark.parametrize("client", [InfinityAssistantClient, AsyncInfinityAssistantClient])
DEFAULT = "https://infinityassistant.io/api"


@CLIENTS
def test_a_client_needs_no_arguments(client: Client) -> None:
    made = client()
    assert (made.base_url, made.api_key, made.timeout) == (DEFAULT, None, 60.0)
    assert made.get_api_key() is None


@CLIENTS
def test_arguments_are_taken_by_position(client: Client) -> None:
    made = client("k", "http://x/api/", 5, 1, 0.5)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x/api", Secret("k"), 5)


@CLIENTS
@pytest.mark.parametrize("url", ["http://x", "http://x/", "http://x/api", "http://x/api/"])
def test_an_address_may_name_the_api_or_not(client: Client, url: str) -> None:
    assert client(base_url=url).base_url == "http://x/api"


@CLIENTS
def test_a_server_within_the_process_has_its_own_name(client: Client) -> None:
    assert client(base_url="embedded:").base_url == "embedded:"


@CLIENTS
def test_the_environment_is_read_when_a_client_is_made(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINITY_ASSISTANT_API_KEY", "own")
    monkeypatch.setenv("CHATLOOM_API_KEY", "common")
    monkeypatch.setenv("INFINITY_ASSISTANT_BASE_URL", "http://own/api")
    monkeypatch.setenv("CHATLOOM_TIMEOUT", "7")
    made = client(base_url=DEFAULT, timeout=60)
    assert (made.base_url, made.get_api_key(), made.timeout) == ("http://own/api", "own", 7)


@CLIENTS
def test_the_family_has_variables_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATLOOM_API_KEY", "common")
    monkeypatch.setenv("CHATLOOM_BASE_URL", "http://common")
    made = client()
    assert (made.base_url, made.get_api_key()) == ("http://common/api", "common")


@CLIENTS
def test_a_client_does_not_show_its_key(client: Client) -> None:
    made = client("canary")
    assert "canary" not in repr(made) + repr(vars(made)) + repr(made.api_key)
    assert made.get_api_key() == "canary"


@CLIENTS
@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "localhost:3284"}, {"retry_delay": -1}, {"retry_delay": "1"}, {"api_key": 7}],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_at_once(client: Client, wrong: Any) -> None:
    with pytest.raises(SettingsError):
        client(**wrong)


def test_both_clients_take_the_same_arguments() -> None:
    assert inspect.signature(InfinityAssistantClient) == inspect.signature(
        AsyncInfinityAssistantClient
    )


def test_an_option_nobody_knows_is_a_mistake() -> None:
    wrong: dict[str, Any] = {"total_timout": 5}
    with pytest.raises(TypeError, match="did you mean 'total_timeout'"):
        InfinityAssistantClient(**wrong)


def test_clients_close_like_files() -> None:
    async def main() -> None:
        async with AsyncInfinityAssistantClient() as client:
            assert isinstance(client, AsyncInfinityAssistantClient)

    asyncio.run(main())
    with InfinityAssistantClient() as client:
        assert isinstance(client, InfinityAssistantClient)


@pytest.mark.parametrize("name", ["chat", "chat_stream"])
def test_a_chat_is_shown_with_what_it_takes(name: str) -> None:
    shown = inspect.signature(getattr(InfinityAssistantClient, name)).parameters
    assert list(shown)[:3] == ["self", "message", "conversation_id"]
    assert {"drivingMode", "driving_mode", "mode"} <= shown.keys()
    awaited = getattr(AsyncInfinityAssistantClient, name)
    assert inspect.iscoroutinefunction(awaited) == (name == "chat")


@pytest.mark.parametrize("module", ["async_client", "client", "exceptions", "streaming", "types"])
def test_what_a_module_exports_can_be_had_from_the_package(module: str) -> None:
    exported: list[str] = getattr(infinity_assistant, module).__all__
    assert exported == sorted(exported)
    assert set(exported) <= set(infinity_assistant.__all__)
