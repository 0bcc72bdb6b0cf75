"""Which addresses belong to the public internet.

The table is written out, since `ipaddress` knows the registries as they were
when Python was released, calls multicast global, and takes addresses that carry
another one within them for what they look like. Public is what both agree on.

Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its
updates), and what the clouds call metadata.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal, TypeAlias

IP: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

Kind: TypeAlias = Literal[
    "public", "loopback", "private", "shared", "local", "metadata", "carrier", "special"
]
"""What an address is good for.

A *local* one is this host or this link; *metadata* is a cloud's own service; a *carrier*
holds another address within it; *special* ones are nobody's, or everybody's.
"""
INTERNAL: frozenset[Kind] = frozenset({"loopback", "private", "shared"})
"""Where services of one's own may live."""

_TABLE: list[tuple[str, Kind]] = [
    ("0.0.0.0/8", "local"),  # which Linux takes for loopback
    ("10.0.0.0/8", "private"),
    ("100.100.100.200/32", "metadata"),  # Alibaba Cloud
    ("100.64.0.0/10", "shared"),  # behind carriers' NAT
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "metadata"),  # Azure's, by its looks public
    ("169.254.0.0/16", "local"),  # metadata of nearly all clouds included
    ("172.16.0.0/12", "private"),
    ("192.0.0.192/32", "metadata"),  # Oracle Cloud
    ("192.0.0.0/24", "special"),  # protocol assignments
    ("192.0.2.0/24", "special"),  # documentation
    ("192.88.99.0/24", "special"),  # relays of 6to4
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "special"),  # benchmarking
    ("198.51.100.0/24", "special"),  # documentation
    ("203.0.113.0/24", "special"),  # documentation
    ("224.0.0.0/4", "special"),  # multicast
    ("240.0.0.0/4", "special"),  # reserved, and broadcast
    ("::/128", "local"),
    ("::1/128", "loopback"),
    ("::/96", "carrier"),  # IPv4-compatible
    ("::ffff:0:0/96", "carrier"),  # IPv4-mapped
    ("::ffff:0:0:0/96", "carrier"),  # IPv4-translated
    ("64:ff9b::/96", "carrier"),  # NAT64
    ("64:ff9b:1::/48", "carrier"),  # NAT64 within one network
    ("2001::/32", "carrier"),  # Teredo
    ("2002::/16", "carrier"),  # 6to4
    ("2001::/23", "special"),  # protocol assignments, benchmarking, ORCHID
    ("2001:db8::/32", "special"),  # documentation
    ("3fff::/20", "special"),  # documentation
    ("fd00:ec2::/32", "metadata"),  # Amazon's
    ("fd20:ce::/32", "metadata"),  # Google's
    ("fc00::/7", "private"),  # unique local
    ("fe80::/10", "local"),
    ("fec0::/10", "private"),  # site-local, as it was
]
_NETWORKS: list[tuple[Network, Kind]] = [(ip_network(network), kind) for network, kind in _TABLE]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def kind_of(address: IP) -> Kind:
    """Say what *address* is good for; whatever no table knows is special."""
    for network, kind in _NETWORKS:
        if address in network:
            return _carried(address) if network == _NAT64 else kind
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or address not in _GLOBAL_UNICAST:
            return "special"
        # A tunnel across one's own network (RFC 5214).
        if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
            return "carrier"
    return "public" if address.is_global else "special"


def _carried(address: IP) -> Kind:
    """A network without IPv4 reaches all of it through NAT64, of its own accord."""
    within = ip_address(int(address) & 0xFFFF_FFFF)
    return "public" if kind_of(within) == "public" else "carrier"
