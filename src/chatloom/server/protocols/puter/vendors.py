"""OpenAI's and Anthropic's own wires where Puter has them: for API keys alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from chatloom.server.call import Call, Reply, StreamedReply, read_json
from chatloom.server.protocols.anthropic import routes as anthropic
from chatloom.server.protocols.chatserver import chat as chatserver
from chatloom.server.protocols.puter.chat import named
from chatloom.server.protocols.puter.tokens import require_api_token
from chatloom.server.routes import Endpoint, Route


async def complete_at_puter(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /puterai/openai/v1/chat/completions``; a `provider` may be named beside."""
    await require_api_token(call)
    body = await call.body()
    told = read_json(body)
    if isinstance(told, dict) and isinstance(provider := told.get("provider"), str):
        del told["provider"]
        if isinstance(model := told.get("model"), str):
            told["model"] = named(call.services.registry, model, provider)
    return await chatserver.answer_completion(call, body, told)


async def create_message_at_puter(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /puterai/anthropic/v1/messages``."""
    await require_api_token(call)
    return await anthropic.create_message(call)


def _moved(routes: Sequence[Route], path: str, start: str, endpoint: Endpoint) -> Route:
    """The one of *routes* at this *path*, behind *start*."""
    (route,) = (one for one in routes if one.path == path)
    summary = f"{route.summary}; not for tokens of sessions"
    return replace(route, path=start + path, endpoint=endpoint, summary=summary)


ROUTES = (
    _moved(chatserver.ROUTES, "/v1/chat/completions", "/puterai/openai", complete_at_puter),
    _moved(anthropic.ROUTES, "/v1/messages", "/puterai/anthropic", create_message_at_puter),
)
