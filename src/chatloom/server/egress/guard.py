"""Fetching what somebody named, without being led anywhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from chatloom.server.egress.admission import Admission
from chatloom.server.egress.answers import Answer, Fetched
from chatloom.server.egress.asking import Hop, Method, hop_of
from chatloom.server.egress.dialling import Dial, dial
from chatloom.server.egress.exchange import Exchange
from chatloom.server.egress.failures import EgressRefused
from chatloom.server.egress.reaching import Reach, Reached
from chatloom.server.egress.resolving import THREADS, Resolve, Resolver
from chatloom.server.egress.settings import EgressSettings, FetchLimits
from chatloom.server.egress.slots import Slots
from chatloom.server.egress.urls import place_of


class Egress:
    """The way out for every fetch on somebody's word. For one event loop.

    Each hop is looked up once, every address that came of it is checked, and the
    connection goes to one of these addresses, with the certificate checked for
    the name. No proxy of the environment is asked, no cookie kept, no connection
    used twice. With *dev*, loopback may be reached. At most *look_ups* names are
    looked up at the same time. Raises `SettingsError` for settings that cannot be.
    """

    def __init__(
        self,
        settings: EgressSettings | None = None,
        *,
        dev: bool = False,
        resolve: Resolve | None = None,
        connect: Dial = dial,
        ssl_context: ssl.SSLContext | None = None,
        look_ups: int = THREADS,
    ) -> None:
        settings = settings or EgressSettings()
        self._admission = Admission(settings, dev=dev)
        self._resolver = Resolver(look_ups)
        self._reach = Reach(self._admission, resolve or self._resolver, connect, ssl_context)
        self._slots = Slots(settings.most_at_once, settings.most_per_host)
        self._open: set[Exchange] = set()
        self._closed = False

    def check(self, url: str) -> str:
        """Give *url* in the spelling it is fetched by; for those who keep it for later.

        Raises `EgressRefused` for one that is never fetched. Where its name leads shows
        only when it is.
        """
        place = place_of(url)
        self._admission.check_spelling(place)
        if place.literal is not None:
            self._admission.check_addresses(place, [place.literal])
        return place.url

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limits: FetchLimits | None = None,
    ) -> Fetched:
        """Fetch *url*; raises `EgressError`."""
        return await self.request("GET", url, headers=headers, limits=limits)

    async def request(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limits: FetchLimits | None = None,
    ) -> Fetched:
        """Send *body* to *url* and read the answer, whatever its status; raises `EgressError`."""
        async with self.stream(method, url, headers=headers, body=body, limits=limits) as answer:
            return Fetched(
                body=await answer.read(),
                status=answer.status,
                headers=answer.headers,
                url=answer.url,
                address=answer.address,
            )

    @asynccontextmanager
    async def stream(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limits: FetchLimits | None = None,
    ) -> AsyncGenerator[Answer]:
        """Send *body* to *url* and give the answer before its body; raises `EgressError`.

        The connection ends with the ``async with`` block.
        """
        limits = limits or FetchLimits()
        deadline = asyncio.get_running_loop().time() + limits.total
        hop, from_public = hop_of(method, place_of(url), headers, body), False
        for left in range(limits.redirects, -1, -1):
            block = hop.written()
            async with self._slots.slot(hop.place.host, deadline):
                self._expect_open()
                reached = await self._reach(
                    hop.place, limits.connect, deadline, from_public=from_public
                )
                async with self._exchange(reached, limits, deadline) as exchange:
                    head = await exchange.ask(hop, block)
                    onward = hop.onward(head.status, head.headers) if limits.redirects else None
                    if onward is None:
                        yield Answer(
                            head,
                            exchange,
                            url=hop.place.url,
                            address=str(reached.address),
                            body_bytes=limits.body_bytes,
                        )
                        return
            hop, from_public = _followed(onward, left), not reached.is_exception

    def close(self) -> None:
        """Refuse to fetch from now on, and break off what is on its way."""
        self._closed = True
        for exchange in self._open:
            exchange.close()
        self._resolver.close()

    @asynccontextmanager
    async def _exchange(
        self, reached: Reached, limits: FetchLimits, deadline: float
    ) -> AsyncGenerator[Exchange]:
        exchange = Exchange(reached.connection, limits, deadline)
        self._open.add(exchange)
        try:
            self._expect_open()  # it may have been closed while the connection came about
            yield exchange
        finally:
            self._open.discard(exchange)
            exchange.close()

    def _expect_open(self) -> None:
        if self._closed:
            raise EgressRefused("closed")


def _followed(onward: Hop, left: int) -> Hop:
    if not left:
        raise EgressRefused("too_many_redirects")
    return onward
