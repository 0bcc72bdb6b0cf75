"""ChatRoutes' branches: forked, listed, changed, deleted, merged, compared."""

from __future__ import annotations

from collections.abc import Sequence

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.chat import forking, merging
from chatloom.server.chat.summing import request_for_summary
from chatloom.server.ids import milliseconds
from chatloom.server.protocols.asking import ask_apart
from chatloom.server.protocols.chatroutes.access import branch_named, branch_of, conversation_of
from chatloom.server.protocols.chatroutes.pages import page_of_branches
from chatloom.server.protocols.chatroutes.spelling import branch_told, messages_told, model_of
from chatloom.server.protocols.repeats import refusing_reuse, repeatable_making
from chatloom.server.protocols.voice import ERRORS
from chatloom.server.refusal import Refusal, invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Branch, Conversation, Node
from chatloom.server.store.trees import Taken
from chatloom.wire import chatroutes as wire
from chatloom.wire.chatloom import Money


async def list_branches(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/branches``."""
    asked = call.read_query(wire.BranchPage)
    conversation = await conversation_of(call)
    page = await page_of_branches(call.services.store, conversation, asked.limit, asked.cursor)
    return json_reply(
        wire.BranchList(
            branches=page.branches,
            has_next=page.has_next,
            next_cursor=page.next_cursor,
            data=page,
        )
    )


async def create_branch(call: Call) -> Reply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/branches``."""
    wanted = await call.read(wire.NewBranch)
    return await _forked(call, wanted, wanted.base_node_id)


async def fork_conversation(call: Call) -> Reply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/fork``."""
    wanted = await call.read(wire.Fork)
    return await _forked(call, wanted, wanted.fork_point_message_id)


async def _forked(call: Call, wanted: wire.NewBranch | wire.Fork, at: str | None) -> Reply:
    with refusing_reuse():
        branch = await forking.fork(
            call.services.store,
            await conversation_of(call),
            at.lower() if at is not None else None,
            name=wanted.title,
            description=wanted.description,
            context_mode=wanted.context_mode,
            by=repeatable_making(call, wanted),
        )
    held = wire.HoldingBranch(branch=branch_told(branch))
    return json_reply(wire.Answer(data=held), 201)


async def change_branch(call: Call) -> Reply:
    """Answer ``PATCH /api/v1/conversations/{conversation_id}/branches/{branch_id}``."""
    wanted = await call.read(wire.BranchChange)
    conversation = await conversation_of(call)
    branch = await branch_of(call, conversation)
    if branch.is_main and wanted.is_active is False:
        raise Refusal(
            "conflict", "the main branch stays active", code="main_branch", repeatable=False
        )
    store, changed = call.services.store, branch
    if wanted != wire.BranchChange():
        await store.change_branch(
            branch.conversation_id,
            branch.id,
            name=wanted.title,
            description=wanted.description,
            context_mode=wanted.context_mode,
            active=wanted.is_active,
            now=milliseconds(),
        )
        changed = await branch_named(call, conversation, branch.id)
    return json_reply(wire.Answer(data=wire.HoldingBranch(branch=branch_told(changed))))


async def delete_branch(call: Call) -> Reply:
    """Answer ``DELETE /api/v1/conversations/{conversation_id}/branches/{branch_id}``."""
    branch = await branch_of(call, await conversation_of(call))
    if branch.is_main:
        raise Refusal(
            "conflict",
            "the main branch cannot be deleted; delete the conversation",
            code="main_branch",
            repeatable=False,
        )
    now, store = milliseconds(), call.services.store
    if not await store.delete_branch(branch.conversation_id, branch.id, now):
        raise not_found("branch")
    return json_reply(wire.Done())


async def merge_branch(call: Call) -> Reply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/branches/{branch_id}/merge``."""
    wanted = await call.read(wire.Merge)
    conversation = await conversation_of(call)
    headers: list[tuple[bytes, bytes]] = []
    done = await merging.merge(
        call.services.store,
        conversation,
        call.parts["branch_id"].lower(),
        target_id=wanted.target_branch_id.lower() if wanted.target_branch_id else None,
        strategy=wanted.strategy,
        picked=[id.lower() for id in wanted.message_ids] if wanted.message_ids else None,
        summarize=_summarizing(call, conversation, wanted.model, headers),
    )
    told = _merge_told(done, wanted.strategy)
    held = wire.HoldingBranch(branch=branch_told(done.target), merge=told)
    reply = json_reply(wire.Answer(data=held))
    reply.headers += headers
    return reply


def _summarizing(
    call: Call,
    conversation: Conversation,
    model: str | None,
    headers: list[tuple[bytes, bytes]],
) -> merging.Summarize:
    """Have a model sum up what is merged; what its turn tells in headers is added to *headers*."""

    async def summarize(source: Branch, target: Branch, nodes: Sequence[Node]) -> merging.Summary:
        turn, told = await ask_apart(
            call,
            request_for_summary([node.message for node in nodes]),
            model=model or model_of(conversation),
            conversation_id=conversation.id,
            branch_id=target.id,
        )
        headers.extend(told)
        tokens = turn.usage.completion_tokens if turn.usage is not None else None
        return merging.Summary(turn.answer.text, turn.id, tokens)

    return summarize


def _merge_told(done: merging.Merged, strategy: merging.Strategy) -> wire.MergeInfo:
    return wire.MergeInfo(
        strategy=strategy,
        fast_forward=done.node is None,
        message_id=done.node.id if done.node is not None else None,
        message_ids=list(done.brought),
        source_branch_id=done.source.id,
        target_branch_id=done.target.id,
        repeated=done.repeated,
    )


async def compare_branches(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/branches/{branch_id}/diff``."""
    asked = call.read_query(wire.DiffQuery)
    conversation, store = await conversation_of(call), call.services.store
    branch = await branch_of(call, conversation)
    other_id = asked.against or branch.parent_branch_id
    if other_id is None:
        raise invalid("the main branch was forked from none; name one", param="against")
    against = await branch_named(call, conversation, other_id)
    common = None
    if branch.head_id is not None and against.head_id is not None:
        common = await store.last_common(branch.head_id, against.head_id)
    depth = common.depth if common is not None else 0
    told = wire.Diff(
        common_message_id=common.id if common is not None else None,
        shared_message_count=depth,
        branch=await _side(call, branch, depth, asked.limit),
        against=await _side(call, against, depth, asked.limit),
    )
    return json_reply(wire.Answer(data=told))


async def _side(call: Call, branch: Branch, shared: int, limit: int) -> wire.DiffSide:
    store, own, taken = call.services.store, list[Node](), Taken(0, 0, 0)
    if branch.head_id is not None and branch.head_depth > shared:
        own = await store.path_slice(branch.head_id, first=shared + 1, last=shared + limit)
        taken = await store.taken(branch.head_id, shared + 1)
    kept = [node for node in own if node.deleted_at is None]
    return wire.DiffSide(
        branch=branch_told(branch),
        messages=await messages_told(store, kept),
        message_count=branch.head_depth - shared,
        has_more=branch.head_depth > shared + limit,
        tokens_in=taken.tokens_in,
        tokens_out=taken.tokens_out,
        cost=Money.of(taken.cost),
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/branches",
        owner="chatroutes",
        summary="List the branches of a conversation, the main one first",
        endpoint=list_branches,
        scope="chat",
        query=wire.BranchPage,
        answer=wire.BranchList,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/branches",
        owner="chatroutes",
        summary="Begin a branch at a message, or at the head of the main branch",
        endpoint=create_branch,
        scope="chat",
        request=wire.NewBranch,
        answer=wire.Answer[wire.HoldingBranch],
        status=201,
        errors=("invalid", "not_found", "too_large", "unprocessable"),
        heeds_key=True,
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/fork",
        owner="chatroutes",
        summary="Begin a branch at a message",
        endpoint=fork_conversation,
        scope="chat",
        request=wire.Fork,
        answer=wire.Answer[wire.HoldingBranch],
        status=201,
        errors=("invalid", "not_found", "too_large", "unprocessable"),
        heeds_key=True,
    ),
    Route(
        method="PATCH",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}",
        owner="chatroutes",
        summary="Rename a branch, set its context mode, deactivate it",
        endpoint=change_branch,
        scope="chat",
        request=wire.BranchChange,
        answer=wire.Answer[wire.HoldingBranch],
        errors=("invalid", "not_found", "conflict", "too_large"),
    ),
    Route(
        method="DELETE",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}",
        owner="chatroutes",
        summary="Delete a branch; branches forked from it keep their history",
        endpoint=delete_branch,
        scope="chat",
        answer=wire.Done,
        errors=("not_found", "conflict"),
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}/merge",
        owner="chatroutes",
        summary="Merge a branch into the one it was forked from, or the one named",
        endpoint=merge_branch,
        scope="chat",
        request=wire.Merge,
        answer=wire.Answer[wire.HoldingBranch],
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/branches/{branch_id}/diff",
        owner="chatroutes",
        summary="Compare a branch with the one it was forked from, or the one named",
        endpoint=compare_branches,
        scope="chat",
        query=wire.DiffQuery,
        answer=wire.Answer[wire.Diff],
        errors=("invalid", "not_found"),
    ),
)
