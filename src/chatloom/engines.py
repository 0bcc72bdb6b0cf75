"""A client's engine, built from its settings: the one place that chooses a transport."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import cast

from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.operations import Engine, Mode, Sync, unnamed
from chatloom.core.outside import Outside, Policy
from chatloom.core.secret import Secret
from chatloom.core.settings import Habits, Settings, resolve
from chatloom.policies.identify import Identify
from chatloom.policies.log import Log
from chatloom.policies.retry import Retry


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


def engine(
    mode: type[Mode],
    settings: Settings,
    sign: Callable[[Secret], Policy],
    *,
    agent: str,
    named: Callable[[ChatloomError], ChatloomError] = unnamed,
    retry: Policy | None = None,
) -> Engine[Mode]:
    """Build the engine of a client; *sign* makes the policy that signs with the key."""
    policies: list[Policy] = [Identify(), retry or Retry(settings.max_retries)]
    if settings.api_key:
        policies.append(sign(settings.api_key))
    if settings.log:
        policies.append(Log(_write_log))
    return Engine(
        mode,
        _transport(mode is Sync, settings.base_url),
        policies,
        named=named,
        timeouts=settings.timeouts,
        headers=(("user-agent", agent),),
    )


def _transport(blocking: bool, base_url: str) -> Outside:
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
