"""A client's engine, built from its settings: the one place that chooses a transport."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, cast

from chatloom import __version__
from chatloom.core.engine import Engine, Mode, Sync, unnamed
from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.manner import Manner, merged, query_pairs, waiting
from chatloom.core.outside import Outside, Policy
from chatloom.core.secret import Secret
from chatloom.core.settings import EMBEDDED, Habits, Settings, resolve
from chatloom.policies.hooks import Hooks
from chatloom.policies.identify import Identify
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
    timeout: float | None = None,
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


class ClientOptions(TypedDict, total=False):
    """What every client takes beside what its document names."""

    max_retries: int | None
    """How often a request is repeated at most; 2 unless told otherwise."""
    total_timeout: float | None
    """Seconds for a whole call, retries and a streamed body included; `None` for no limit."""
    default_headers: Mapping[str, str]
    """Sent with every request; one of the same name as the client's own replaces it."""
    default_query: Mapping[str, str | int | float | bool]
    """Added to the query string of every request."""
    policies: Sequence[Policy]
    """Middleware around each attempt; the first one sees a request first."""
    hooks: Hooks
    """Functions to call as requests go out and answers come in."""
    pace: Pace
    """Sends no faster than this; clients may share one."""
    cache: Cache
    """Answers again what was answered before."""
    meter: Meter
    """Measures every call and tells exporters."""
    http_client: HttpxClient
    """An httpx or httpx2 client to send through; it stays its owner's to close."""
    cassette: Cassette
    """Where what goes over the wire is recorded, or played from."""


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
    yield Identify()
    if "cache" in options:
        yield options["cache"].within(_scope(settings))
    if "meter" in options:
        yield options["meter"].at(settings.base_url, settings.name)


def _around_each_attempt(
    settings: Settings, sign: Callable[[Secret], Policy], options: ClientOptions
) -> Iterator[Policy]:
    if "hooks" in options:
        yield options["hooks"]
    yield from options.get("policies", ())
    if "pace" in options:
        yield options["pace"]
    if settings.api_key:
        yield sign(settings.api_key)
    if settings.log:
        yield Log(_write_log)


def _scope(settings: Settings) -> bytes:
    """Tell apart those who may not see each other's answers in one cache."""
    from hashlib import sha256

    key = settings.api_key.reveal() if settings.api_key else ""
    # A server that is one client's own has answers for nobody else.
    own = os.urandom(16) if settings.base_url == EMBEDDED else b""
    return sha256(f"{settings.base_url}\n{key}".encode() + own).digest()


def _manner(settings: Settings, options: ClientOptions) -> Manner:
    agent = f"chatloom-{settings.name}/{__version__}"
    return Manner(
        timeouts=settings.timeouts,
        total_timeout=waiting("total_timeout", options.get("total_timeout")),
        headers=merged((("user-agent", agent),), options.get("default_headers", {})),
        query=query_pairs(options.get("default_query", {})),
    )


def _outside(blocking: bool, base_url: str, options: ClientOptions) -> Outside:
    if "http_client" in options:
        from chatloom.transports.httpx import httpx_transport

        transport = httpx_transport(options["http_client"], base_url, blocking=blocking)
    else:
        transport = _transport(blocking, base_url)
    if "cassette" in options:
        from chatloom.transports.recorded import recorded

        return recorded(transport, options["cassette"])
    return transport


def _transport(blocking: bool, base_url: str) -> Outside:
    if base_url.startswith(EMBEDDED):
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
