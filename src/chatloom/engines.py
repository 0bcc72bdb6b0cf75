"""A client's engine, built from its settings: the one place that chooses a transport."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, TypedDict, cast

from chatloom import __version__
from chatloom.core.engine import Engine, Mode, Sync, unnamed
from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.manner import Manner, merged, waiting, written_query
from chatloom.core.outside import Outside, Policy
from chatloom.core.secret import CurrentKey, Secret
from chatloom.core.settings import EMBEDDED, Habits, Settings, resolve
from chatloom.policies.hooks import Hooks
from chatloom.policies.identify import Identify
from chatloom.policies.keyed import Note, PerKey
from chatloom.policies.log import Log
from chatloom.policies.retry import Retry

if TYPE_CHECKING:
    from chatloom.policies.cache import Cache
    from chatloom.policies.meter import Meter
    from chatloom.policies.pace import Pace
    from chatloom.transports.httpx import HttpxClient
    from chatloom.transports.recorded import Cassette


def settings(
    habits: Habits,
    *,
    base_url: str | None = None,
    api_key: str | Secret | None = None,
    timeout: float | EllipsisType | None = ...,
    max_retries: int | None = None,
) -> Settings:
    """Settle a client's settings now, from arguments, environment and configuration file."""
    found = resolve(
        habits,
        os.environ,
        _client_table,
        base_url=base_url,
        api_key=api_key,
        timeout=timeout,
        max_retries=max_retries,
    )
    if found.log:
        _log_at(found.log)
    return found


def _log_at(level: str) -> None:
    """Have the ``chatloom`` logger heard, on standard error unless logging is set up otherwise."""
    import logging

    logger = logging.getLogger("chatloom")
    try:
        logger.setLevel(level.upper())
    except ValueError:
        raise SettingsError(f"log must be a level such as DEBUG, not {level!r}") from None
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())


def _write_log(line: str) -> None:
    import logging

    logging.getLogger("chatloom.client").info(line)


class CommonOptions(TypedDict, total=False):
    """What every client takes beside what its document names; `None` is the same as left out."""

    max_retries: int | None
    """How often a request is repeated at most; 2 unless told otherwise."""
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


class ClientOptions(CommonOptions, total=False):
    """The same, for a client whose document does not name an HTTP client."""

    http_client: HttpxClient | None
    """An httpx or httpx2 client to send through; it stays its owner's to close."""


def engine(
    mode: type[Mode],
    settings: Settings,
    sign: Callable[[Secret], Policy],
    *,
    options: ClientOptions,
    named: Callable[[ChatloomError], ChatloomError] = unnamed,
    retry: Callable[[int], Retry] = Retry,
) -> Engine[Mode]:
    """Build the engine of a client.

    *sign* makes the policy that signs with the key, *retry* the one that repeats,
    from the number of times it may. Raises `SettingsError`.
    """
    hooks = options.get("hooks") or Hooks()
    repeating = retry(settings.max_retries)
    repeating.on_retry = hooks.on_retry
    return Engine(
        mode,
        _outside(issubclass(mode, Sync), settings.base_url, options),
        [
            *_around_the_call(settings, options),
            repeating,
            *_around_each_attempt(settings, sign, options),
        ],
        named=hooks.heard_by(named),
        manner=_manner(settings, options),
    )


def _around_the_call(settings: Settings, options: ClientOptions) -> Iterator[Policy]:
    key = settings.api_key
    if isinstance(key, CurrentKey):
        yield Note(key)
    yield Identify()
    if cache := options.get("cache"):
        scope = _scope(settings, options)
        yield PerKey(cache, scope) if isinstance(key, CurrentKey) else cache.within(scope)
    if meter := options.get("meter"):
        yield meter.at(settings.base_url, settings.name)


def _around_each_attempt(
    settings: Settings, sign: Callable[[Secret], Policy], options: ClientOptions
) -> Iterator[Policy]:
    if hooks := options.get("hooks"):
        yield hooks
    yield from options.get("policies") or ()
    if pace := options.get("pace"):
        yield pace
    if settings.api_key:
        yield sign(settings.api_key)
    if settings.log:
        yield Log(_write_log)


def _scope(settings: Settings, options: ClientOptions) -> bytes:
    """Tell apart those who may not see each other's answers in one cache.

    Whoever signs by middleware or in an httpx client, nobody here can tell; and a
    server in memory has answers for nobody else, and not for long.
    """
    from hashlib import sha256

    own_key = None if isinstance(settings.api_key, CurrentKey) else settings.api_key
    key = own_key.reveal() if own_key else ""
    place = settings.base_url
    in_memory = place.startswith(EMBEDDED) and not place.startswith(f"{EMBEDDED}/")
    is_own = in_memory or options.get("policies") or options.get("http_client")
    own = os.urandom(16) if is_own else b""
    return sha256(f"{settings.base_url}\n{key}".encode() + own).digest()


def _manner(settings: Settings, options: ClientOptions) -> Manner:
    agent = f"chatloom-{settings.name}/{__version__}"
    return Manner(
        timeouts=settings.timeouts,
        total_timeout=waiting("total_timeout", options.get("total_timeout")),
        max_retries=settings.max_retries,
        headers=merged((("user-agent", agent),), options.get("default_headers") or {}),
        query=written_query("default_query", options.get("default_query")),
    )


def _outside(blocking: bool, base_url: str, options: ClientOptions) -> Outside:
    transport = _transport(blocking, base_url, options.get("http_client"))
    if cassette := options.get("cassette"):
        from chatloom.transports.recorded import recorded

        return recorded(transport, cassette)
    return transport


def _transport(blocking: bool, base_url: str, http_client: HttpxClient | None) -> Outside:
    is_embedded = base_url.startswith(EMBEDDED)
    if http_client is not None:
        if is_embedded:
            raise SettingsError(f"{EMBEDDED} has no network for an http_client to send over")
        from chatloom.transports.httpx import httpx_transport

        return httpx_transport(http_client, base_url, blocking=blocking)
    if is_embedded:
        from chatloom.embedded import outside

        return outside(base_url, blocking=blocking)
    if blocking:
        from chatloom.transports.blocking import BlockingTransport

        return BlockingTransport(base_url)
    from chatloom.transports.aio import AioTransport

    return AioTransport(base_url)


def _client_table() -> Mapping[str, object]:
    """The ``[client]`` table of the configuration file.

    The file is ``$CHATLOOM_CONFIG``, else ``chatloom.toml`` in the user's
    configuration folder; never in the current one, which may be anybody's and
    could send the key elsewhere.
    """
    from pathlib import Path

    from chatloom.transports.home import config_folder

    named = os.environ.get("CHATLOOM_CONFIG")
    try:
        path = Path(named) if named else config_folder() / "chatloom.toml"
        if not named and not path.is_file():
            return {}
    except (OSError, RuntimeError):  # a user without a home, or who may not look into it
        return {}
    import tomllib

    try:
        table = tomllib.loads(path.read_text("utf-8")).get("client", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [client] is not a table")
    return cast("Mapping[str, object]", table)
