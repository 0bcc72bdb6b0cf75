"""A client's settings: argument, environment, configuration file, default, in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import cast

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Timeouts
from chatloom.core.manner import repetitions, waiting
from chatloom.core.secret import Secret


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What an SDK's document says when nobody says otherwise."""

    name: str
    """The SDK's, as ``User-Agent`` and meters say it."""
    base_url: str
    key_variable: str
    """The SDK's own environment variable for the key."""
    url_variable: str
    path: str = ""
    """How the SDK's own paths begin; an address that ends so already is forgiven."""
    timeout: float | None = 600.0
    max_retries: int = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a client was told, from whichever place."""

    name: str
    """The SDK's."""
    base_url: str
    """Without a trailing slash."""
    api_key: Secret | None
    timeout: float | None
    """Seconds to wait for a connection, and for each read; `None` waits for ever."""
    max_retries: int
    log: str | None
    """A level for the ``chatloom`` logger."""

    @property
    def timeouts(self) -> Timeouts:
        """The documented meaning of ``timeout``: connect and idle-read."""
        return Timeouts(self.timeout, self.timeout)


def resolve(
    habits: Habits,
    environ: Mapping[str, str],
    config: Callable[[], Mapping[str, object]],
    *,
    base_url: str | None = None,
    api_key: str | Secret | None = None,
    timeout: float | EllipsisType | None = ...,
    max_retries: int | None = None,
) -> Settings:
    """Settle a client's settings.

    A *base_url* equal to the documented default, and a *timeout* equal to it,
    count as not given, so that copied examples still obey the environment. A
    *timeout* of `None` waits for ever.
    *config* reads the ``[client]`` table of the configuration file; it is asked
    only for what is not settled before. Raises `SettingsError`.
    """
    table: Mapping[str, object] | None = None

    def look_up(own: str | None, common: str, name: str) -> str | None:
        nonlocal table
        for variable in (own, common):
            if variable and environ.get(variable):
                return environ[variable]
        if table is None:
            table = _checked(config())
        value = table.get(name)
        return None if value is None else str(value)

    if not isinstance(cast("object", base_url), str | None):
        raise SettingsError(f"base_url must be text, not {type(base_url).__name__}")
    if base_url is None or base_url.rstrip("/") == habits.base_url.rstrip("/"):
        base_url = look_up(habits.url_variable, "CHATLOOM_BASE_URL", "base_url") or habits.base_url
    if not isinstance(cast("object", api_key), str | Secret | None):
        raise SettingsError(f"api_key must be text, not {type(api_key).__name__}")
    if api_key is None:
        api_key = look_up(habits.key_variable, "CHATLOOM_API_KEY", "api_key")
    if timeout is ... or timeout == habits.timeout:
        told = look_up(None, "CHATLOOM_TIMEOUT", "timeout")
        timeout = habits.timeout if told is None else _number("timeout", told)
    if max_retries is None:
        told = look_up(None, "CHATLOOM_MAX_RETRIES", "max_retries")
        max_retries = habits.max_retries if told is None else _whole("max_retries", told)
    return Settings(
        name=habits.name,
        base_url=_address(base_url, habits.path),
        api_key=Secret(api_key) if isinstance(api_key, str) else api_key,
        timeout=waiting("timeout", timeout),
        max_retries=repetitions(max_retries),
        log=look_up(None, "CHATLOOM_LOG", "log"),
    )


_NAMES = frozenset({"api_key", "base_url", "timeout", "max_retries", "log"})


def _checked(table: Mapping[str, object]) -> Mapping[str, object]:
    if unknown := sorted(table.keys() - _NAMES):
        known = ", ".join(sorted(_NAMES))
        raise SettingsError(f"[client] knows {known}, and not {', '.join(unknown)}")
    return table


EMBEDDED = "embedded:"
"""How the address of a server inside this process begins."""


def _address(base_url: str, path: str) -> str:
    if not base_url.isprintable():
        raise SettingsError("base_url must be an address of printable characters")
    address = base_url.strip()
    if address.startswith(EMBEDDED):
        return address
    if not address.lower().startswith(("http://", "https://")):
        raise SettingsError(
            f"base_url must begin with http://, https:// or {EMBEDDED}, not {base_url!r}"
        )
    return address.rstrip("/").removesuffix(path)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{name} must be a number, not {text!r}") from None


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number, not {text!r}") from None
