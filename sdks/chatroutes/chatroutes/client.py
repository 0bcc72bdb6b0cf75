"""The two clients: `ChatRoutes` blocks, `AsyncChatRoutes` is awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack, cast

from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.engine import Async, Mode, RawAsync, RawSync, Sync
from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.core.settings import EMBEDDED, Habits
from chatloom.core.spelling import spelled_out
from chatloom.engines import ClientOptions, engine, settings
from chatloom.policies.authorize import Authorize
from chatloom.policies.retry import Retry
from chatroutes.exceptions import documented
from chatroutes.http_client import PREFIX
from chatroutes.service import Service

_HABITS = Habits(
    name="chatroutes",
    base_url=f"https://api.chatroutes.com{PREFIX}",
    key_variable="CHATROUTES_API_KEY",
    url_variable="CHATROUTES_BASE_URL",
    path=PREFIX,
    timeout=30.0,
    max_retries=3,
)


class _Configured(Service[Mode]):
    """How either client is set up."""

    @spelled_out(ClientOptions)
    def __init__(
        self,
        api_key: str | Secret | None = None,
        base_url: str = _HABITS.base_url,
        timeout: float | None = 30,
        retry_attempts: int = 3,
        retry_delay: float = 1.0,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Set up the client; nothing is sent yet. Raises `chatloom.SettingsError`."""
        most = options.get("max_retries")
        if most is None and retry_attempts != _HABITS.max_retries:
            most = retry_attempts
        told = settings(
            _HABITS, base_url=base_url, api_key=api_key, timeout=timeout, max_retries=most
        )
        retry, mode = repeating(retry_delay), self._fixed_mode()
        super().__init__(
            engine(mode, told, _signed, options=options, named=documented, retry=retry)
        )
        is_embedded = told.base_url.startswith(EMBEDDED)
        self.base_url = told.base_url if is_embedded else told.base_url + PREFIX
        self.api_key = told.api_key


def _signed(key: Secret) -> Authorize:
    return Authorize(key, scheme="ApiKey ")


_LONGEST = 60.0
"""Seconds to wait between two attempts at most, unless *retry_delay* is longer."""


def repeating(delay: float) -> Callable[[int], Retry]:
    """Repeat any request that failed with 5xx, as the document promises."""
    is_number = isinstance(cast("object", delay), int | float)
    if not (is_number and 0 <= delay < float("inf")):
        raise SettingsError(f"retry_delay must be a number of seconds, not {delay!r}")
    longest = max(_LONGEST, delay)

    def retry(most: int) -> Retry:
        return Retry(
            most,
            first_delay=delay,
            longest_delay=longest,
            patience=2 * longest,
            repeats_failed_posts=True,
        )

    return retry


class ChatRoutes(_Configured[Sync], BlockingClient):
    """The blocking client; safe to share between threads.

    *timeout* is in seconds, for connecting and for each read. A request that failed is sent
    *retry_attempts* times more at most, first after *retry_delay* seconds, then after twice
    as many each time, less up to a quarter by chance, or when the server asks for it. What is
    not given comes from ``CHATROUTES_API_KEY`` and ``CHATROUTES_BASE_URL``, then from
    ``CHATLOOM_API_KEY``, ``CHATLOOM_BASE_URL``, ``CHATLOOM_TIMEOUT`` and
    ``CHATLOOM_MAX_RETRIES``, then from the configuration file. The options are
    those of every client of this family, see `chatloom.engines.ClientOptions`.
    """

    @property
    def with_raw_response(self) -> Service[RawSync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Service(self._engine.in_mode(RawSync))


class AsyncChatRoutes(_Configured[Async], AwaitingClient):
    """The asyncio client: the same calls, awaited.

    Takes the same arguments as `ChatRoutes`, from the same places.
    """

    @property
    def with_raw_response(self) -> Service[RawAsync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Service(self._engine.in_mode(RawAsync))
