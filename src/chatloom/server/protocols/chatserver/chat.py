"""ChatServer, and with it every OpenAI client: completions, models, health."""

from __future__ import annotations

from chatloom import __version__
from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, StreamedReply, json_reply, read_json
from chatloom.server.chat.ask import Ask
from chatloom.server.models.driver import ModelInfo
from chatloom.server.moments import iso_now
from chatloom.server.protocols import completions
from chatloom.server.protocols.metadata import with_metadata
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, answer
from chatloom.server.refusal import Refusal
from chatloom.server.routes import Route
from chatloom.wire import chatserver as wire
from chatloom.wire import openai


async def complete(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /v1/chat/completions``."""
    body = await call.body()
    return await answer_completion(call, body, read_json(body))


async def answer_completion(call: Call, body: bytes, told: JSON) -> Reply | StreamedReply:
    """Answer what is *told*, the request that came as *body*. Raises `Refusal`."""
    request, fields = completions.read_request(told)
    return await answer(call, _ask(call, body, request, fields), completions.VOICE)


def _ask(
    call: Call, body: bytes, request: openai.CompletionRequest, fields: completions.Fields
) -> Ask:
    separate = request.stream_options is not None and request.stream_options.include_usage
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol="chatserver",
        model=request.model,
        messages=completions.messages_of(request, fields),
        parameters=completions.parameters_of(request, fields),
        streamed=bool(request.stream),
        system_prompt=request.system_prompt,
        extra=completions.extra_of(fields),
        attempt_key=attempt_key(call, body),
        told_as=completions.SEPARATE_USAGE if separate else "",
    )
    return with_metadata(ask, request.metadata, call.services.workflows, user=request.user)


async def list_models(call: Call) -> Reply:
    """Answer ``GET /v1/models``."""
    found = await call.services.registry.models()
    return json_reply(openai.ModelList([_model(info) for info in found]))


async def get_model(call: Call) -> Reply:
    """Answer ``GET /v1/models/{model_id}``."""
    wanted = call.parts["model_id"]
    found = await call.services.registry.models()
    info = next((one for one in found if one.id == wanted), None)
    if info is None:
        raise Refusal("not_found", f"no model {wanted!r} is listed", code="model_not_found")
    return json_reply(_model(info))


def _model(info: ModelInfo) -> openai.Model:
    return openai.Model(
        id=info.id,
        created=info.created,
        owned_by=info.provider,
        provider=info.provider,
        description=info.description,
        context_length=info.context_length,
        capabilities=info.capabilities,
        metadata={},
    )


async def health(_: Call) -> Reply:
    """Answer ``GET /health``: the process lives."""
    return json_reply(wire.Health(timestamp=iso_now(), version=__version__))


async def ready(call: Call) -> Reply:
    """Answer ``GET /ready``: the store takes reads and writes."""
    try:
        await call.services.store.touch_keys([])
    except Exception as error:
        raise Refusal("unavailable", "the store takes no writes", code="not_ready") from error
    if call.services.turns.closing:
        raise Refusal("unavailable", "the server is stopping", code="stopping")
    return json_reply(wire.Ready())


ROUTES = (
    Route(
        method="POST",
        path="/v1/chat/completions",
        owner="chatserver",
        summary="Answer messages, in one piece or as a stream",
        endpoint=complete,
        scope="chat",
        request=openai.CompletionRequest,
        answer=openai.Completion,
        streams=openai.Chunk,
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="GET",
        path="/v1/models",
        owner="chatserver",
        summary="List the models on offer",
        endpoint=list_models,
        scope="models",
        answer=openai.ModelList,
    ),
    Route(
        method="GET",
        path="/v1/models/{model_id:path}",
        owner="chatserver",
        summary="Describe one model",
        endpoint=get_model,
        scope="models",
        answer=openai.Model,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path="/health",
        owner="chatserver",
        summary="Say whether the server lives",
        endpoint=health,
        scope="public",
        answer=wire.Health,
    ),
    Route(
        method="GET",
        path="/ready",
        owner="chatserver",
        summary="Say whether the server can take requests",
        endpoint=ready,
        scope="public",
        answer=wire.Ready,
        errors=("unavailable",),
    ),
)
