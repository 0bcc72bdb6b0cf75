"""What receivers do wrong, and what becomes of them and of what they were to be told."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from chatloom.server.egress import EgressRefused
from chatloom.server.egress.settings import EgressSettings
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import NewKey
from chatloom.server.ids import milliseconds
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.webhooks import courier
from chatloom.server.webhooks.couriers import way_out
from chatloom.server.webhooks.settings import WebhookSettings
from server.egress.outskirts import PRIVATE, PUBLIC, World
from support.posting import LATE, Post, a_post
from support.receivers import (
    BROKEN,
    GONE,
    TAKEN,
    Got,
    busy,
    endless,
    failing_late,
    moved,
    receiving,
    replying,
    stalling,
)

pytestmark = pytest.mark.anyio


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with receiving() as target, receiving(moved(target.url)) as receiver:
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            (delivery,) = await post.attempted(webhook)
        assert not target.got
    assert delivery.state == "waiting"
    assert delivery.attempts[0].status == 302
    assert "redirects are not followed" in (delivery.attempts[0].problem or "")


async def test_who_is_gone_is_told_nothing_more_and_others_are_told_so(tmp_path: Path) -> None:
    with receiving(GONE) as receiver, receiving() as watcher:
        async with a_post(tmp_path) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.webhook(watcher.url, "webhook.disabled")
            await post.tell(webhook, "talk")
            await post.tell(webhook, "talk")
            (told,) = await watcher.told(1)
            log = await post.logged(webhook, "failed", "missed")
            gone = await post.now(webhook)
        assert len(receiver.got) == 1
    assert (told.type, gone.disabled_because) == ("webhook.disabled", "gone")
    assert told.data["webhookId"] == webhook.id
    assert log[1].attempts == ()


async def test_who_fails_all_along_is_disabled_and_others_are_told_so(tmp_path: Path) -> None:
    settings = WebhookSettings(schedule=(0.01, 0.01))
    with receiving(otherwise=BROKEN) as receiver, receiving() as watcher:
        async with a_post(tmp_path, settings) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.webhook(watcher.url, "webhook.disabled")
            await post.tell(webhook)
            (told,) = await watcher.told(1)
            (delivery,) = await post.logged(webhook, "failed")
            failed = await post.now(webhook)
        assert len(receiver.got) == 3
    assert told.data["webhookId"] == webhook.id
    assert (failed.disabled_because, len(delivery.attempts)) == ("failing", 3)


async def test_who_takes_others_fails_an_event_and_stays(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.choose = lambda got: failing_late if got.data["poison"] else TAKEN
        async with a_post(tmp_path, WebhookSettings(schedule=(0.01, 0.01))) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook, "talk", poison=1)
            await post.tell(webhook, "talk", poison=0)
            await receiver.told(1)
            await post.tell(webhook, "other", poison=0)
            await post.logged(webhook, "waiting", "waiting", "delivered")
            receiver.release()
            await post.logged(webhook, "failed", "delivered", "delivered")
            assert (await post.now(webhook)).disabled_at is None


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_who_is_busy_says_for_how_long(tmp_path: Path, status: str, as_date: bool) -> None:
    asked = formatdate(milliseconds() / 1000 + 7200, usegmt=True) if as_date else "7200"
    with receiving(busy(asked, status)) as receiver:
        async with a_post(tmp_path) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            (delivery,) = await post.attempted(webhook)
    assert delivery.next_at is not None
    # A date has whole seconds, and some time went by since it was made.
    waits = (delivery.next_at - delivery.attempts[0].ended_at) / 1000
    assert waits == 7200 if not as_date else 3600 < waits <= 7200


async def test_of_an_endless_answer_the_beginning_is_kept(tmp_path: Path) -> None:
    with receiving(endless) as receiver:
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            (delivery,) = await post.attempted(webhook)
    (attempt,) = delivery.attempts
    assert (attempt.status, attempt.problem) == (500, "it answered 500")
    assert attempt.response is not None
    assert 500 < len(attempt.response) <= 512
    assert attempt.response.startswith("never ending never")


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b" \r\n\x00 ", None),
        (b"out of\r\n\x1b[31m order\x07", "out of [31m order"),
        ("ünder \u202ewater".encode(), "ünder water"),
        (b"\xff!", "\ufffd!"),
    ],
)
async def test_what_is_kept_of_an_answer_is_fit_to_be_shown(
    tmp_path: Path, body: bytes, kept: str | None
) -> None:
    with receiving(replying("500 Oops", body=body)) as receiver:
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            (delivery,) = await post.attempted(webhook)
    assert delivery.attempts[0].response == kept


async def test_silence_is_a_failure(tmp_path: Path) -> None:
    with receiving(stalling) as receiver:
        async with a_post(tmp_path, replace(LATE, timeout=0.05)) as post:
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            (delivery,) = await post.attempted(webhook)
    (attempt,) = delivery.attempts
    assert (delivery.state, attempt.status, attempt.response) == ("waiting", None, None)
    assert "too long" in (attempt.problem or "")


async def test_a_name_that_leads_inside_is_never_connected_to(tmp_path: Path) -> None:
    with receiving() as receiver:
        world = World(receiver.port, a_example_com=[[PUBLIC], [PRIVATE], [PRIVATE, PUBLIC]])
        async with a_post(tmp_path, LATE, world.guard()) as post:
            webhook, _ = await post.webhook("http://a.example.com/hook")
            for count in range(1, 4):
                await post.tell(webhook)
                await post.attempted(webhook, count)
            log = await post.log(webhook)
        assert len(receiver.got) == 1
    assert world.addresses == [PUBLIC]
    assert [one.state for one in log] == ["delivered", "waiting", "waiting"]
    for one in log[1:]:
        assert one.attempts[0].problem == "the host has no public address"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost/", "http://169.254.169.254/latest/", "no url"]
)
async def test_a_private_address_is_refused_even_where_it_was_stored(
    tmp_path: Path, url: str
) -> None:
    world = World()
    async with a_post(tmp_path, LATE, world.guard(EgressSettings())) as post:
        webhook, _ = await post.webhook(url)
        await post.tell(webhook)
        (delivery,) = await post.attempted(webhook)
    assert (world.looked_up, world.connected, delivery.state) == ([], [], "waiting")


async def expire(_: Post, __: str) -> None:
    """It was made to."""


async def revoke(post: Post, key_id: str) -> None:
    await post.store.revoke_key(key_id, milliseconds(), deed("test", "key.revoked"))


async def revoke_above(post: Post, key_id: str) -> None:
    key = await post.store.key(key_id)
    assert key is not None
    await revoke(post, key.ancestors[0])


async def be_strict(post: Post, _: str) -> None:
    """It was made by ``--dev``."""
    await post.restart(dev=False)


@pytest.mark.parametrize("end", [expire, revoke, revoke_above, be_strict])
async def test_a_webhook_ends_with_the_key_that_made_it(
    tmp_path: Path, end: Callable[[Post, str], Awaitable[None]]
) -> None:
    with receiving() as receiver, receiving() as watcher:
        async with a_post(tmp_path) as post:
            identity = Identity(post.store, dev=False)
            minted = deed("test", "key.created")
            wanted = NewKey(name="above", account_id=post.account_id)
            above, _ = await identity.mint(wanted, minted)
            expires_at = milliseconds() + (-1 if end is expire else 3_600_000)
            wanted = replace(wanted, parent=above, expires_at=expires_at)
            key, _ = await identity.mint(wanted, minted)
            webhook, _ = await post.webhook(receiver.url, key_id=key.id)
            await post.webhook(watcher.url, "webhook.disabled")
            if end is not expire:
                await post.tell(webhook)
                await post.logged(webhook, "delivered")
                await end(post, key.id)
            await post.tell(webhook)
            await watcher.told(1)
            log = await post.log(webhook)
            ended = await post.now(webhook)
        assert len(receiver.got) == (0 if end is expire else 1)
    assert (log[-1].state, log[-1].attempts) == ("missed", ())
    assert ended.disabled_because == "key"


async def test_a_store_that_fails_is_not_the_receivers_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(courier, "_FIRST_PAUSE", 0.01)
    failing = {"due": 2, "webhook": 2, "webhook_secrets": 1, "note_attempt": 2}

    class Failing(SQLiteStore):
        def __getattribute__(self, name: str) -> object:
            if failing.get(name):
                failing[name] -= 1
                raise OSError("disk on fire")
            return super().__getattribute__(name)

    with receiving() as receiver:
        async with a_post(tmp_path) as post:
            webhook, _ = await post.webhook(receiver.url)
            post.store.__class__ = Failing
            await post.tell(webhook)
            (delivery,) = await post.logged(webhook, "delivered")
            post.store.__class__ = SQLiteStore
        assert len(receiver.got) == 1
    assert len(delivery.attempts) == 1
    assert not any(failing.values())
    assert f"webhook {webhook.id} has to wait" in caplog.text


async def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(BROKEN, moved("http://10.0.0.1/canary-4")) as receiver:
        world = World(receiver.port, a_example_com=[[PUBLIC], [PUBLIC], [PRIVATE]])
        settings = WebhookSettings(schedule=(0.01, 0.01))
        async with a_post(tmp_path, settings, world.guard()) as post:
            url = "http://a.example.com/canary-1?token=canary-2"
            webhook, secret = await post.webhook(url)
            await post.tell(webhook, words="canary-3")
            await post.logged(webhook, "failed")
    assert secret not in caplog.text
    assert "canary" not in caplog.text


async def test_silent_name_servers_leave_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = threading.Event()

    def found(name: str, port: object, **_: object) -> list[object]:
        if name.startswith("silent"):
            silence.wait(60)
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    egress = way_out(EgressSettings(), dev=False)
    # As many as may be on their way, and twice as many that were before.
    silent = [
        asyncio.ensure_future(egress.get(f"http://silent{number}.example.org/"))
        for number in range(3 * 128)
    ]
    await asyncio.sleep(0)
    with pytest.raises(EgressRefused):
        await egress.get("http://quick.example.org/")
    silence.set()
    await asyncio.gather(*silent, return_exceptions=True)
    egress.close()


async def test_who_takes_nothing_is_left_alone_between_two_attempts(tmp_path: Path) -> None:
    came: list[float] = []

    def refuse(got: Got) -> None:
        came.append(time.monotonic())

    with receiving(otherwise=BROKEN) as receiver:
        receiver.choose = refuse
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            for number in range(8):
                await post.tell(webhook, number=number)
            log = await post.attempted(webhook, 8)
    assert [len(one.attempts) for one in log] == [1] * 8
    # From the fifth failure on; what is asserted is the least that passes, not how long it takes.
    assert all(after - before >= courier.REST for before, after in pairwise(came[4:]))
