"""Whatever the address: it is refused, or the connection goes to a public one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.provisional import domains

from chatloom.server.egress import Egress, EgressFailed, EgressRefused
from chatloom.server.egress.networks import kind_of
from chatloom.server.egress.urls import place_of
from server.egress.outskirts import World

_ODD = [
    *("@", ":", "/", "\\", "#", "?", "%", "[", "]", ".", "..", " ", "\t", "\n", "\x00", "%00"),
    *("\u3002", "\uff0e", "\uff61", "\u2100", "\u00ad", "\u200b", "\uff11", "\u24d4", "\u0661"),
    *("127", "0x7f", "0177", "10", "169.254", "1", "0", "2130706433", "::1", "::ffff:"),
    *("64:ff9b::",),
    *("localhost", "example", "com", "internal", "http://", "https://", "xn--", "user", ":80"),
]  # fmt: skip
PUBLIC = st.one_of(
    st.integers(0x0800_0000, 0x09FF_FFFF).map(IPv4Address),
    st.integers(0x2606_4700 << 96, (0x2606_4701 << 96) - 1).map(IPv6Address),
)
ADDRESSES = st.one_of(st.ip_addresses(), st.integers(0, 2**32 - 1).map(IPv4Address), PUBLIC)
FOURS = st.one_of(st.ip_addresses(v=4), st.integers(0x0800_0000, 0x09FF_FFFF).map(IPv4Address))
HOSTS = st.one_of(
    ADDRESSES.map(lambda one: f"[{one}]" if one.version == 6 else str(one)),
    FOURS.map(lambda four: f"[::ffff:{four}]"),
    FOURS.map(lambda four: f"[64:ff9b::{four}]"),
    FOURS.map(lambda four: f"[2002:{int(four) >> 16:x}:{int(four) & 65535:x}::]"),
    st.integers(0, 2**33).map(str),
    st.integers(0, 2**33).map(hex),
    domains(),
    domains(),
    st.lists(st.sampled_from(_ODD), max_size=6).map("".join),
    st.text(max_size=20),
)
PLAIN = st.tuples(st.sampled_from(["http://", "https://", "HTTP://"]), HOSTS).map("".join)
URLS = st.one_of(
    PLAIN,
    PLAIN,
    st.tuples(PLAIN, st.text(max_size=20)).map("/".join),
    st.tuples(PLAIN, st.sampled_from(_ODD), HOSTS).map("".join),
    st.tuples(PLAIN, HOSTS).map("@".join),
    st.lists(st.sampled_from(_ODD), max_size=12).map("".join),
    st.text(max_size=60),
)
FOUND = st.one_of(
    st.lists(PUBLIC.map(str), min_size=1, max_size=3),
    st.lists(ADDRESSES.map(str), max_size=3),
)


def connections(url: str, found: Sequence[str]) -> list[str]:
    """Where the guard goes for *url*, when names lead to what was *found*."""
    beyond = World()
    refused: list[str] = []
    reasons: list[str] = []

    async def resolve(_name: str) -> Sequence[str]:
        return found

    async def fetch() -> None:
        try:
            await Egress(resolve=resolve, connect=beyond.connect).get(url)
        except EgressRefused:
            refused.append(url)
        except EgressFailed as failure:
            reasons.append(failure.reason)

    asyncio.run(fetch())
    assert (reasons, beyond.connected) == ([], []) if refused else reasons == ["unreachable"]
    return beyond.addresses


@settings(deadline=None, max_examples=200)
@given(URLS, FOUND)
def test_it_is_refused_or_goes_to_a_global_address(url: str, found: list[str]) -> None:
    for told in connections(url, found):
        address = ip_address(told)
        assert address.is_global
        assert not any([address.is_multicast, address.is_private, address.is_unspecified])
        assert not any([address.is_loopback, address.is_link_local])


@settings(deadline=None)
@given(FOUND)
def test_a_name_is_reached_where_all_its_addresses_are_public(found: list[str]) -> None:
    addresses = dict.fromkeys(map(ip_address, found))
    all_public = bool(found) and all(kind_of(one) == "public" for one in addresses)
    reached = list(map(str, addresses)) if all_public else []
    assert connections("http://a.example.com/", found) == reached


@settings(deadline=None, max_examples=200)
@given(URLS)
def test_a_spelling_that_passes_is_its_own(url: str) -> None:
    try:
        place = place_of(url)
    except EgressRefused:
        return
    assert place == place_of(place.url)
    assert place.url.isascii()
    assert place.url.isprintable()
    assert "@" not in place.address.authority


@settings(deadline=None, max_examples=200)
@given(st.ip_addresses())
def test_what_is_public_here_is_global_to_the_standard_library(
    address: IPv4Address | IPv6Address,
) -> None:
    if kind_of(address) == "public":
        assert address.is_global


@given(st.ip_addresses(v=4))
def test_nat64_reaches_what_its_address_would(four: IPv4Address) -> None:
    six = ip_network("64:ff9b::/96")[int(four)]
    assert (kind_of(six) == "public") == (kind_of(four) == "public")
