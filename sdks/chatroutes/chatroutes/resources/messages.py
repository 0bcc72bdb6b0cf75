"""Messages, and the answers to them."""

from __future__ import annotations

import builtins
from collections.abc import Coroutine
from functools import partial
from typing import Literal, Protocol, TypeVar, overload

from chatloom.core.engine import Mode
from chatloom.core.operations import PerMode, operation, paginated, streamable, streaming_as
from chatloom.core.pages import AsyncPages
from chatloom.core.raw import Raw
from chatroutes.answers import exchanged, held, inner, message, nothing
from chatroutes.http_client import TURNS, Calls, place
from chatroutes.streaming import (
    AsyncMessageStream,
    MessageReading,
    MessageStream,
    OnChunk,
    OnComplete,
    tell,
)
from chatroutes.types import Message, SendMessageRequest, SendMessageResponse

__all__ = ["MessagesResource"]

Pieces = TypeVar("Pieces", covariant=True)
Told = TypeVar("Told", covariant=True)


class StreamMessage(Protocol[Pieces, Told]):
    """Answer a message piece by piece: told to callbacks, or as an iterator."""

    @overload
    def __call__(
        self,
        conversation_id: str,
        data: SendMessageRequest,
        on_chunk: None = None,
        on_complete: None = None,
    ) -> Pieces: ...

    @overload
    def __call__(
        self,
        conversation_id: str,
        data: SendMessageRequest,
        on_chunk: OnChunk,
        on_complete: OnComplete | None = None,
    ) -> Told: ...

    @overload
    def __call__(
        self,
        conversation_id: str,
        data: SendMessageRequest,
        on_chunk: OnChunk | None = None,
        *,
        on_complete: OnComplete,
    ) -> Told: ...

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Answer a message piece by piece: told to callbacks, or as an iterator.

        *on_chunk* is called with each piece, a dict whose ``content`` is text, and
        *on_complete* with the whole message; they may be async functions where the client
        is. Without either, a stream is returned: an iterator of such pieces, with `collect`
        for the whole answer.

        Raises `ChatRoutesError`, `StreamInterruptedError` where the answer breaks off, and
        `ValueError` for a *conversation_id* that can be none.
        """
        raise NotImplementedError  # the body of each is `_stream`


class MessagesResource(Calls[Mode]):
    """Say something, be answered, and look after what was said."""

    @operation
    async def send(self, conversation_id: str, data: SendMessageRequest) -> SendMessageResponse:
        """Say something on the main branch, or on the branch that *data* names; be answered.

        Raises `ChatRoutesError`, and `ValueError` for a *conversation_id* that can be none.
        """
        read = partial(exchanged, conversation_id=conversation_id)
        return await self._post(_all(conversation_id), data, read)

    def _stream(
        self,
        conversation_id: str,
        data: SendMessageRequest,
        on_chunk: OnChunk | None = None,
        on_complete: OnComplete | None = None,
    ) -> Coroutine[object, None, None] | AsyncMessageStream:
        stream = self._streaming(f"{_all(conversation_id)}/stream", data, conversation_id)
        if on_chunk is None and on_complete is None:
            return stream
        return _told(stream, on_chunk, on_complete)

    stream: PerMode[
        StreamMessage[MessageStream, None],
        StreamMessage[AsyncMessageStream, Coroutine[None, None, None]],
        StreamMessage[MessageStream, Raw[None]],
        StreamMessage[AsyncMessageStream, Coroutine[None, None, Raw[None]]],
    ] = streamable(_stream, StreamMessage)

    @streaming_as(AsyncMessageStream, MessageStream)
    def resume(self, resume_token: str) -> AsyncMessageStream:
        """Go on with a streamed answer, behind what was seen of it.

        *resume_token* is that of a stream, or of the error it ended with; it may come
        from another process. The stream's pieces are what follows, its message the whole;
        an answer that still runs is followed to its end. Raises `chatloom.SettingsError` for
        what is no token, and `ChatRoutesError` where the server does not have the answer any
        more.
        """
        opening = self._going_on(TURNS, resume_token)
        return AsyncMessageStream(opening, MessageReading(after=opening.after))

    @operation
    async def list(
        self, conversation_id: str, branch_id: str | None = None
    ) -> builtins.list[Message]:
        """List all messages of the main branch, or of the branch named, from their beginning.

        Raises `ChatRoutesError`, and `ValueError` for a *conversation_id* that can be none.
        """
        path, read = _all(conversation_id), partial(message, conversation_id=conversation_id)
        return await self._walk(path, "messages", read, branchId=branch_id).collect()

    @paginated
    def iter(
        self,
        conversation_id: str,
        branch_id: str | None = None,
        *,
        order: Literal["asc", "desc"] = "asc",
        page_size: int | None = None,
    ) -> AsyncPages[Message]:
        """Go through the messages of a branch, fetching *page_size* at a time.

        In the order ``desc`` the last one comes first. Raises `ChatRoutesError` while they are
        gone through, and `ValueError` for a *conversation_id* that can be none.
        """
        return self._walk(
            _all(conversation_id),
            "messages",
            partial(message, conversation_id=conversation_id),
            branchId=branch_id,
            order=None if order == "asc" else order,
            limit=page_size,
        )

    @operation
    async def update(self, message_id: str, content: str) -> Message:
        """Say instead what a message should have said.

        What was said stays: its branch goes on from the new message, and the old path is
        kept. Raises `ChatRoutesError`, and `ValueError` for a *message_id* that can be none.
        """
        return await self._patch(_one(message_id), {"content": content}, _message, repeatable=False)

    @operation
    async def delete(self, message_id: str) -> None:
        """Delete a message; where others follow it, it keeps its place and loses its words.

        Raises `ChatRoutesError`, and `ValueError` for a *message_id* that can be none.
        """
        return await self._delete(_one(message_id), nothing)


def _all(conversation_id: str) -> str:
    return place("/conversations/{conversation_id}/messages", conversation_id=conversation_id)


def _one(message_id: str) -> str:
    return place("/messages/{message_id}", message_id=message_id)


def _message(body: bytes) -> Message:
    beside = {name: value for name, value in inner(body).items() if name == "keptBranch"}
    return message({**held(body, "message"), **beside})


async def _told(
    stream: AsyncMessageStream, on_chunk: OnChunk | None, on_complete: OnComplete | None
) -> None:
    await tell(stream, on_chunk, on_complete)
