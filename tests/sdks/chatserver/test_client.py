"""The two ChatServer clients, as they are made and set up."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

import chatserver_sdk
from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatserver_sdk import AsyncChatServerClient, ChatServerClient, create_client

CLIENTS = [ChatServerClient, AsyncChatServerClient]


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has set up nothing."""
    for service in ("CHATSERVER", "CHATLOOM"):
        for name in ("API_KEY", "BASE_URL", "TIMEOUT", "MAX_RETRIES", "LOG", "CONFIG"):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_needs_no_arguments(
    client: type[ChatServerClient | AsyncChatServerClient],
) -> None:
    made = client()
    assert (made.base_url, made.api_key, made.timeout) == ("http://localhost:3284", None, 30.0)


@pytest.mark.parametrize("client", CLIENTS)
def test_arguments_are_taken_by_position(
    client: type[ChatServerClient | AsyncChatServerClient],
) -> None:
    made = client("k", "http://x/", 5)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x", Secret("k"), 5)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_environment_is_read_when_a_client_is_made(
    client: type[ChatServerClient | AsyncChatServerClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSERVER_API_KEY", "own")
    monkeypatch.setenv("CHATLOOM_API_KEY", "common")
    monkeypatch.setenv("CHATSERVER_BASE_URL", "http://own")
    monkeypatch.setenv("CHATLOOM_TIMEOUT", "7")
    made = client(base_url="http://localhost:3284", timeout=30)
    assert (made.base_url, made.api_key, made.timeout) == ("http://own", Secret("own"), 7)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_does_not_show_its_key(
    client: type[ChatServerClient | AsyncChatServerClient],
) -> None:
    made = client("canary")
    assert "canary" not in repr(made) + repr(vars(made))


@pytest.mark.parametrize("client", CLIENTS)
def test_settings_that_cannot_work_are_refused_at_once(
    client: type[ChatServerClient | AsyncChatServerClient],
) -> None:
    with pytest.raises(SettingsError):
        client(base_url="localhost:3284")


def test_both_clients_take_the_same_arguments() -> None:
    assert inspect.signature(ChatServerClient) == inspect.signature(AsyncChatServerClient)


def test_create_client_makes_a_blocking_client() -> None:
    client = create_client("k", "http://x", 5)
    assert isinstance(client, ChatServerClient)
    assert (client.base_url, client.api_key, client.timeout) == ("http://x", Secret("k"), 5)


def test_clients_close_like_files() -> None:
    async def main() -> None:
        async with AsyncChatServerClient() as client:
            assert isinstance(client, AsyncChatServerClient)

    asyncio.run(main())
    with ChatServerClient() as client:
        assert isinstance(client, ChatServerClient)


@pytest.mark.parametrize("module", ["exceptions", "models", "streaming"])
def test_what_a_module_exports_can_be_had_from_the_package(module: str) -> None:
    exported: list[str] = getattr(chatserver_sdk, module).__all__
    assert exported == sorted(exported)
    assert set(exported) <= set(chatserver_sdk.__all__)
