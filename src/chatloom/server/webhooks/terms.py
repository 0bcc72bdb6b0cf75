"""What may be registered here: addresses that can be reached, and events that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from chatloom.server.egress import Egress, EgressRefused
from chatloom.server.egress.urls import place_of
from chatloom.server.events.kinds import EVENTS, PATTERNS
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.settings import ServerSettings

_LONGEST_URL = 2048


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On which terms webhooks are made."""

    egress: Egress
    most: int
    """Webhooks of one account."""
    plain_http: bool
    """Whether addresses may begin with ``http://``."""

    @classmethod
    def of(cls, settings: ServerSettings, egress: Egress, *, dev: bool) -> Self:
        """Those of a server."""
        own = settings.webhooks
        return cls(egress=egress, most=own.most, plain_http=own.plain_http or dev)

    def address(self, url: str) -> str:
        """Give *url* in the spelling it is kept in. Raises `Refusal`, which does not tell it."""
        try:
            spelled = self.egress.check(url)
        except EgressRefused as refused:
            raise _refused(refused.message) from None
        if len(spelled) > _LONGEST_URL:
            raise _refused(f"an address has {_LONGEST_URL} characters at most, once it is encoded")
        if not (self.plain_http or spelled.startswith("https://")):
            raise _refused("events are told at https:// addresses only")
        return spelled


def check_events(names: Sequence[str]) -> tuple[str, ...]:
    """The names of events, and patterns of them, if they are such. Raises `Refusal`."""
    known = (*EVENTS, *PATTERNS)
    for name in names:
        if name not in known:
            told = ", ".join(known)
            raise invalid(f"events: there is no event {name!r}; there are {told}", param="events")
    if len(set(names)) < len(names):
        raise invalid("events: each is named once", param="events")
    return tuple(names)


def host_of(url: str) -> str:
    """What of an address may be told to others than its owner; the rest may hold a secret."""
    return place_of(url).host


def _refused(why: str) -> Refusal:
    return invalid(f"url: {why}", param="url", code="refused_address")
