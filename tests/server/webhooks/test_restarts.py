"""Whatever ends the server, what waits is told by the next one, under the same id."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from chatloom.server.egress import EgressSettings
from chatloom.server.ids import milliseconds
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.webhooks import couriers
from chatloom.server.webhooks.couriers import way_out
from conftest import Serve
from support.live import Live
from support.posting import LATE, PATIENCE, a_post, add_account, add_webhook, event_of
from support.receivers import Receiver, receiving, stalling

KEY = "somebody"
ACCOUNT = f"dev-{hashlib.sha256(KEY.encode()).hexdigest()[:24]}"
"""As ``--dev`` names the account of such a key."""


@pytest.mark.anyio
async def test_what_was_on_its_way_is_sent_by_who_starts_next(tmp_path: Path) -> None:
    with receiving(stalling) as receiver:
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            id = await post.tell(webhook)
            await receiver.told(1)
            await post.couriers.close(0)
            (delivery,) = await post.log(webhook)
            assert (delivery.state, delivery.attempts) == ("waiting", ())
            await post.restart()
            (delivery,) = await post.logged(webhook, "delivered")
    assert receiver.ids == [id, id]
    assert len(delivery.attempts) == 1


@pytest.mark.anyio
async def test_what_is_on_its_way_may_arrive_and_no_more_is_sent(tmp_path: Path) -> None:
    with receiving(otherwise=stalling) as receiver:
        async with a_post(tmp_path, replace(LATE, at_once=1)) as post:
            webhooks = [(await post.webhook(receiver.url))[0] for _ in range(5)]
            for webhook in webhooks:
                await post.tell(webhook)
            await receiver.told(4)  # the fifth waits for a turn of its account
            closing = asyncio.create_task(post.couriers.close(60))
            await asyncio.sleep(0)
            receiver.release()
            await closing
            states = [(await post.log(webhook))[0].state for webhook in webhooks]
        assert len(receiver.got) == 4
    assert sorted(states) == [*["delivered"] * 4, "waiting"]


@pytest.mark.anyio
async def test_what_a_stopping_server_does_not_send_is_no_attempt(tmp_path: Path) -> None:
    egress = way_out(EgressSettings(), dev=True)
    with receiving() as receiver:
        async with a_post(tmp_path, LATE, egress) as post:
            egress.close()
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            await post.idle()
            assert not (await post.log(webhook))[0].attempts
            await post.restart()
            (delivery,) = await post.logged(webhook, "delivered")
    assert len(delivery.attempts) == 1


@pytest.mark.anyio
async def test_no_task_is_left(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    with receiving(otherwise=stalling) as receiver:
        async with a_post(tmp_path, LATE) as post:
            webhooks = [(await post.webhook(receiver.url))[0] for _ in range(3)]
            for webhook in webhooks:
                await post.tell(webhook)
            await receiver.told(3)
            await post.couriers.close(0)
            assert asyncio.all_tasks() == before
            await post.tell(webhooks[0])  # which nobody hears of
            assert asyncio.all_tasks() == before


@pytest.mark.anyio
async def test_a_call_that_nobody_heard_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_LOOK_EVERY", 0.01)
    with receiving() as receiver:
        async with a_post(tmp_path) as post:
            post.store.wake_by(None)
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            await post.logged(webhook, "delivered")


def waiting(database: Path, receiver: Receiver) -> str:
    """Leave an event for a receiver in a database; its id."""

    async def leave() -> str:
        store = SQLiteStore(database)
        try:
            account_id = await add_account(store)
            webhook, _ = await add_webhook(store, account_id, receiver.url, "*")
            event = event_of(account_id)
            await store.tell_webhook(webhook.id, event)
            return event.id
        finally:
            await store.close()

    return asyncio.run(leave())


def attempts(server: Live) -> list[tuple[str, int | None]]:
    """What the log of deliveries says."""
    return server.rows(
        "SELECT d.state, a.status FROM delivery d LEFT JOIN delivery_attempt a USING (webhook_id)"
    )


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_event_survives_the_server(tmp_path: Path, serve: Serve, end: signal.Signals) -> None:
    database = tmp_path / "own.db"
    with receiving(stalling) as receiver:
        id = waiting(database, receiver)
        server = serve("--grace", "0", database=database)
        receiver.wait(1)
        server.stop(end)
        assert attempts(server) == [("waiting", None)]
        again = serve(database=database)
        until = time.monotonic() + PATIENCE
        while attempts(again) != [("delivered", 204)] and time.monotonic() < until:
            time.sleep(0.01)
        again.stop()
        assert attempts(again) == [("delivered", 204)]
        assert again.log == ""
    assert receiver.ids == [id, id]


def test_a_talk_is_told_while_it_goes_on(tmp_path: Path, serve: Serve) -> None:
    async def prepare() -> str:
        store = SQLiteStore(tmp_path / "own.db")
        try:
            await store.account(ACCOUNT, "made by --dev", dev=True, now=milliseconds())
            _, secret = await add_webhook(store, ACCOUNT, receiver.url, "*")
            return secret
        finally:
            await store.close()

    with receiving() as receiver:
        secret = asyncio.run(prepare())
        server = serve(database=tmp_path / "own.db")
        assert server.complete("Hello!", key=KEY).status == 200
        got = receiver.wait(3)
    events = [one.verified(secret) for one in got]
    assert [event.type for event in events] == ["chat.message", "chat.response", "turn.complete"]
    assert events[0].data["content"] == "Hello!"
