"""The message formats of the ChatServer document, alone and mixed, in both modes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from chatserver_sdk import AsyncChatServerClient, ChatServerClient, Message, MessageRole
from chatserver_sdk.models import MessageLike
from support.live import Live

OBJECTS: list[MessageLike] = [
    Message(role=MessageRole.SYSTEM, content="You are helpful."),
    Message(role=MessageRole.USER, content="Hello!"),
]
DICTS: list[MessageLike] = [
    {"role": "system", "content": "You are helpful."},
    {"role": "user", "content": "Hello!"},
]
STRINGS: list[MessageLike] = ["Hello!", "How are you?"]
MIXED: list[MessageLike] = [OBJECTS[0], DICTS[1], "How are you?"]


@pytest.mark.parametrize(
    ("messages", "echoed"),
    [(OBJECTS, "Hello!"), (DICTS, "Hello!"), (STRINGS, "How are you?"), (MIXED, "How are you?")],
)
def test_messages_in_any_form_arrive(
    live: Live, messages: Sequence[MessageLike], echoed: str
) -> None:
    with ChatServerClient("formats", live.url) as client:
        answer = client.create_completion("loom/echo", messages)
        stream = client.create_completion("loom/echo", messages, stream=True)
        assert answer.choices[0].message.content == stream.collect() == echoed


def test_async_calls_are_the_same_calls(live: Live) -> None:
    async def main() -> None:
        async with AsyncChatServerClient("formats", live.url) as client:
            models, answer = await asyncio.gather(
                client.list_models(), client.create_completion("loom/echo", MIXED)
            )
            assert "loom/echo" in [model.id for model in models.data]
            stream = client.create_completion("loom/echo", MIXED, stream=True)
            pieces = [piece async for piece in stream]
            assert "".join(pieces) == answer.choices[0].message.content == "How are you?"
            assert stream.metadata["usage"] == answer.usage

    asyncio.run(main())
