"""Which proxy the environment asks for, by the rules of the standard library's `urllib`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.transports.address import Address


class Proxy(msgspec.Struct, frozen=True):
    """Who passes requests on."""

    host: str
    port: int
    authorization: str | None = None
    """The value of a ``Proxy-Authorization`` header."""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def proxy_for(address: Address, environment: Mapping[str, str]) -> Proxy | None:
    """Find the proxy for *address* in ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``.

    Raises `SettingsError` when it is of a kind that is not spoken here.
    """
    named = _named(environment)
    url = named.get(address.scheme) or named.get("all")
    if not url or _goes_direct(address, named):
        return None
    return _proxy(url)


def tunnel_request(address: Address, proxy: Proxy) -> bytes:
    """Write what asks *proxy* to pass bytes on to *address* (RFC 9110, 9.3.6)."""
    where = f"{address.bracketed}:{address.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"host: {where}"]
    if proxy.authorization:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "\r\n"]).encode("ascii")


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    spelled = {name: value for name, value in environment.items() if name[-6:].lower() == "_proxy"}
    named = {name[:-6].lower(): value for name, value in spelled.items() if value}
    # In a CGI script HTTP_PROXY is the client's header "Proxy:" (CVE-2016-1000110).
    if "REQUEST_METHOD" in environment:
        named.pop("http", None)
    for name, value in spelled.items():
        if name.islower():
            named[name[:-6]] = value
    return named


def _goes_direct(address: Address, named: dict[str, str]) -> bool:
    if "no" not in named:
        return False
    import urllib.request

    # Public by its name, but unknown to typeshed.
    bypass: Callable[[str, dict[str, str]], object] = vars(urllib.request)[
        "proxy_bypass_environment"
    ]
    return bool(bypass(f"{address.bracketed}:{address.port}", named))


def _proxy(url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise SettingsError("the proxy named in the environment is not an address") from error
    if parts.scheme != "http" or not host:
        raise SettingsError(
            f"the environment names a proxy of the kind {parts.scheme!r}; only http:// is spoken"
        )
    if parts.username is None:
        return Proxy(host, port)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(host, port, "Basic " + b64encode(login.encode()).decode("ascii"))
