"""Events arrive: signed, once where all goes well, in order, and whoever else is slow."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from pathlib import Path

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook as Judge

from chatloom import __version__
from chatloom.server.ids import milliseconds
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.trees import Defaults, NewConversation
from chatloom.server.store.webhooks import WebhookChange
from chatloom.server.webhooks.secrets import mint_secret
from support.posting import LATE, SOON, a_post, event_of
from support.receivers import BROKEN, TAKEN, Got, Reply, hanging_up, receiving, stalling

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "memory"])
async def test_an_event_arrives_once_and_signed(tmp_path: Path, in_memory: bool) -> None:
    with receiving() as receiver:
        async with a_post(None if in_memory else tmp_path) as post:
            webhook, secret = await post.webhook(receiver.url)
            id = await post.tell(webhook, words="naïve “quotes” and 💌")
            (got,) = await receiver.told(1)
            (delivery,) = await post.logged(webhook, "delivered")
        assert len(receiver.got) == 1
    event = got.verified(secret)
    assert (event.id, event.type) == (id, "chat.message")
    assert event.data == {"words": "naïve “quotes” and 💌"}
    Judge(secret).verify(got.body, got.headers)
    (attempt,) = delivery.attempts
    assert (attempt.number, attempt.status, attempt.problem, attempt.response) == (
        (1, 204, None, None)
    )


async def test_what_stands_around_an_event(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with a_post(tmp_path) as post:
            webhook, secret = await post.webhook(receiver.url)
            id = await post.tell(webhook, number=1, name="é")
            (got,) = await receiver.told(1)
    data = '{"number":1,"name":"é"}'.encode()
    told = {
        "content-type": "application/json",
        "user-agent": f"chatloom-webhooks/{__version__}",
        "webhook-id": id,
        "x-infinity-event": "chat.message",
        "x-infinity-webhook-id": webhook.id,
        "x-infinity-signature": hmac.new(secret.encode(), data, hashlib.sha256).hexdigest(),
    }
    assert told.items() <= got.headers.items()
    assert got.path == "/hook"


@pytest.mark.parametrize("failure", [BROKEN, hanging_up], ids=["500", "hung up"])
async def test_what_failed_is_sent_again_as_the_same_event(tmp_path: Path, failure: Reply) -> None:
    with receiving(failure, failure) as receiver:
        async with a_post(tmp_path) as post:
            webhook, secret = await post.webhook(receiver.url)
            id = await post.tell(webhook)
            got = await receiver.told(3)
            (delivery,) = await post.logged(webhook, "delivered")
            assert (await post.now(webhook)).failures == 0
    assert [one.verified(secret).id for one in got] == [id] * 3
    assert len({one.body for one in got}) == 1
    assert [attempt.number for attempt in delivery.attempts] == [1, 2, 3]
    assert [attempt.problem is None for attempt in delivery.attempts] == [False, False, True]


async def test_a_conversation_is_told_in_its_order(tmp_path: Path) -> None:
    with receiving(BROKEN, BROKEN) as receiver:
        async with a_post(tmp_path) as post:
            webhook, _ = await post.webhook(receiver.url)
            one, two, three = [await post.tell(webhook, "talk", number=n) for n in range(3)]
            await receiver.told(5)
            await post.logged(webhook, *["delivered"] * 3)
    assert receiver.ids == [one, one, one, two, three]


async def test_other_conversations_are_not_held_up(tmp_path: Path) -> None:
    def choose(got: Got) -> Reply:
        return BROKEN if got.data["talk"] == "a" else TAKEN

    with receiving() as receiver:
        receiver.choose = choose
        async with a_post(tmp_path, LATE) as post:
            webhook, _ = await post.webhook(receiver.url)
            stuck, _ = [await post.tell(webhook, "a", talk="a") for _ in range(2)]
            others = [await post.tell(webhook, talk, talk=talk) for talk in "bcb"]
            first, behind, *rest = await post.logged(
                webhook, "waiting", "waiting", *["delivered"] * 3
            )
    assert {*receiver.ids} == {stuck, *others}
    assert receiver.ids.index(others[0]) < receiver.ids.index(others[2])
    assert first.next_at is not None
    assert (behind.next_at, behind.attempts) == (None, ())
    assert [one.event_id for one in rest] == others


async def test_a_stalled_receiver_holds_up_nobody_else(tmp_path: Path) -> None:
    with receiving(otherwise=stalling) as slow, receiving() as healthy:
        async with a_post(tmp_path) as post:
            slow_one, _ = await post.webhook(slow.url, "chat.message")
            healthy_one, _ = await post.webhook(healthy.url, "chat.message")
            for number in range(10):
                await post.tell(slow_one, number=number)
                await post.tell(healthy_one, number=number)
            await post.logged(healthy_one, *["delivered"] * 10)
            assert {one.state for one in await post.log(slow_one)} == {"waiting"}
            slow.release()
            await post.logged(slow_one, *["delivered"] * 10)
    assert len(slow.got) == len({*slow.ids}) == 10


async def test_so_many_are_on_their_way_and_one_after_a_failure(tmp_path: Path) -> None:
    with receiving(BROKEN, otherwise=stalling) as receiver, receiving() as beside:
        async with a_post(tmp_path, replace(LATE, at_once=3)) as post:
            webhook, _ = await post.webhook(receiver.url)
            other, _ = await post.webhook(beside.url)
            await post.tell(webhook)
            await post.attempted(webhook)
            for number in range(5):
                await post.tell(webhook, number=number)
                await post.tell(other, number=number)
            await receiver.told(2)
            await post.logged(other, *["delivered"] * 5)
            assert len(receiver.got) == 2
            receiver.release()  # now that one is taken, there may be three
            await post.logged(webhook, "waiting", *["delivered"] * 5)


async def test_an_account_that_stalls_holds_up_no_other(tmp_path: Path) -> None:
    with receiving(otherwise=stalling) as slow, receiving() as healthy:
        async with a_post(tmp_path, replace(LATE, at_once=1)) as post:
            webhooks = [(await post.webhook(slow.url))[0] for _ in range(6)]
            for webhook in webhooks:
                await post.tell(webhook)
            await slow.told(4)  # which is the account's share
            await post.store.account("other", "another one", dev=False, now=milliseconds())
            other, _ = await post.webhook(healthy.url, account_id="other")
            await post.tell(other)
            await post.logged(other, "delivered")
            assert len(slow.got) == 4
            slow.release()
            for webhook in webhooks:
                (delivery,) = await post.logged(webhook, "delivered")
                assert len(delivery.attempts) == 1


def a_talk(account_id: str, id: str) -> NewConversation:
    """A conversation in which nothing was said."""
    return NewConversation(
        id=id,
        account_id=account_id,
        end_user=None,
        organization=None,
        title="",
        metadata={},
        defaults=Defaults(),
        main_branch_id=f"main of {id}",
        now=milliseconds(),
    )


async def test_words_deleted_while_they_wait_for_a_turn_are_not_told(tmp_path: Path) -> None:
    with receiving(otherwise=stalling) as slow, receiving() as healthy:
        async with a_post(tmp_path, replace(LATE, at_once=1)) as post:
            for _ in range(4):  # which are the account's turns
                await post.tell((await post.webhook(slow.url))[0])
            await slow.told(4)
            webhook, secret = await post.webhook(healthy.url)
            await post.store.add_conversation(a_talk(post.account_id, "talk"))
            said = replace(event_of(post.account_id, "talk", content="secret"), message_id="m")
            await post.store.tell_webhook(webhook.id, said)
            await asyncio.sleep(0.05)  # by then somebody waits for a turn with it
            assert await post.store.delete_conversation(post.account_id, "talk", milliseconds())
            slow.release()
            (got,) = await healthy.told(1)
    assert got.verified(secret).data == {"content": None, "deleted": True}


async def test_both_secrets_sign_while_one_replaces_the_other(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with a_post(tmp_path) as post:
            webhook, old = await post.webhook(receiver.url)
            rotated = deed("test", "webhook.rotated")
            secrets = [old]
            for lasts in (60_000, -1):
                newer = mint_secret(webhook.id, milliseconds() + len(secrets))
                expiry = milliseconds() + lasts
                await post.store.rotate_webhook(newer, old_expire_at=expiry, deed=rotated)
                secrets.append(newer.value.reveal())
                await post.tell(webhook)
                await receiver.told(len(secrets) - 1)
            both, newest = receiver.got
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    assert both.verified(secrets[0]) == both.verified(secrets[1])
    assert newest.headers["webhook-signature"].count("v1,") == 1
    newest.verified(secrets[2])
    expected = hmac.new(secrets[1].encode(), b"{}", hashlib.sha256).hexdigest()
    assert both.headers["x-infinity-signature"] == expected


async def test_what_is_replayed_has_the_same_id(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with a_post(tmp_path) as post:
            webhook, _ = await post.webhook(receiver.url)
            id = await post.tell(webhook)
            await post.logged(webhook, "delivered")
            replayed = deed("test", "webhook.replayed")
            count = await post.store.replay_events(
                webhook.id, events=[id], now=milliseconds(), deed=replayed
            )
            await receiver.told(2)
            log = await post.attempted(webhook, 2)
    assert (count, receiver.ids) == (1, [id, id])
    assert [attempt.number for attempt in log[0].attempts] == [1, 2]


async def test_nothing_arrives_behind_a_removal(tmp_path: Path) -> None:
    with receiving(stalling) as receiver, receiving() as beside:
        async with a_post(tmp_path, replace(SOON, at_once=1)) as post:
            webhook, _ = await post.webhook(receiver.url)
            other, _ = await post.webhook(beside.url)
            await post.tell(webhook)
            await post.tell(webhook)
            await receiver.told(1)
            removed = deed("test", "webhook.removed")
            assert await post.store.remove_webhook(webhook.id, now=milliseconds(), deed=removed)
            receiver.release()
            await post.tell(other)
            await post.logged(other, "delivered")
        assert len(receiver.got) == 1


async def test_nothing_arrives_behind_a_change_of_mind(tmp_path: Path) -> None:
    with receiving(otherwise=stalling) as slow, receiving() as receiver:
        async with a_post(tmp_path, replace(SOON, at_once=1)) as post:
            others = [(await post.webhook(slow.url))[0] for _ in range(4)]
            for other in others:
                await post.tell(other)
            await slow.told(4)  # so that the next one waits for a turn of its account
            webhook, _ = await post.webhook(receiver.url)
            await post.tell(webhook)
            await post.store.change_webhook(
                webhook.id,
                WebhookChange(active=False),
                now=milliseconds(),
                deed=deed("test", "webhook.changed"),
            )
            slow.release()
            for other in others:
                await post.logged(other, "delivered")
            await post.logged(webhook, "missed")
            await post.idle()
        assert not receiver.got
