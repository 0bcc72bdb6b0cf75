"""What an address is good for, at both ends of every network in the registries."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from chatloom.server.egress.networks import Kind, kind_of

NETWORKS: list[tuple[Kind, str]] = [
    ("local", "0.0.0.0/8"),
    ("private", "10.0.0.0/8"),
    ("shared", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8"),
    ("local", "169.254.0.0/16"),
    ("private", "172.16.0.0/12"),
    ("special", "192.0.0.0/24"),
    ("special", "192.0.2.0/24"),
    ("private", "192.168.0.0/16"),
    ("special", "198.18.0.0/15"),
    ("special", "198.51.100.0/24"),
    ("special", "203.0.113.0/24"),
    ("special", "224.0.0.0/4"),
    ("special", "240.0.0.0/4"),
    ("carrier", "::ffff:0:0/96"),
    ("carrier", "64:ff9b:1::/48"),
    ("carrier", "2001::/32"),
    ("special", "2001:2::/48"),
    ("special", "2001:db8::/32"),
    ("carrier", "2002::/16"),
    ("special", "3fff::/20"),
    ("special", "4000::/2"),
    ("special", "8000::/2"),
    ("private", "fc00::/7"),
    ("local", "fe80::/10"),
    ("private", "fec0::/10"),
    ("special", "ff00::/8"),
]


@pytest.mark.parametrize(("kind", "network"), NETWORKS)
def test_a_network_is_known_to_its_ends(kind: Kind, network: str) -> None:
    known: IPv4Network | IPv6Network = ip_network(network)
    assert (kind, kind) == (kind_of(known[0]), kind_of(known[-1]))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("public", "1.0.0.1"),
        ("public", "9.255.255.255"),
        ("public", "11.0.0.0"),
        ("public", "100.63.255.255"),
        ("public", "100.128.0.0"),
        ("public", "126.255.255.255"),
        ("public", "128.0.0.0"),
        ("public", "169.253.255.255"),
        ("public", "172.15.255.255"),
        ("public", "172.32.0.0"),
        ("public", "192.167.255.255"),
        ("public", "223.255.255.255"),
        ("public", "2606:4700::1111"),
        ("public", "2003::1"),
        ("public", "64:ff9b::8.8.8.8"),
        ("carrier", "64:ff9b::192.168.0.1"),
        ("carrier", "64:ff9b::168.63.129.16"),
        ("carrier", "2606:4700::5efe:8.8.8.8"),
        ("carrier", "2606:4700::200:5efe:8.8.8.8"),
        ("carrier", "::2"),
        ("local", "::"),
        ("loopback", "::1"),
        ("metadata", "100.100.100.200"),
        ("metadata", "168.63.129.16"),
        ("metadata", "192.0.0.192"),
        ("local", "169.254.169.254"),
        ("metadata", "fd00:ec2::254"),
        ("metadata", "fd20:ce::254"),
        ("special", "2606:4700::1%eth0"),
    ],
)
def test_an_address_is_taken_for_what_it_is(kind: Kind, address: str) -> None:
    assert kind == kind_of(ip_address(address))
