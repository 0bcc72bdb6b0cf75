"""The few OpenAI shapes that the floor and the bare gateway read and write."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, gc=False):
    """What somebody says."""

    role: str
    content: str | None = None


class Request(msgspec.Struct):
    """What is asked."""

    model: str
    messages: list[Message]
    temperature: float
    max_tokens: int
    top_p: float
    stream: bool = False


class Usage(msgspec.Struct):
    """What it took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int] = {}
    completion_tokens_details: dict[str, int] = {}


class Choice(msgspec.Struct):
    """One answer."""

    index: int
    message: Message
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """An answer in one piece."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds."""

    content: str | None = None
    role: str | None = None


class ChunkChoice(msgspec.Struct, gc=False):
    """What a chunk adds to one answer."""

    index: int
    delta: Delta
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """One event of a streamed answer."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None


read_request = msgspec.json.Decoder(Request).decode
read_completion = msgspec.json.Decoder(Completion).decode
read_chunk = msgspec.json.Decoder(Chunk).decode
write = msgspec.json.Encoder().encode
