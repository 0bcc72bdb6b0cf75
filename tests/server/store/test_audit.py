"""The audit log holds what was done, in the transaction that did it, and nothing else ever."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatloom.server.ids import new_id
from chatloom.server.store.administration import Administrator, Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import ApiSecret, Key
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.check import check_file
from support.books import Books, books

pytestmark = pytest.mark.anyio


def deed(action: str = "thing.done", **detail: str) -> Deed:
    return Deed(
        actor="somebody",
        action=action,
        resource="thing",
        resource_id="it",
        account_id="a",
        detail={**detail},
    )


def key(own: Books, id: str | None = None) -> Key:
    return Key(
        id=id or new_id(), account_id=own.account_id, name="k", scopes=frozenset(), created_at=1
    )


def secret(key_id: str) -> ApiSecret:
    return ApiSecret(key_id=key_id, digest=new_id().encode(), hint="loom", created_at=1)


BOSS = Administrator(
    id="1", email="boss@example.com", workos_id="w", name="", added_by="somebody", created_at=1
)


async def told(store: Store) -> list[str]:
    """What was done, the first first."""
    return [one.deed.action for one in reversed(await store.audit(limit=200, offset=0))]


async def test_everything_is_told_in_order(own: Books) -> None:
    store, new = own.store, key(own)
    await store.add_key(new, secret(new.id), deed("1"))
    await store.rotate_key(secret(new.id), 5, deed("2"))
    await store.revoke_key(new.id, 6, deed("3"))
    await store.set_budget("key", own.key_id, 5, deed("4"))
    await store.set_tier(own.account_id, "pro", deed("5"))
    await store.put_administrator(BOSS, deed("6"))
    await store.remove_administrator("BOSS@example.com", deed("7"))
    await store.record(deed("8", why="Grüße", more="x"))
    assert await told(store) == [*"12345678"]
    (last, *_) = await store.audit(limit=1, offset=0)
    assert last.deed == deed("8", why="Grüße", more="x")
    assert len(last.hash) == 32
    assert (await store.check()).problems == []
    assert (await store.check()).checked["audit entries"] == 8


Act = Callable[[Books], Awaitable[object]]
FAILING: dict[str, Act] = {
    "a key that is there": lambda own: own.store.add_key(
        key(own, own.key_id), secret(own.key_id), deed()
    ),
    "a key of nobody": lambda own: own.store.add_key(
        key(Books(own.store, "none", "none")), secret("none"), deed()
    ),
    "a secret of no key": lambda own: own.store.rotate_key(secret("none"), 5, deed()),
    "too large a budget": lambda own: own.store.set_budget("key", own.key_id, 2**63, deed()),
}
IDLE: dict[str, Act] = {
    "no key to revoke": lambda own: own.store.revoke_key("none", 5, deed()),
    "no account": lambda own: own.store.set_tier("none", "pro", deed()),
    "nobody to remove": lambda own: own.store.remove_administrator("nobody@x", deed()),
}


@pytest.mark.parametrize("act", FAILING.values(), ids=FAILING)
async def test_what_fails_leaves_no_entry(own: Books, act: Act) -> None:
    before = await own.store.keys()
    with pytest.raises((sqlite3.Error, OverflowError)):
        await act(own)
    assert await told(own.store) == []
    assert await own.store.keys() == before
    assert await own.store.budgets() == []


@pytest.mark.parametrize("act", IDLE.values(), ids=IDLE)
async def test_what_changes_nothing_leaves_no_entry(own: Books, act: Act) -> None:
    await act(own)
    assert await told(own.store) == []


async def test_one_that_fails_among_many_leaves_the_others_entries(own: Books) -> None:
    acts: list[Awaitable[object]] = []
    for number in range(30):
        new = key(own, own.key_id if number % 3 == 0 else None)
        acts.append(own.store.add_key(new, secret(new.id), deed(str(number))))
        acts.append(own.store.record(deed(f"beside {number}")))
    became = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(one, sqlite3.IntegrityError) for one in became) == 10
    actions = await told(own.store)
    assert sorted(actions) == sorted(
        [*(str(number) for number in range(30) if number % 3), *(f"beside {n}" for n in range(30))]
    )
    assert (await own.store.check()).problems == []


async def test_pages_of_entries(own: Books) -> None:
    for number in range(5):
        await own.store.record(deed(str(number)))
    pages = [await own.store.audit(limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[one.deed.action for one in page] for page in pages] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
        [],
    ]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with five entries, closed."""
    path = tmp_path / "audit.db"
    store = SQLiteStore(path)
    await books(store)
    for number in range(5):
        await store.record(deed(str(number), value=str(number)))
    await store.close()
    assert check_file(path).problems == []
    return path


ALL = "at, account_id, actor, action, resource, resource_id, detail"
TAMPERED: dict[str, tuple[str, str]] = {
    "time": ("UPDATE audit SET at = at + 1 WHERE id = 2", "2"),
    "account": ("UPDATE audit SET account_id = 'b' WHERE id = 2", "2"),
    "no account": ("UPDATE audit SET account_id = NULL WHERE id = 2", "2"),
    "actor": ("UPDATE audit SET actor = 'another' WHERE id = 5", "5"),
    "action": ("UPDATE audit SET action = 'other.done' WHERE id = 1", "1"),
    "resource": ("UPDATE audit SET resource = 'other' WHERE id = 3", "3"),
    "its id": ("UPDATE audit SET resource_id = 'other' WHERE id = 3", "3"),
    "detail": ("UPDATE audit SET detail = '{}' WHERE id = 4", "4"),
    "hash": ("UPDATE audit SET hash = zeroblob(32) WHERE id = 4", "4"),
    "the first taken out": ("DELETE FROM audit WHERE id = 1", "2"),
    "one taken out": ("DELETE FROM audit WHERE id = 3", "4"),
    "one taken out, numbered anew": (
        "DELETE FROM audit WHERE id = 3; UPDATE audit SET id = id - 1 WHERE id > 3",
        "3",
    ),
    "two exchanged": (
        "UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 3;"
        " UPDATE audit SET id = 3 WHERE id = 9",
        "2",
    ),
    "one put in": (
        f"INSERT INTO audit ({ALL}, hash) SELECT {ALL}, hash FROM audit WHERE id = 5",
        "6",
    ),
    "one moved out of the order": ("UPDATE audit SET id = 7 WHERE id = 5", "7"),
}


@pytest.mark.parametrize(("statement", "place"), TAMPERED.values(), ids=TAMPERED)
async def test_tampering_is_found_at_its_place(path: Path, statement: str, place: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"DROP TRIGGER audit_is_append_only; DROP TRIGGER audit_is_kept; {statement}"
        )
    (problem,) = check_file(path).problems
    assert (problem.check, problem.subject) == ("audit", place)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_entries_stay(path: Path, statement: str) -> None:
    refused = pytest.raises(sqlite3.IntegrityError, match="append-only")
    with closing(sqlite3.connect(path)) as connection, refused:
        connection.execute(statement)
