"""A request to one place, as it is written; and what of it a redirect takes along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request
from chatloom.server.egress.failures import EgressRefused
from chatloom.server.egress.urls import Place, joined
from chatloom.transports.headers import complete, may_have_body

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_NOT_THE_CALLERS = frozenset({
    "connection", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
    "trailer", "upgrade",
})  # fmt: skip
"""Beside those that frame the body, which no request may set."""
_GO_ANYWHERE = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""What another origin may be told. Any other header may be somebody's secret."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Hop(msgspec.Struct, frozen=True):
    """One request on the way to an answer."""

    method: Method
    place: Place
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case."""
    body: bytes = b""

    def written(self) -> bytes:
        """Write all of it; raises `EgressRefused` where it would be read as something else."""
        request = Request(self.method, self.place.target, headers=self.headers, body=self.body)
        try:
            headers = complete(request, self.place.address.authority)
            target = self.place.address.target(request)
        except SettingsError:  # which would tell header and path
            raise EgressRefused("header") from None
        # No connection is used twice, so none is shared by two accounts.
        headers.append(("connection", "close"))
        if self.body or may_have_body(self.method):
            headers.append(("content-length", str(len(self.body))))
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {it}" for name, it in headers)]
        return "\r\n".join([*lines, "\r\n"]).encode("ascii") + self.body

    def onward(self, status: int, told: Mapping[str, str]) -> Hop | None:
        """Where an answer of *status* sends this request (RFC 9110, 15.4); `None` if nowhere.

        Raises `EgressRefused` for a downgrade, and for a body that would leave its origin.
        """
        location = told.get("location")
        if status not in _REDIRECTS or location is None:
            return None
        place = joined(self.place, location)
        if self.place.address.is_secure and not place.address.is_secure:
            raise EgressRefused("downgrade")
        method, headers, body = self.method, self.headers, self.body
        if method != "HEAD" and (status == 303 or (status in {301, 302} and method == "POST")):
            method, body = "GET", b""
            headers = tuple(one for one in headers if not one[0].startswith("content-"))
        if place.origin != self.place.origin:
            if body:
                raise EgressRefused("redirect")
            headers = tuple(one for one in headers if one[0] in _GO_ANYWHERE)
        return Hop(method, place, headers, body)


def hop_of(method: Method, place: Place, headers: Mapping[str, str] | None, body: bytes) -> Hop:
    """Make the first request; raises `EgressRefused` for headers that are not the caller's."""
    given = tuple((name.lower(), value) for name, value in (headers or {}).items())
    if any(name in _NOT_THE_CALLERS for name, _ in given):
        raise EgressRefused("header")
    return Hop(method, place, given, body)
