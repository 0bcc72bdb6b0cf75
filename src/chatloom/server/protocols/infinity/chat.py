"""Chat, in one piece and as both kinds of stream, on the same conversations as everything else."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from chatloom.server.call import Call, Reply, StreamedReply, convert, json_reply, read_json
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.message import Message
from chatloom.server.identity.powers import end_user_of
from chatloom.server.ids import is_id
from chatloom.server.models.driver import Parameters
from chatloom.server.moments import iso
from chatloom.server.protocols.infinity.finding import find
from chatloom.server.protocols.infinity.leading import SPOKEN_TOKENS, manner_of
from chatloom.server.protocols.infinity.telling import PROTOCOL, VOICE, Wording, told_as
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import ERRORS, answer
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Conversation
from chatloom.wire import infinity as wire

DEFAULT_MODEL = "infinity-agent"
"""Whom a request asks that names no model, as the service calls its own."""


_encode = msgspec.json.Encoder(order="sorted").encode


async def chat(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/chat``: in one piece, or with ``stream`` as the SDK reads it."""
    return await _answered(call, is_named=False)


async def chat_stream(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/chat/stream``: named events, as the service's own pages read them."""
    return await _answered(call, is_named=True)


async def _answered(call: Call, *, is_named: bool) -> Reply | StreamedReply:
    body = await call.body()
    asked = convert(read_json(body), wire.ChatRequest)
    if not asked.message.strip():
        raise invalid("message: it is blank", param="message")
    manner = manner_of(asked)
    end_user = end_user_of(call.key, asked.user_id)
    found = await find(call, end_user, asked, manner)
    wording = Wording(
        mode=asked.mode,
        is_driving=manner.is_driving,
        memories=found.memories,
        knowledge=found.knowledge,
        is_named=is_named,
    )
    named = asked.conversation_id or asked.session_id
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=asked.model or DEFAULT_MODEL,
        messages=[Message(role="user", content=asked.message)],
        parameters=Parameters(max_tokens=SPOKEN_TOKENS if manner.is_driving else None),
        streamed=asked.stream or is_named,
        # No system prompt of its own: the one that the conversation began with holds on.
        found="\n\n".join(one for one in (manner.prompt, found.told) if one) or None,
        end_user=end_user,
        conversation_id=named.lower() if named is not None else None,
        attempt_key=attempt_key(call, body),
        wanted=_encode(replace(asked, stream=False, user_tier=None)).decode(),
        told_as=told_as(wording),
    )
    return await answer(call, ask, VOICE)


async def get_history(call: Call) -> Reply:
    """Answer ``GET /api/chat``: what was said in a conversation."""
    asked = call.read_query(wire.HistoryQuery)
    found, store = await _named(call, asked), call.services.store
    main = await store.main_branch(found.id)
    path = await store.path(main.head_id) if main is not None and main.head_id else []
    messages = [
        wire.HistoryMessage(
            id=node.id,
            role=node.message.role,
            content=node.message.text,
            created_at=iso(node.created_at),
        )
        for node in path
        if node.deleted_at is None
    ]
    return json_reply(wire.History(conversation_id=found.id, messages=messages))


async def _named(call: Call, asked: wire.HistoryQuery) -> Conversation:
    """The conversation that is meant, if it is the end user's. Raises `Refusal`."""
    end_user = end_user_of(call.key, asked.user_id)
    id, found = asked.conversation_id.lower(), None
    if is_id(id):
        found = await call.services.store.conversation(call.key.account_id, id)
    theirs = {end_user} if call.key.owner is not None else {end_user, None}
    if found is None or (end_user is not None and found.end_user not in theirs):
        raise not_found("conversation")
    return found


_ASKED = Route(
    method="POST",
    path="/api/chat",
    owner="infinity",
    summary="Answer a message, in one piece or as a stream",
    endpoint=chat,
    scope="chat",
    request=wire.ChatRequest,
    answer=wire.ChatAnswer,
    streams=wire.TextFrame | wire.MetadataFrame | wire.ErrorFrame,
    errors=ERRORS,
    paid=True,
)

ROUTES = (
    _ASKED,
    replace(
        _ASKED,
        path="/api/chat/stream",
        summary="Answer a message as a stream of named events",
        endpoint=chat_stream,
        answer=None,
        streams=wire.StartEvent | wire.ChunkEvent | wire.DoneEvent | wire.ErrorFrame,
    ),
    Route(
        method="GET",
        path="/api/chat",
        owner="infinity",
        summary="Read what was said in a conversation",
        endpoint=get_history,
        scope="chat",
        query=wire.HistoryQuery,
        answer=wire.History,
        errors=("invalid", "not_found"),
    ),
)
