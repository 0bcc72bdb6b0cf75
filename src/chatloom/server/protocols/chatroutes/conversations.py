"""ChatRoutes' conversations: begun, listed, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import end_user_of, organization_of
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.registry import UnknownModel
from chatloom.server.protocols.chatroutes.access import branch_named, conversation_of
from chatloom.server.protocols.chatroutes.pages import page_of_branches, page_of_messages
from chatloom.server.protocols.chatroutes.spelling import DEFAULT_MODEL, conversation_told
from chatloom.server.protocols.envelopes import unknown_model
from chatloom.server.protocols.repeats import refusing_reuse, repeatable_making
from chatloom.server.refusal import not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Conversation
from chatloom.server.store.trees import Defaults, NewConversation
from chatloom.wire import chatroutes as wire


async def create_conversation(call: Call) -> Reply:
    """Answer ``POST /api/v1/conversations``."""
    wanted = await call.read(wire.NewConversation)
    _check_model(call, wanted.model)
    new = NewConversation(
        id=new_id(),
        account_id=call.key.account_id,
        end_user=end_user_of(call.key, None),
        organization=organization_of(call.key, None),
        title=wanted.title,
        metadata=wanted.metadata or {},
        defaults=replace(_defaults(wanted), model=wanted.model or DEFAULT_MODEL),
        main_branch_id=new_id(),
        now=milliseconds(),
    )
    by = repeatable_making(call, wanted)
    with refusing_reuse():
        id = await call.services.store.add_conversation(new, by)
    return await _told(call, id, status=201)


async def list_conversations(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations``."""
    asked = call.read_query(wire.ConversationPage)
    found, total = await call.services.store.conversations(
        call.key.account_id,
        end_user_of(call.key, None),
        limit=asked.limit,
        offset=(asked.page - 1) * asked.limit,
    )
    if asked.filter == "shared":
        found, total = [], 0
    return json_reply(_page_told(found, total, asked))


def _page_told(
    found: Sequence[Conversation], total: int, asked: wire.ConversationPage
) -> wire.ConversationList:
    page = wire.Conversations(
        conversations=[conversation_told(one) for one in found],
        total=total,
        page=asked.page,
        limit=asked.limit,
        has_next=asked.page * asked.limit < total,
    )
    return wire.ConversationList(
        conversations=page.conversations,
        total=page.total,
        page=page.page,
        limit=page.limit,
        has_next=page.has_next,
        data=page,
    )


async def get_conversation(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}``, with messages and branches."""
    found, store = await conversation_of(call), call.services.store
    main = await branch_named(call, found, None)
    messages = await page_of_messages(store, call.key.account_id, main, wire.MessagePage())
    branches = await page_of_branches(store, found, wire.BranchPage().limit, None)
    told = conversation_told(found, messages=messages, branches=branches)
    return json_reply(wire.Answer(data=wire.HoldingConversation(conversation=told)))


async def change_conversation(call: Call) -> Reply:
    """Answer ``PATCH /api/v1/conversations/{conversation_id}``."""
    wanted = await call.read(wire.ConversationChange)
    found, store, account = await conversation_of(call), call.services.store, call.key.account_id
    _check_model(call, wanted.model)
    now = milliseconds()
    if wanted.title is not None or wanted.metadata is not None:
        await store.change_conversation(
            account, found.id, archived=None, title=wanted.title, metadata=wanted.metadata, now=now
        )
    changes = _defaults(wanted)
    if changes != Defaults():
        await store.set_defaults(account, found.id, changes, now)
    return await _told(call, found.id)


def _defaults(wanted: wire.NewConversation | wire.ConversationChange) -> Defaults:
    return Defaults(
        model=wanted.model,
        system_prompt=wanted.system_prompt,
        temperature=wanted.temperature,
        max_tokens=wanted.max_tokens,
    )


async def delete_conversation(call: Call) -> Reply:
    """Answer ``DELETE /api/v1/conversations/{conversation_id}``."""
    found = await conversation_of(call)
    account = call.key.account_id
    if not await call.services.store.delete_conversation(account, found.id, milliseconds()):
        raise not_found("conversation")
    return json_reply(wire.Done())


def _check_model(call: Call, model: str | None) -> None:
    """Refuse a model that nobody knows before anything is kept of it."""
    if model is None:
        return
    try:
        call.services.registry.resolve(model)
    except UnknownModel as error:
        raise unknown_model(error) from error


async def _told(call: Call, id: str, status: int = 200) -> Reply:
    found = await call.services.store.conversation(call.key.account_id, id)
    if found is None:
        raise not_found("conversation")
    held = wire.HoldingConversation(conversation=conversation_told(found))
    return json_reply(wire.Answer(data=held), status)


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/conversations",
        owner="chatroutes",
        summary="Begin a conversation",
        endpoint=create_conversation,
        scope="chat",
        request=wire.NewConversation,
        answer=wire.Answer[wire.HoldingConversation],
        status=201,
        errors=("invalid", "not_found", "too_large", "unprocessable"),
        heeds_key=True,
    ),
    Route(
        method="GET",
        path="/api/v1/conversations",
        owner="chatroutes",
        summary="List conversations, the last used first",
        endpoint=list_conversations,
        scope="chat",
        query=wire.ConversationPage,
        answer=wire.ConversationList,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}",
        owner="chatroutes",
        summary="Read a conversation, with the messages of its main branch and its branches",
        endpoint=get_conversation,
        scope="chat",
        answer=wire.Answer[wire.HoldingConversation],
        errors=("not_found",),
    ),
    Route(
        method="PATCH",
        path="/api/v1/conversations/{conversation_id}",
        owner="chatroutes",
        summary="Change a conversation's title, or what its requests need not say",
        endpoint=change_conversation,
        scope="chat",
        request=wire.ConversationChange,
        answer=wire.Answer[wire.HoldingConversation],
        errors=("invalid", "not_found", "too_large"),
    ),
    Route(
        method="DELETE",
        path="/api/v1/conversations/{conversation_id}",
        owner="chatroutes",
        summary="Delete a conversation",
        endpoint=delete_conversation,
        scope="chat",
        answer=wire.Done,
        errors=("not_found",),
    ),
)
