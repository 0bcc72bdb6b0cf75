"""Accounts and their tiers; end users and organizations, as they are known by what was asked."""

from __future__ import annotations

from typing import Literal

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.tiers import Tiers
from chatloom.server.moments import iso
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store import administration
from chatloom.server.store.contract import Store
from chatloom.wire import chatloom as wire


async def list_accounts(call: Call) -> Reply:
    """Answer ``GET /admin/accounts``."""
    return json_reply(await tell_accounts(call.services.store, call.services.tiers))


async def change_account(call: Call) -> Reply:
    """Answer ``PATCH /admin/accounts/{account_id}``."""
    services, id = call.services, call.parts["account_id"]
    wanted = await call.read(wire.AccountChange)
    changed = await change_tier(services.store, services.tiers, id, wanted, by=call)
    services.identity.forget_account(id)
    return json_reply(changed)


async def tell_accounts(store: Store, tiers: Tiers) -> wire.AccountList:
    """Describe every account."""
    return wire.AccountList([_account(one, tiers) for one in await store.accounts()])


async def change_tier(
    store: Store, tiers: Tiers, id: str, wanted: wire.AccountChange, *, by: Call | str
) -> wire.Account:
    """Put an account into a tier. Raises `Refusal` for one that is not there."""
    if wanted.tier is not None and wanted.tier not in tiers.names:
        known = ", ".join(tiers.names)
        raise invalid(f"there is no such tier; there are {known}", param="tier")
    if await store.find_account(id) is None:
        raise not_found("account")
    await store.set_tier(id, wanted.tier, deed(by, "account.changed", id, tier=wanted.tier))
    changed = await store.find_account(id)
    assert changed is not None
    return _account(changed, tiers)


_NAMED = 5
"""Accounts that are named where one of them must be."""


async def account_meant(store: Store, id: str | None) -> str:
    """The account with this id, else the only one there is. Raises `Refusal`."""
    if id is not None:
        if await store.find_account(id) is None:
            raise not_found("account")
        return id
    accounts = await store.accounts()
    if len(accounts) == 1:
        return accounts[0].id
    if not accounts:
        raise invalid("there is no account yet; a key that is made has one", param="account_id")
    named = "".join(f"\n  {one.id} ({one.name})" for one in accounts[:_NAMED])
    more = "\n  …" if len(accounts) > _NAMED else ""
    raise invalid(f"there are several accounts; name one:{named}{more}", param="account_id")


def _account(account: administration.Account, tiers: Tiers) -> wire.Account:
    return wire.Account(
        id=account.id,
        name=account.name,
        tier=tiers.of(account.tier).name,
        dev=account.dev,
        created_at=iso(account.created_at),
    )


async def list_users(call: Call) -> Reply:
    """Answer ``GET /admin/users``; `account_id` asks for one account's."""
    return await _holders(call, "end_user")


async def list_organizations(call: Call) -> Reply:
    """Answer ``GET /admin/organizations``; `account_id` asks for one account's."""
    return await _holders(call, "organization")


async def _holders(call: Call, kind: Literal["end_user", "organization"]) -> Reply:
    found = await call.services.store.holders(kind, call.query.get("account_id"))
    holders = [
        wire.Holder(
            account_id=one.account_id,
            name=one.name,
            requests=one.requests,
            prompt_tokens=one.prompt_tokens,
            completion_tokens=one.completion_tokens,
            spent=wire.Money.of(one.spent),
            last_used_at=iso(one.last_used_at),
        )
        for one in found
    ]
    return json_reply(wire.HolderList(holders))


ROUTES = (
    Route(
        method="GET",
        path="/admin/accounts",
        owner="chatloom",
        summary="List every account, with its tier",
        endpoint=list_accounts,
        scope="admin",
        answer=wire.AccountList,
    ),
    Route(
        method="PATCH",
        path="/admin/accounts/{account_id}",
        owner="chatloom",
        summary="Put an account into a tier",
        endpoint=change_account,
        scope="admin",
        request=wire.AccountChange,
        answer=wire.Account,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="GET",
        path="/admin/users",
        owner="chatloom",
        summary="List the end users in whose name something was asked",
        endpoint=list_users,
        scope="admin",
        answer=wire.HolderList,
    ),
    Route(
        method="GET",
        path="/admin/organizations",
        owner="chatloom",
        summary="List the organizations in whose name something was asked",
        endpoint=list_organizations,
        scope="admin",
        answer=wire.HolderList,
    ),
)
