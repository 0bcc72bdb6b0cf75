"""Which places may be reached: what is public, and what the operator allows beside that.

Asked twice for each hop: by its spelling, before anything is looked up, and by
every address its name leads to, before anything is connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.server.egress.failures import EgressRefused
from chatloom.server.egress.networks import INTERNAL, IP, Kind, Network, kind_of
from chatloom.server.egress.settings import EgressSettings
from chatloom.server.egress.urls import Place, authority_of

LOOPBACK: tuple[IP, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
"""What ``localhost`` means, whatever a resolver says (RFC 6761, 6.3)."""
_LOCAL_NAMES = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "onion",
)
"""Names that mean nothing outside somebody's network."""


class _Exception(msgspec.Struct, frozen=True):
    """One entry of `EgressSettings.allow`: a name or a network, at one port or the usual ones."""

    name: str | None
    network: Network | None
    port: int | None


class Admission:
    """Decides where the server goes.

    With *dev* loopback is allowed. Raises `SettingsError` for entries that cannot be read.
    """

    def __init__(self, settings: EgressSettings, *, dev: bool) -> None:
        self._ports = frozenset(settings.ports)
        self._loopback = dev or settings.allow_loopback
        self._denied = [_network(entry) for entry in settings.deny]
        exceptions = [_exception(entry) for entry in settings.allow]
        self._names = [one for one in exceptions if one.name is not None]
        self._networks = [(one.network, one) for one in exceptions if one.network is not None]

    def check_spelling(self, place: Place) -> None:
        """Raise `EgressRefused` where no address could make *place* one that may be reached."""
        if self.is_vouched_for(place) or (self._loopback and _is_loopback(place)):
            return
        if not any(self._fits(one.port, place) for _, one in self._networks):
            if place.port not in self._ports:
                raise EgressRefused("port")
            if place.literal is None and _is_local_name(place.host):
                raise EgressRefused("not_public")

    def check_addresses(self, place: Place, addresses: Sequence[IP]) -> bool:
        """Whether *place*, at *addresses*, is no public one; raises `EgressRefused`.

        One address that may not be reached is enough: who mixes them hopes that the
        other one is taken.
        """
        if not addresses:
            raise EgressRefused("not_public")
        private = [self._check(place, address) for address in addresses]
        return any(private)

    def is_vouched_for(self, place: Place) -> bool:
        """Whether the operator trusts the name of *place* wherever it leads."""
        return any(one.name == place.host and self._fits(one.port, place) for one in self._names)

    def _check(self, place: Place, address: IP) -> bool:
        kind = kind_of(address)
        if any(address in network for network in self._denied):
            raise EgressRefused("not_public")
        usual = kind == "public" and place.port in self._ports
        if not usual and not self._is_allowed(place, address, kind):
            raise EgressRefused("port" if kind == "public" else "not_public")
        return kind != "public"

    def _is_allowed(self, place: Place, address: IP, kind: Kind) -> bool:
        if kind == "loopback" and self._loopback and _is_loopback(place):
            return True
        if (kind == "public" or kind in INTERNAL) and self.is_vouched_for(place):
            return True
        return any(
            address in network and self._fits(one.port, place) for network, one in self._networks
        )

    def _fits(self, port: int | None, place: Place) -> bool:
        return place.port in self._ports if port is None else place.port == port


def is_localhost(name: str) -> bool:
    """Whether *name* is this machine by definition."""
    return name == "localhost" or name.endswith(".localhost")


def _is_loopback(place: Place) -> bool:
    """Whether *place* is spelled as loopback: a name of somebody's own may lead there, too."""
    if place.literal is None:
        return is_localhost(place.host)
    return kind_of(place.literal) == "loopback"


def _is_local_name(name: str) -> bool:
    if "." not in name:  # a resolver would complete it
        return True
    return any(name.endswith(f".{local}") for local in _LOCAL_NAMES)


def _exception(entry: str) -> _Exception:
    with suppress(ValueError):
        return _Exception(None, ip_network(entry), None)
    try:
        host, literal, port = authority_of(entry)
    except EgressRefused:
        raise SettingsError(
            f"egress.allow: {entry!r:.100} is neither a network, as 10.0.0.0/8,"
            " nor a host or host:port"
        ) from None
    if literal is None:
        return _Exception(host, None, port)
    return _Exception(None, ip_network(literal), port)


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError:
        raise SettingsError(
            f"egress.deny: {entry!r:.100} is not a network, as 198.51.100.0/24"
        ) from None


def addresses_of(found: Sequence[str]) -> list[IP]:
    """Read what a resolver *found*; what it found that is no address leads nowhere public."""
    try:
        return list(dict.fromkeys(ip_address(one) for one in found))
    except ValueError:
        raise EgressRefused("not_public") from None
