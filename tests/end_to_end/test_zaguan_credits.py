"""What the Zaguan SDK is told of usage and credits, against the books of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from support.keys import secret
from support.live import Live
from zaguan import APIError, AsyncZaguanClient, ChatRequest, Message, ZaguanClient
from zaguan.errors import InsufficientCreditsError
from zaguan.models import ChatChunk, CreditsHistoryEntry, Usage

CREDITS = 2000
CREDIT = 10**7
"""Pico-dollars."""
CONFIG = f"""
credit_usd = 0.00001
[tiers.free]
credits = {CREDITS}
"""

_numbers = count()


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False, config=CONFIG)


@pytest.fixture
def key(server: Live) -> str:
    return secret(server, f"zaguan {next(_numbers)}")


@pytest.fixture
def client(server: Live, key: str) -> Iterator[ZaguanClient]:
    with ZaguanClient(server.url, key, max_retries=0) as client:
        yield client


def asking(text: str, model: str = "loom/scribe") -> ChatRequest:
    return ChatRequest(model=model, messages=[Message(role="user", content=text)])


def whole(client: ZaguanClient) -> list[CreditsHistoryEntry]:
    return list(client.iter_credits_history(limit=2))


def picodollars(entries: list[CreditsHistoryEntry]) -> int:
    return sum(round((one.cost or 0) * 1e12) for one in entries)


def test_usage_is_whole_with_its_details(client: ZaguanClient) -> None:
    answer = client.chat(asking("How?"))
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 0
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 0
    assert (answer.object, answer.model) == ("chat.completion", "loom/scribe")
    assert (answer.choices[0].index, answer.choices[0].finish_reason) == (0, "stop")


def test_a_stream_tells_its_usage_once_and_the_same(client: ZaguanClient) -> None:
    plain = client.chat(asking("How?"))
    with client.chat_stream(asking("How?")) as stream:
        chunks: list[ChatChunk] = list(stream)
    told = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert told == [plain.usage]
    assert isinstance(told[0], Usage)
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


def test_the_books_agree_whichever_way_they_are_read(
    server: Live, client: ZaguanClient, key: str
) -> None:
    plain = client.chat(asking("How?"), request_id="mine")
    with client.chat_stream(asking("Why?"), request_id="mine") as stream:
        stream.collect()
    client.chat(asking("Free?", "loom/echo"))
    with pytest.raises(APIError):
        client.chat(asking("Broken?", "loom/scribe?cut=4"))
    entries = whole(client)
    balance = client.get_credits_balance()
    stats = client.get_credits_stats("day", group_by=["model", "day"])

    assert [one.status for one in entries] == ["error", "success", "success", "success"]
    assert [one.request_id for one in entries[2:]] == ["mine", "mine"]
    assert entries[3].total_tokens == plain.usage.total_tokens
    spent, debited = picodollars(entries), sum(one.credits_debited or 0 for one in entries)
    ids = [one.id for one in entries]
    ((ledger,),) = server.rows(
        "SELECT sum(amount) FROM ledger WHERE kind <> 'reserve'"
        f" AND turn_id IN ({','.join('?' * len(ids))})",
        *ids,
    )
    assert spent == ledger
    assert debited == spent // CREDIT > 0
    assert (balance.credits_used, balance.credits_total) == (debited, CREDITS)
    assert balance.credits_remaining == CREDITS - debited
    assert stats.total_credits_used == debited
    assert stats.total_requests == len(entries)
    assert stats.total_tokens == sum(one.total_tokens or 0 for one in entries)
    assert round((stats.total_cost or 0) * 1e12) == spent


def test_both_modes_are_told_the_same(server: Live, client: ZaguanClient, key: str) -> None:
    client.chat(asking("How?"))
    today = datetime.now(UTC).date()

    async def awaited() -> list[object]:
        async with AsyncZaguanClient(server.url, key) as other:
            return [
                await other.get_credits_balance(),
                await other.get_credits_history(start_date=today, status="success"),
                (await other.get_credits_stats(group_by="band")).summary,
                await other.get_capabilities(),
            ]

    assert asyncio.run(awaited()) == [
        client.get_credits_balance(),
        client.get_credits_history(start_date=today, status="success"),
        client.get_credits_stats(group_by="band").summary,
        client.get_capabilities(),
    ]


def test_who_has_spent_it_all_is_told_when_there_is_more(client: ZaguanClient) -> None:
    before = client.get_credits_balance()
    request = asking("How?").model_copy(update={"max_tokens": 1_000_000})
    with pytest.raises(InsufficientCreditsError) as caught:
        client.chat(request)
    assert caught.value.credits_remaining == CREDITS
    assert (caught.value.credits_required or 0) > CREDITS
    assert caught.value.reset_date == before.reset_date
    assert client.get_credits_balance() == before
    assert client.get_credits_history().total_entries == 0


def test_a_page_out_of_range_is_an_error_with_its_request(client: ZaguanClient) -> None:
    with pytest.raises(APIError) as caught:
        client.get_credits_history(limit=201, request_id="odd")
    assert (caught.value.status_code, caught.value.request_id) == (400, "odd")
