"""chatloom's own addresses: conversations read back, keys administered."""

from __future__ import annotations

from collections.abc import Iterable

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity import SCOPES, Identity, is_control
from chatloom.server.ids import is_id, milliseconds
from chatloom.server.protocols import budgets
from chatloom.server.protocols.moments import iso
from chatloom.server.refusal import Refusal, not_found
from chatloom.server.routes import Route
from chatloom.server.store import contract
from chatloom.wire import chatloom as wire


async def get_conversation(call: Call) -> Reply:
    """Answer ``GET /v1/conversations/{conversation_id}``, with the messages of one branch."""
    store, account = call.services.store, call.key.account_id
    id = call.parts["conversation_id"]
    found = await store.conversation(account, id) if is_id(id) else None
    if found is None:
        raise not_found("conversation")
    branches = await store.branches(found.id)
    wanted = call.query.get("branch_id", branches[0].id)
    branch = next((one for one in branches if one.id == wanted), None)
    if branch is None:
        raise not_found("branch")
    path = await store.path(branch.head_id) if branch.head_id else []
    return json_reply(
        wire.Conversation(
            id=found.id,
            title=found.title,
            end_user=found.end_user,
            message_count=found.message_count,
            tokens_in=found.tokens_in,
            tokens_out=found.tokens_out,
            cost=wire.Money.of(found.cost),
            branches=[_branch(one) for one in branches],
            branch_id=branch.id,
            messages=[_message(node) for node in path],
        )
    )


def _branch(branch: contract.Branch) -> wire.Branch:
    return wire.Branch(
        id=branch.id,
        name=branch.name,
        head_id=branch.head_id,
        forked_from_id=branch.forked_from_id,
        is_main=branch.is_main,
    )


def _message(node: contract.Node) -> wire.Message:
    content = node.message.content
    return wire.Message(
        id=node.id,
        parent_id=node.parent_id,
        role=node.message.role,
        content=content if isinstance(content, str | None) else [*content],
        tool_calls=node.message.tool_calls,
        hash=node.hash.hex(),
        turn_id=node.turn_id,
        created_at=iso(node.created_at),
    )


async def list_keys(call: Call) -> Reply:
    """Answer ``GET /admin/keys``."""
    return json_reply(await tell_keys(call.services.store))


async def create_key(call: Call) -> Reply:
    """Answer ``POST /admin/keys``; the only answer that ever shows the key's secret."""
    wanted = await call.read(wire.NewKey)
    _only_what_it_has(call.key, wanted.scopes)
    made = await make_key(call.services.store, call.services.identity, wanted)
    return json_reply(made, 201)


async def make_key(store: contract.Store, identity: Identity, wanted: wire.NewKey) -> wire.Key:
    """Make a key as *wanted*, and show its secret."""
    days = wanted.expires_in_days
    key, secret = await identity.mint(
        name=wanted.name,
        account_id=wanted.account_id,
        scopes=wanted.scopes,
        models=wanted.models,
        expires_at=None if days is None else milliseconds() + int(days * 86_400_000),
        unread=wanted.unread,
    )
    # Its secret is not told before, so nothing can be spent without the limit.
    if wanted.budget is not None:
        await store.set_budget("key", key.id, wire.picodollars(wanted.budget))
    return await tell_key(store, key, secret)


def _only_what_it_has(key: contract.Key, scopes: Iterable[str]) -> None:
    """Keep a key from giving out, or taking over, more than it has itself."""
    beyond = SCOPES.intersection(scopes) - key.scopes
    if beyond and not is_control(key):
        raise Refusal(
            "forbidden",
            f"this API key lacks the scope {', '.join(sorted(beyond))}",
            code="missing_scope",
        )


async def rotate_key(call: Call) -> Reply:
    """Answer ``POST /admin/keys/{key_id}/rotate``."""
    overlap = (await call.read(wire.Rotation)).overlap_seconds
    known = await call.services.store.key(call.parts["key_id"])
    _only_what_it_has(call.key, known.scopes if known else ())
    key, secret = await call.services.identity.rotate(call.parts["key_id"], overlap=overlap)
    return json_reply(await tell_key(call.services.store, key, secret))


async def revoke_key(call: Call) -> Reply:
    """Answer ``DELETE /admin/keys/{key_id}``."""
    revoked = await call.services.identity.revoke(call.parts["key_id"])
    return json_reply(await tell_key(call.services.store, revoked))


async def tell_keys(store: contract.Store) -> wire.KeyList:
    """Describe every key."""
    budget_of = {one.subject: one for one in await store.budgets() if one.concern == "key"}
    return wire.KeyList([_key(key, budget_of.get(key.id)) for key in await store.keys()])


async def tell_key(
    store: contract.Store, key: contract.Key, secret: Secret | None = None
) -> wire.Key:
    """Describe *key*; with its *secret* only when that was just made."""
    return _key(key, await store.budget("key", key.id), secret)


def _key(
    key: contract.Key, budget: contract.Budget | None, secret: Secret | None = None
) -> wire.Key:
    return wire.Key(
        id=key.id,
        account_id=key.account_id,
        name=key.name,
        hint=key.hint,
        scopes=sorted(key.scopes),
        models=key.models,
        created_at=iso(key.created_at),
        expires_at=iso(key.expires_at),
        revoked_at=iso(key.revoked_at),
        last_used_at=iso(key.last_used_at),
        dev=key.dev,
        unread=key.unread,
        budget=budgets.tell_budget(budget) if budget else None,
        secret=secret.reveal() if secret else None,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/conversations/{conversation_id}",
        owner="chatloom",
        summary="Read a conversation back; `branch_id` chooses the branch",
        endpoint=get_conversation,
        scope="chat",
        answer=wire.Conversation,
        errors=("unauthenticated", "forbidden", "not_found"),
    ),
    Route(
        method="GET",
        path="/admin/keys",
        owner="chatloom",
        summary="List every key, without secrets",
        endpoint=list_keys,
        scope="admin",
        answer=wire.KeyList,
        errors=("unauthenticated", "forbidden"),
    ),
    Route(
        method="POST",
        path="/admin/keys",
        owner="chatloom",
        summary="Make a key; its secret is shown here only",
        endpoint=create_key,
        scope="admin",
        request=wire.NewKey,
        answer=wire.Key,
        status=201,
        errors=("invalid", "unauthenticated", "forbidden"),
    ),
    Route(
        method="POST",
        path="/admin/keys/{key_id}/rotate",
        owner="chatloom",
        summary="Give a key a new secret; the old one works a while longer",
        endpoint=rotate_key,
        scope="admin",
        request=wire.Rotation,
        answer=wire.Key,
        errors=("invalid", "unauthenticated", "forbidden", "not_found", "conflict"),
    ),
    Route(
        method="DELETE",
        path="/admin/keys/{key_id}",
        owner="chatloom",
        summary="Revoke a key, at once",
        endpoint=revoke_key,
        scope="admin",
        answer=wire.Key,
        errors=("unauthenticated", "forbidden", "not_found", "conflict"),
    ),
    *budgets.ROUTES,
)
