"""What callers of the Infinity Assistant SDK see, checked by mypy and pyright. Never run.

Each public name must be here, and the mistakes below must be mistakes to both.
"""

# What is mistaken is unknown, too:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import assert_type

import httpx

from chatloom import (
    AnswerError,
    ChatloomError,
    ConnectError,
    StatusError,
    StreamError,
    TransportError,
    Truncated,
)
from chatloom.core.engine import Async, RawAsync, RawSync
from chatloom.core.http import JSON
from chatloom.core.pages import AsyncPages, Pages
from chatloom.core.raw import Raw
from chatloom.core.secret import Secret
from infinity_assistant import (
    ApiKey,
    ApiKeyListResponse,
    ApiKeyResponse,
    AsyncChatStream,
    AsyncInfinityAssistantClient,
    ChatDoneChunk,
    ChatHistoryResponse,
    ChatMessage,
    ChatMetadata,
    ChatMetadataChunk,
    ChatMode,
    ChatRequest,
    ChatResponse,
    ChatStream,
    ChatStreamChunk,
    ChatTextChunk,
    ChatUsage,
    DeleteResponse,
    HealthResponse,
    InfinityAssistantAuthenticationError,
    InfinityAssistantClient,
    InfinityAssistantConflictError,
    InfinityAssistantError,
    InfinityAssistantForbiddenError,
    InfinityAssistantNetworkError,
    InfinityAssistantNotFoundError,
    InfinityAssistantRateLimitError,
    InfinityAssistantServerError,
    InfinityAssistantServerTimeoutError,
    InfinityAssistantStreamInterruptedError,
    InfinityAssistantStreamTruncatedError,
    InfinityAssistantTimeoutError,
    InfinityAssistantUnexpectedStatusError,
    InfinityAssistantUnreachableError,
    InfinityAssistantUnreadableAnswerError,
    InfinityAssistantValidationError,
    KnowledgeEntry,
    KnowledgeEntryResponse,
    KnowledgeFilters,
    KnowledgeFormat,
    KnowledgeListResponse,
    KnowledgeRequest,
    KnowledgeResult,
    KnowledgeSearchRequest,
    KnowledgeSearchResponse,
    KnowledgeUpdate,
    MemoryEntry,
    MemoryListResponse,
    MemoryRetrieveRequest,
    MemoryRetrieveResponse,
    MemoryStoreRequest,
    MemoryStoreResponse,
    Money,
    NewApiKey,
    NewWebhook,
    ResearchCitation,
    ResearchDepth,
    ResearchMetadata,
    ResearchRequest,
    ResearchResponse,
    ResearchResult,
    Storable,
    UnreadSource,
    UserTier,
    Webhook,
    WebhookListResponse,
    WebhookResponse,
)
from infinity_assistant.service import Service


def making() -> None:
    assert_type(InfinityAssistantClient(), InfinityAssistantClient)
    made = InfinityAssistantClient("key", "http://x/api", 60, 3, 1.0)
    assert_type(made, InfinityAssistantClient)
    assert_type(made.base_url, str)
    assert_type((made.api_key, made.timeout), tuple[Secret | None, float | None])
    assert_type(
        InfinityAssistantClient(api_key=Secret("key"), timeout=None), InfinityAssistantClient
    )
    assert_type(InfinityAssistantClient("key", http_client=httpx.Client()), InfinityAssistantClient)
    other = AsyncInfinityAssistantClient("key", max_retries=0, total_timeout=5)
    assert_type(other, AsyncInfinityAssistantClient)
    assert_type(made.with_options(timeout=3), InfinityAssistantClient)
    assert_type(made.get_api_key(), str | None)
    assert_type(made.set_api_key("other"), None)
    assert_type(made.set_api_key(None), None)


def chatting(client: InfinityAssistantClient, tier: UserTier, mode: ChatMode) -> None:
    answer = client.chat(message="Hello!")
    assert_type(answer, ChatResponse)
    assert_type((answer["response"], answer["messageId"]), tuple[str, str])
    assert_type(
        (answer["metadata"], answer.get("rateLimit")), tuple[ChatMetadata, dict[str, JSON] | None]
    )
    assert_type(client.chat("hi", conversation_id="c", user_id="u", user_tier=tier), ChatResponse)
    assert_type(client.chat("hi", conversationId="c", userTier="pro", mode=mode), ChatResponse)
    assert_type(client.chat("hi", driving_mode={"enabled": True}, essence="calm"), ChatResponse)
    assert_type(client.chat("hi", drivingMode=False, userContext={"a": 1}), ChatResponse)
    assert_type(client.chat("hi", model="m"), ChatResponse)
    request = ChatRequest(message="hi", sessionId="s", preferences={"a": 1}, model="m")
    assert_type(request["message"], str)
    told = answer["metadata"]
    assert_type((told.get("usage"), told.get("cost")), tuple[ChatUsage | None, Money | None])
    assert_type(told.get("memoriesUsed", []) + told.get("knowledgeUsed", []), list[str])
    assert_type((told.get("finishReason"), told.get("turnId")), tuple[str | None, str | None])
    assert_type(told.get("mode"), ChatMode | None)
    history = client.chat_history("c", user_id="u")
    assert_type(history, ChatHistoryResponse)
    assert_type(client.chat_history("c", userId="u")["messages"], list[ChatMessage])
    assert_type(history["messages"][0]["content"], str)


def streams(client: InfinityAssistantClient) -> None:
    stream = client.chat_stream(message="Tell me a story", mode="assist", model="m")
    assert_type(stream, ChatStream)
    for chunk in stream:
        assert_type(chunk, ChatTextChunk | ChatMetadataChunk | ChatDoneChunk)
        if chunk["type"] == "text":
            assert_type(chunk, ChatTextChunk)
            assert_type(chunk["content"], str)
        elif chunk["type"] == "metadata":
            assert_type(chunk["metadata"], ChatMetadata)
        else:
            assert_type(chunk, ChatDoneChunk)
    assert_type((stream.text, stream.metadata), tuple[str, ChatMetadata])
    assert_type(stream.resume_token, str | None)
    assert_type(stream.cancel(), None)
    assert_type(client.resume_chat("t:1"), ChatStream)
    assert_type(stream.collect(), ChatResponse)
    pieces: Iterator[ChatStreamChunk] = stream
    assert_type(next(pieces)["type"] == "done", bool)


def knowing(client: InfinityAssistantClient, format: KnowledgeFormat) -> None:
    found = client.search_knowledge(query="q", limit=5, filters={"type": "wisdom"})
    assert_type(found, KnowledgeSearchResponse)
    assert_type((found["results"], found["total"]), tuple[list[KnowledgeResult], int])
    assert_type(client.search_knowledge("q", filters=KnowledgeFilters(tags=["a"]))["total"], int)
    assert_type(KnowledgeSearchRequest(query="q")["query"], str)
    many = KnowledgeFilters(type=["a"], domain=("b",), minConfidence=0.5)
    assert_type(client.search_knowledge("q", filters=many), KnowledgeSearchResponse)
    assert_type(client.search_knowledge("q", filters={"min_confidence": 1})["total"], int)
    result = found["results"][0]
    assert_type(
        (result.get("score"), result.get("highlights")), tuple[float | None, list[str] | None]
    )
    assert_type(
        (result.get("passageStart"), result.get("passageEnd")), tuple[int | None, int | None]
    )
    known: KnowledgeEntry = result
    assert_type((known["id"], known.get("source")), tuple[str, str | None])
    entry = KnowledgeRequest(content="c", tags=["a"], format=format, source="s", confidence=1)
    assert_type(client.add_knowledge(entry), KnowledgeEntryResponse)
    assert_type(client.add_knowledge({"content": "c"})["entry"], KnowledgeEntry)
    assert_type(client.list_knowledge(limit=5, cursor="x"), KnowledgeListResponse)
    assert_type(client.list_knowledge(type="t", domain="d", tag="g"), KnowledgeListResponse)
    assert_type(client.iter_knowledge(5, type="t"), Pages[KnowledgeEntry])
    assert_type(client.get_knowledge("e")["entry"], KnowledgeEntry)
    change = KnowledgeUpdate(title="T", format="html", domain=None)
    assert_type(client.update_knowledge("e", change), KnowledgeEntryResponse)
    assert_type(client.delete_knowledge("e"), DeleteResponse)


def researching(client: InfinityAssistantClient, depth: ResearchDepth) -> None:
    told = client.research(query="q", depth=depth, sources=3, model="m")
    assert_type(told, ResearchResponse)
    assert_type((told["results"], told["summary"]), tuple[list[ResearchResult], str])
    assert_type((told["citations"], told.get("query")), tuple[list[ResearchCitation], str | None])
    assert_type((told["citations"][0]["source"], told["citations"][0]["quote"]), tuple[int, str])
    assert_type(told["metadata"], ResearchMetadata)
    assert_type(told["metadata"].get("cost"), Money | None)
    assert_type(told["metadata"].get("unread", []), list[UnreadSource])
    assert_type(ResearchRequest(query="q", depth="deep", model="m")["query"], str)


def remembering(client: InfinityAssistantClient, value: Storable) -> None:
    assert_type(client.store_memory("k", {"a": [1]}, ttl=60), MemoryStoreResponse)
    assert_type(client.store_memory("k", value), MemoryStoreResponse)
    assert_type(client.store_memory(key="k", value="v")["stored"], bool)
    found = client.retrieve_memory("k")
    assert_type(found, MemoryRetrieveResponse)
    assert_type((found["value"], found["found"]), tuple[JSON, bool])
    assert_type(client.list_memories(prefix="a", limit=5, cursor="x"), MemoryListResponse)
    assert_type(client.list_memories()["entries"], list[MemoryEntry])
    assert_type(client.delete_memory("k"), DeleteResponse)
    assert_type(client.store_memory("k", 1, user_id="u"), MemoryStoreResponse)
    assert_type(client.store_memory("k", 1, userId="u").get("expiresAt"), str | None)
    assert_type(client.retrieve_memory("k", user_id="u"), MemoryRetrieveResponse)
    assert_type(client.list_memories("a", userId="u"), MemoryListResponse)
    assert_type(client.iter_memories("a", 5, user_id="u"), Pages[MemoryEntry])
    assert_type(client.delete_memory("k", user_id="u").get("deleted"), bool | None)
    assert_type(MemoryStoreRequest(key="k", value=1, userId="u")["key"], str)
    assert_type(MemoryRetrieveRequest(key="k")["key"], str)


def owning(client: InfinityAssistantClient) -> None:
    assert_type(client.list_api_keys(), ApiKeyListResponse)
    assert_type(client.list_api_keys()["apiKeys"], list[ApiKey])
    made = client.create_api_key("n")
    assert_type((made, made["apiKey"]), tuple[ApiKeyResponse, NewApiKey])
    assert_type((made["apiKey"]["key"], made["apiKey"]["isActive"]), tuple[str, bool])
    assert_type(client.delete_api_key("k"), DeleteResponse)
    assert_type(client.list_webhooks(), WebhookListResponse)
    assert_type(client.list_webhooks()["webhooks"], list[Webhook])
    hook = client.create_webhook("https://x", ["chat.message"])
    assert_type((hook, hook["webhook"]), tuple[WebhookResponse, NewWebhook])
    assert_type(client.delete_webhook("w")["success"], bool)
    assert_type(client.health(), HealthResponse)
    assert_type(client.health()["status"], str)


async def awaiting(client: AsyncInfinityAssistantClient, flat: Service[Async]) -> None:
    coroutine: Coroutine[None, None, ChatResponse] = client.chat(message="hi", user_id="u")
    assert_type(await coroutine, ChatResponse)
    assert_type(await flat.retrieve_memory("k"), MemoryRetrieveResponse)
    assert_type(client.chat_stream(message="hi"), AsyncChatStream)
    assert_type(client.resume_chat("t:1"), AsyncChatStream)
    assert_type(client.iter_memories(userId="u"), AsyncPages[MemoryEntry])
    assert_type(flat.iter_knowledge(domain="d"), AsyncPages[KnowledgeEntry])
    assert_type(await client.chat_history("c"), ChatHistoryResponse)
    both = await asyncio.gather(client.health(), client.store_memory("k", 1))
    assert_type(both, tuple[HealthResponse, MemoryStoreResponse])
    async with client as entered, client.chat_stream("hi", conversationId="c") as stream:
        assert_type(entered, AsyncInfinityAssistantClient)
        async for chunk in stream:
            if chunk["type"] == "text":
                assert_type(chunk["content"], str)
        assert_type(stream.metadata, ChatMetadata)
    assert_type(client.set_api_key(Secret("k")), None)
    assert_type(await client.close(), None)


def raw(client: InfinityAssistantClient) -> None:
    assert_type(client.with_raw_response, Service[RawSync])
    assert_type(client.with_raw_response.chat(message="hi"), Raw[ChatResponse])
    assert_type(client.with_raw_response.chat_stream("hi"), ChatStream)
    assert_type(client.with_raw_response.iter_memories(), Pages[MemoryEntry])
    assert_type(client.with_raw_response.get_knowledge("e"), Raw[KnowledgeEntryResponse])


async def awaited_raw(client: AsyncInfinityAssistantClient) -> None:
    assert_type(client.with_raw_response, Service[RawAsync])
    assert_type(await client.with_raw_response.chat("hi"), Raw[ChatResponse])
    assert_type(client.with_raw_response.chat_stream("hi"), AsyncChatStream)


def errors(error: InfinityAssistantError, broken: InfinityAssistantStreamInterruptedError) -> None:
    assert_type(InfinityAssistantError("why", "X", 418, {"a": 1}), InfinityAssistantError)
    assert_type((error.message, error.code), tuple[str, str | None])
    assert_type((error.status_code, error.response), tuple[int | None, JSON])
    assert_type(InfinityAssistantRateLimitError("why").retry_after, float | None)
    assert_type((broken.text, broken.resume_token), tuple[str, str | None])
    statuses: list[type[StatusError]] = [
        InfinityAssistantValidationError,
        InfinityAssistantAuthenticationError,
        InfinityAssistantForbiddenError,
        InfinityAssistantNotFoundError,
        InfinityAssistantConflictError,
        InfinityAssistantRateLimitError,
        InfinityAssistantServerError,
        InfinityAssistantServerTimeoutError,
        InfinityAssistantUnexpectedStatusError,
    ]
    late: list[type[TimeoutError]] = [InfinityAssistantTimeoutError]
    lost: list[type[TransportError]] = [InfinityAssistantNetworkError]
    unsent: type[ConnectError] = InfinityAssistantUnreachableError
    cut: list[type[StreamError]] = [InfinityAssistantStreamInterruptedError]
    truncated: list[type[Truncated]] = [InfinityAssistantStreamTruncatedError]
    unreadable: type[AnswerError] = InfinityAssistantUnreadableAnswerError
    every: list[type[ChatloomError]] = [*statuses, *lost, *cut, *truncated, unsent, unreadable]
    assert_type((late[0], every[0]("why").message), tuple[type[TimeoutError], str])


def mistakes(client: InfinityAssistantClient, other: AsyncInfinityAssistantClient) -> None:
    client.chat(mesage="hi")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.chat("hi", "c")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.chat("hi", user_tier="gold")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.chat_stream("hi", driving_mode=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.store_memory("k", client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.research("q", depth="abyss")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.add_knowledge({"title": "T"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
    client.search_knowledge("q", filters={"kind": "x"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.store_memory("k", 1, 60, "u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.retrieve_memory("k", user="u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.add_knowledge({"content": "c", "format": "docx"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
    client.research("q", model=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    str(client.chat("hi")["text"])  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    str(next(client.chat_stream("hi"))["content"])  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues]
    InfinityAssistantClient("k", max_retrys=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    InfinityAssistantClient("k", max_retries="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    other.health()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    aiter(client.chat_stream("hi"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with other:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
