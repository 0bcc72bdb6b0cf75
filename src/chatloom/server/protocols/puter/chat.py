"""The driver method ``complete``: a turn, told in Puter's words."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, StreamedReply
from chatloom.server.chat.ask import Ask
from chatloom.server.models.offline import echo
from chatloom.server.models.offline.placeholder import PROVIDER as PLACEHOLDERS
from chatloom.server.models.registry import Registry, UnknownModel
from chatloom.server.protocols.anthropic.spelling import as_told
from chatloom.server.protocols.metadata import with_metadata
from chatloom.server.protocols.puter import reading
from chatloom.server.protocols.puter.telling import PROTOCOL, VOICE, Wording, told_as
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import answer, on_the_terms_of
from chatloom.server.refusal import Refusal, invalid
from chatloom.wire import puter as wire

DEFAULT_MODEL = "gpt-5-nano"
"""Whom a request asks that names no model."""


async def complete(call: Call, told: Mapping[str, JSON], body: bytes) -> Reply | StreamedReply:
    """Answer ``complete``, called with what is *told* in a request that came as *body*."""
    asked = reading.read_arguments(told)
    try:
        ask = on_the_terms_of(call, _ask(call, asked, told, body))
        ask = replace(ask, messages=await as_told(call.services.store, ask))
        return await answer(call, ask, VOICE)
    except Refusal as refusal:
        if refusal.code == "model_not_found":  # which is the request's fault here
            message = f"Model not found. {refusal.message}"
            raise invalid(message, param="args.model", code=refusal.code) from refusal
        raise


def _ask(call: Call, asked: wire.ChatArguments, told: Mapping[str, JSON], body: bytes) -> Ask:
    registry = call.services.registry
    model = named(registry, asked.model or DEFAULT_MODEL, asked.provider)
    if asked.test_mode:  # nobody means to pay for that
        model = echo.NAME
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=model,
        messages=reading.messages_of(asked.messages),
        parameters=reading.parameters_of(asked, told),
        streamed=bool(asked.stream),
        system_prompt=asked.instructions or None,
        extra=reading.extra_of(asked, told),
        attempt_key=attempt_key(call, body),
        told_as=told_as(_wording(registry, model, asked)),
    )
    return with_metadata(ask, asked.metadata, call.services.workflows)


def named(registry: Registry, model: str, provider: str | None) -> str:
    """The name by which a model is known here that Puter's clients call *model*.

    They may say *provider* beside it, or before it with a colon; one of no meaning here is
    passed over. What nobody knows stays as it is.
    """
    names = [model, model.partition(":")[2]]
    if provider and not model.startswith((f"{provider}/", f"{provider}:")):
        names.insert(0, f"{provider}/{model}")
    return next((name for name in names if name and _provider_of(registry, name)), model)


def _provider_of(registry: Registry, name: str) -> str:
    """Who answers to *name*; empty for nobody."""
    try:
        return registry.resolve(name).info.provider
    except UnknownModel:
        return ""


_ANTHROPIC = frozenset({"anthropic", PLACEHOLDERS})
"""Providers whose answers Puter tells in Anthropic's words."""


def _wording(registry: Registry, model: str, asked: wire.ChatArguments) -> Wording:
    provider = _provider_of(registry, model)
    is_normalized = asked.response is not None and bool(asked.response.normalize)
    is_anthropic = provider in _ANTHROPIC and not is_normalized
    return Wording(provider, is_anthropic, is_normalized)
