"""What callers of the Zaguan SDK see, checked by mypy and pyright. Never run.

Each public name must be here, and the mistakes below must be mistakes to both.
"""

# What is mistaken is unknown, too:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import date
from typing import assert_type

import httpx
import httpx2

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
from chatloom.policies.hooks import Hooks
from zaguan import (
    AnthropicMessage,
    AnthropicUsage,
    APIError,
    AsyncChatStream,
    AsyncMessagesStream,
    AsyncZaguanClient,
    BandAccessDeniedError,
    ChatChunk,
    ChatRequest,
    ChatResponse,
    ChatStream,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    Config,
    ContentBlock,
    CountTokensRequest,
    CountTokensResponse,
    CreditsBalance,
    CreditsHistory,
    CreditsHistoryEntry,
    CreditsStats,
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbeddingsUsage,
    FunctionCall,
    FunctionDelta,
    HealthStatus,
    InsufficientCreditsError,
    Message,
    MessagesDelta,
    MessagesRequest,
    MessagesResponse,
    MessagesStream,
    MessagesStreamEvent,
    ModelCapabilities,
    ModelInfo,
    RateLimitError,
    Role,
    ServerUnreachableError,
    StreamAccumulator,
    StreamInterruptedError,
    StreamTruncatedError,
    TokenDetails,
    ToolCall,
    ToolCallDelta,
    UnreadableAnswerError,
    Usage,
    ZaguanClient,
    ZaguanConnectionError,
    ZaguanError,
    ZaguanTimeoutError,
    reconstruct_message_from_stream,
)
from zaguan.operations import Zaguan

HI = [Message(role="user", content="hi")]


def making(hooks: Hooks) -> None:
    assert_type(ZaguanClient(), ZaguanClient)
    assert_type(ZaguanClient("http://x", "key", 30, httpx.Client()), ZaguanClient)
    assert_type(ZaguanClient(base_url="http://x", api_key="key", timeout=None).base_url, str)
    assert_type(ZaguanClient("http://x", Secret("key"), http_client=httpx2.Client()), ZaguanClient)
    config = Config(base_url="http://x", api_key="key", timeout=5)
    assert_type(ZaguanClient(config, hooks=hooks, max_retries=0).api_key, Secret | None)
    assert_type(AsyncZaguanClient(config, http_client=httpx.AsyncClient()), AsyncZaguanClient)
    assert_type(AsyncZaguanClient("http://x", "key").timeout, float | None)
    assert_type(ZaguanClient().with_options(timeout=3, max_retries=0), ZaguanClient)
    assert_type(AsyncZaguanClient().with_options(extra_body={"a": 1}), AsyncZaguanClient)


def asking(role: Role) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    call = ToolCall(id="c1", function=FunctionCall(name="f", arguments="{}"))
    request = ChatRequest(
        model="openai/gpt-4o",
        messages=[
            Message(role="system", content="be brief"),
            Message(
                role="user",
                content=[
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "u"}},
                ],
                name="Ada",
            ),
            Message(role="assistant", tool_calls=[call]),
            Message(role="tool", content="42", tool_call_id="c1"),
            Message(role=role, content="hi"),
        ],
        temperature=0,
        max_tokens=9,
        top_p=1,
        stream=True,
        tools=tools,
        tool_choice="auto",
        response_format={"type": "json_object"},
        provider_specific_params={"thinking": {"type": "enabled", "budget_tokens": 9}},
        extra_body={"flex": True},
        stop=["x"],
    )
    assert_type(request.dict(by_alias=True, exclude_none=True), dict[str, object])
    assert_type(request.json(indent=2), str)
    assert_type(request.copy(update={"stream": False}), ChatRequest)
    assert_type(ChatRequest.parse_obj({"model": "m", "messages": []}), ChatRequest)
    assert_type(request.messages[0].content, str | Sequence[Mapping[str, object]] | None)


def blocking(client: ZaguanClient, flat: Zaguan[Sync]) -> None:
    request = ChatRequest(model="m", messages=HI)
    assert_type(client.chat(request), ChatResponse)
    assert_type(client.chat(request, "id"), ChatResponse)
    assert_type(client.chat(request=request, request_id="id").usage, Usage)
    assert_type(client.chat_simple("hi"), ChatResponse)
    assert_type(client.chat_with_system("be brief", "hi", model="m").text, str)
    assert_type(client.chat_stream(request), ChatStream)
    assert_type(client.chat_stream(request, request_id="id").collect(), ChatResponse)
    assert_type(client.resume_chat("t:1"), ChatStream)
    assert_type(client.list_models(), list[ModelInfo])
    assert_type(client.get_capabilities(supports_vision=True), list[ModelCapabilities])
    assert_type(client.health_check(), HealthStatus)
    assert_type(flat.chat(request), ChatResponse)
    pieces: Iterator[ChatChunk] = client.chat_stream(request)
    assert_type(reconstruct_message_from_stream(pieces), Message)
    with client as entered, client.chat_stream(request) as stream:
        assert_type(entered, ZaguanClient)
        for chunk in stream:
            assert_type(chunk, ChatChunk)
    assert_type(client.close(), None)


def accounts(client: ZaguanClient) -> None:
    assert_type(client.get_credits_balance(), CreditsBalance)
    assert_type(client.get_credits_balance().credits_remaining, int)
    assert_type(client.get_credits_balance().exact("credits_remaining"), float | None)
    assert_type(client.get_credits_history(9, "cursor"), CreditsHistory)
    assert_type(client.get_credits_history(page=2, start_date=date(2026, 1, 1)), CreditsHistory)
    assert_type(client.get_credits_history().entries, list[CreditsHistoryEntry])
    assert_type(client.iter_credits_history(limit=9), Pages[CreditsHistoryEntry])
    assert_type(client.get_credits_stats("day", group_by=["model"]), CreditsStats)
    assert_type(client.get_credits_stats().model_breakdown, list[dict[str, JSON]])


def embeddings(client: ZaguanClient) -> None:
    answer = client.create_embeddings(EmbeddingsRequest(model="m", input=["a", "b"]))
    assert_type(answer, EmbeddingsResponse)
    assert_type(answer.data, list[Embedding])
    assert_type(answer.data[0].embedding, list[float] | str)
    assert_type(answer.usage, EmbeddingsUsage)


def anthropic(client: ZaguanClient) -> None:
    answer_to = AnthropicMessage(role="assistant", content=[ContentBlock(text="hi")])
    blocks = [{"type": "text", "text": "hi"}]
    request = MessagesRequest(
        model="m",
        max_tokens=9,
        messages=[AnthropicMessage(role="user", content=blocks), answer_to],
        system=blocks,
    )
    answer = client.messages(request)
    assert_type(answer, MessagesResponse)
    assert_type(answer.content, list[ContentBlock])
    assert_type(answer.usage, AnthropicUsage)
    again = AnthropicMessage(role="assistant", content=answer.content)
    assert_type(client.count_tokens(request), CountTokensResponse)
    assert_type(
        client.count_tokens(CountTokensRequest(model="m", messages=[again])).input_tokens, int
    )
    stream = client.messages_stream(request)
    assert_type(stream, MessagesStream)
    assert_type(next(stream), MessagesStreamEvent)
    assert_type(next(stream).delta, MessagesDelta | None)
    assert_type(stream.response, MessagesResponse)
    assert_type(stream.collect(), MessagesResponse)
    assert_type(client.resume_messages("t:1"), MessagesStream)


async def awaiting(client: AsyncZaguanClient, flat: Zaguan[Async]) -> None:
    request = ChatRequest(model="m", messages=HI)
    coroutine: Coroutine[None, None, ChatResponse] = client.chat(request)
    assert_type(await coroutine, ChatResponse)
    assert_type(client.chat_stream(request), AsyncChatStream)
    assert_type(await client.chat_stream(request).collect(), ChatResponse)
    assert_type(await client.list_models(), list[ModelInfo])
    assert_type(await client.get_capabilities(), list[ModelCapabilities])
    assert_type(await flat.get_credits_balance(), CreditsBalance)
    assert_type(client.iter_credits_history(), AsyncPages[CreditsHistoryEntry])
    both = await asyncio.gather(client.chat(request), client.health_check())
    assert_type(both, tuple[ChatResponse, HealthStatus])
    async with client as entered, client.chat_stream(request) as stream:
        assert_type(entered, AsyncZaguanClient)
        async for chunk in stream:
            assert_type(chunk, ChatChunk)
        assert_type(stream.response, ChatResponse)
    asked = MessagesRequest(model="m", max_tokens=9, messages=[])
    assert_type(client.messages_stream(asked), AsyncMessagesStream)
    assert_type(await client.messages_stream(asked).collect(), MessagesResponse)
    assert_type(client.resume_chat("t:1"), AsyncChatStream)
    assert_type(await client.close(), None)


def raw(client: ZaguanClient) -> None:
    request = ChatRequest(model="m", messages=HI)
    assert_type(client.with_raw_response, Zaguan[RawSync])
    assert_type(client.with_raw_response.chat(request), Raw[ChatResponse])
    assert_type(client.with_raw_response.list_models().parsed, list[ModelInfo])
    assert_type(client.with_raw_response.chat_stream(request), ChatStream)


async def awaited_raw(client: AsyncZaguanClient) -> None:
    request = ChatRequest(model="m", messages=HI)
    assert_type(client.with_raw_response, Zaguan[RawAsync])
    assert_type(await client.with_raw_response.chat(request), Raw[ChatResponse])


def streams(stream: ChatStream) -> None:
    assert_type(stream.response, ChatResponse)
    assert_type(stream.text, str)
    assert_type(stream.headers, Mapping[str, str])
    assert_type(stream.resume_token, str | None)
    assert_type(stream.cancel(), None)
    chunk = next(stream)
    assert_type(chunk.usage, Usage | None)
    assert_type(chunk.choices, list[ChunkChoice])
    assert_type(chunk.choices[0].delta, ChoiceDelta)
    assert_type(chunk.choices[0].delta.tool_calls, list[ToolCallDelta] | None)
    assert_type(ToolCallDelta().function, FunctionDelta | None)


def answers(answer: ChatResponse) -> None:
    assert_type(answer.choices, list[Choice])
    assert_type(answer.choices[0].message, Message | None)
    assert_type(answer.usage.completion_tokens_details, TokenDetails | None)
    assert_type(answer.created, int)
    assert_type(answer.metadata, dict[str, JSON] | None)


def accumulating(chunk: ChatChunk) -> None:
    so_far = StreamAccumulator()
    assert_type(so_far.add_chunk(chunk), None)
    assert_type(so_far.get_message(), Message)
    assert_type(so_far.get_content(1), str)
    assert_type(so_far.get_finish_reason(), str | None)
    assert_type(so_far.get_response(), ChatResponse)
    assert_type(so_far.choice_indexes, list[int])
    assert_type(so_far.usage, Usage | None)
    assert_type(so_far.reset(), None)


def errors(
    error: APIError,
    poor: InsufficientCreditsError,
    fast: RateLimitError,
    low: BandAccessDeniedError,
    broken: StreamInterruptedError,
) -> None:
    assert_type(APIError(400, "why"), APIError)
    assert_type(APIError(400, "why", "id").status_code, int)
    assert_type(error.request_id, str | None)
    assert_type(error.body, JSON)
    assert_type((poor.credits_required, poor.reset_date), tuple[float | None, str | None])
    assert_type(fast.retry_after, float | None)
    assert_type((low.band, low.required_tier), tuple[str | None, str | None])
    assert_type((broken.text, broken.usage), tuple[str, JSON])
    assert_type(broken.resume_token, str | None)
    refusals: list[type[APIError]] = [type(poor), type(fast), type(low)]
    statuses: list[type[StatusError]] = [APIError, *refusals]
    losses: list[type[TransportError]] = [ZaguanConnectionError, ZaguanTimeoutError]
    unsent: type[ConnectError] = ServerUnreachableError
    timeouts: list[type[TimeoutError]] = [ZaguanTimeoutError]
    cut: list[type[StreamError]] = [StreamInterruptedError, StreamTruncatedError]
    truncated: list[type[Truncated]] = [StreamTruncatedError]
    unreadable: type[AnswerError] = UnreadableAnswerError
    documented: list[type[ZaguanError]] = [UnreadableAnswerError, ServerUnreachableError]
    every: list[type[ChatloomError]] = [*statuses, *losses, *cut, *documented, unsent, unreadable]
    assert_type((timeouts[0], truncated[0]), tuple[type[TimeoutError], type[Truncated]])
    assert_type(every[0]("why").message, str)


def mistakes(client: ZaguanClient, other: AsyncZaguanClient) -> None:
    Message(role="usre", content="hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Message(content="hi")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatRequest(model="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatRequest(model="m", messages=["hi"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    ChatRequest(model="m", messages=HI, temprature=0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MessagesRequest(model="m", messages=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.chat("hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.chat_simple("hi", modle="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get_capabilities(True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    str(client.list_models().data)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    ZaguanClient(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ZaguanClient("x", "k", max_retrys=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    APIError("why")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    other.list_models()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    aiter(client.chat_stream(ChatRequest(model="m", messages=HI)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with other:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
