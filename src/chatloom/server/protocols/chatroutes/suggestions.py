"""Suggesting where a talk could branch: by how a text is written, and with a model's help."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chatloom import __version__
from chatloom.server.call import Call, Reply, StreamedReply, json_reply
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.message import Message
from chatloom.server.chat.suggesting.model import instructions, parameters, points_told
from chatloom.server.chat.suggesting.patterns import points_in
from chatloom.server.chat.suggesting.points import Point, chosen
from chatloom.server.chat.telling import Telling
from chatloom.server.models.registry import UnknownModel
from chatloom.server.protocols import asking
from chatloom.server.protocols.chatroutes.spelling import DEFAULT_MODEL
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, Voice, answer
from chatloom.server.routes import Route
from chatloom.wire import chatroutes as wire

_LONG = 4_000
"""Characters of a text that is looked at apart, so that nobody else waits for it."""


async def suggest_branches(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/v1/autobranch/suggest-branches``.

    A turn that fails is refused as everywhere; one whose answer is of no use leaves what the
    text's own form shows.
    """
    asked = await call.read(wire.SuggestionRequest)
    if len(asked.text) > _LONG:
        points = await asyncio.to_thread(points_in, asked.text)
    else:
        points = points_in(asked.text)
    if not asked.hybrid_detection:
        return json_reply(_told(asked, points))
    voice = Voice(lambda turn: _told_with(asked, points, turn), asking.VOICE.stream)
    return await answer(call, _ask(call, asked), voice)


def _ask(call: Call, asked: wire.SuggestionRequest) -> Ask:
    """A turn that belongs to no conversation. Nothing of providers and their keys is in it."""
    count, threshold = asked.suggestions_count, asked.threshold
    told = f"{asked.llm_model}\n{count}\n{threshold}\n{asked.text}"
    return Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=asking.PROTOCOL,
        model=asked.llm_model or DEFAULT_MODEL,
        messages=[Message("user", asked.text)],
        parameters=parameters(_capabilities(call, asked.llm_model or DEFAULT_MODEL)),
        streamed=False,
        system_prompt=instructions(count),
        apart=True,
        metadata={"suggestions_count": count, "threshold": threshold},
        attempt_key=attempt_key(call, told.encode()),
    )


def _capabilities(call: Call, model: str) -> list[str]:
    try:
        return call.services.registry.resolve(model).info.capabilities
    except UnknownModel:  # which is refused when it is asked
        return []


def _told_with(
    asked: wire.SuggestionRequest, points: Sequence[Point], turn: Telling
) -> wire.SuggestionList:
    more = points_told(turn.answer.text, asked.text)
    if more is None:
        return _told(asked, points)
    return _told(asked, [*more, *points], turn.served_model)


def _told(
    asked: wire.SuggestionRequest, points: Sequence[Point], model: str | None = None
) -> wire.SuggestionList:
    found = chosen(points, asked.threshold, len(asked.text))
    suggestions = [_suggestion(asked.text, one) for one in found[: asked.suggestions_count]]
    metadata = wire.SuggestionMetadata(
        detection_method="pattern" if model is None else "hybrid",
        total_branch_points_found=len(found),
        model_used=model,
    )
    return wire.SuggestionList(
        suggestions=suggestions,
        metadata=metadata,
        data=wire.Suggestions(suggestions=suggestions, metadata=metadata),
    )


def _suggestion(text: str, point: Point) -> wire.Suggestion:
    return wire.Suggestion(
        id=f"branch-{point.start}-{point.end}",
        title=point.title,
        description=point.description,
        trigger_text=text[point.start : point.end],
        branch_point=wire.BranchPoint(point.start, point.end),
        confidence=point.confidence,
        reasoning=point.reasoning,
        estimated_divergence=point.divergence,
    )


async def get_suggestion_health(call: Call) -> Reply:
    """Answer ``GET /api/v1/autobranch/health``."""
    return json_reply(wire.SuggestionHealth(version=__version__))


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/autobranch/suggest-branches",
        owner="chatroutes",
        summary="Suggest where a text lets a talk branch; it costs only where a model is asked",
        endpoint=suggest_branches,
        scope="chat",
        request=wire.SuggestionRequest,
        answer=wire.SuggestionList,
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="GET",
        path="/api/v1/autobranch/health",
        owner="chatroutes",
        summary="Say that suggestions can be had",
        endpoint=get_suggestion_health,
        scope="public",
        answer=wire.SuggestionHealth,
    ),
)
