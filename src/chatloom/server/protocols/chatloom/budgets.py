"""Budgets: the most that an account, a key or an end user may spend, in all."""

from __future__ import annotations

from chatloom.server.call import Call, Reply, convert, json_reply
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Store
from chatloom.server.store.spending import Budget
from chatloom.wire import chatloom as wire


async def get_budgets(call: Call) -> Reply:
    """Answer ``GET /admin/budgets``."""
    return json_reply(await list_budgets(call.services.store))


async def put_budget(call: Call) -> Reply:
    """Answer ``PUT /admin/budgets``."""
    wanted = await call.read(wire.NewBudget)
    return json_reply(await set_budget(call.services.store, wanted, by=call))


async def delete_budget(call: Call) -> Reply:
    """Answer ``DELETE /admin/budgets``; the query says which."""
    asked = convert(dict(call.query), wire.BudgetName)
    return json_reply(await remove_budget(call.services.store, asked, by=call))


async def list_budgets(store: Store) -> wire.BudgetList:
    """Every budget, with what is left of it."""
    return wire.BudgetList([tell_budget(budget) for budget in await store.budgets()])


async def set_budget(store: Store, wanted: wire.NewBudget, *, by: Call | str) -> wire.Budget:
    """Limit what may be spent. Raises `Refusal` for an account or a key that is not there."""
    await _check_subject(store, wanted)
    done = deed(by, "budget.set", wanted.subject, concern=wanted.concern, usd=wanted.usd)
    amount = wire.picodollars(wanted.usd)
    await store.set_budget(wanted.concern, wanted.subject, amount, done)
    return tell_budget(await _find(store, wanted))


async def remove_budget(store: Store, named: wire.BudgetName, *, by: Call | str) -> wire.Budget:
    """Lift a limit; return what it was. Raises `Refusal` where there is none."""
    found = await _find(store, named)
    done = deed(by, "budget.lifted", named.subject, concern=named.concern)
    await store.set_budget(named.concern, named.subject, None, done)
    return tell_budget(found)


def tell_budget(budget: Budget) -> wire.Budget:
    """Describe *budget*."""
    told = wire.Budget(
        concern=budget.concern, subject=budget.subject, amount=wire.Money.of(budget.amount)
    )
    if budget.concern != "end_users":
        told.spent = wire.Money.of(budget.spent)
        told.reserved = wire.Money.of(budget.reserved)
        told.left = wire.Money.of(budget.amount - budget.spent - budget.reserved)
    return told


async def _find(store: Store, named: wire.BudgetName) -> Budget:
    found = await store.budget(named.concern, named.subject)
    if found is None:
        raise not_found("budget")
    return found


async def _check_subject(store: Store, named: wire.BudgetName) -> None:
    if named.concern == "key":
        if await store.key(named.subject) is None:
            raise invalid(f"there is no key with the id {named.subject!r}", param="subject")
        return
    account, slash, name = named.subject.partition("/")
    is_within = named.concern in {"end_user", "organization"}
    if not account or (bool(slash), bool(name)) != (is_within, is_within):
        raise invalid(
            "an end user or an organization is named ACCOUNT/NAME, an account by its id",
            param="subject",
        )
    if await store.find_account(account) is None:
        raise invalid("no such account", param="subject")


ROUTES = (
    Route(
        method="GET",
        path="/admin/budgets",
        owner="chatloom",
        summary="List every budget, and what is left of it",
        endpoint=get_budgets,
        scope="admin",
        answer=wire.BudgetList,
    ),
    Route(
        method="PUT",
        path="/admin/budgets",
        owner="chatloom",
        summary="Limit what may be spent; it holds from the next turn on",
        endpoint=put_budget,
        scope="admin",
        request=wire.NewBudget,
        answer=wire.Budget,
        errors=("invalid",),
    ),
    Route(
        method="DELETE",
        path="/admin/budgets",
        owner="chatloom",
        summary="Lift a limit; `concern` and `subject` in the query say which",
        endpoint=delete_budget,
        scope="admin",
        answer=wire.Budget,
        errors=("invalid", "not_found"),
    ),
)
