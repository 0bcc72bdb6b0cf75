"""Attempts, passwords and names, without a server around them."""

from __future__ import annotations

import threading
import time
from asyncio import gather, sleep
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.secret import Secret
from chatloom.server.identity import passwords as module
from chatloom.server.identity.attempts import BY_ADDRESS, BY_NAME, Attempts
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.passwords import AT_ONCE, MOST_WAITING, Passwords
from chatloom.server.identity.people import NewPerson, People, comparable, is_email
from chatloom.server.ids import milliseconds
from chatloom.server.refusal import Refusal
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refused(attempts: Attempts, **who: str) -> float:
    """Seconds that one is told to wait; 0 for one who may try."""
    try:
        attempts.count(**who)
    except Refusal as refusal:
        return refusal.retry_after or -1
    return 0.0


def test_failures_are_counted_by_name() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    assert [refused(attempts, name="ann") for _ in range(BY_NAME.burst)] == [0.0] * BY_NAME.burst
    wait = refused(attempts, name="ann", address="192.0.2.1")
    assert wait == pytest.approx(60 / BY_NAME.per_minute)
    assert refused(attempts, name="bob") == 0
    clock.now += wait
    assert refused(attempts, name="ann") == 0
    assert refused(attempts, name="ann") > 0
    clock.now += 10_000
    assert sum(refused(attempts, name="ann") == 0 for _ in range(99)) == BY_NAME.burst


def test_failures_are_counted_by_address() -> None:
    attempts = Attempts(Clock())
    for number in range(BY_ADDRESS.burst):
        assert refused(attempts, name=f"name {number}", address="192.0.2.1") == 0
    assert refused(attempts, name="another", address="192.0.2.1") > 0
    assert refused(attempts, name="another", address="::ffff:192.0.2.1") > 0
    assert refused(attempts, name="another", address="192.0.2.2") == 0
    assert refused(attempts, name="another") == 0  # where nobody knows the address


def test_a_whole_network_of_ipv6_is_one_address() -> None:
    attempts = Attempts(Clock())
    for number in range(BY_ADDRESS.burst):
        assert refused(attempts, address=f"2001:db8:0:1::{number:x}") == 0
    assert refused(attempts, address="2001:db8:0:1:ffff::1") > 0
    assert refused(attempts, address="2001:db8:0:2::1") == 0


def test_one_who_is_refused_is_not_counted() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    waits = [refused(attempts, name="ann", address="192.0.2.1") for _ in range(200)]
    assert max(waits) == pytest.approx(60 / BY_NAME.per_minute)
    others = [refused(attempts, address="192.0.2.1") for _ in range(200)]
    assert others.count(0.0) == BY_ADDRESS.burst - BY_NAME.burst


def test_success_is_not_counted() -> None:
    attempts = Attempts(Clock())
    for _ in range(500):
        attempt = attempts.count(name="ann", address="192.0.2.1")
        attempt.succeeded()
        attempt.succeeded()  # which means no more the second time
    assert sum(refused(attempts, name="ann") == 0 for _ in range(99)) == BY_NAME.burst


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_matches_itself_alone(passwords: Passwords) -> None:
    kept = await passwords.hash(Secret("caf\u00e9"))
    assert kept.reveal().startswith("$argon2id$")
    assert "caf" not in repr(kept)
    assert await passwords.match(kept, Secret("cafe\u0301"))
    assert not await passwords.match(kept, Secret("cafe"))
    assert not await passwords.match(kept, kept)
    assert not passwords.is_outdated(kept)
    assert kept != await passwords.hash(Secret("caf\u00e9"))


async def test_nobodys_password_takes_as_much_to_check(passwords: Passwords) -> None:
    kept = await passwords.hash(Secret("password"))
    assert not await passwords.match(None, Secret("password"))
    nobodys = passwords._nobodys  # pyright: ignore[reportPrivateUsage]
    assert extract_parameters(nobodys) == extract_parameters(kept.reveal())


@pytest.mark.parametrize("kept", ["", "damaged", "$argon2id$v=19$m=8", "$2b$12$abc"])
async def test_what_is_damaged_matches_nothing(passwords: Passwords, kept: str) -> None:
    assert not await passwords.match(Secret(kept), Secret(kept))


async def test_few_are_hashed_at_once_and_few_may_wait(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    most, lock, go_on = 0, threading.Lock(), threading.Event()

    def slow(self: Passwords, kept: Secret | None, password: Secret) -> bool:
        nonlocal most
        with lock:
            running.append(1)
            most = max(most, len(running))
        go_on.wait(30)
        with lock:
            running.pop()
        return True

    monkeypatch.setattr(module.Passwords, "_matches", slow)
    asked = [passwords.match(None, Secret("x")) for _ in range(AT_ONCE + MOST_WAITING + 5)]
    answering = gather(*asked, return_exceptions=True)
    before = time.monotonic()
    await sleep(0.05)  # the loop is free meanwhile
    assert time.monotonic() - before < 10
    go_on.set()
    answers = await answering
    late = [one for one in answers if isinstance(one, Refusal)]
    assert [(one.kind, one.repeatable) for one in late] == [("unavailable", True)] * 5
    assert answers.count(True) == AT_ONCE + MOST_WAITING
    assert most == AT_ONCE


@given(st.text(max_size=30))
def test_names_compare_the_same_again(name: str) -> None:
    assert comparable(comparable(name)) == comparable(name)


@pytest.mark.parametrize("email", ["a@b", "a.b+c@d.example", "\u00e4@\u00f6.example", "'@x.org"])
def test_addresses(email: str) -> None:
    assert is_email(email)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = SQLiteStore(tmp_path / "people.db")
    yield opened
    await opened.close()


async def test_a_renewal_that_fails_halfway_can_be_repeated(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(store, Identity(store, dev=False), dev=False, is_open=True)
    wanted = NewPerson(login="ann@example.org", password=Secret("password"))
    _, held = await people.register(wanted, None)
    with monkeypatch.context() as patched:

        async def fails(used: bytes, newer: object) -> bool:
            raise RuntimeError("the disk is full")

        patched.setattr(store, "exchange_refresh_token", fails)
        with pytest.raises(RuntimeError, match="full"):
            await people.sessions.renew(held.refresh.reveal())
    assert await people.sessions.renew(held.refresh.reveal())
    await people.close()


async def test_expired_refresh_tokens_are_forgotten(store: Store) -> None:
    identity = Identity(store, dev=False)
    people = People(store, identity, dev=False, is_open=True)
    wanted = NewPerson(login="ann@example.org", password=Secret("password"))
    _, held = await people.register(wanted, None)
    renewed = await people.sessions.renew(held.refresh.reveal())
    assert await store.forget_refresh_tokens(milliseconds()) == 0
    assert await store.forget_refresh_tokens(milliseconds() + 31 * 86_400_000) == 2
    with pytest.raises(Refusal) as refused:
        await people.sessions.renew(renewed.refresh.reveal())
    assert refused.value.code == "invalid_refresh_token"
    assert (await store.check()).problems == []
    await people.close()


async def test_a_password_that_is_changed_while_it_is_kept_anew_stays_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(store, Identity(store, dev=False), dev=False, is_open=True)
    old, new = Secret("old password"), Secret("new password")
    deed = Deed(actor="admin", action="person.changed", resource="person")
    with monkeypatch.context() as patched:
        weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patched.setattr(Passwords, "_hasher", weak)
        ann = await people.add(NewPerson(login="ann", password=old), deed)
    strong = Passwords.hash

    async def late(self: Passwords, password: Secret) -> Secret:
        made = await strong(self, password)
        monkeypatch.setattr(Passwords, "hash", strong)
        await people.change(ann.id, deed, password=new)
        return made

    monkeypatch.setattr(Passwords, "hash", late)
    with pytest.raises(Refusal) as refused:
        await people.log_in("ann", old, None)
    assert refused.value.code == "invalid_credentials"
    person, _ = await people.log_in("ann", new, None)
    assert person.id == ann.id
    await people.close()


async def test_ended_sessions_leave_a_sound_database(store: Store) -> None:
    identity = Identity(store, dev=False)
    people = People(store, identity, dev=False, is_open=True)
    wanted = NewPerson(login="ann@example.org", password=Secret("password"))
    _, held = await people.register(wanted, None)
    renewed = await people.sessions.renew(held.refresh.reveal())
    await people.sessions.end(await identity.of(renewed.access.reveal()))
    with pytest.raises(Refusal):
        await people.sessions.renew(renewed.refresh.reveal())
    assert "Secret('…')" in repr(renewed)
    assert (await store.check()).problems == []
    await people.close()
