"""A name is looked up once, all it leads to is checked, and just that is connected to."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
from collections.abc import Sequence

import pytest

from chatloom.server.egress import EgressError, EgressFailed, EgressRefused
from chatloom.server.egress.resolving import Resolver
from server.egress.outskirts import OTHER, PRIVATE, PUBLIC, PUBLIC_6, World
from transports.scripted import serving

pytestmark = pytest.mark.anyio


def leading(port: int, *rows: Sequence[str]) -> World:
    """A world where ``a.example.com`` leads to one row after the other."""
    return World(port, a_example_com=list(rows))


async def test_a_name_that_changes_its_mind_is_held_to_its_first_word() -> None:
    with serving(lambda peer: peer.answer_all(b"hello")) as server:
        beyond = leading(server.port, [PUBLIC], ["127.0.0.1"])
        fetched = await beyond.guard().get("http://a.example.com/")
    assert (fetched.body, fetched.address) == (b"hello", PUBLIC)
    assert beyond.looked_up == ["a.example.com."]
    assert beyond.connected == [(PUBLIC, 80, "a.example.com")]


async def test_the_next_fetch_asks_again_and_is_refused() -> None:
    with serving(lambda peer: peer.answer_all()) as server:
        beyond = leading(server.port, [PUBLIC], ["127.0.0.1"])
        await beyond.guard().get("http://a.example.com/")
        with pytest.raises(EgressRefused) as refusal:
            await beyond.guard().get("http://a.example.com/")
    assert refusal.value.reason == "not_public"
    assert beyond.addresses == [PUBLIC]


@pytest.mark.parametrize(
    "found",
    [
        [],
        [PRIVATE],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        ["fe80::1%2"],
        ["2606:4700::1%2"],
        ["2002:a00:1::"],
        ["64:ff9b::a00:1"],
        ["0.0.0.0"],
        ["no address"],
        [PUBLIC, PRIVATE],
        [PRIVATE, PUBLIC],
        [PUBLIC_6, "::1"],
        [PUBLIC, OTHER, PUBLIC_6, "8.8.8.8", "9.9.9.9", "1.1.1.1", "fd00::1"],
    ],
)
async def test_one_address_that_is_not_public_is_enough(found: list[str]) -> None:
    beyond = leading(0, found)
    with pytest.raises(EgressRefused) as refusal:
        await beyond.guard().get("http://a.example.com/")
    assert refusal.value.reason == "not_public"
    assert beyond.connected == []


async def test_nobody_is_told_whether_a_name_leads_inside_or_nowhere() -> None:
    beyond = World(a_example_com=[[PRIVATE]], b_example_com=[[]])
    told = set[str]()
    for name in "ab":
        with pytest.raises(EgressError) as refusal:
            await beyond.guard().get(f"http://{name}.example.com/")
        told.add(f"{refusal.value!r} {refusal.value} {refusal.value.args}")
    assert len(told) == 1
    assert PRIVATE not in told.pop()


async def test_the_operator_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "chatloom.server"), pytest.raises(EgressRefused):
        await leading(0, [PRIVATE]).guard().get("http://a.example.com/?key=secret")
    assert f"http://a.example.com, which is {PRIVATE}" in caplog.text
    assert "secret" not in caplog.text


async def test_of_several_public_addresses_the_first_that_answers_is_taken() -> None:
    with serving(lambda peer: peer.answer_all(b"hello")) as server:
        beyond = leading(server.port, [PUBLIC, PUBLIC_6, OTHER, OTHER])
        beyond.dead = {PUBLIC, PUBLIC_6}
        fetched = await beyond.guard().get("http://a.example.com/")
    assert fetched.address == OTHER
    assert beyond.addresses == [PUBLIC, PUBLIC_6, OTHER]


async def test_a_name_with_many_dead_addresses_is_given_up() -> None:
    beyond = leading(0, [f"8.8.8.{last}" for last in range(200)])
    with pytest.raises(EgressFailed) as failure:
        await beyond.guard().get("http://a.example.com/")
    assert failure.value.reason == "unreachable"
    assert len(beyond.connected) == 4


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda peer: peer.answer_all()) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with serving(lambda peer: peer.answer_all(b"direct")) as server:
            fetched = await leading(server.port, [PUBLIC]).guard().get("http://a.example.com/")
        assert (fetched.body, proxy.connections) == (b"direct", 0)


async def test_the_system_is_asked_once_and_its_answers_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def found(name: str, port: object, **_: object) -> list[object]:
        asked.append(name)
        if name == "later.":
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        if name == "never.":
            raise socket.gaierror(socket.EAI_NONAME, "never")
        return [(0, 0, 0, "", (PUBLIC, 0)), (0, 0, 0, "", (PUBLIC_6, 0, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    resolve = Resolver()
    assert list(await resolve("a.example.com.")) == [PUBLIC, PUBLIC_6]
    assert list(await resolve("never.")) == []
    with pytest.raises(EgressFailed) as failure:
        await resolve("later.")
    assert failure.value.reason == "unresolved"
    assert asked == ["a.example.com.", "never.", "later."]
    resolve.close()


async def test_who_asks_for_a_name_that_is_asked_for_waits_for_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answered = list[str](), threading.Event()

    def found(name: str, port: object, **_: object) -> list[object]:
        asked.append(name)
        answered.wait(60)
        return [(0, 0, 0, "", (PUBLIC, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    resolve = Resolver(threads=1)
    many = [asyncio.ensure_future(resolve("a.example.com.")) for _ in range(9)]
    await asyncio.sleep(0)
    many.pop().cancel()
    await asyncio.sleep(0)
    answered.set()
    assert [list(one) for one in await asyncio.gather(*many)] == [[PUBLIC]] * 8
    assert list(await resolve("a.example.com.")) == [PUBLIC]
    assert asked == ["a.example.com."] * 2
    resolve.close()


async def test_an_answer_that_nobody_waits_for_any_longer_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()

    def found(name: str, port: object, **_: object) -> list[object]:
        answered.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    resolve = Resolver(threads=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolve("a.example.com."), 0.01)
    answered.set()
    with pytest.raises(EgressFailed):
        await resolve("b.example.com.")  # by the same thread, so after the other one
    gc.collect()
    assert caplog.text == ""
    resolve.close()
