"""The two clients: `ChatServerClient` blocks, `AsyncChatServerClient` is awaited."""

from __future__ import annotations

from typing import Unpack

from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.engine import Async, Mode, RawAsync, RawSync, Sync
from chatloom.core.secret import Secret
from chatloom.core.settings import Habits
from chatloom.core.spelling import spelled_out
from chatloom.engines import ClientOptions, engine, settings
from chatloom.policies.authorize import Authorize
from chatserver_sdk.completions import ChatServer
from chatserver_sdk.exceptions import documented

_HABITS = Habits(
    name="chatserver",
    base_url="http://localhost:3284",
    key_variable="CHATSERVER_API_KEY",
    url_variable="CHATSERVER_BASE_URL",
    path="/v1",
    timeout=30.0,
)


class _Configured(ChatServer[Mode]):
    """How either client is set up."""

    @spelled_out(ClientOptions)
    def __init__(
        self,
        api_key: str | Secret | None = None,
        base_url: str = _HABITS.base_url,
        timeout: float | None = 30,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Set up the client; nothing is sent yet. Raises `chatloom.SettingsError`."""
        told = settings(
            _HABITS,
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=options.get("max_retries"),
        )
        super().__init__(
            engine(self._fixed_mode(), told, Authorize, options=options, named=documented)
        )
        self.base_url = told.base_url
        self.api_key = told.api_key


class ChatServerClient(_Configured[Sync], BlockingClient):
    """The blocking client; safe to share between threads.

    *timeout* is in seconds, for connecting and for each read. What is not given
    comes from ``CHATSERVER_API_KEY`` and ``CHATSERVER_BASE_URL``, then from
    ``CHATLOOM_API_KEY``, ``CHATLOOM_BASE_URL``, ``CHATLOOM_TIMEOUT`` and
    ``CHATLOOM_MAX_RETRIES``, then from the configuration file. The options are
    those of every client of this family, see `chatloom.engines.ClientOptions`.
    """

    @property
    def with_raw_response(self) -> ChatServer[RawSync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return ChatServer(self._engine.in_mode(RawSync))


class AsyncChatServerClient(_Configured[Async], AwaitingClient):
    """The asyncio client: the same calls, awaited.

    Takes the same arguments as `ChatServerClient`, from the same places.
    """

    @property
    def with_raw_response(self) -> ChatServer[RawAsync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return ChatServer(self._engine.in_mode(RawAsync))


def create_client(
    api_key: str | Secret | None = None,
    base_url: str = _HABITS.base_url,
    timeout: float | None = 30,
) -> ChatServerClient:
    """Make a blocking client."""
    return ChatServerClient(api_key, base_url, timeout)
