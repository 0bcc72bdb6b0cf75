"""The two Zaguan clients, as they are made and set up."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TypeAlias

import httpx
import httpx2
import pytest

import zaguan
from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.engines import ClientOptions
from zaguan import AsyncZaguanClient, Config, ZaguanClient

Kind: TypeAlias = type[ZaguanClient | AsyncZaguanClient]

BOTH = pytest.mark.parametrize("client", [ZaguanClient, AsyncZaguanClient])


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has set up nothing."""
    for service in ("ZAGUAN", "CHATLOOM"):
        for name in ("API_KEY", "BASE_URL", "TIMEOUT", "MAX_RETRIES", "LOG", "CONFIG"):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


@BOTH
def test_arguments_are_taken_by_position(client: Kind) -> None:
    made = client("http://x/", "k", 5)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x", Secret("k"), 5)


@BOTH
def test_arguments_are_taken_by_name(client: Kind) -> None:
    made = client(base_url="http://x", api_key="k", timeout=None, http_client=None)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x", Secret("k"), 30.0)


@BOTH
def test_no_time_out_is_infinite(client: Kind) -> None:
    assert client("http://x", "k", float("inf")).timeout is None


@BOTH
def test_a_config_takes_the_place_of_the_address(client: Kind) -> None:
    config = Config(base_url="http://x", api_key="k", timeout=5)
    made = client(config)
    assert (made.base_url, made.api_key, made.timeout) == ("http://x", Secret("k"), 5)
    other = client(config, "other", 7)
    assert (other.base_url, other.api_key, other.timeout) == ("http://x", Secret("other"), 7)


def test_a_config_does_not_show_its_key() -> None:
    assert "canary" not in repr(Config(base_url="http://x", api_key="canary"))


@BOTH
def test_what_is_not_given_comes_from_the_environment(
    client: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZAGUAN_API_KEY", "own")
    monkeypatch.setenv("CHATLOOM_API_KEY", "common")
    monkeypatch.setenv("ZAGUAN_BASE_URL", "http://own")
    monkeypatch.setenv("CHATLOOM_TIMEOUT", "7")
    made = client()
    assert (made.base_url, made.api_key, made.timeout) == ("http://own", Secret("own"), 7)
    assert client(base_url="https://api.zaguanai.com/").base_url == "http://own"
    assert client("http://x", "k").api_key == Secret("k")


@BOTH
def test_the_documented_host_is_the_default(client: Kind) -> None:
    assert (client().base_url, client().api_key) == ("https://api.zaguanai.com", None)


@BOTH
@pytest.mark.parametrize("address", ["http://x/v1", "http://x/v1/", "http://x/"])
def test_an_address_as_other_clients_want_it_is_forgiven(client: Kind, address: str) -> None:
    assert client(address, "k").base_url == "http://x"


@BOTH
@pytest.mark.parametrize("empty", ["", "  "])
def test_what_is_empty_is_refused(client: Kind, empty: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url cannot be empty$"):
        client(empty, "k")
    with pytest.raises(ValueError, match=r"^api_key cannot be empty$"):
        client("http://x", empty)
    with pytest.raises(SettingsError, match=r"^api_key cannot be empty$"):
        client("http://x", Secret(empty))
    with pytest.raises(SettingsError, match=r"^base_url cannot be empty$"):
        client(Config(base_url=empty, api_key="k"))


@BOTH
def test_settings_that_cannot_work_are_refused_at_once(client: Kind) -> None:
    with pytest.raises(SettingsError):
        client("localhost:8080", "k")
    with pytest.raises(TypeError, match="did you mean 'max_retries'"):
        client("http://x", "k", max_retrys=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] - the mistake


@BOTH
def test_a_client_does_not_show_its_key(client: Kind) -> None:
    made = client("http://x", "canary")
    assert "canary" not in repr(made) + repr(vars(made))


@pytest.mark.parametrize("kind", [httpx.Client, httpx2.Client])
def test_an_http_client_of_the_other_kind_is_refused(
    kind: type[httpx.Client | httpx2.Client],
) -> None:
    with kind() as own, pytest.raises(SettingsError, match="needs an"):
        AsyncZaguanClient("http://x", "k", http_client=own)


def test_both_clients_take_the_same_arguments() -> None:
    assert inspect.signature(ZaguanClient) == inspect.signature(AsyncZaguanClient)


def test_the_options_are_those_of_every_client() -> None:
    own = set(inspect.signature(ZaguanClient).parameters)
    assert own - {"base_url", "api_key", "timeout"} == set(ClientOptions.__annotations__)


def test_clients_close_like_files() -> None:
    async def main() -> None:
        async with AsyncZaguanClient("http://x", "k") as client:
            assert isinstance(client, AsyncZaguanClient)

    asyncio.run(main())
    with ZaguanClient("http://x", "k") as client:
        assert isinstance(client, ZaguanClient)


@pytest.mark.parametrize("module", ["accumulator", "errors", "models", "streaming"])
def test_what_a_module_exports_can_be_had_from_the_package(module: str) -> None:
    exported: list[str] = getattr(zaguan, module).__all__
    assert exported == sorted(exported)
    assert set(exported) <= set(zaguan.__all__)
