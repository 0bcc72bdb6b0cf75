"""Where requests go, and how one is addressed there."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request

_TARGET = re.compile(r"/[!-\"$-~]*")
"""Printable ASCII without ``#``, which would begin a fragment."""
_USUAL_PORTS = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True):
    """A base address, taken apart."""

    scheme: str
    host: str
    """A name or an IP address, IPv6 without its brackets."""
    port: int
    prefix: str
    """The path every request is below, without a trailing slash."""

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def bracketed(self) -> str:
        """The host as it stands in front of a port."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """What a ``Host`` header says: the port only where it is not the usual one."""
        if self.port == _USUAL_PORTS[self.scheme]:
            return self.bracketed
        return f"{self.bracketed}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def target(self, request: Request) -> str:
        """Write path and query of *request* as the request line says them.

        Raises `SettingsError` when they could be read as more than that.
        """
        target = self.prefix + request.path
        fits = _is_fit(target)
        if request.query:
            # Encoded, it holds nothing that a target may not hold.
            query = urlencode(request.query, quote_via=quote)
            target = f"{target}{'&' if '?' in target else '?'}{query}"
        if not fits:
            raise SettingsError(f"{request!s:.200} has a path that is not fit for an address")
        return target


@lru_cache(maxsize=256)
def _is_fit(target: str) -> bool:
    return _TARGET.fullmatch(target) is not None


def address_of(base_url: str) -> Address:
    """Take *base_url* apart.

    Raises `SettingsError` when it is not an address a client can live at.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise SettingsError("base_url is not an address") from error
    if parts.scheme not in _USUAL_PORTS or not host:
        raise SettingsError("base_url must look like https://host or http://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError("base_url must hold no user name, query or fragment")
    prefix = parts.path.rstrip("/")
    if prefix and not _TARGET.fullmatch(prefix):
        raise SettingsError("base_url has a path that is not fit for an address")
    return Address(parts.scheme, host, port or _USUAL_PORTS[parts.scheme], prefix)
