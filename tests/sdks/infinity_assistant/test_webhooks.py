"""Webhooks through both clients, as the document prints the calls."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
    InfinityAssistantError,
    InfinityAssistantNotFoundError,
    WebhookResponse,
)
from support.live import Live
from support.receivers import Receiver, receiving

EVENTS = ["chat.message", "chat.response"]


def test_the_documents_calls(live: Live) -> None:
    with receiving() as receiver:
        client = InfinityAssistantClient(
            api_key=f"ia_{uuid4().hex}", base_url=f"{live.url}/api", max_retries=0
        )
        with client:
            created = client.create_webhook(url=receiver.url, events=EVENTS)
            client.chat(message="Hello!", model="loom/echo")
            webhooks = client.list_webhooks()
            assert_told(receiver, created)
            client.delete_webhook(webhook_id=created["webhook"]["id"])
            assert client.list_webhooks() == {"success": True, "webhooks": []}
            with pytest.raises(InfinityAssistantNotFoundError):
                client.delete_webhook(created["webhook"]["id"])
    (one,) = webhooks["webhooks"]
    assert one["id"] == created["webhook"]["id"]
    assert (one["url"], one["events"], one["isActive"]) == (receiver.url, EVENTS, True)
    assert "secret" not in one
    assert "shown only now" in created.get("message", "")


async def awaited(live: Live, receiver: Receiver) -> WebhookResponse:
    async with AsyncInfinityAssistantClient(
        api_key=f"ia_{uuid4().hex}", base_url=f"{live.url}/api", max_retries=0
    ) as client:
        created = await client.create_webhook(url=receiver.url, events=EVENTS)
        await client.chat(message="Hello!", model="loom/echo")
        webhooks = await client.list_webhooks()
        assert [one["id"] for one in webhooks["webhooks"]] == [created["webhook"]["id"]]
        await receiver.told(2)
        deleted = await client.delete_webhook(webhook_id=created["webhook"]["id"])
        assert deleted["success"] is True
        assert (await client.list_webhooks())["webhooks"] == []
    return created


def test_the_documents_calls_awaited(live: Live) -> None:
    with receiving() as receiver:
        assert_told(receiver, asyncio.run(awaited(live, receiver)))


def assert_told(receiver: Receiver, created: WebhookResponse) -> None:
    """What was said and answered arrives, in that order, signed with the secret."""
    told = receiver.wait(2)
    assert [one.type for one in told] == EVENTS
    for one in told:
        one.verified(created["webhook"]["secret"])
    assert {one.data["content"] for one in told} == {"Hello!"}
    assert {one.headers["x-infinity-webhook-id"] for one in told} == {created["webhook"]["id"]}


@pytest.mark.parametrize(
    ("url", "events", "why"),
    [
        ("https://10.0.0.1/", EVENTS, "the host has no public address"),
        ("https://a:b@example.com/", EVENTS, "user name or password"),
        ("ftp://example.com/", EVENTS, "http"),
        ("https://example.com/", ["chat.massage"], "there is no event 'chat.massage'"),
        ("https://example.com/", [], "events"),
    ],
)
def test_what_cannot_be_says_why(live: Live, url: str, events: list[str], why: str) -> None:
    with (
        InfinityAssistantClient(uuid4().hex, f"{live.url}/api", max_retries=0) as client,
        pytest.raises(InfinityAssistantError, match=why) as refused,
    ):
        client.create_webhook(url, events)
    assert (refused.value.status_code, refused.value.code) == (400, "VALIDATION_ERROR")
