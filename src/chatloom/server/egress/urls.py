"""Addresses in the one spelling that every reader understands alike.

A guard that reads an address in another way than the resolver, the socket or the
server behind it guards nothing. So what may be spelled in several ways is put
into one (case, IDNA, default ports), and what some readers would understand
differently is refused: numbers that may be addresses, user names, backslashes,
blanks, trailing dots, zones.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urljoin

import msgspec

from chatloom.server.egress.failures import EgressRefused
from chatloom.server.egress.networks import IP
from chatloom.transports.address import Address

LONGEST = 4096
"""Characters of an address, once it is encoded."""
_LONGEST_NAME = 253
_USUAL_PORTS = {"http": 80, "https": 443}

_PARTS = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_AS_THEY_ARE = "!$%&'()*+,-./:;=?@[]_~"


class Place(msgspec.Struct, frozen=True):
    """What an address means."""

    address: Address
    """Its origin, with nothing in front of paths."""
    target: str
    """Path and query."""
    literal: IP | None
    """The host, where it is no name."""

    @property
    def host(self) -> str:
        return self.address.host

    @property
    def port(self) -> int:
        return self.address.port

    @property
    def origin(self) -> str:
        return self.address.origin

    @property
    def url(self) -> str:
        return self.origin + self.target


def place_of(url: str) -> Place:
    """Read *url*; raises `EgressRefused` where it could be read in two ways, or in none."""
    _expect_clean(url)
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise EgressRefused(
            "scheme" if _SCHEME.match(url) and not _is_http(url) else "url",
        )
    scheme, authority, rest = parts[1].lower(), parts[2], parts[3]
    if "@" in authority:
        raise EgressRefused("credentials")
    host, literal, port = authority_of(authority)
    target = quote(rest if rest.startswith("/") else f"/{rest}", safe=_AS_THEY_ARE)
    if len(target) > LONGEST:
        raise EgressRefused("url")
    return Place(Address(scheme, host, port or _USUAL_PORTS[scheme], ""), target, literal)


def authority_of(text: str) -> tuple[str, IP | None, int | None]:
    """Read ``host:port``: the host, also as an address where it is one, and the port if told."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise EgressRefused("host")
    host, literal = _host(found[1])
    port = None if found[2] is None else int(found[2])
    if port is not None and not 0 < port < 65536:
        raise EgressRefused("port")
    return host, literal, port


def _host(text: str) -> tuple[str, IP | None]:
    """Put a host, IPv6 in brackets, into its one spelling."""
    if text.startswith("["):
        six = _six(text[1:-1])
        return str(six), six
    name = _ascii(text)
    if len(name) > _LONGEST_NAME:
        raise EgressRefused("host")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("host")
    # Resolvers take 127.1, 0x7f000001 and 017700000001 for addresses; only one spelling is one.
    if _NUMBER.fullmatch(labels[-1]):
        four = _four(name)
        return str(four), four
    return name, None


def joined(place: Place, location: str) -> Place:
    """Read *location*, from a redirect of *place*, as it came in a header."""
    try:
        location = location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise EgressRefused("url") from None
    _expect_clean(location)
    # What names its scheme stands for itself; `urljoin` sees paths in some of these.
    if _SCHEME.match(location):
        return place_of(location)
    try:
        return place_of(urljoin(place.url, location))
    except ValueError:  # of `urljoin`
        raise EgressRefused("url") from None


def _expect_clean(url: str) -> None:
    # Beside controls, this leaves out what cannot be seen, and halves of characters.
    if len(url) > LONGEST or not url.isprintable() or " " in url or "\\" in url:
        raise EgressRefused("url")


def _is_http(url: str) -> bool:
    return url[:5].lower() == "http:" or url[:6].lower() == "https:"


def _ascii(name: str) -> str:
    if name.isascii():
        return name.lower()
    if len(name) > _LONGEST_NAME:  # IDNA takes its time with long ones
        raise EgressRefused("host")
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise EgressRefused("host") from None


def _four(name: str) -> IPv4Address:
    try:
        return IPv4Address(name)
    except AddressValueError:
        raise EgressRefused("host") from None


def _six(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise EgressRefused("host") from None
    if address.scope_id is not None:
        raise EgressRefused("host")
    return address
