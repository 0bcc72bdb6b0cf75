"""API keys that make others with less power: as the service's own clients make them."""

from __future__ import annotations

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import NewKey
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import not_found
from chatloom.server.routes import Route
from chatloom.server.store.keys import Key
from chatloom.wire import infinity as wire

_PREFIX = "ia_"


async def list_api_keys(call: Call) -> Reply:
    """Answer ``GET /api/api-keys``: the keys that descend from the one which asks, and work."""
    found = await call.services.store.descendants(call.key, milliseconds())
    return json_reply(wire.ApiKeys(api_keys=[_told(key) for key in found]))


async def create_api_key(call: Call) -> Reply:
    """Answer ``POST /api/api-keys``; the only answer that ever shows the key itself.

    It may do what the key that asks may, but for making keys.
    """
    wanted, own = await call.read(wire.NewApiKey), call.key
    scopes = own.scopes - {"keys"}
    new = NewKey(
        name=wanted.name,
        account_id=own.account_id,
        scopes=scopes,
        models=own.models,
        routes=own.routes,
        owner=own.owner,
        organization=own.organization,
        expires_at=own.expires_at,
        unread=own.unread,
        parent=own,
    )
    told = deed(call, "key.created", name=wanted.name, scopes=[*sorted(scopes)])
    key, secret = await call.services.identity.mint(new, told, prefix=_PREFIX)
    message = "Keep this key: it is shown only now."
    return json_reply(wire.MadeApiKey(api_key=_told(key, secret), message=message))


async def delete_api_key(call: Call) -> Reply:
    """Answer ``DELETE /api/api-keys``: it stops working at once, and all that descend from it."""
    id = call.read_query(wire.ApiKeyQuery).id
    key = await call.services.store.key(id)
    if key is None or call.key.id not in key.ancestors or key.revoked_at is not None:
        raise not_found("API key")
    await call.services.identity.revoke(key.id, deed(call, "key.revoked", key.id))
    return json_reply(wire.Deleted(message="The key is deleted, and works no more."))


def _told(key: Key, secret: Secret | None = None) -> wire.ApiKey:
    told = wire.ApiKey(
        id=key.id,
        name=key.name,
        prefix=key.hint[:12],
        created_at=iso(key.created_at),
        last_used=iso(key.last_used_at),
        is_active=key.revoked_at is None,
    )
    if secret is not None:
        told.key = secret.reveal()
    return told


ROUTES = (
    Route(
        method="GET",
        path="/api/api-keys",
        owner="infinity",
        summary="List the keys that descend from the one which asks",
        endpoint=list_api_keys,
        scope="keys",
        answer=wire.ApiKeys,
    ),
    Route(
        method="POST",
        path="/api/api-keys",
        owner="infinity",
        summary="Make a key that may do the same but for making keys; it is shown once",
        endpoint=create_api_key,
        scope="keys",
        request=wire.NewApiKey,
        answer=wire.MadeApiKey,
        errors=("invalid", "conflict"),
    ),
    Route(
        method="DELETE",
        path="/api/api-keys",
        owner="infinity",
        summary="Delete a key: it stops working at once",
        endpoint=delete_api_key,
        scope="keys",
        query=wire.ApiKeyQuery,
        answer=wire.Deleted,
        errors=("invalid", "not_found"),
    ),
)
