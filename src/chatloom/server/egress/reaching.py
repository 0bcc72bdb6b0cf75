"""From a place to a connection: looked up once, all of it checked, then just that connected to.

Nothing is looked up again between checking and connecting, so a name server that
changes its mind (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence

import msgspec

from chatloom.server.egress.admission import LOOPBACK, Admission, addresses_of, is_localhost
from chatloom.server.egress.dialling import Dial
from chatloom.server.egress.failures import EgressFailed, EgressRefused, EgressTimedOut
from chatloom.server.egress.networks import IP
from chatloom.server.egress.resolving import Resolve
from chatloom.server.egress.urls import Place
from chatloom.transports.aio.connection import Connection
from chatloom.transports.failures import Garbled
from chatloom.transports.tls import default_context

_log = logging.getLogger("chatloom.server")

_MOST_TRIED = 4
"""Addresses of one name that are connected to; all are checked."""


class Reached(msgspec.Struct, frozen=True):
    """A connection, and how it came to be permitted."""

    connection: Connection
    address: IP
    is_exception: bool
    """Whether the place is no public one, but one that the operator allows."""


class Reach:
    """Connects to places that may be reached, and to no others."""

    def __init__(
        self,
        admission: Admission,
        resolve: Resolve,
        connect: Dial,
        context: ssl.SSLContext | None,
    ) -> None:
        self._admission = admission
        self._resolve = resolve
        self._connect = connect
        self._context = context

    async def __call__(
        self, place: Place, within: float, deadline: float, *, from_public: bool
    ) -> Reached:
        """Connect to *place* within so many seconds; raises `EgressError`.

        A place that only an exception permits is not reached *from_public* ones: the
        operator allowed people to name it, not strangers' pages.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + within)):
                addresses, is_exception = await self._admitted(place, from_public)
                tried = addresses[:_MOST_TRIED]
                connection, address = await self._first(place, tried, within / len(tried))
        except TimeoutError:
            raise EgressTimedOut("total" if loop.time() >= deadline else "connect") from None
        return Reached(connection, address, is_exception)

    async def _admitted(self, place: Place, from_public: bool) -> tuple[Sequence[IP], bool]:
        addresses: Sequence[IP] = ()
        try:
            self._admission.check_spelling(place)
            addresses = await self._addresses(place)
            is_exception = self._admission.check_addresses(place, addresses)
            if is_exception and from_public:
                raise EgressRefused("redirect")
        except EgressRefused as refusal:
            led = ", ".join(map(str, addresses)) or "no address"
            _log.info("not fetched: %s, which is %s (%s)", place.origin, led, refusal.reason)
            raise
        return addresses, is_exception

    async def _addresses(self, place: Place) -> Sequence[IP]:
        if place.literal is not None:
            return [place.literal]
        if is_localhost(place.host):
            return LOOPBACK
        # A name of the operator's may be a short one, which the system completes. A
        # stranger's is meant as it stands, which the dot says.
        is_own = self._admission.is_vouched_for(place)
        return addresses_of(await self._resolve(place.host if is_own else f"{place.host}."))

    async def _first(
        self, place: Place, addresses: Sequence[IP], each: float
    ) -> tuple[Connection, IP]:
        """Connect to the first address that lets us, waiting *each* seconds."""
        context = self._trust() if place.address.is_secure else None
        failure: Exception | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(each):
                    return await self._connect(address, place.port, context, place.host), address
            except (OSError, Garbled) as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise failure
        untrusted = isinstance(failure, ssl.SSLError)
        raise EgressFailed("untrusted" if untrusted else "unreachable") from failure

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = default_context()
        return self._context
