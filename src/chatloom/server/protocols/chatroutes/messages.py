"""ChatRoutes' messages: answered, listed, said otherwise, deleted."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from chatloom.server.call import Call, Reply, StreamedReply, convert, json_reply, read_json
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.forking import say_otherwise
from chatloom.server.chat.message import Message
from chatloom.server.ids import milliseconds
from chatloom.server.models.driver import Parameters
from chatloom.server.protocols.chatroutes.access import (
    branch_named,
    branch_of,
    conversation_of,
    message_of,
)
from chatloom.server.protocols.chatroutes.pages import page_of_messages
from chatloom.server.protocols.chatroutes.spelling import branch_told, messages_told, model_of
from chatloom.server.protocols.chatroutes.telling import PROTOCOL, VOICE
from chatloom.server.protocols.repeats import attempt_key, refusing_reuse, repeatable_making
from chatloom.server.protocols.voice import ERRORS, answer
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Branch
from chatloom.wire import chatroutes as wire

T = TypeVar("T")


async def send_message(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/messages``."""
    return await answer(call, await _ask(call, streamed=False), VOICE)


async def stream_message(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/messages/stream``."""
    return await answer(call, await _ask(call, streamed=True), VOICE)


async def send_on_branch(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/branches/{branch_id}/messages``."""
    return await send_message(call)


async def _ask(call: Call, *, streamed: bool) -> Ask:
    """What a request asks, on the branch that it or its address names. Raises `Refusal`."""
    body = await call.body()
    wanted = convert(read_json(body), wire.NewMessage)
    conversation = await conversation_of(call)
    defaults = conversation.defaults
    named = call.parts.get("branch_id", wanted.branch_id)
    if named is not None and wanted.branch_id and wanted.branch_id.lower() != named.lower():
        raise invalid("the address names another branch", param="branchId")
    branch = await branch_named(call, conversation, named) if named is not None else None
    return Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=wanted.model or model_of(conversation),
        messages=[Message(role="user", content=wanted.content)],
        parameters=Parameters(
            max_tokens=_given(wanted.max_tokens, defaults.max_tokens),
            temperature=_given(wanted.temperature, defaults.temperature),
        ),
        streamed=streamed,
        conversation_id=conversation.id,
        branch_id=branch.id if branch is not None else None,
        parent_id=wanted.parent_message_id.lower() if wanted.parent_message_id else None,
        attempt_key=attempt_key(call, body),
        wanted=f"{conversation.id} {named} {msgspec.json.encode(wanted).decode()}",
    )


def _given(said: T | None, default: T | None) -> T | None:
    return default if said is None else said


async def list_messages(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/messages``."""
    asked = call.read_query(wire.MessagePage)
    conversation = await conversation_of(call)
    return await _page(call, await branch_named(call, conversation, asked.branch_id), asked)


async def list_branch_messages(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/branches/{branch_id}/messages``."""
    asked = call.read_query(wire.MessagePage)
    return await _page(call, await branch_of(call, await conversation_of(call)), asked)


async def _page(call: Call, branch: Branch, asked: wire.MessagePage) -> Reply:
    page = await page_of_messages(call.services.store, call.key.account_id, branch, asked)
    return json_reply(
        wire.MessageList(
            messages=page.messages,
            has_next=page.has_next,
            next_cursor=page.next_cursor,
            data=page,
        )
    )


async def change_message(call: Call) -> Reply:
    """Answer ``PATCH /api/v1/messages/{message_id}``."""
    wanted = await call.read(wire.MessageChange)
    node, store = await message_of(call), call.services.store
    by, account = repeatable_making(call, wanted), call.key.account_id
    with refusing_reuse():
        said, kept_id = await say_otherwise(store, account, node, wanted.content, by)
    (message,) = await messages_told(store, [said])
    kept = await store.branch(said.conversation_id, kept_id)
    assert kept is not None
    held = wire.HoldingMessage(message=message, kept_branch=branch_told(kept))
    return json_reply(wire.Answer(data=held))


async def delete_message(call: Call) -> Reply:
    """Answer ``DELETE /api/v1/messages/{message_id}``."""
    node, account = await message_of(call), call.key.account_id
    if not await call.services.store.delete_message(account, node.id, milliseconds()):
        raise not_found("message")
    return json_reply(wire.Done())


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/messages",
        owner="chatroutes",
        summary="Answer a message",
        endpoint=send_message,
        scope="chat",
        request=wire.NewMessage,
        answer=wire.Answer[wire.Exchange],
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/messages/stream",
        owner="chatroutes",
        summary="Answer a message as a stream",
        endpoint=stream_message,
        scope="chat",
        request=wire.NewMessage,
        streams=wire.Content | wire.Complete | wire.Failed,
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}/messages",
        owner="chatroutes",
        summary="Answer a message on a branch",
        endpoint=send_on_branch,
        scope="chat",
        request=wire.NewMessage,
        answer=wire.Answer[wire.Exchange],
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/messages",
        owner="chatroutes",
        summary="List the messages of a branch",
        endpoint=list_messages,
        scope="chat",
        query=wire.MessagePage,
        answer=wire.MessageList,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}/messages",
        owner="chatroutes",
        summary="List the messages of a branch, its ancestors' first",
        endpoint=list_branch_messages,
        scope="chat",
        query=wire.MessagePage,
        answer=wire.MessageList,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="PATCH",
        path="/api/v1/messages/{message_id}",
        owner="chatroutes",
        summary="Have a branch go on from another wording; the old path is kept as a branch",
        endpoint=change_message,
        scope="chat",
        request=wire.MessageChange,
        answer=wire.Answer[wire.HoldingMessage],
        errors=("invalid", "not_found", "conflict", "too_large", "unprocessable"),
        heeds_key=True,
    ),
    Route(
        method="DELETE",
        path="/api/v1/messages/{message_id}",
        owner="chatroutes",
        summary="Delete a message; its place and its hash stay",
        endpoint=delete_message,
        scope="chat",
        answer=wire.Done,
        errors=("not_found",),
    ),
)
