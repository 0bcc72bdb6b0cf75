"""What Infinity Assistant's clients can do with the server, beside what the document tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chatloom.policies.meter import Call, Measured, Meter
from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
    InfinityAssistantNotFoundError,
    KnowledgeRequest,
    KnowledgeResult,
)
from support.live import Live

TEXT = "A river slows down where it meets the sea. What it carries sinks, and builds a delta. "
ENTRY: KnowledgeRequest = {
    "type": "document",
    "title": "Where rivers end",
    "content": TEXT * 30,
    "format": "markdown",
    "source": "rivers.md",
    "domain": "geography",
    "tags": ["water", "earth"],
    "confidence": 0.5,
}


class Account:
    """An account of its own, and clients that sign with its key."""

    def __init__(self, live: Live) -> None:
        self._key, self._url = uuid4().hex, f"{live.url}/api"

    def blocking(self, meter: Meter | None = None) -> InfinityAssistantClient:
        return InfinityAssistantClient(self._key, self._url, max_retries=0, meter=meter)

    def awaiting(self) -> AsyncInfinityAssistantClient:
        return AsyncInfinityAssistantClient(self._key, self._url, max_retries=0)


@pytest.fixture
def account(live: Live) -> Account:
    return Account(live)


class Book:
    """An exporter that writes down how calls end."""

    def __init__(self) -> None:
        self.ends: list[Measured] = []

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        return self.ends.append


def someone() -> str:
    return f"user-{uuid4().hex}"


def test_each_user_has_a_memory_of_their_own(account: Account) -> None:
    anna, ben = someone(), someone()
    with account.blocking() as client:
        stored = client.store_memory("tone", "short", 60, user_id=anna)
        client.store_memory("tone", "long", userId=ben)
        kept = client.retrieve_memory("tone", user_id=anna)
        other = client.retrieve_memory("tone", userId=ben)
        listed = client.list_memories(user_id=anna)
        gone = client.delete_memory("tone", user_id=anna)
        again = client.delete_memory("tone", userId=anna)
        left = client.list_memories(userId=ben)["entries"]
    assert (stored["stored"], stored.get("key")) == (True, "tone")
    assert stored.get("expiresAt") == kept.get("expiresAt") is not None
    assert (kept["value"], other["value"], other.get("expiresAt")) == ("short", "long", None)
    assert [(one["key"], one.get("size")) for one in listed["entries"]] == [("tone", 7)]
    assert (listed["nextCursor"], listed.get("hasNext")) == (None, False)
    assert (gone.get("deleted"), again.get("deleted")) == (True, False)
    assert [one.get("value") for one in left] == ["long"]


def test_all_memories_are_gone_through_page_by_page(account: Account) -> None:
    user, keys = someone(), [f"a/{number}" for number in range(5)]

    async def awaited() -> list[str]:
        async with account.awaiting() as client:
            some = client.iter_memories("a/", limit=2, userId=user)
            return [one["key"] async for one in some]

    with account.blocking() as client:
        for key in [*keys, "b"]:
            client.store_memory(key, None, user_id=user)
        assert [one["key"] for one in client.iter_memories(user_id=user, limit=4)] == [*keys, "b"]
    assert asyncio.run(awaited()) == keys
    with account.blocking() as client:
        assert client.iter_memories(user_id=someone()).collect() == []


def test_an_entry_is_read_whole_by_its_id(account: Account) -> None:
    async def awaited(id: str) -> str:
        async with account.awaiting() as client:
            return (await client.get_knowledge(id))["entry"]["content"]

    with account.blocking() as client:
        made = client.add_knowledge(ENTRY)["entry"]
        whole = client.get_knowledge(made["id"])["entry"]
        changed = client.update_knowledge(made["id"], {"source": None, "domain": None})["entry"]
        assert asyncio.run(awaited(made["id"])) == whole["content"]
        client.delete_knowledge(made["id"])
        with pytest.raises(InfinityAssistantNotFoundError):
            client.get_knowledge(made["id"])
    assert len(made["content"]) == 1000
    assert whole["content"] == TEXT * 30
    assert (whole.get("format"), whole.get("source"), whole.get("confidence")) == (
        "markdown",
        "rivers.md",
        0.5,
    )
    assert whole.get("passages", 0) > 1
    assert (changed.get("source"), changed.get("domain")) == (None, None)


def test_entries_are_listed_by_what_they_are(account: Account) -> None:
    domain = someone()

    async def awaited() -> list[str]:
        async with account.awaiting() as client:
            return [one["id"] async for one in client.iter_knowledge(limit=2, domain=domain)]

    with account.blocking() as client:
        ids: list[str] = []
        for number in range(5):
            entry: KnowledgeRequest = {
                "type": "gotcha" if number % 2 else "wisdom",
                "title": f"Number {number}",
                "content": "It is odd." if number % 2 else "It is even.",
                "domain": domain,
                "tags": [f"n{number}"],
            }
            ids.insert(0, client.add_knowledge(entry)["entry"]["id"])
        assert [one["id"] for one in client.iter_knowledge(limit=2, domain=domain)] == ids
        odd = client.list_knowledge(type="gotcha", domain=domain)
        one = client.list_knowledge(10, tag="n3", domain=domain)
        first = client.list_knowledge(limit=3, domain=domain)
        rest = client.list_knowledge(3, first["nextCursor"], domain=domain)
        found = client.iter_knowledge(type="wisdom", domain=domain, tag="n4").collect()
    assert asyncio.run(awaited()) == ids
    assert ([entry["id"] for entry in odd["entries"]], odd.get("total")) == ([ids[1], ids[3]], 2)
    assert [entry["id"] for entry in one["entries"]] == [ids[1]]
    assert [entry["id"] for entry in [*first["entries"], *rest["entries"]]] == ids
    assert (first.get("hasNext"), rest.get("hasNext"), rest["nextCursor"]) == (True, False, None)
    assert [entry["id"] for entry in found] == [ids[0]]


@pytest.mark.parametrize("name", ["min_confidence", "minConfidence"])
def test_a_search_tells_the_passage_and_how_well_it_fits(account: Account, name: Any) -> None:
    domain = someone()

    def search(client: InfinityAssistantClient, least: float) -> list[KnowledgeResult]:
        filters: Any = {
            "type": ["document", "wisdom"],
            "domain": [domain, "elsewhere"],
            "tags": ["water"],
            name: least,
        }
        return client.search_knowledge("river delta", filters=filters)["results"]

    with account.blocking() as client:
        id = client.add_knowledge({**ENTRY, "domain": domain})["entry"]["id"]
        [result] = search(client, 0.5)
        whole = client.get_knowledge(id)["entry"]["content"]
        assert search(client, 0.6) == []
        sure = client.search_knowledge("river delta", filters={"domain": domain})
    assert (result["id"], result.get("confidence")) == (id, 0.5)
    start, end = result.get("passageStart"), result.get("passageEnd")
    assert whole[start:end] == result["content"]
    assert 0 < result.get("score", 0) <= 1
    assert "**river**" in "".join(result.get("highlights", []))
    assert (sure.get("query"), sure["total"]) == ("river delta", 1)


def test_an_answer_tells_what_it_was_made_of(account: Account) -> None:
    user = someone()
    with account.blocking() as client:
        client.store_memory("tone", "short answers", user_id=user)
        question = "How short should answers be?"
        answer = client.chat(question, user_id=user, mode="assist", model="loom/scribe")
        with client.chat_stream(
            question, conversationId=answer["conversationId"], userId=user, model="loom/echo"
        ) as stream:
            whole = stream.collect()
        history = client.chat_history(answer["conversationId"], user_id=user)
        with pytest.raises(InfinityAssistantNotFoundError):
            client.chat_history(answer["conversationId"], userId=someone())
    told = answer["metadata"]
    usage, cost = told.get("usage"), told.get("cost")
    assert usage is not None
    assert usage["promptTokens"] + usage["completionTokens"] == told.get("tokensUsed")
    assert cost is not None
    assert float(cost["usd"]) == cost["picodollars"] / 10**12 > 0
    assert (told.get("model"), told.get("mode"), told.get("drivingMode")) == (
        "loom/scribe",
        "assist",
        False,
    )
    assert (told.get("memoriesUsed"), told.get("knowledgeUsed")) == (["tone"], [])
    assert (told.get("finishReason"), bool(told.get("turnId"))) == ("stop", True)
    assert whole["metadata"] == stream.metadata
    assert (stream.metadata.get("model"), stream.metadata.get("memoriesUsed")) == (
        "loom/echo",
        ["tone"],
    )
    said = [(one["role"], one["content"]) for one in history["messages"]]
    assert said == [
        ("user", question),
        ("assistant", answer["response"]),
        ("user", question),
        ("assistant", whole["response"]),
    ]
    assert history["conversationId"] == answer["conversationId"]


def test_research_cites_word_for_word(account: Account) -> None:
    async def awaited() -> Any:
        async with account.awaiting() as client:
            return await client.research(question, "shallow", 3, model="loom/echo")

    question = f"Why is the {(rare := someone())} delta so wide?"
    with account.blocking() as client:
        text = f"The {rare} delta is wide because tides carry sand back. It grows each year."
        id = client.add_knowledge({"type": "wisdom", "title": "Tides", "content": text})["entry"][
            "id"
        ]
        found = client.research(question, depth="shallow", sources=1, model="loom/echo")
    [source] = found["results"]
    place = f"knowledge:{id}"
    assert (source.get("number"), source["url"], source.get("provider")) == (1, place, "knowledge")
    assert found["citations"]
    for citation in found["citations"]:
        assert (citation["source"], citation["url"]) == (1, place)
        assert citation["quote"] in text
        assert f"[{citation['number']}]" in found["summary"]
    told = found["metadata"]
    assert (found.get("query"), told.get("queries"), told.get("depth")) == (
        question,
        [question],
        "shallow",
    )
    assert (told.get("providers"), told.get("unread")) == (["knowledge"], [])
    assert told.get("model") == "loom/echo"
    assert told.get("synthesis") in {"model", "extract"}
    assert told.get("tokensUsed", 0) > 0
    assert asyncio.run(awaited())["citations"]


def test_a_meter_counts_the_tokens_of_a_stream(account: Account) -> None:
    book = Book()
    with account.blocking(Meter(book)) as client:
        stream = client.chat_stream("Hello!", model="loom/scribe")
        stream.collect()
    [end] = book.ends
    usage = stream.metadata.get("usage")
    assert usage is not None
    assert (end.tokens.input, end.tokens.output) == (
        usage["promptTokens"],
        usage["completionTokens"],
    )
    assert (end.model, end.finish_reasons, end.outcome) == ("loom/scribe", ("stop",), "complete")
