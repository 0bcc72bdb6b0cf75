"""The addresses of the Messages API."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec.structs import replace

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, StreamedReply, json_reply, read_json
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import is_history
from chatloom.server.identity.powers import require_model
from chatloom.server.models import tokens
from chatloom.server.models.driver import Parameters, Prompt
from chatloom.server.models.registry import UnknownModel
from chatloom.server.protocols.anthropic import reading
from chatloom.server.protocols.anthropic.blocks import messages_of
from chatloom.server.protocols.anthropic.layout import Wording
from chatloom.server.protocols.anthropic.spelling import as_told
from chatloom.server.protocols.anthropic.telling import VOICE
from chatloom.server.protocols.envelopes import unknown_model
from chatloom.server.protocols.metadata import with_metadata
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, answer, on_the_terms_of
from chatloom.server.routes import Route
from chatloom.wire import anthropic as wire

LONGEST_COUNTED = 100_000
"""Bytes of a request whose tokens are counted while everybody else waits."""


async def create_message(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /v1/messages``."""
    body = await call.body()
    told = read_json(body)
    request = reading.read_request(told, wire.MessageRequest)
    ask = _ask(call, body, request, reading.provider_fields(request, told))
    ask = on_the_terms_of(call, ask)
    ask = replace(ask, messages=await as_told(call.services.store, ask))
    return await answer(call, ask, VOICE)


def _ask(call: Call, body: bytes, request: wire.MessageRequest, extra: dict[str, JSON]) -> Ask:
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol="anthropic",
        model=request.model,
        messages=messages_of(request.messages),
        parameters=reading.parameters_of(request),
        streamed=bool(request.stream),
        extra=extra,
        attempt_key=attempt_key(call, body),
    )
    ask = with_metadata(ask, request.metadata, call.services.workflows)
    return _worded(_led(ask, reading.system_of(request)), request, len(body))


def _led(ask: Ask, system: Message | None) -> Ask:
    """Add what the model is told first.

    A whole talk begins with it, as on OpenAI's wire. Where new messages go on
    from a place in a tree, it leads the context and is none of them.
    """
    if system is None:
        return ask
    if ask.names_a_place and not is_history(ask.messages):
        lead = f"{system.text}\n\n{ask.system_prompt}" if ask.system_prompt else system.text
        return replace(ask, system_prompt=lead)
    return replace(ask, messages=[system, *ask.messages])


def _worded(ask: Ask, request: wire.MessageRequest, size: int) -> Ask:
    """Add how the answer is told."""
    thinking = (request.thinking or {}).get("type", "disabled")
    wording = Wording(thinking == "disabled", _estimated(ask, size) if ask.streamed else 0)
    return replace(ask, told_as=msgspec.json.encode(wording).decode())


def _estimated(ask: Ask, size: int) -> int:
    """About how many tokens the model is told; 0 where what stands in a tree comes before."""
    if ask.names_a_place and not is_history(ask.messages):
        return 0
    if size > LONGEST_COUNTED:
        return size // 4
    return tokens.count_prompt(_prompt(ask.model, ask.messages, ask.parameters))


async def count_tokens(call: Call) -> Reply:
    """Answer ``POST /v1/messages/count_tokens``, by the count of the offline models."""
    body = await call.body()
    request = reading.read_request(read_json(body), wire.CountRequest)
    require_model(call.key, request.model)
    try:
        resolved = call.services.registry.resolve(request.model)
    except UnknownModel as error:
        raise unknown_model(error) from error
    asked = Parameters(tools=reading.functions_of(request.tools or ()))
    system, messages = reading.system_of(request), messages_of(request.messages)
    prompt = _prompt(resolved.model, [system, *messages] if system else messages, asked)
    if len(body) > LONGEST_COUNTED:
        return json_reply(wire.TokenCount(await asyncio.to_thread(tokens.count_prompt, prompt)))
    return json_reply(wire.TokenCount(tokens.count_prompt(prompt)))


def _prompt(model: str, messages: list[Message], asked: Parameters) -> Prompt:
    return Prompt(model=model, messages=messages, parameters=asked, streamed=False)


ROUTES = (
    Route(
        method="POST",
        path="/v1/messages",
        owner="anthropic",
        summary="Answer messages as Anthropic does, in one piece or as a stream",
        endpoint=create_message,
        scope="chat",
        request=wire.MessageRequest,
        answer=wire.MessageAnswer,
        streams=wire.Event,
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="POST",
        path="/v1/messages/count_tokens",
        owner="anthropic",
        summary="Count the tokens that messages have, without answering them",
        endpoint=count_tokens,
        scope="chat",
        request=wire.CountRequest,
        answer=wire.TokenCount,
        errors=("invalid", "unauthenticated", "forbidden", "not_found", "too_large"),
    ),
)
