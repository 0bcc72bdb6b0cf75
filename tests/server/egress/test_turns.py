"""How much is fetched at a time; leaving early, and being shut down."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import pytest

from chatloom.server.egress import (
    Egress,
    EgressError,
    EgressRefused,
    EgressSettings,
    EgressTimedOut,
    FetchLimits,
)
from chatloom.server.egress.networks import IP
from chatloom.transports.aio.connection import Connection
from server.egress.outskirts import OTHER, PUBLIC, world
from transports.scripted import Peer, serving

pytestmark = pytest.mark.anyio


class Gate:
    """A world where nobody answers before the gate opens."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting: list[str] = []
        self.most = 0

    async def resolve(self, name: str) -> Sequence[str]:
        return [OTHER if name.startswith("b.") else PUBLIC]

    async def connect(
        self, address: IP, _port: int, _context: ssl.SSLContext | None, _name: str
    ) -> Connection:
        self.waiting.append(str(address))
        self.most = max(self.most, len(self.waiting))
        try:
            await self.opened.wait()
        finally:
            self.waiting.remove(str(address))
        raise ConnectionRefusedError

    def guard(self, most_at_once: int = 32, most_per_host: int = 4) -> Egress:
        settings = EgressSettings(most_at_once=most_at_once, most_per_host=most_per_host)
        return Egress(settings, resolve=self.resolve, connect=self.connect)


def begin(guard: Egress, host: str, limits: FetchLimits | None = None) -> asyncio.Task[str]:
    async def outcome() -> str:
        try:
            await guard.get(f"http://{host}.example.com/", limits=limits)
        except EgressError as error:
            return error.reason
        return "reached"

    return asyncio.create_task(outcome())


async def rounds() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_host_has_only_so_many_and_keeps_nobody_else() -> None:
    gate = Gate()
    guard = gate.guard(most_at_once=4, most_per_host=2)
    tasks = [begin(guard, "a") for _ in range(10)] + [begin(guard, "b") for _ in range(10)]
    await rounds()
    assert sorted(gate.waiting) == sorted([PUBLIC] * 2 + [OTHER] * 2)
    gate.opened.set()
    assert await asyncio.gather(*tasks) == ["unreachable"] * 20
    assert gate.most == 4


async def test_there_are_only_so_many_in_all() -> None:
    gate = Gate()
    guard = gate.guard(most_at_once=3, most_per_host=2)
    tasks = [begin(guard, f"h{number}") for number in range(10)]
    await rounds()
    assert len(gate.waiting) == 3
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert gate.most == 3


async def test_waiting_for_a_turn_takes_from_the_time() -> None:
    gate = Gate()
    guard = gate.guard(most_per_host=1)
    first = begin(guard, "a")
    await rounds()
    second = begin(guard, "a", FetchLimits(total=0.05))
    assert (await second, gate.waiting) == ("busy", [PUBLIC])
    gate.opened.set()
    await first


async def test_who_leaves_gives_up_his_turn() -> None:
    gate = Gate()
    guard = gate.guard(most_at_once=1, most_per_host=1)
    first, second, third = (begin(guard, "a") for _ in range(3))
    await rounds()
    for leaving in (second, first):
        leaving.cancel()
    await rounds()
    assert (gate.waiting, first.cancelled(), second.cancelled()) == ([PUBLIC], True, True)
    gate.opened.set()
    assert await third == "unreachable"
    assert await begin(guard, "a") == "unreachable"


async def test_connecting_has_its_own_limit() -> None:
    gate = Gate()
    assert await begin(gate.guard(), "a", FetchLimits(connect=0.05)) == "connect"
    assert await begin(gate.guard(), "a", FetchLimits(total=0.05)) == "total"
    assert gate.waiting == []


async def test_a_name_server_that_keeps_silent_has_it_too() -> None:
    async def never(_name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    guard = Egress(resolve=never, connect=Gate().connect)
    with pytest.raises(EgressTimedOut):
        await guard.get("http://a.example.com/", limits=FetchLimits(connect=0.05))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n\r\nbody"])
async def test_a_fetch_that_is_cancelled_closes_its_connection(said: bytes) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(said)
        loop.call_soon_threadsafe(arrived.set)
        peer.hold()
        loop.call_soon_threadsafe(gone.set)

    with serving(talk) as server:
        beyond = world(server.port)
        fetching = asyncio.create_task(beyond.guard().get("http://a.example.com/"))
        await arrived.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await gone.wait()
    assert beyond.is_closed


async def test_leaving_a_stream_closes_its_connection() -> None:
    with serving(lambda peer: peer.answer_all(b"hello")) as server:
        beyond = world(server.port)
        guard = beyond.guard(EgressSettings(most_per_host=1))
        for _ in range(3):
            with pytest.raises(KeyError):
                async with guard.stream("GET", "http://a.example.com/"):
                    raise KeyError
        assert beyond.is_closed
        assert server.connections == 3


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"],
)
async def test_closing_breaks_off_what_is_on_its_way(said: bytes) -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(said)
        loop.call_soon_threadsafe(arrived.set)
        peer.hold()

    with serving(talk) as server:
        beyond = world(server.port)
        guard = beyond.guard()
        fetching = begin(guard, "a")
        await arrived.wait()
        guard.close()
        # An answer that ends with its connection has not ended just because we hung up.
        assert await fetching == "lost"
    with pytest.raises(EgressRefused) as refusal:
        await guard.get("http://a.example.com/")
    assert refusal.value.reason == "closed"


async def test_closing_while_connecting_sends_nothing() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    with serving(lambda peer: peer.answer_all()) as server:
        beyond = world(server.port)

        async def connect(
            address: IP, port: int, context: ssl.SSLContext | None, name: str
        ) -> Connection:
            begun.set()
            await go_on.wait()
            return await beyond.connect(address, port, context, name)

        guard = Egress(resolve=beyond.resolve, connect=connect)
        fetching = begin(guard, "a")
        await begun.wait()
        guard.close()
        go_on.set()
        assert (await fetching, server.asked) == ("closed", [])
    assert beyond.is_closed
