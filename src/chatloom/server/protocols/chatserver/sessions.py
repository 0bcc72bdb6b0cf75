"""ChatServer's sessions: an end user's conversations, listed, read and archived."""

from __future__ import annotations

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import end_user_of
from chatloom.server.ids import is_id, milliseconds
from chatloom.server.moments import iso
from chatloom.server.refusal import not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Conversation, Node
from chatloom.wire import chatserver as wire


async def list_sessions(call: Call) -> Reply:
    """Answer ``GET /atoms/chat/sessions``."""
    asked = call.read_query(wire.SessionPage)
    end_user = end_user_of(call.key, asked.user_id)
    assert end_user is not None, "a session's owner is named"
    found, total = await call.services.store.sessions(
        call.key.account_id,
        end_user,
        archived=asked.archived,
        limit=asked.page_size,
        offset=(asked.page - 1) * asked.page_size,
    )
    return json_reply(
        wire.SessionList(
            sessions=[_session(one) for one in found],
            total=total,
            page=asked.page,
            page_size=asked.page_size,
            has_more=asked.page * asked.page_size < total,
        )
    )


async def get_session(call: Call) -> Reply:
    """Answer ``GET /atoms/chat/sessions/{session_id}``, with the messages of its main branch."""
    found, store = await _named(call), call.services.store
    main = await store.main_branch(found.id)
    path = await store.path(main.head_id) if main is not None and main.head_id else []
    kept = [node for node in path if node.deleted_at is None]
    messages = [_message(node, index) for index, node in enumerate(kept)]
    return json_reply(wire.SessionDetail(_session(found), messages))


async def change_session(call: Call) -> Reply:
    """Answer ``PATCH /atoms/chat/sessions/{session_id}``."""
    found = await _named(call)
    wanted = await call.read(wire.SessionChange)
    await call.services.store.change_conversation(
        call.key.account_id,
        found.id,
        archived=wanted.archived,
        title=wanted.title,
        metadata=wanted.metadata,
        now=milliseconds(),
    )
    return json_reply(wire.ChangedSession(_session(await _named(call))))


async def _named(call: Call) -> Conversation:
    """The session that the address names, if it is the end user's. Raises `Refusal`."""
    end_user = end_user_of(call.key, call.read_query(wire.SessionOwner).user_id)
    id = call.parts["session_id"].lower()
    found = await call.services.store.conversation(call.key.account_id, id) if is_id(id) else None
    # One that was begun for nobody is its whole account's, as for whoever continues it.
    theirs = {end_user} if call.key.owner is not None else {end_user, None}
    if found is None or found.end_user not in theirs:
        raise not_found("chat session")
    return found


def _session(found: Conversation) -> wire.Session:
    agent = found.metadata.get("agent_type")
    return wire.Session(
        id=found.id,
        user_id=found.end_user,
        organization_id=found.organization,
        title=found.title or None,
        model=found.model,
        agent_type=agent if isinstance(agent, str) else None,
        created_at=iso(found.created_at),
        updated_at=iso(found.updated_at),
        last_message_at=iso(found.last_message_at),
        message_count=found.message_count,
        tokens_in=found.tokens_in,
        tokens_out=found.tokens_out,
        tokens_total=found.tokens_in + found.tokens_out,
        metadata=found.metadata,
        archived=found.archived,
    )


def _message(node: Node, index: int) -> wire.SessionMessage:
    message = node.message
    told: dict[str, JSON] = {
        "turn_id": node.turn_id,
        "parent_message_id": node.parent_id,
        "hash": node.hash.hex(),
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "tool_calls": [*message.tool_calls] if message.tool_calls else None,
        # What is no text is here; the text of all is in `content`.
        "parts": [*message.content] if isinstance(message.content, list) else None,
    }
    return wire.SessionMessage(
        id=node.id,
        session_id=node.conversation_id,
        message_index=index,
        role=message.role,
        content=message.text,
        metadata={name: value for name, value in told.items() if value is not None},
        tokens=node.tokens,
        created_at=iso(node.created_at),
        updated_at=iso(node.created_at),
    )


ROUTES = (
    Route(
        method="GET",
        path="/atoms/chat/sessions",
        owner="chatserver",
        summary="List an end user's sessions, the last used first",
        endpoint=list_sessions,
        scope="chat",
        query=wire.SessionPage,
        answer=wire.SessionList,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/atoms/chat/sessions/{session_id}",
        owner="chatserver",
        summary="Read a session with its messages",
        endpoint=get_session,
        scope="chat",
        query=wire.SessionOwner,
        answer=wire.SessionDetail,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="PATCH",
        path="/atoms/chat/sessions/{session_id}",
        owner="chatserver",
        summary="Archive a session, or take it back; name it anew",
        endpoint=change_session,
        scope="chat",
        query=wire.SessionOwner,
        request=wire.SessionChange,
        answer=wire.ChangedSession,
        errors=("invalid", "not_found"),
    ),
)
