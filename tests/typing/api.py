"""What callers see, checked by mypy and pyright. Never run.

Each public name must be here, and the mistakes below must be mistakes to both.
"""

# What is mistaken is unknown, too:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import TypeAlias, assert_type

from chatloom import (
    AnswerError,
    ChatloomError,
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
)
from chatloom.core.engine import Async, RawAsync, RawSync, Sync
from chatloom.core.http import JSON
from chatloom.core.pages import AsyncPages, Pages
from chatloom.core.raw import Raw
from chatloom.core.secret import Secret
from chatloom.policies.hooks import Hooks
from chatserver_sdk import (
    AdminResponse,
    AsyncChatServerClient,
    AsyncCompletionStream,
    AuditEntry,
    AuditLogResponse,
    BadRequestError,
    ChatCompletionChoice,
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatMessageRecord,
    ChatServerClient,
    ChatServerConnectionError,
    ChatServerError,
    ChatServerTimeoutError,
    ChatSessionDetailResponse,
    ChatSessionListResponse,
    ChatSessionSummary,
    CompletionStream,
    ForbiddenError,
    InternalServerError,
    Message,
    MessageLike,
    MessageRole,
    ModelInfo,
    ModelsResponse,
    NotFoundError,
    PlatformAdmin,
    PlatformAdmins,
    PlatformStats,
    RateLimitError,
    ServerUnreachableError,
    StreamInterruptedError,
    StreamMetadata,
    StreamTruncatedError,
    SystemHealth,
    UnauthorizedError,
    UnexpectedStatusError,
    UnreadableAnswerError,
    UsageInfo,
    create_client,
)
from chatserver_sdk.completions import ChatServer

mixed: list[MessageLike] = [
    "hi",
    {"role": "user", "content": "hi"},
    Message(MessageRole.USER, "hi"),
]


def making() -> None:
    assert_type(ChatServerClient(), ChatServerClient)
    assert_type(ChatServerClient("key", "http://localhost:3284", 30), ChatServerClient)
    assert_type(ChatServerClient(api_key=Secret("key"), timeout=None, max_retries=0).base_url, str)
    assert_type(AsyncChatServerClient(api_key=None).api_key, Secret | None)
    assert_type(AsyncChatServerClient(base_url="http://x").timeout, float | None)
    assert_type(create_client("key", "http://localhost:3284", 30), ChatServerClient)


def blocking(client: ChatServerClient, flat: ChatServer[Sync]) -> None:
    assert_type(client.create_completion("m", ["hi"]), ChatCompletionResponse)
    assert_type(client.create_completion("m", ["hi"], stream=False), ChatCompletionResponse)
    assert_type(client.create_completion("m", ["hi"], stream=True), CompletionStream)
    assert_type(client.create_completion("m", ["hi"], 0.7, 9, 1.0, True), CompletionStream)
    assert_type(client.create_completion("m", ["hi"], 0, 9, 1, False), ChatCompletionResponse)
    assert_type(client.list_models(), ModelsResponse)
    assert_type(flat.create_completion("m", mixed), ChatCompletionResponse)
    assert_type(client.close(), None)
    with client as entered, client.create_completion("m", ["hi"], stream=True) as stream:
        assert_type(entered, ChatServerClient)
        assert_type(stream, CompletionStream)
        for piece in stream:
            assert_type(piece, str)


def either_way(client: ChatServerClient, wanted: bool) -> None:
    either = client.create_completion("m", ["hi"], stream=wanted)
    assert_type(either, ChatCompletionResponse | CompletionStream)


def every_argument(client: ChatServerClient, told: Mapping[str, object]) -> None:
    completion = client.create_completion(
        model="m",
        messages=mixed,
        temperature=0,
        max_tokens=9,
        top_p=1,
        user="u",
        system_prompt="be brief",
        session_id="s",
        metadata=told,
        organization_id="o",
        workflow="w",
        variables=told,
        allowed_tools=["t"],
        setting_sources=("s",),
        mcp_servers=told,
    )
    assert_type(completion, ChatCompletionResponse)
    assert_type(
        client.create_completion(model="m", messages=(), stream=True, metadata=told),
        CompletionStream,
    )


def raw(client: ChatServerClient, flat: ChatServer[RawSync]) -> None:
    raw = client.with_raw_response
    assert_type(raw, ChatServer[RawSync])
    assert_type(raw.create_completion("m", ["hi"]), Raw[ChatCompletionResponse])
    assert_type(raw.create_completion("m", ["hi"], stream=True), CompletionStream)
    assert_type(flat.list_models(), Raw[ModelsResponse])
    assert_type(raw.list_models().parsed.data, list[ModelInfo])
    assert_type(raw.list_models().headers, Mapping[str, str])


async def awaited_raw(client: AsyncChatServerClient) -> None:
    raw = client.with_raw_response
    assert_type(raw, ChatServer[RawAsync])
    assert_type(await raw.create_completion("m", ["hi"]), Raw[ChatCompletionResponse])
    assert_type(raw.create_completion("m", ["hi"], stream=True), AsyncCompletionStream)
    assert_type((await raw.list_models()).parsed, ModelsResponse)


def sessions(client: ChatServerClient, flat: ChatServer[RawSync]) -> None:
    assert_type(client.list_sessions("u"), ChatSessionListResponse)
    assert_type(client.list_sessions("u", 2, 50, archived=True).sessions, list[ChatSessionSummary])
    assert_type(client.iter_sessions("u"), Pages[ChatSessionSummary])
    assert_type(client.iter_sessions("u", 50, archived=True).collect(), list[ChatSessionSummary])
    assert_type(client.get_session("s", user_id="u"), ChatSessionDetailResponse)
    assert_type(client.update_session("s", user_id="u", title="t"), ChatSessionSummary)
    assert_type(
        client.update_session("s", user_id="u", archived=True, metadata={"a": 1}),
        ChatSessionSummary,
    )
    assert_type(client.archive_session("s", user_id="u"), ChatSessionSummary)
    assert_type(client.archive_session("s", user_id="u", archived=False), ChatSessionSummary)
    for session in client.iter_sessions("u"):
        assert_type(session, ChatSessionSummary)
    assert_type(client.with_raw_response.iter_sessions("u"), Pages[ChatSessionSummary])
    assert_type(flat.list_sessions("u"), Raw[ChatSessionListResponse])
    assert_type(flat.get_session("s", user_id="u"), Raw[ChatSessionDetailResponse])
    assert_type(flat.archive_session("s", user_id="u").parsed, ChatSessionSummary)


async def awaited_sessions(client: AsyncChatServerClient, flat: ChatServer[RawAsync]) -> None:
    assert_type(await client.list_sessions("u", page=2, page_size=50), ChatSessionListResponse)
    assert_type(client.iter_sessions("u"), AsyncPages[ChatSessionSummary])
    assert_type(await client.iter_sessions("u", 50).collect(), list[ChatSessionSummary])
    assert_type(await client.get_session("s", user_id="u"), ChatSessionDetailResponse)
    assert_type(await client.update_session("s", user_id="u", title="t"), ChatSessionSummary)
    assert_type(await client.archive_session("s", user_id="u"), ChatSessionSummary)
    async for session in client.iter_sessions("u"):
        assert_type(session, ChatSessionSummary)
    assert_type(client.with_raw_response.iter_sessions("u"), AsyncPages[ChatSessionSummary])
    assert_type(await flat.list_sessions("u"), Raw[ChatSessionListResponse])
    assert_type((await flat.update_session("s", user_id="u")).parsed, ChatSessionSummary)


def platform(client: ChatServerClient, flat: ChatServer[RawSync]) -> None:
    assert_type(client.get_platform_stats(), PlatformStats)
    assert_type(client.list_admins(), PlatformAdmins)
    assert_type(client.list_admins()["count"], int)
    assert_type(client.list_admins()["admins"], list[PlatformAdmin])
    assert_type(client.add_admin("w", "a@b.c"), AdminResponse)
    assert_type(client.add_admin("w", "a@b.c", "Ada").email, str)
    assert_type(client.remove_admin("a@b.c"), AdminResponse)
    assert_type(client.get_audit_log(), AuditLogResponse)
    assert_type(client.get_audit_log(20, offset=40).entries, list[AuditEntry])
    assert_type(client.iter_audit_log(), Pages[AuditEntry])
    assert_type(next(client.iter_audit_log(limit=200)), AuditEntry)
    assert_type(flat.get_platform_stats(), Raw[PlatformStats])
    assert_type(flat.list_admins().parsed, PlatformAdmins)
    assert_type(flat.remove_admin("a@b.c"), Raw[AdminResponse])
    assert_type(flat.iter_audit_log(), Pages[AuditEntry])


async def awaited_platform(client: AsyncChatServerClient, flat: ChatServer[RawAsync]) -> None:
    assert_type(await client.get_platform_stats(), PlatformStats)
    assert_type((await client.list_admins())["admins"], list[PlatformAdmin])
    assert_type(await client.add_admin("w", "a@b.c", name="Ada"), AdminResponse)
    assert_type(await client.remove_admin("a@b.c"), AdminResponse)
    assert_type(await client.get_audit_log(limit=20, offset=40), AuditLogResponse)
    assert_type(client.iter_audit_log(), AsyncPages[AuditEntry])
    assert_type([entry async for entry in client.iter_audit_log()], list[AuditEntry])
    assert_type(await flat.list_admins(), Raw[PlatformAdmins])
    assert_type(await flat.get_audit_log(), Raw[AuditLogResponse])


def options(client: ChatServerClient, other: AsyncChatServerClient, hooks: Hooks) -> None:
    assert_type(client.with_options(timeout=3, max_retries=0), ChatServerClient)
    assert_type(other.with_options(extra_headers={"x": "y"}), AsyncChatServerClient)
    assert_type(client.with_options(extra_body={"seed": 7}).timeout, float | None)
    ChatServerClient(hooks=hooks, default_headers={"x": "y"}, total_timeout=60, policies=[hooks])
    client.with_options(timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.with_options(tiemout=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatServerClient(hoks=hooks)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def going_on(client: ChatServerClient, other: AsyncChatServerClient) -> None:
    assert_type(client.resume_completion("t:1"), CompletionStream)
    assert_type(client.with_raw_response.resume_completion("t:1"), CompletionStream)
    assert_type(other.resume_completion(resume_token="t:1"), AsyncCompletionStream)
    assert_type(await other.with_raw_response.resume_completion("t:1"), AsyncCompletionStream)
    client.resume_completion(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def forms_of_messages(client: ChatServerClient) -> None:
    client.create_completion("m", [{"role": "user", "content": "hi"}])
    client.create_completion("m", [{"role": MessageRole.USER, "content": [{"type": "text"}]}])
    client.create_completion("m", [Message(role=MessageRole.USER, content="hi")])
    client.create_completion("m", ("hi",))
    answer = client.create_completion("m", mixed)
    conversation = [Message(MessageRole.USER, "hi")]
    conversation.append(answer.choices[0].message)
    client.create_completion("m", conversation)


async def awaiting(client: AsyncChatServerClient, flat: ChatServer[Async]) -> None:
    coroutine: Coroutine[None, None, ModelsResponse] = client.list_models()
    assert_type(await coroutine, ModelsResponse)
    assert_type(await client.create_completion("m", ["hi"]), ChatCompletionResponse)
    assert_type(await client.create_completion("m", ["hi"], stream=False), ChatCompletionResponse)
    assert_type(client.create_completion("m", ["hi"], stream=True), AsyncCompletionStream)
    assert_type(client.create_completion("m", ["hi"], 0.7, 9, 1, True), AsyncCompletionStream)
    assert_type(await client.create_completion("m", ["hi"], stream=True), AsyncCompletionStream)
    assert_type(await flat.list_models(), ModelsResponse)
    assert_type(await asyncio.create_task(client.list_models()), ModelsResponse)
    both = await asyncio.gather(client.list_models(), client.create_completion("m", ["hi"]))
    assert_type(both, tuple[ModelsResponse, ChatCompletionResponse])
    assert_type(await client.close(), None)
    assert_type(await client.aclose(), None)
    async with client as entered, client.create_completion("m", ["hi"], stream=True) as stream:
        assert_type(entered, AsyncChatServerClient)
        assert_type(stream, AsyncCompletionStream)
        async for piece in stream:
            assert_type(piece, str)


def streams(stream: CompletionStream) -> None:
    assert_type(next(stream), str)
    assert_type(list(stream), list[str])
    assert_type(stream.collect(), str)
    assert_type(stream.text, str)
    assert_type(stream.headers, Mapping[str, str])
    assert_type(stream.metadata, StreamMetadata)
    assert_type(stream.metadata["usage"], UsageInfo | None)
    assert_type(stream.metadata.get("system_fingerprint"), str | None)
    assert_type(stream.completion, ChatCompletionResponse)
    assert_type(stream.resume_token, str | None)
    assert_type(stream.cancel(), None)
    assert_type(stream.close(), None)


async def async_streams(stream: AsyncCompletionStream) -> None:
    assert_type(await anext(stream), str)
    assert_type([piece async for piece in stream], list[str])
    assert_type(await stream.collect(), str)
    assert_type(stream.text, str)
    assert_type(stream.headers, Mapping[str, str])
    assert_type(stream.metadata, StreamMetadata)
    assert_type(stream.completion, ChatCompletionResponse)
    assert_type(stream.resume_token, str | None)
    assert_type(await stream.cancel(), None)
    assert_type(await stream.close(), None)


def values(answer: ChatCompletionResponse, models: ModelsResponse) -> None:
    assert_type(answer.choices, list[ChatCompletionChoice])
    assert_type(answer.choices[0].message, Message)
    assert_type(answer.choices[0].message.content, str)
    assert_type(answer.choices[0].finish_reason, str | None)
    assert_type(answer.usage, UsageInfo)
    assert_type(answer.usage.total_tokens, int)
    assert_type(answer.system_fingerprint, str | None)
    assert_type(models.data, list[ModelInfo])
    assert_type([model.id for model in models.data], list[str])
    assert_type(models.data[0].context_length, int | None)
    request = ChatCompletionRequest("m", [Message(MessageRole.USER, "hi")], user="u")
    assert_type(request.to_dict(), dict[str, JSON])
    assert_type(Message.from_dict({"role": "user"}), Message)
    assert_type(ChatCompletionResponse.from_dict({}), ChatCompletionResponse)


def session_values(listed: ChatSessionListResponse, detail: ChatSessionDetailResponse) -> None:
    assert_type((listed.total, listed.page, listed.page_size), tuple[int, int, int])
    assert_type(listed.has_more, bool)
    session = detail.session
    assert_type(session, ChatSessionSummary)
    assert_type((session.id, session.user_id), tuple[str, str])
    assert_type((session.organization_id, session.title), tuple[str | None, str | None])
    assert_type((session.model, session.agent_type), tuple[str | None, str | None])
    assert_type((session.created_at, session.updated_at), tuple[datetime, datetime])
    assert_type(session.last_message_at, datetime | None)
    assert_type(session.message_count, int)
    assert_type((session.tokens_in, session.tokens_out, session.tokens_total), tuple[int, int, int])
    assert_type((session.metadata, session.extra), tuple[dict[str, JSON], dict[str, JSON]])
    assert_type(session.archived, bool)
    assert_type(detail.messages, list[ChatMessageRecord])
    message = detail.messages[0]
    assert_type((message.id, message.session_id), tuple[str, str])
    assert_type((message.message_index, message.tokens), tuple[int, int])
    assert_type((message.role, message.content), tuple[MessageRole, str])
    assert_type(message.created_at, datetime | None)
    assert_type(ChatSessionSummary("s", "u"), ChatSessionSummary)
    assert_type(ChatMessageRecord.from_dict({}, session_id="s"), ChatMessageRecord)


def platform_values(stats: PlatformStats, admin: PlatformAdmin, entry: AuditEntry) -> None:
    assert_type((stats.total_users, stats.active_users), tuple[int, int])
    assert_type((stats.total_requests, stats.requests_today), tuple[int, int])
    assert_type((stats.total_tokens, stats.tokens_today), tuple[int, int])
    assert_type((stats.total_organizations, stats.total_mcp_servers), tuple[int, int])
    assert_type(stats.system_health, SystemHealth)
    assert_type(
        (stats.system_health.status, stats.system_health.active_agents), tuple[str, list[str]]
    )
    assert_type((admin["id"], admin["email"]), tuple[str, str])
    assert_type((admin["name"], admin["created_at"]), tuple[str | None, str | None])
    assert_type(admin.get("is_active"), bool | None)
    assert_type((entry.id, entry.action), tuple[str, str])
    assert_type(entry.timestamp, datetime)
    assert_type((entry.user_id, entry.org_id), tuple[str | None, str | None])
    assert_type((entry.resource, entry.resource_id), tuple[str | None, str | None])
    assert_type(entry.metadata, dict[str, JSON])
    assert_type(AuditLogResponse.from_dict({}).limit, int)
    assert_type(AdminResponse("success", "a@b.c").status, str)


Documented: TypeAlias = (
    type[BadRequestError]
    | type[UnauthorizedError]
    | type[ForbiddenError]
    | type[NotFoundError]
    | type[RateLimitError]
    | type[InternalServerError]
    | type[ChatServerConnectionError]
    | type[ChatServerTimeoutError]
    | type[StreamInterruptedError]
)


def errors(kind: Documented, error: ChatServerError, broken: StreamInterruptedError) -> None:
    documented: type[ChatServerError] = kind
    common: type[ChatloomError] = documented
    assert_type(common("why").message, str)
    assert_type(ChatServerError("why", 400, {"error": "why"}), ChatServerError)
    assert_type(error.message, str)
    assert_type(error.status_code, int | None)
    assert_type(error.code, str | None)
    assert_type(error.request_id, str | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.attempts, int)
    assert_type(error.body, JSON)
    assert_type(error.response, JSON)
    assert_type(broken.text, str)
    assert_type(broken.usage, JSON)
    assert_type(broken.resume_token, str | None)


def common_errors() -> None:
    refusals: list[type[StatusError]] = [BadRequestError, RateLimitError, InternalServerError]
    losses: list[type[TransportError]] = [
        ConnectError,
        ConnectTimedOut,
        TimedOut,
        ChatServerConnectionError,
        ServerUnreachableError,
    ]
    timeouts: list[type[TimeoutError]] = [TimedOut, ChatServerTimeoutError]
    broken: list[type[StreamError]] = [Truncated, StreamInterruptedError, StreamTruncatedError]
    mistakes_: list[type[ValueError]] = [SettingsError]
    others: list[type[ChatloomError]] = [
        AnswerError,
        UnreadableAnswerError,
        UnexpectedStatusError,
        *refusals,
        *losses,
        *broken,
    ]
    assert_type((timeouts[0], mistakes_[0]), tuple[type[TimeoutError], type[ValueError]])
    assert_type(others[0].like(Truncated("why")), ChatloomError)


def mistakes(client: ChatServerClient, error: ChatServerError) -> None:
    client.create_completion("m")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.create_completion("m", [1])  # type: ignore[list-item]  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.create_completion("m", ["hi"], temprature=0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.create_completion("m", ["hi"], max_tokens="9")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.create_completion("m", ["hi"], stream="yes")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.create_completion("m", ["hi"], 0, 9, 1, False, "u", "p", "s")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.list_models(5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.list_model()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(client.create_completion("m", ["hi"], stream=True).choices)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(client.create_completion("m", ["hi"]).choice)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(client.list_models().data[0].name)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(error.text)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    ChatServerClient(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Message("user", "hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Message(MessageRole.USER)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def mistakes_of_administration(client: ChatServerClient) -> None:
    client.list_sessions()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.list_sessions("u", 1, 20, True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get_session("s", "u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.update_session("s", user_id="u", title=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.add_admin("w")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get_audit_log(limit="20")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    str(client.list_admins()["total"])  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    str(client.get_platform_stats().users)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def mistakes_of_mode(client: ChatServerClient, other: AsyncChatServerClient) -> None:
    other.list_models()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    str(other.list_models().data)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    list(other.create_completion("m", ["hi"], stream=True))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    aiter(client.create_completion("m", ["hi"], stream=True))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with other:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


async def mistakes_of_awaiting(client: ChatServerClient) -> None:
    await client.list_models()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    async with client:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
