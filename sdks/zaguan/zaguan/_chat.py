"""Chat completions."""

from __future__ import annotations

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, streaming_as
from zaguan._calls import TURNS, Calls, model, written
from zaguan.models import ChatRequest, ChatResponse, Message
from zaguan.streaming import AsyncChatStream, ChatReading, ChatStream

_PATH = "/v1/chat/completions"
_MODEL = "openai/gpt-4o-mini"


class Chat(Calls[Mode]):
    """Answers in words."""

    @operation
    async def chat(self, request: ChatRequest, request_id: str | None = None) -> ChatResponse:
        """Answer *request* in one piece, whatever its ``stream`` says. Raises `ZaguanError`."""
        return await self._chat(request, request_id)

    @streaming_as(AsyncChatStream, ChatStream)
    def chat_stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncChatStream:
        """Answer *request* piece by piece, whatever its ``stream`` says.

        Raises `ZaguanError`, and `StreamInterruptedError` while the stream is read.
        """
        payload = written(request, stream=True)
        opening = self._call(request_id)._opening(_PATH, payload, TURNS)
        return AsyncChatStream(opening, ChatReading())

    @streaming_as(AsyncChatStream, ChatStream)
    def resume_chat(self, resume_token: str, request_id: str | None = None) -> AsyncChatStream:
        """Go on with a streamed answer, behind what was seen of it.

        *resume_token* is that of a stream, or of the error it ended with; it may come
        from another process. The stream holds what follows; an answer that still
        runs is followed to its end. Raises `chatloom.SettingsError` for what is no
        token, and `ZaguanError` where the server does not have the answer any more.
        """
        opening = self._call(request_id)._going_on(TURNS, resume_token)
        return AsyncChatStream(opening, ChatReading(opening.after))

    @operation
    async def chat_simple(
        self, message: str, model: str = _MODEL, request_id: str | None = None
    ) -> ChatResponse:
        """Answer one text that the user says. Raises `ZaguanError`."""
        messages = [Message(role="user", content=message)]
        return await self._chat(ChatRequest(model=model, messages=messages), request_id)

    @operation
    async def chat_with_system(
        self,
        system_prompt: str,
        user_message: str,
        model: str = _MODEL,
        request_id: str | None = None,
    ) -> ChatResponse:
        """Answer one text that the user says, led by *system_prompt*. Raises `ZaguanError`."""
        messages = [
            Message(role="system", content=system_prompt),
            Message(role="user", content=user_message),
        ]
        return await self._chat(ChatRequest(model=model, messages=messages), request_id)

    async def _chat(self, request: ChatRequest, request_id: str | None) -> ChatResponse:
        payload = written(request, stream=False)
        return await self._call(request_id)._post(_PATH, payload, model(ChatResponse))
