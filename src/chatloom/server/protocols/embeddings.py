"""Embeddings, as OpenAI's clients and Zaguan's ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import msgspec
from msgspec import UNSET

from chatloom.core.event_stream import HEARTBEAT, encode_event
from chatloom.core.http import JSON
from chatloom.server.call import (
    BrokenOff,
    Call,
    LastPiece,
    Reply,
    StreamedReply,
    convert,
    read_json,
)
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models import vectors
from chatloom.server.models.driver import Input, Parameters
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.metadata import with_metadata
from chatloom.server.protocols.openai_errors import openai_error
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, Voice, answer
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.routes import Route
from chatloom.wire import embeddings as wire
from chatloom.wire.openai import ErrorBody

PROTOCOL = "embeddings"
_KNOWN = frozenset(wire.EmbeddingsRequest.__struct_fields__)


async def embed(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /v1/embeddings``."""
    body = await call.body()
    fields = read_json(body)
    request = convert(fields, wire.EmbeddingsRequest)
    ask = _ask(call, body, request, cast("dict[str, JSON]", fields))
    return await answer(call, ask, _VOICES[ask.told_as])


def _ask(call: Call, body: bytes, request: wire.EmbeddingsRequest, fields: dict[str, JSON]) -> Ask:
    if fields.get("stream"):
        raise invalid("embeddings come all at once; stream cannot be obeyed", param="stream")
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=request.model,
        messages=[],
        parameters=Parameters(dimensions=request.dimensions),
        streamed=False,
        inputs=inputs_of(request.input),
        extra={name: value for name, value in fields.items() if name not in _KNOWN},
        attempt_key=attempt_key(call, body),
        told_as=request.encoding_format or "float",
    )
    return with_metadata(ask, request.metadata, call.services.workflows, user=request.user)


def inputs_of(given: str | list[str | int | list[int]]) -> list[Input]:
    """Everything to be embedded. Raises `Refusal` for nothing, too much, and a mixture."""
    if isinstance(given, str):
        inputs: list[Input] = [given]
    elif given and all(isinstance(one, int) for one in given):
        inputs = [cast("list[int]", given)]
    else:
        kinds = {type(one) for one in given}
        if len(kinds) > 1 or int in kinds:
            raise _wrong("holds texts, or numbers of tokens, or lists of those; not some of each")
        inputs = cast("list[Input]", given)
    if not 1 <= len(inputs) <= wire.MOST_INPUTS:
        raise _wrong(f"holds 1 to {wire.MOST_INPUTS} texts or lists, not {len(inputs)}")
    for at, one in enumerate(inputs):
        if not one:
            raise _wrong("is empty" if isinstance(given, str) else f"[{at}] is empty")
    return inputs


def _wrong(what: str) -> Refusal:
    return invalid(f"input{'' if what.startswith('[') else ' '}{what}", param="input")


def told(turn: Telling, told_as: str) -> wire.EmbeddingList:
    """Tell a settled turn, each embedding as *told_as* says."""
    usage = turn.usage
    assert usage is not None, "a turn that went well was charged"
    return wire.EmbeddingList(
        data=[
            wire.Embedding(index=at, embedding=_spelt(choice.vector, told_as))
            for at, choice in turn.answer.ordered()
        ],
        model=turn.served_model,
        usage=wire.EmbeddingsUsage(
            prompt_tokens=usage.prompt_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            estimated=True if usage.estimated else UNSET,
        ),
    )


def _spelt(vector: str, told_as: str) -> list[float] | str:
    return vector if told_as == "base64" else vectors.unpacked(vector)


async def write_stream(
    turn: Telling, reader: Reader, after: int, told_as: str
) -> AsyncIterator[bytes]:
    """Tell a turn in one event, when it is settled. A failure is told, and then there is no end."""
    async for batch in reader:
        if not batch:
            yield HEARTBEAT
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        error = openai_error(failure_of(turn))
        yield encode_event(msgspec.json.encode(ErrorBody(error=error)))
        raise BrokenOff
    last = len(turn.said)
    if after < last:
        body = msgspec.json.encode(told(turn, told_as))
        yield LastPiece(encode_event(body, id=str(last)))


def _voice(told_as: str) -> Voice:
    return Voice(lambda turn: told(turn, told_as), write_stream)


_VOICES = {told_as: _voice(told_as) for told_as in ("float", "base64")}
"""A repetition is told as it asks itself, not as whoever began the turn did."""

VOICE = Voice(lambda turn: told(turn, turn.about.told_as), write_stream)
"""For whoever reads such a turn later."""

ROUTES = (
    Route(
        method="POST",
        path="/v1/embeddings",
        owner="zaguan",
        summary="Embed texts, or lists of tokens: as vectors that are near where those are alike",
        endpoint=embed,
        scope="chat",
        request=wire.EmbeddingsRequest,
        answer=wire.EmbeddingList,
        errors=ERRORS,
        paid=True,
    ),
)
