"""Messages on the Anthropic wire."""

from __future__ import annotations

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, streaming_as
from zaguan._calls import TURNS, Calls, model, written
from zaguan.models import (
    CountTokensRequest,
    CountTokensResponse,
    MessagesRequest,
    MessagesResponse,
)
from zaguan.streaming import AsyncMessagesStream, MessagesReading, MessagesStream

_PATH = "/v1/messages"
_VERSION = {"anthropic-version": "2023-06-01"}


class Messages(Calls[Mode]):
    """Answers in Anthropic's words."""

    @operation
    async def messages(
        self, request: MessagesRequest, request_id: str | None = None
    ) -> MessagesResponse:
        """Answer *request* in one piece, whatever its ``stream`` says. Raises `ZaguanError`."""
        payload = written(request, stream=False)
        return await self._call(request_id, _VERSION)._post(_PATH, payload, model(MessagesResponse))

    @streaming_as(AsyncMessagesStream, MessagesStream)
    def messages_stream(
        self, request: MessagesRequest, request_id: str | None = None
    ) -> AsyncMessagesStream:
        """Answer *request* event by event, whatever its ``stream`` says.

        Raises `ZaguanError`, and `StreamInterruptedError` while the stream is read.
        """
        payload = written(request, stream=True)
        opening = self._call(request_id, _VERSION)._opening(_PATH, payload, TURNS)
        return AsyncMessagesStream(opening, MessagesReading())

    @streaming_as(AsyncMessagesStream, MessagesStream)
    def resume_messages(
        self, resume_token: str, request_id: str | None = None
    ) -> AsyncMessagesStream:
        """Go on with a streamed answer, behind what was seen of it.

        *resume_token* is that of a stream, or of the error it ended with; it may come
        from another process. Where several events belong together, of which some were
        seen, they come again. Raises `chatloom.SettingsError` for what is no token, and
        `ZaguanError` where the server does not have the answer any more.
        """
        opening = self._call(request_id, _VERSION)._going_on(TURNS, resume_token)
        return AsyncMessagesStream(opening, MessagesReading(opening.after))

    @operation
    async def count_tokens(
        self, request: CountTokensRequest, request_id: str | None = None
    ) -> CountTokensResponse:
        """Count the tokens that *request* would take; a `MessagesRequest` will do.

        Raises `ZaguanError`.
        """
        payload = written(request)
        for name in MessagesRequest.model_fields.keys() - CountTokensRequest.model_fields.keys():
            payload.pop(name, None)
        call = self._call(request_id, _VERSION)
        return await call._post(f"{_PATH}/count_tokens", payload, model(CountTokensResponse))
