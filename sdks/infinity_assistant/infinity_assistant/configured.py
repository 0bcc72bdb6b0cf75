"""How either client is set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack, cast

import msgspec

from chatloom.core.engine import Engine, Mode
from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside, Policy, guard
from chatloom.core.secret import CurrentKey, Secret
from chatloom.core.settings import EMBEDDED, Habits, Settings
from chatloom.core.spelling import spelled_out
from chatloom.engines import engine, settings
from chatloom.policies.authorize import Authorize
from chatloom.policies.hooks import Hooks
from chatloom.policies.retry import Retry
from infinity_assistant.calls import PREFIX
from infinity_assistant.exceptions import documented
from infinity_assistant.limits import heed_limits
from infinity_assistant.service import Service

if TYPE_CHECKING:
    from chatloom.policies.cache import Cache
    from chatloom.policies.meter import Meter
    from chatloom.policies.pace import Pace
    from chatloom.transports.httpx import HttpxClient
    from chatloom.transports.recorded import Cassette

HABITS = Habits(
    name="infinity_assistant",
    base_url=f"https://infinityassistant.io{PREFIX}",
    key_variable="INFINITY_ASSISTANT_API_KEY",
    url_variable="INFINITY_ASSISTANT_BASE_URL",
    path=PREFIX,
    timeout=60.0,
    max_retries=3,
)


class Options(TypedDict, total=False):
    """What every client of the family takes, but for `max_retries`, which the document names."""

    total_timeout: float | None
    """Seconds for a whole call, retries and a streamed body included; `None` for no limit."""
    default_headers: Mapping[str, str] | None
    """Sent with every request; one of the same name as the client's own replaces it."""
    default_query: Mapping[str, str | int | float | bool] | None
    """Added to the query string of every request."""
    policies: Sequence[Policy] | None
    """Middleware around each attempt; the first one sees a request first."""
    hooks: Hooks | None
    """Functions to call as requests go out and answers come in."""
    pace: Pace | None
    """Sends no faster than this; clients may share one."""
    cache: Cache | None
    """Answers again what was answered before."""
    meter: Meter | None
    """Measures every call and tells exporters."""
    cassette: Cassette | None
    """Where what goes over the wire is recorded, or played from."""
    http_client: HttpxClient | None
    """An httpx or httpx2 client to send through; it stays its owner's to close."""


class Configured(Service[Mode]):
    """How either client is set up, and the key it signs with."""

    @spelled_out(Options)
    def __init__(
        self,
        api_key: str | Secret | None = None,
        base_url: str = HABITS.base_url,
        timeout: float | None = 60,
        max_retries: int | None = 3,
        retry_delay: float = 1.0,
        **options: Unpack[Options],
    ) -> None:
        """Set up the client; nothing is sent yet. Raises `chatloom.SettingsError`."""
        told = settings(
            HABITS,
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=None if max_retries == HABITS.max_retries else max_retries,
        )
        self._key = CurrentKey(told.api_key)
        super().__init__(_engine(self._fixed_mode(), told, self._key, retry_delay, options))
        is_embedded = told.base_url.startswith(EMBEDDED)
        self.base_url = told.base_url if is_embedded else told.base_url + PREFIX

    @property
    def api_key(self) -> Secret | None:
        """The key as it is now; it hides itself."""
        return self._key.now()

    def get_api_key(self) -> str | None:
        """Show the key itself."""
        key = self._key.now()
        return key.reveal() if key else None

    def set_api_key(self, api_key: str | Secret | None) -> None:
        """Sign with another key from now on, or with none.

        May be called at any time, from any thread; calls that have begun end with the key
        they began with. It is the key of every client that `with_options` made of this one,
        too. Raises `chatloom.SettingsError` for what is no text.
        """
        self._key.replace(api_key)


def _engine(
    mode: type[Mode], told: Settings, key: CurrentKey, retry_delay: float, options: Options
) -> Engine[Mode]:
    return engine(
        mode,
        msgspec.structs.replace(told, api_key=key),
        _signing,
        options={**options, "max_retries": told.max_retries},
        named=documented,
        retry=repeating(retry_delay),
    )


def _signing(key: Secret) -> Policy:
    policies: Sequence[Policy] = (heed_limits, Authorize(key, header="x-api-key", scheme=""))

    async def signing(request: Request, outside: Outside, /) -> Response:
        return await guard(outside, policies).send(request)

    return signing


_LONGEST = 60.0
"""Seconds to wait between two attempts at most, unless *retry_delay* is longer."""


def repeating(delay: float) -> Callable[[int], Retry]:
    """Repeat what failed or was lost, as the document promises."""
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
            repeats_lost_posts=True,
        )

    return retry
