"""Keys: made, listed, rotated and revoked by administrators, and by the keys they descend from."""

from __future__ import annotations

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.keys import Identity, is_control
from chatloom.server.identity.powers import (
    USER_SCOPES,
    NewKey,
    rates_of,
    require_scopes,
)
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.protocols.chatloom import budgets
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import Refusal, invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key, RateLimit
from chatloom.server.store.spending import Budget
from chatloom.wire import chatloom as wire


async def list_keys(call: Call) -> Reply:
    """Answer ``GET /admin/keys``."""
    return json_reply(await tell_keys(call.services.store))


async def create_key(call: Call) -> Reply:
    """Answer ``POST /admin/keys``; the only answer that ever shows the key's secret."""
    wanted = await call.read(wire.NewKey)
    if not is_control(call.key):
        require_scopes(call.key, USER_SCOPES if wanted.scopes is None else wanted.scopes)
    made = await make_key(call.services.store, call.services.identity, wanted, by=call)
    return json_reply(made, 201)


async def rotate_key(call: Call) -> Reply:
    """Answer ``POST /admin/keys/{key_id}/rotate``."""
    known = await call.services.store.key(call.parts["key_id"])
    if known is not None and not is_control(call.key):
        require_scopes(call.key, known.scopes)
    return await _rotate(call)


async def revoke_key(call: Call) -> Reply:
    """Answer ``DELETE /admin/keys/{key_id}``."""
    return await _revoke(call)


async def list_descendants(call: Call) -> Reply:
    """Answer ``GET /v1/keys``: the keys that descend from the one which asks, and work."""
    return json_reply(await tell_keys(call.services.store, of=call.key))


async def create_descendant(call: Call) -> Reply:
    """Answer ``POST /v1/keys``; the only answer that ever shows the key's secret."""
    wanted = await call.read(wire.NewDescendant)
    made = await make_key(call.services.store, call.services.identity, wanted, by=call, of=call.key)
    return json_reply(made, 201)


async def rotate_descendant(call: Call) -> Reply:
    """Answer ``POST /v1/keys/{key_id}/rotate``."""
    await _check_kinship(call)
    return await _rotate(call)


async def revoke_descendant(call: Call) -> Reply:
    """Answer ``DELETE /v1/keys/{key_id}``."""
    await _check_kinship(call)
    return await _revoke(call)


async def _check_kinship(call: Call) -> None:
    """Refuse what is neither the key itself nor one that descends from it."""
    key = await call.services.store.key(call.parts["key_id"])
    if key is None or call.key.id not in {key.id, *key.ancestors}:
        raise not_found("key")


async def _rotate(call: Call) -> Reply:
    overlap = (await call.read(wire.Rotation)).overlap_seconds
    id = call.parts["key_id"]
    done = deed(call, "key.rotated", id, overlap_seconds=overlap)
    key, secret = await call.services.identity.rotate(id, done, overlap=overlap)
    return json_reply(await tell_key(call.services.store, key, secret))


async def _revoke(call: Call) -> Reply:
    id = call.parts["key_id"]
    revoked = await call.services.identity.revoke(id, deed(call, "key.revoked", id))
    return json_reply(await tell_key(call.services.store, revoked))


async def make_key(
    store: Store,
    identity: Identity,
    wanted: wire.NewDescendant,
    *,
    by: Call | str,
    of: Key | None = None,
) -> wire.Key:
    """Make a key as *wanted*, descending from *of*, and show its secret. Raises `Refusal`."""
    budget = None if wanted.budget is None else wire.picodollars(wanted.budget)
    has_less_money = of is not None and await _has_less_money(store, of, budget)
    new = _new_key(wanted, of, has_less_money)
    told = deed(by, "key.created", name=wanted.name, scopes=[*sorted(new.scopes)])
    key, secret = await identity.mint(new, told)
    # Its secret is not told before, so nothing can be spent without the limit.
    if budget is not None:
        limited = deed(by, "budget.set", key.id, concern="key", usd=wanted.budget)
        await store.set_budget("key", key.id, budget, limited)
    return await tell_key(store, key, secret)


def _new_key(wanted: wire.NewDescendant, of: Key | None, has_less_money: bool) -> NewKey:
    days = wanted.expires_in_days
    expires = None if days is None else milliseconds() + int(days * 86_400_000)
    rate = None
    if wanted.requests_per_minute is not None:
        rate = RateLimit(wanted.requests_per_minute, wanted.burst or _burst(wanted, of))
    elif wanted.burst is not None:
        raise invalid("burst needs requests_per_minute", param="burst")
    if of is None:
        return NewKey(
            name=wanted.name,
            account_id=wanted.account_id if isinstance(wanted, wire.NewKey) else None,
            scopes=USER_SCOPES if wanted.scopes is None else frozenset(wanted.scopes),
            models=wanted.models,
            routes=wanted.routes,
            owner=wanted.user,
            organization=wanted.organization,
            rate=rate,
            expires_at=expires,
            unread=wanted.unread or "cancel",
        )
    return NewKey(
        name=wanted.name,
        account_id=of.account_id,
        scopes=of.scopes - {"keys"} if wanted.scopes is None else frozenset(wanted.scopes),
        models=of.models if wanted.models is None else wanted.models,
        routes=of.routes if wanted.routes is None else wanted.routes,
        owner=wanted.user or of.owner,
        organization=wanted.organization or of.organization,
        rate=rate,
        expires_at=expires or of.expires_at,
        unread=wanted.unread or of.unread,
        parent=of,
        has_less_money=has_less_money,
    )


def _burst(wanted: wire.NewDescendant, of: Key | None) -> int:
    """As much as ten seconds bring, one at least, and no more than the key *of* may."""
    usual = max(1, (wanted.requests_per_minute or 0) // 6)
    return min([usual, *(rate.burst for rate in rates_of(of).values())] if of else [usual])


async def _has_less_money(store: Store, of: Key, budget: int | None) -> bool:
    """Whether *budget* is less than *of* may spend. Raises `Refusal` where it is more."""
    if budget is None:
        return False
    above = [await store.budget("key", id) for id in (of.id, *of.ancestors)]
    most = min((one.amount for one in above if one is not None), default=None)
    if most is not None and budget > most:
        raise Refusal(
            "forbidden",
            "budget: more than the API key that asks has itself",
            code="beyond_parent",
            param="budget",
        )
    return most is None or budget < most


async def tell_keys(store: Store, *, of: Key | None = None) -> wire.KeyList:
    """Describe every key, or those that descend from one and work."""
    budget_of = {one.subject: one for one in await store.budgets() if one.concern == "key"}
    found = await store.keys() if of is None else await store.descendants(of, milliseconds())
    return wire.KeyList([_key(key, budget_of.get(key.id)) for key in found])


async def tell_key(store: Store, key: Key, secret: Secret | None = None) -> wire.Key:
    """Describe *key*; with its *secret* only when that was just made."""
    return _key(key, await store.budget("key", key.id), secret)


def _key(key: Key, budget: Budget | None, secret: Secret | None = None) -> wire.Key:
    return wire.Key(
        id=key.id,
        account_id=key.account_id,
        name=key.name,
        hint=key.hint,
        scopes=sorted(key.scopes),
        models=key.models,
        routes=key.routes,
        user=key.owner,
        organization=key.organization,
        parent_id=key.ancestors[0] if key.ancestors else None,
        requests_per_minute=key.rate.per_minute if key.rate else None,
        burst=key.rate.burst if key.rate else None,
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
        path="/admin/keys",
        owner="chatloom",
        summary="List every key, without secrets",
        endpoint=list_keys,
        scope="admin",
        answer=wire.KeyList,
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
        errors=("invalid",),
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
        errors=("invalid", "not_found", "conflict"),
    ),
    Route(
        method="DELETE",
        path="/admin/keys/{key_id}",
        owner="chatloom",
        summary="Revoke a key and all that descend from it, at once",
        endpoint=revoke_key,
        scope="admin",
        answer=wire.Key,
        errors=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/keys",
        owner="chatloom",
        summary="List the keys that descend from this one, and work",
        endpoint=list_descendants,
        scope="keys",
        answer=wire.KeyList,
    ),
    Route(
        method="POST",
        path="/v1/keys",
        owner="chatloom",
        summary="Make a key that has less than this one; its secret is shown here only",
        endpoint=create_descendant,
        scope="keys",
        request=wire.NewDescendant,
        answer=wire.Key,
        status=201,
        errors=("invalid", "conflict"),
    ),
    Route(
        method="POST",
        path="/v1/keys/{key_id}/rotate",
        owner="chatloom",
        summary="Give this key, or one that descends from it, a new secret",
        endpoint=rotate_descendant,
        scope="keys",
        request=wire.Rotation,
        answer=wire.Key,
        errors=("invalid", "not_found", "conflict"),
    ),
    Route(
        method="DELETE",
        path="/v1/keys/{key_id}",
        owner="chatloom",
        summary="Revoke this key, or one that descends from it, at once",
        endpoint=revoke_descendant,
        scope="keys",
        answer=wire.Key,
        errors=("not_found", "conflict"),
    ),
)
