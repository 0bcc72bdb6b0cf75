"""TLS: with whoever holds a certificate for the name, and with nobody else."""

from __future__ import annotations

import asyncio

import pytest

from chatloom.server.egress import (
    Egress,
    EgressFailed,
    EgressSettings,
    EgressTimedOut,
    FetchLimits,
)
from server.egress.outskirts import PUBLIC, World, world
from transports.authorities import Authority
from transports.scripted import Peer, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def answering(peer: Peer) -> None:
    peer.answer_all(b"sealed")


async def refused(beyond: World, guard: Egress, url: str = "https://a.example.com/") -> str:
    with pytest.raises(EgressFailed) as failure:
        await guard.get(url)
    assert beyond.is_closed
    return failure.value.reason


async def test_the_name_is_sent_and_its_certificate_believed(authority: Authority) -> None:
    told: list[str | None] = []
    context = authority.server("a.example.com")
    context.sni_callback = lambda _sock, name, _context: told.append(name)
    with serving(answering, context=context) as server:
        beyond = world(server.port)
        fetched = await beyond.guard(ssl_context=authority.client()).get("https://a.example.com/")
    assert (fetched.body, fetched.address) == (b"sealed", PUBLIC)
    assert (beyond.connected, told) == ([(PUBLIC, 443, "a.example.com")], ["a.example.com"])


async def test_a_certificate_for_another_name_is_none(authority: Authority) -> None:
    with serving(answering, context=authority.server("b.example.com")) as server:
        beyond = world(server.port)
        guard = beyond.guard(ssl_context=authority.client())
        assert await refused(beyond, guard) == "untrusted"
        assert server.asked == []


async def test_a_certificate_for_the_address_does_not_do_for_the_name(
    authority: Authority,
) -> None:
    with serving(answering, context=authority.server(PUBLIC)) as server:
        beyond = world(server.port)
        guard = beyond.guard(ssl_context=authority.client())
        assert await refused(beyond, guard) == "untrusted"
        fetched = await guard.get(f"https://{PUBLIC}/")
    assert fetched.body == b"sealed"


async def test_an_authority_nobody_knows_vouches_for_nobody(authority: Authority) -> None:
    with serving(answering, context=authority.server("a.example.com")) as server:
        beyond = world(server.port)
        assert await refused(beyond, beyond.guard()) == "untrusted"
        assert server.asked == []


async def test_an_exception_is_no_exception_from_trust(authority: Authority) -> None:
    with serving(answering, context=authority.server("b.example.com")) as server:
        beyond = World(server.port)
        beyond.names["own.test"] = [["10.0.0.1"]]
        settings = EgressSettings(allow=["own.test"])
        guard = beyond.guard(settings, ssl_context=authority.client())
        assert await refused(beyond, guard, "https://own.test/") == "untrusted"


async def test_a_server_without_tls_is_told_nothing() -> None:
    with serving(lambda peer: peer.say(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        beyond = world(server.port)
        assert await refused(beyond, beyond.guard()) in {"untrusted", "unreachable"}
        assert server.asked == []


async def test_a_handshake_that_never_ends_is_hung_up_on() -> None:
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()

    def talk(peer: Peer) -> None:
        peer.hold()
        loop.call_soon_threadsafe(gone.set)

    with serving(talk) as server:
        limits = FetchLimits(connect=0.1)
        with pytest.raises(EgressTimedOut) as late:
            await world(server.port).guard().get("https://a.example.com/", limits=limits)
        await gone.wait()
    assert late.value.reason == "connect"


async def test_https_does_not_become_http(authority: Authority) -> None:
    def down(peer: Peer) -> None:
        peer.asked()
        peer.answer(b"", b"location: http://a.example.com/", status=b"302 Found")

    with serving(down, context=authority.server("a.example.com")) as server:
        beyond = world(server.port)
        with pytest.raises(Exception, match="from https:// to http://"):
            await beyond.guard(ssl_context=authority.client()).get("https://a.example.com/")
    assert len(beyond.connected) == 1
