"""How a request is built, and what httpcore tells of its way.

Both libraries document the ``trace`` extension: a function that is called
before and after each step. It alone tells whom a connection was opened to, and
it comes early enough to shorten a step's limit to what the deadline leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request
from chatloom.transports.address import Address
from chatloom.transports.failures import Place
from chatloom.transports.headers import complete, may_have_body
from chatloom.transports.httpx.clients import Client, Library, Outgoing
from chatloom.transports.proxies import Proxy

_SHORTEST = 0.001
"""Seconds; none at all would mean a socket that does not wait."""


class Course:
    """A request's way through a client."""

    def __init__(self, request: Request, address: Address) -> None:
        self.request = request
        self._address = address
        self.at_end: Callable[[], None] | None = None
        """Called before the connection may serve another request."""
        self.begin()

    def begin(self) -> None:
        """Set out, for the first time or anew."""
        self.place: Place = self._address
        """Whom the last connection was opened to."""
        self.began = False
        """Whether anything went over a connection; a mocked one has none."""
        self._connected = False
        timeouts = self.request.timeouts
        self._limits = {
            "pool": timeouts.connect,
            "connect": timeouts.connect,
            "write": timeouts.idle,
            "read": timeouts.idle,
        }
        self._shorten()

    def built(self, client: Client, library: Library, trace: object) -> Outgoing:
        """Have *client* build the request, with what it adds to each; *trace* is given our notes.

        Raises `SettingsError` when it holds what cannot be sent.
        """
        request = self.request
        headers = complete(request)
        if request.body or may_have_body(request.method):
            headers.append(("content-length", str(len(request.body))))
        target = self._address.target(request)
        try:
            return client.build_request(
                request.method,
                self._address.origin + target,
                content=request.body,
                params=_query(client, target),
                headers=headers,
                extensions={"timeout": self._limits, "trace": trace},
            )
        except library.InvalidURL as error:
            raise SettingsError(f"{request} has a path that is not fit for an address") from error

    def note(self, event: str, info: Mapping[str, object]) -> None:
        """Take in what httpcore tells."""
        if not event.endswith(".started"):
            return
        self.began = True
        if event.endswith(".connect_tcp.started"):
            self._connected = True
            self.place = self._reached(str(info.get("host")), info.get("port"))
        elif event == "proxy.start_tls.started":
            self.place = self._address  # from here on it speaks through the tunnel
        elif event.endswith(".response_closed.started") and self.at_end is not None:
            self.at_end()
        self._shorten()

    def is_overdue(self) -> bool:
        deadline = self.request.deadline
        return deadline is not None and time.monotonic() >= deadline

    @property
    def was_kept(self) -> bool:
        """Whether it went over a connection that was there before."""
        return self.began and not self._connected

    def _reached(self, host: str, port: object) -> Place:
        address = self._address
        if (host.lower(), port) == (address.host, address.port):
            return address
        return Proxy(host, port if isinstance(port, int) else 0)

    def _shorten(self) -> None:
        deadline = self.request.deadline
        if deadline is None:
            return
        left = max(deadline - time.monotonic(), _SHORTEST)
        for step, limit in self._limits.items():
            self._limits[step] = left if limit is None else min(limit, left)


def _query(client: Client, target: str) -> Sequence[tuple[str, str]] | None:
    # A client with parameters of its own would replace those of the address by them.
    return parse_qsl(target.partition("?")[2], keep_blank_values=True) if client.params else None
