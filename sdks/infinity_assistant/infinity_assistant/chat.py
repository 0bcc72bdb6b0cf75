"""Chat: answers in words, at once or piece by piece."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, streaming_as
from infinity_assistant import answers
from infinity_assistant.calls import PREFIX, TURNS, Calls, either, without_nones
from infinity_assistant.streaming import AsyncChatStream, ChatReading, ChatStream
from infinity_assistant.types import (
    ChatHistoryResponse,
    ChatMode,
    ChatRequest,
    ChatResponse,
    UserTier,
)

P = ParamSpec("P")
T = TypeVar("T")

_PATH = f"{PREFIX}/chat"


def asked(
    message: str,
    *,
    conversation_id: str | None = None,
    user_id: str | None = None,
    user_tier: UserTier | None = None,
    mode: ChatMode | None = None,
    user_context: Mapping[str, object] | None = None,
    preferences: Mapping[str, object] | None = None,
    essence: Mapping[str, object] | str | None = None,
    session_id: str | None = None,
    driving_mode: bool | Mapping[str, object] | None = None,
    model: str | None = None,
    conversationId: str | None = None,  # noqa: N803 - the wire's own spelling, as below
    userId: str | None = None,  # noqa: N803
    userTier: UserTier | None = None,  # noqa: N803
    userContext: Mapping[str, object] | None = None,  # noqa: N803
    sessionId: str | None = None,  # noqa: N803
    drivingMode: bool | Mapping[str, object] | None = None,  # noqa: N803
) -> ChatRequest:
    """Write a request. Raises `ValueError` for two spellings of one thing that differ."""
    told = without_nones(
        message=message,
        conversationId=either("conversation_id", conversation_id, conversationId),
        userId=either("user_id", user_id, userId),
        userTier=either("user_tier", user_tier, userTier),
        mode=mode,
        userContext=either("user_context", user_context, userContext),
        preferences=preferences,
        essence=essence,
        sessionId=either("session_id", session_id, sessionId),
        drivingMode=either("driving_mode", driving_mode, drivingMode),
        model=model,
    )
    return cast("ChatRequest", told)


def _taking(
    build: Callable[P, ChatRequest],
) -> Callable[[Callable[[Any, ChatRequest], T]], Callable[Concatenate[Any, P], T]]:
    """Have a method that is given a request take what *build* makes one of."""

    def take(method: Callable[[Any, ChatRequest], T]) -> Callable[Concatenate[Any, P], T]:
        given: Callable[..., Any] = method

        async def awaited(self: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return await given(self, build(*args, **kwargs))

        def plain(self: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return given(self, build(*args, **kwargs))

        taking = awaited if inspect.iscoroutinefunction(method) else plain
        return _shown_as(taking, given, build)

    return take


def _shown_as(
    taking: Callable[..., Any], method: Callable[..., Any], build: Callable[..., Any]
) -> Callable[..., Any]:
    """Show *taking* with the words and the answer of *method*, and with what *build* takes."""
    own, built = inspect.signature(method), inspect.signature(build)
    itself = next(iter(own.parameters.values()))
    taking.__doc__ = method.__doc__
    taking.__annotations__ = {**build.__annotations__, "return": own.return_annotation}
    taking.__dict__["__signature__"] = own.replace(parameters=[itself, *built.parameters.values()])
    return taking


class Chat(Calls[Mode]):
    """Answers in words.

    What is asked may be spelled as in Python or as on the wire, ``user_id`` or ``userId``.
    """

    @operation
    @_taking(asked)
    async def chat(self, request: ChatRequest) -> ChatResponse:
        """Answer *message*, in the conversation that is named, else in a new one.

        Without a *model* the server chooses one. What it made the answer of is in the
        ``metadata``: the keys of memories, the ids of entries.
        Raises `InfinityAssistantError`, and `ValueError` for two spellings that differ.
        """
        return await self._post(_PATH, request, answers.chat)

    @streaming_as(AsyncChatStream, ChatStream)
    @_taking(asked)
    def chat_stream(self, request: ChatRequest) -> AsyncChatStream:
        """Answer *message* piece by piece.

        The pieces are dicts with a ``type``: ``text`` with ``content``, ``metadata`` with
        ``metadata``, and last, once, ``done``. Raises `InfinityAssistantError`,
        `InfinityAssistantStreamInterruptedError` where the answer breaks off, and
        `ValueError` for two spellings that differ.
        """
        opening = self._opening(_PATH, {**request, "stream": True}, TURNS)
        return AsyncChatStream(opening, ChatReading())

    @streaming_as(AsyncChatStream, ChatStream)
    def resume_chat(self, resume_token: str) -> AsyncChatStream:
        """Go on with a streamed answer, behind what was seen of it.

        *resume_token* is that of a stream, or of the error it ended with; it may come
        from another process. The stream holds what follows; an answer that still
        runs is followed to its end. Raises `chatloom.SettingsError` for what is no
        token, and `InfinityAssistantError` where the server does not have the answer
        any more.
        """
        opening = self._going_on(TURNS, resume_token)
        return AsyncChatStream(opening, ChatReading(opening.after))

    @operation
    async def chat_history(
        self,
        conversation_id: str,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803
    ) -> ChatHistoryResponse:
        """Read what was said in a conversation; with a *user_id*, if it is that user's.

        Raises `InfinityAssistantError`, and `ValueError` for two spellings that differ.
        """
        user = either("user_id", user_id, userId)
        return await self._get(_PATH, answers.history, conversationId=conversation_id, userId=user)
