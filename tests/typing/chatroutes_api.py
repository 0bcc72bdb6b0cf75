"""What callers of the ChatRoutes SDK see, checked by mypy and pyright. Never run.

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
from chatloom.core.engine import Async, RawAsync, RawSync, Sync
from chatloom.core.http import JSON
from chatloom.core.pages import AsyncPages, Pages
from chatloom.core.raw import Raw
from chatloom.core.secret import Secret
from chatroutes import (
    AsyncChatRoutes,
    AsyncMessageStream,
    AuthenticationError,
    AutobranchResource,
    Branch,
    BranchesResource,
    BranchInfo,
    BranchPoint,
    BranchSuggestion,
    ChatRoutes,
    ChatRoutesError,
    Checkpoint,
    CheckpointCreateRequest,
    CheckpointsResource,
    ConflictError,
    Conversation,
    ConversationsResource,
    ConversationTree,
    CreateBranchRequest,
    CreateConversationRequest,
    Diff,
    DiffSide,
    ForbiddenError,
    ForkConversationRequest,
    HealthResponse,
    HttpClient,
    ListConversationsParams,
    MergeBranchRequest,
    MergeInfo,
    Message,
    MessageMetadata,
    MessagesResource,
    MessageStream,
    MessageUsage,
    Money,
    NetworkError,
    NetworkTimeoutError,
    NotFoundError,
    PaginatedResponse,
    RateLimitError,
    SearchHit,
    SearchResponse,
    SendMessageRequest,
    SendMessageResponse,
    ServerError,
    ServerUnreachableError,
    StreamChunk,
    StreamInterruptedError,
    StreamTruncatedError,
    SuggestBranchesRequest,
    SuggestBranchesResponse,
    SuggestionMetadata,
    TreeBranch,
    TreeMetadata,
    TreeNode,
    UnexpectedStatusError,
    UnreadableAnswerError,
    UpdateBranchRequest,
    UpdateConversationRequest,
    ValidationError,
)
from chatroutes.service import Service


def making() -> None:
    assert_type(ChatRoutes(), ChatRoutes)
    assert_type(ChatRoutes("key", "http://x/api/v1", 30, 3, 1.0), ChatRoutes)
    made = ChatRoutes(api_key=Secret("key"), timeout=None, retry_attempts=0, retry_delay=0.5)
    assert_type(
        (made.api_key, made.base_url, made.timeout), tuple[Secret | None, str, float | None]
    )
    assert_type(ChatRoutes("key", http_client=httpx.Client()), ChatRoutes)
    assert_type(AsyncChatRoutes("key", max_retries=0), AsyncChatRoutes)
    assert_type(made.with_options(timeout=3), ChatRoutes)
    assert_type(made.conversations, ConversationsResource[Sync])
    assert_type(made.messages, MessagesResource[Sync])
    assert_type(made.branches, BranchesResource[Sync])
    assert_type(made.checkpoints, CheckpointsResource[Sync])
    assert_type(made.autobranch, AutobranchResource[Sync])
    assert_type(made.http, HttpClient[Sync])


def conversations(client: ChatRoutes) -> None:
    created = client.conversations.create({"title": "T", "model": "gpt-5", "temperature": 1})
    assert_type(created, Conversation)
    assert_type((created["id"], created["title"]), tuple[str, str])
    assert_type(created.get("messages"), list[Message] | None)
    request = CreateConversationRequest(title="T", systemPrompt="be brief", metadata={"a": 1})
    assert_type(client.conversations.create(request), Conversation)
    assert_type(client.conversations.list(), PaginatedResponse)
    listed = client.conversations.list({"page": 1, "limit": 10, "filter": "owned"})
    assert_type((listed["data"], listed["hasNext"]), tuple[list[Conversation], bool])
    assert_type(client.conversations.list(ListConversationsParams(page=2))["total"], int)
    assert_type(client.conversations.iter(50, filter="all"), Pages[Conversation])
    assert_type(client.conversations.get("c"), Conversation)
    change = UpdateConversationRequest(title="New")
    assert_type(client.conversations.update("c", change), Conversation)
    assert_type(client.conversations.update("c", {"model": "m"}), Conversation)
    assert_type(client.conversations.delete("c"), None)
    found = client.conversations.search("a", conversation_id="c", limit=5, cursor="x")
    assert_type(found, SearchResponse)
    assert_type((found["hits"], found["nextCursor"]), tuple[list[SearchHit], str | None])
    assert_type(client.conversations.iter_search("a", page_size=5), Pages[SearchHit])


def trees(client: ChatRoutes) -> None:
    tree = client.conversations.get_tree("c")
    assert_type(tree, ConversationTree)
    assert_type(tree["tree"], TreeNode)
    assert_type(tree["tree"]["children"], list[TreeNode])
    assert_type(tree["tree"].get("branchInfo"), BranchInfo | None)
    assert_type(tree["metadata"], TreeMetadata)
    assert_type(tree["branches"], list[TreeBranch])
    assert_type(tree["branches"][0]["branch"], Branch)


def messages(client: ChatRoutes) -> None:
    answer = client.messages.send("c", {"content": "hi", "model": "gpt-5", "maxTokens": 9})
    assert_type(answer, SendMessageResponse)
    assert_type((answer["message"], answer["userMessage"]), tuple[Message, Message | None])
    assert_type((answer["usage"], answer["usage"]["totalTokens"]), tuple[MessageUsage, int])
    assert_type(answer["message"].get("metadata"), MessageMetadata | None)
    request = SendMessageRequest(content="hi", branchId="b")
    assert_type(client.messages.send("c", request)["assistantMessage"]["content"], str)
    assert_type(client.messages.list("c"), list[Message])
    assert_type(client.messages.list("c", branch_id="b"), list[Message])
    assert_type(client.messages.iter("c", "b", order="desc", page_size=5), Pages[Message])
    assert_type(client.messages.update("m", "hi"), Message)
    assert_type(client.messages.delete(message_id="m"), None)


def on_chunk(chunk: StreamChunk) -> None:
    if chunk["type"] == "content":
        assert_type(chunk["content"], str)


def on_complete(message: Message) -> None:
    assert_type(message["content"], str)


async def later(_: StreamChunk) -> None: ...


def streams(client: ChatRoutes) -> None:
    stream = client.messages.stream("c", {"content": "hi"})
    assert_type(stream, MessageStream)
    assert_type(next(stream), StreamChunk)
    assert_type(stream.collect(), SendMessageResponse)
    assert_type((stream.text, stream.message), tuple[str, Message | None])
    assert_type((stream.usage, stream.model), tuple[MessageUsage | None, str | None])
    assert_type(stream.resume_token, str | None)
    assert_type(stream.cancel(), None)
    assert_type(client.messages.resume("t:1"), MessageStream)
    pieces: Iterator[StreamChunk] = stream
    assert_type(next(pieces)["type"] == "content", bool)
    told: list[StreamChunk] = []
    assert_type(client.messages.stream("c", {"content": "hi"}, told.append), None)
    assert_type(client.messages.stream("c", {"content": "hi"}, on_chunk, on_complete), None)
    assert_type(client.messages.stream("c", {"content": "hi"}, on_complete=on_complete), None)


def branches(client: ChatRoutes) -> None:
    assert_type(client.branches.list("c"), list[Branch])
    assert_type(client.branches.create("c", {"title": "B", "contextMode": "FULL"}), Branch)
    assert_type(client.branches.create("c", CreateBranchRequest(title="B")), Branch)
    fork = ForkConversationRequest(forkPointMessageId="m", title="B")
    assert_type(client.branches.fork("c", fork), Branch)
    assert_type(client.branches.update("c", "b", {"title": "B"}), Branch)
    assert_type(client.branches.update("c", "b", UpdateBranchRequest(isActive=False)), Branch)
    assert_type(client.branches.delete("c", "b"), None)
    assert_type(client.branches.get_messages("c", "b"), list[Message])
    assert_type(client.branches.send_message("c", "b", {"content": "hi"}), SendMessageResponse)
    merged = client.branches.merge("c", "b")
    assert_type((merged, merged.get("merge")), tuple[Branch, MergeInfo | None])
    assert_type(client.branches.merge("c", "b", MergeBranchRequest(strategy="pick")), Branch)
    diff = client.branches.diff("c", "b", against="d")
    assert_type((diff, diff["against"]), tuple[Diff, DiffSide])
    assert_type(diff["branch"]["cost"], Money)


def beside(client: ChatRoutes) -> None:
    assert_type(client.checkpoints.list("c", "b"), list[Checkpoint])
    assert_type(client.checkpoints.create("c", "b", "m", model="x"), Checkpoint)
    assert_type(client.checkpoints.recreate("p")["anchor_message_id"], str)
    assert_type(client.checkpoints.delete("p"), None)
    assert_type(CheckpointCreateRequest(branchId="b", anchorMessageId="m")["branchId"], str)
    told = client.autobranch.suggest_branches("t", suggestions_count=5, llm_api_key=Secret("k"))
    assert_type(told, SuggestBranchesResponse)
    assert_type(told["suggestions"], list[BranchSuggestion])
    assert_type(told["suggestions"][0]["branchPoint"], BranchPoint)
    assert_type(told["metadata"], SuggestionMetadata)
    assert_type(SuggestBranchesRequest(text="t")["text"], str)
    assert_type(client.autobranch.health(), HealthResponse)


def anything(client: ChatRoutes) -> None:
    assert_type(client.http.get("/conversations", {"page": 2}), dict[str, JSON])
    assert_type(client.http.post("/x", {"a": 1}, headers={"x-a": "b"}), dict[str, JSON])
    assert_type(client.http.patch("/x", {"a": 1}), dict[str, JSON])
    assert_type(client.http.delete("/x"), dict[str, JSON])
    assert_type(client.http.request("GET", "/x", params={"a": 1}), dict[str, JSON])
    assert_type(client.http.stream("/x", {"a": 1}, on_chunk), Message)


async def awaiting(client: AsyncChatRoutes, flat: Service[Async]) -> None:
    coroutine: Coroutine[None, None, Conversation] = client.conversations.get("c")
    assert_type(await coroutine, Conversation)
    assert_type(await flat.messages.send("c", {"content": "hi"}), SendMessageResponse)
    assert_type(client.messages.stream("c", {"content": "hi"}), AsyncMessageStream)
    assert_type(await client.messages.stream("c", {"content": "hi"}, later), None)
    assert_type(await client.messages.stream("c", {"content": "hi"}, on_chunk, on_complete), None)
    assert_type(client.conversations.iter(), AsyncPages[Conversation])
    assert_type(client.messages.resume("t:1"), AsyncMessageStream)
    assert_type(await client.http.get("/x"), dict[str, JSON])
    both = await asyncio.gather(client.branches.list("c"), client.autobranch.health())
    assert_type(both, tuple[list[Branch], HealthResponse])
    async with client as entered, client.messages.stream("c", {"content": "hi"}) as stream:
        assert_type(entered, AsyncChatRoutes)
        async for chunk in stream:
            assert_type(chunk, StreamChunk)
        assert_type(stream.message, Message | None)
    assert_type(await client.close(), None)


def raw(client: ChatRoutes) -> None:
    assert_type(client.with_raw_response, Service[RawSync])
    assert_type(client.with_raw_response.conversations.get("c"), Raw[Conversation])
    assert_type(client.with_raw_response.messages.list("c").parsed, list[Message])
    assert_type(client.with_raw_response.messages.stream("c", {"content": "hi"}), MessageStream)
    told = client.with_raw_response.messages.stream("c", {"content": "hi"}, on_chunk)
    assert_type(told, Raw[None])


async def awaited_raw(client: AsyncChatRoutes) -> None:
    assert_type(client.with_raw_response, Service[RawAsync])
    assert_type(await client.with_raw_response.branches.merge("c", "b"), Raw[Branch])
    told = client.with_raw_response.messages.stream("c", {"content": "hi"}, later)
    assert_type(await told, Raw[None])


def errors(error: ChatRoutesError, broken: StreamInterruptedError) -> None:
    assert_type(ChatRoutesError("why", 418, "TEAPOT", {"a": 1}), ChatRoutesError)
    assert_type(ValidationError("why", {"a": 1}).details, JSON)
    assert_type(RateLimitError("why", 7, {"a": 1}).retry_after, float | None)
    assert_type((error.message, error.status_code), tuple[str, int | None])
    assert_type((error.code, error.details), tuple[str | None, JSON])
    assert_type((broken.text, broken.resume_token), tuple[str, str | None])
    statuses: list[type[StatusError]] = [ValidationError, AuthenticationError, ForbiddenError]
    statuses += [NotFoundError, ConflictError, RateLimitError, ServerError, UnexpectedStatusError]
    losses: list[type[TransportError]] = [NetworkError, NetworkTimeoutError, StreamTruncatedError]
    lost: list[type[NetworkError]] = [ServerUnreachableError, StreamTruncatedError]
    unsent: type[ConnectError] = ServerUnreachableError
    timeouts: list[type[TimeoutError]] = [NetworkTimeoutError]
    cut: list[type[StreamError]] = [StreamInterruptedError, StreamTruncatedError]
    truncated: list[type[Truncated]] = [StreamTruncatedError]
    unreadable: type[AnswerError] = UnreadableAnswerError
    every: list[type[ChatloomError]] = [*statuses, *losses, *lost, *cut, unsent, unreadable]
    assert_type((timeouts[0], truncated[0]), tuple[type[TimeoutError], type[Truncated]])
    assert_type(every[0]("why").message, str)


def mistakes(client: ChatRoutes, other: AsyncChatRoutes) -> None:
    client.conversations.create({"titel": "T"})  # type: ignore[typeddict-item, typeddict-unknown-key]  # pyright: ignore[reportArgumentType]
    client.conversations.create(title="T")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.conversations.list({"filter": "mine"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.messages.send("c", "hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.messages.stream("c", {"content": "hi"}, "x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.messages.iter("c", order="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.branches.merge("c", "b", {"strategy": "x"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    str(client.conversations.get("c")["name"])  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    ChatRoutes("k", max_retrys=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatRoutes("k", retry_attempts="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    other.conversations.list()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    aiter(client.messages.stream("c", {"content": "hi"}))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with other:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
