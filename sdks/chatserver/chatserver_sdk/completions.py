"""The operations of ChatServer, written once for both clients; completions in full."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Literal, Protocol, TypeVar, overload

from chatloom.core.engine import Mode
from chatloom.core.operations import PerMode, operation, streamable, streaming_as
from chatloom.core.raw import Raw
from chatserver_sdk.answers import holding, whole
from chatserver_sdk.models.completions import (
    ChatCompletionResponse,
    MessageLike,
    ModelsResponse,
    message_dicts,
)
from chatserver_sdk.platform import Platform
from chatserver_sdk.sessions import Sessions
from chatserver_sdk.streaming import AsyncCompletionStream, CompletionReading, CompletionStream

Answer = TypeVar("Answer", covariant=True)
Pieces = TypeVar("Pieces", covariant=True)

_PATH = "/v1/chat/completions"
_TURNS = "/v1/turns"


class CreateCompletion(Protocol[Answer, Pieces]):
    """Answer *messages*: in one piece, or with ``stream=True`` as an iterator of text."""

    @overload
    def __call__(
        self,
        model: str,
        messages: Sequence[MessageLike],
        temperature: float = 0.7,
        max_tokens: int = 4000,
        top_p: float = 1.0,
        stream: Literal[False] = False,
        user: str | None = None,
        system_prompt: str | None = None,
        *,
        session_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        organization_id: str | None = None,
        workflow: str | None = None,
        variables: Mapping[str, object] | None = None,
        allowed_tools: Sequence[str] | None = None,
        setting_sources: Sequence[str] | None = None,
        mcp_servers: Mapping[str, object] | None = None,
    ) -> Answer: ...

    @overload
    def __call__(
        self,
        model: str,
        messages: Sequence[MessageLike],
        temperature: float = 0.7,
        max_tokens: int = 4000,
        top_p: float = 1.0,
        *,
        stream: Literal[True],
        user: str | None = None,
        system_prompt: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        organization_id: str | None = None,
        workflow: str | None = None,
        variables: Mapping[str, object] | None = None,
        allowed_tools: Sequence[str] | None = None,
        setting_sources: Sequence[str] | None = None,
        mcp_servers: Mapping[str, object] | None = None,
    ) -> Pieces: ...

    @overload
    def __call__(
        self,
        model: str,
        messages: Sequence[MessageLike],
        temperature: float,
        max_tokens: int,
        top_p: float,
        stream: Literal[True],
        user: str | None = None,
        system_prompt: str | None = None,
        *,
        session_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        organization_id: str | None = None,
        workflow: str | None = None,
        variables: Mapping[str, object] | None = None,
        allowed_tools: Sequence[str] | None = None,
        setting_sources: Sequence[str] | None = None,
        mcp_servers: Mapping[str, object] | None = None,
    ) -> Pieces: ...

    @overload
    def __call__(
        self,
        model: str,
        messages: Sequence[MessageLike],
        temperature: float = 0.7,
        max_tokens: int = 4000,
        top_p: float = 1.0,
        stream: bool = False,
        user: str | None = None,
        system_prompt: str | None = None,
        *,
        session_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        organization_id: str | None = None,
        workflow: str | None = None,
        variables: Mapping[str, object] | None = None,
        allowed_tools: Sequence[str] | None = None,
        setting_sources: Sequence[str] | None = None,
        mcp_servers: Mapping[str, object] | None = None,
    ) -> Answer | Pieces: ...

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Answer *messages*: in one piece, or with ``stream=True`` as an iterator of text.

        Returns a `ChatCompletionResponse`, or with ``stream=True`` a stream.
        Messages are `Message` objects, dicts or plain strings, also mixed.
        *temperature* is from 0 to 2, *top_p* from 0 to 1, *max_tokens* limits the
        answer. *system_prompt* leads the context. *user* has the exchange recorded
        in that end user's sessions; *session_id*, the ``system_fingerprint`` of an
        earlier answer, continues its session. *workflow* names a prompt template of
        the server, filled from *variables*; the other arguments travel to the server
        as they are. What *metadata* holds wins over the arguments of the same name.

        Raises `ChatServerError`, and `StreamInterruptedError` while a stream is read.
        """
        raise NotImplementedError  # the body of each is `_create_completion`


class ChatServer(Sessions[Mode], Platform[Mode]):
    """Everything the ChatServer API offers: completions, and what is kept and done around them."""

    def _create_completion(
        self,
        model: str,
        messages: Sequence[MessageLike],
        temperature: float = 0.7,
        max_tokens: int = 4000,
        top_p: float = 1.0,
        stream: bool = False,
        user: str | None = None,
        system_prompt: str | None = None,
        *,
        session_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        organization_id: str | None = None,
        workflow: str | None = None,
        variables: Mapping[str, object] | None = None,
        allowed_tools: Sequence[str] | None = None,
        setting_sources: Sequence[str] | None = None,
        mcp_servers: Mapping[str, object] | None = None,
    ) -> Coroutine[object, None, ChatCompletionResponse] | AsyncCompletionStream:
        payload: dict[str, object] = {
            "model": model,
            "messages": message_dicts(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "top_p": top_p,
            "stream": stream,
        }
        if user:
            payload["user"] = user
        if system_prompt:
            payload["system_prompt"] = system_prompt
        arguments: dict[str, object] = {
            "session_id": session_id,
            "user_id": user,
            "organization_id": organization_id,
            "workflow": workflow,
            "variables": variables,
            "allowed_tools": allowed_tools,
            "setting_sources": setting_sources,
            "mcp_servers": mcp_servers,
        }
        given = {name: value for name, value in arguments.items() if value is not None}
        if told := {**given, **(metadata or {})}:
            payload["metadata"] = told
        if not stream:
            return self._post(_PATH, payload, _completion)
        return AsyncCompletionStream(self._opening(_PATH, payload, _TURNS), CompletionReading())

    create_completion: PerMode[
        CreateCompletion[ChatCompletionResponse, CompletionStream],
        CreateCompletion[Coroutine[None, None, ChatCompletionResponse], AsyncCompletionStream],
        CreateCompletion[Raw[ChatCompletionResponse], CompletionStream],
        CreateCompletion[Coroutine[None, None, Raw[ChatCompletionResponse]], AsyncCompletionStream],
    ] = streamable(_create_completion, CreateCompletion)

    @streaming_as(AsyncCompletionStream, CompletionStream)
    def resume_completion(self, resume_token: str) -> AsyncCompletionStream:
        """Go on with a streamed answer, behind what was seen of it.

        *resume_token* is that of a stream, or of the error it ended with; it may come
        from another process. The stream holds what follows; an answer that still
        runs is followed to its end. Raises `chatloom.SettingsError` for what is no
        token, and `ChatServerError` where the server does not have the answer any more.
        """
        opening = self._going_on(_TURNS, resume_token)
        return AsyncCompletionStream(opening, CompletionReading(opening.after))

    @operation
    async def list_models(self) -> ModelsResponse:
        """List the models on offer. Raises `ChatServerError`."""
        return await self._get("/v1/models", _models)


def _completion(body: bytes) -> ChatCompletionResponse:
    return ChatCompletionResponse.from_dict(holding(body, "choices", list))


def _models(body: bytes) -> ModelsResponse:
    return ModelsResponse.from_dict(whole(body))
