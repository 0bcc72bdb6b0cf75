"""The engines of a client: one to ask, one to log in, in each mode that it is used in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec

from chatloom.core.engine import Engine, Mode
from chatloom.core.errors import ChatloomError
from chatloom.core.outside import Policy, guard
from chatloom.core.settings import EMBEDDED
from chatloom.engines import ClientOptions, engine
from chatloom.policies.meter import Meter
from chatloom.policies.ration import Ration
from chatloom.policies.retry import Retry
from puter.calls import Calls
from puter.exceptions import PuterError, documented, refused_login
from puter.session import Session
from puter.signing import hiding, signing
from puter.usage import Tally

if TYPE_CHECKING:
    from puter.config import PuterConfig

__all__ = ["Engines"]

_LONGEST = 60.0
"""Seconds to wait between two attempts at most, unless ``retry_delay`` is longer."""
_ACCEPT = "application/json, application/x-ndjson"


class Engines:
    """Makes the calls of one client in either mode, over what both have in common."""

    def __init__(self, session: Session, options: ClientOptions, tally: Tally) -> None:
        self._session = session
        self._options = options
        self._tally = tally
        most, period = session.config.rate_limit_requests, session.config.rate_limit_period
        self._ration = [Ration(most, period)] if most is not None else []

    def calls(self, mode: type[Mode]) -> Calls[Mode]:
        """Make the calls of a mode."""
        session = self._session
        ask = self._engine(
            mode,
            session.service.base_url,
            signing(session.who.token, self._ration),
            self._options,
            documented,
        )
        place, path = self._door()
        # Nobody wants a token answered from a cache.
        without_cache: ClientOptions = {**self._options, "cache": None}
        log_in = hiding(session.who, self._ration)
        door = self._engine(mode, place, log_in, without_cache, refused_login)
        return Calls(ask, door, path, session)

    def _door(self) -> tuple[str, str]:
        """Where to log in, and how that is called there."""
        base_url, login_url = self._session.service.base_url, self._session.config.login_url
        if login_url.startswith("/") and base_url.startswith(EMBEDDED):
            return base_url, login_url
        at = urlsplit(urljoin(base_url, login_url))
        return f"{at.scheme}://{at.netloc}", at.path or "/"

    def _engine(
        self,
        mode: type[Mode],
        base_url: str,
        sign: Policy,
        options: ClientOptions,
        named: Callable[[ChatloomError], PuterError],
    ) -> Engine[Mode]:
        session = self._session
        told = session.service
        told = msgspec.structs.replace(told, base_url=base_url, api_key=session.who.token)
        headers = {
            "accept": _ACCEPT,
            **session.config.headers,
            **(options.get("default_headers") or {}),
        }
        if (serializer := session.serializer) is not None:
            headers["content-type"] = serializer.content_type
        built = engine(
            mode,
            told,
            lambda _: sign,
            options={**options, "default_headers": headers},
            named=reported(named),
            retry=repeating(session.config),
        )
        built.outside = guard(built.outside, [Meter(self._tally).at(base_url, told.name)])
        return built


def repeating(config: PuterConfig) -> Callable[[int], Retry]:
    """Repeat what failed for a passing reason, as the document promises.

    A question that took too long is no such thing: it would be answered, and paid, twice.
    """
    longest = max(_LONGEST, config.retry_delay)

    def retry(most: int) -> Retry:
        return Retry(
            most,
            first_delay=config.retry_delay,
            factor=config.backoff_factor,
            longest_delay=longest,
            patience=2 * longest,
            repeats_failed_posts=True,
            repeats_lost_posts=True,
            repeats_late_posts=False,
        )

    return retry


def reported(
    named: Callable[[ChatloomError], PuterError],
) -> Callable[[ChatloomError], PuterError]:
    """Name errors as *named* does, and log what is known of each, field by field."""

    def report(error: ChatloomError) -> PuterError:
        import logging

        own = named(error)
        logger = logging.getLogger("puter")
        if not logger.handlers:  # else Python writes them all to standard error
            logger.addHandler(logging.NullHandler())
        logger.error("%s: %s", type(own).__name__, own, extra={"puter": _fields(own)})
        return own

    return report


def _fields(error: PuterError) -> Mapping[str, object]:
    names: Sequence[str] = ("status_code", "code", "request_id", "retry_after", "attempts")
    return {"error": type(error).__name__, **{name: getattr(error, name) for name in names}}
