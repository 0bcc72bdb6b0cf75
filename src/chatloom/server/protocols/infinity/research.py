"""Research: a question answered from sources, each statement with a citation."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from chatloom.server.call import Call, Reply, StreamedReply, convert, json_reply, read_json
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.telling import Telling
from chatloom.server.ids import milliseconds
from chatloom.server.models.driver import Parameters
from chatloom.server.protocols import completions
from chatloom.server.protocols.asking import ask_apart
from chatloom.server.protocols.infinity.chat import DEFAULT_MODEL
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, Voice, answer, was_begun
from chatloom.server.refusal import invalid
from chatloom.server.research.citing import Passage, Synthesis, cited, extracted
from chatloom.server.research.planning import EFFORTS, queries_of, request_for_queries
from chatloom.server.research.study import Gap, Read, Study, material_of, question_of, study
from chatloom.server.routes import Route
from chatloom.wire import infinity as wire
from chatloom.wire.chatloom import Money

PROTOCOL = "infinity-research"
_PLAN_TOKENS = 300
_ANSWER_TOKENS = 1500


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out before anybody answers; kept with the turn, and told with its answer."""

    question: str
    depth: wire.Depth
    queries: list[str]
    providers: list[str]
    reads: list[Read]
    passages: list[Passage]
    gaps: list[Gap]
    began_at: int
    plan_tokens: int = 0
    plan_cost: int | None = 0
    """What planning took, besides the answer; `None` where nobody knows."""


async def research(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/research``."""
    body = await call.body()
    asked = convert(read_json(body), wire.ResearchRequest)
    question = (asked.query or asked.topic or "").strip()
    if not question:
        raise invalid("query: is required", param="query")
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=asked.model or DEFAULT_MODEL,
        messages=question_of(question),
        parameters=Parameters(max_tokens=_ANSWER_TOKENS),
        streamed=False,
        apart=True,
        attempt_key=attempt_key(call, body),
        wanted=_encode(replace(asked, query=question, topic=None)).decode(),
    )
    if await was_begun(call, ask):  # and what was found then is kept with it
        return await answer(call, ask, VOICE)
    notes = await _noted(call, asked, question)
    if not notes.passages:
        return json_reply(_told(notes, Synthesis(_NOTHING, []), None))
    done = Study(notes.reads, notes.passages, notes.gaps)
    ask = replace(ask, found=material_of(done), told_as=_encode(notes).decode())
    return await answer(call, ask, VOICE)


async def _noted(call: Call, asked: wire.ResearchRequest, question: str) -> Notes:
    """Plan, search and read. Raises `Refusal` where the plan cannot be asked for."""
    effort, services, began = EFFORTS[asked.depth], call.services, milliseconds()
    planned: Telling | None = None
    if effort.queries > 1:
        planned, _ = await ask_apart(
            call,
            request_for_queries(question, effort.queries - 1),
            model=asked.model or DEFAULT_MODEL,
            parameters=Parameters(max_tokens=_PLAN_TOKENS),
            purpose="plan",
        )
    told = planned.answer.text if planned is not None else ""
    queries = queries_of(question, told, effort.queries)
    providers = services.research.providers(call.key.account_id)
    done = await study(
        question,
        queries,
        providers,
        services.research.fetch,
        effort,
        asked.sources or effort.sources,
        services.research.turn,
    )
    usage = planned.usage if planned is not None else None
    making = planned.making if planned is not None else None
    return Notes(
        question=question,
        depth=asked.depth,
        queries=queries,
        providers=[provider.name for provider in providers],
        reads=done.reads,
        passages=done.passages,
        gaps=done.gaps,
        began_at=began,
        plan_tokens=usage.prompt_tokens + usage.completion_tokens if usage is not None else 0,
        plan_cost=0 if making is None else making.cost if making.priced else None,
    )


_NOTHING = "Nothing was found that answers this."


def _whole(turn: Telling) -> wire.ResearchAnswer:
    notes = _read(turn.about.told_as)
    made = cited(turn.answer.text, notes.passages)
    return _told(
        notes, made or extracted(notes.question, notes.passages), turn, by_model=bool(made)
    )


def _told(
    notes: Notes, made: Synthesis, turn: Telling | None, *, by_model: bool = False
) -> wire.ResearchAnswer:
    usage = turn.usage if turn is not None else None
    making = turn.making if turn is not None else None
    cost = notes.plan_cost
    if making is not None:
        cost = None if cost is None or not making.priced else cost + (making.cost or 0)
    ended = making.ended_at if making is not None else None
    tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else 0
    return wire.ResearchAnswer(
        query=notes.question,
        results=[
            wire.Source(
                number=number,
                title=one.hit.title,
                url=one.hit.url,
                summary=one.hit.summary,
                relevance=round(one.relevance, 4),
                provider=one.provider,
            )
            for number, one in enumerate(notes.reads, 1)
        ],
        summary=made.text,
        citations=[
            wire.Citation(
                number=one.number,
                source=one.source,
                url=notes.reads[one.source - 1].hit.url,
                quote=one.quote,
            )
            for one in made.citations
        ],
        metadata=wire.ResearchMetadata(
            depth=notes.depth,
            queries=notes.queries,
            providers=notes.providers,
            synthesis="model" if by_model else "extract",
            model=turn.served_model if turn is not None else "",
            tokens_used=notes.plan_tokens + tokens,
            cost=None if cost is None else Money.of(cost),
            processing_time=(ended or milliseconds()) - notes.began_at,
            unread=[wire.Unread(url=gap.place, reason=gap.reason) for gap in notes.gaps],
        ),
    )


_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(Notes).decode

VOICE = Voice(_whole, completions.write_stream)

ROUTES = (
    Route(
        method="POST",
        path="/api/research",
        owner="infinity",
        summary="Answer a question from sources, with citations",
        endpoint=research,
        scope="chat",
        request=wire.ResearchRequest,
        answer=wire.ResearchAnswer,
        errors=ERRORS,
        paid=True,
    ),
)
