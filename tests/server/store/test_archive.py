"""What is exported comes back the same; what is damaged does not come in at all."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from chatloom.server.archive.lines import Header
from chatloom.server.protocols.chatloom.archives import import_archive
from chatloom.server.refusal import Refusal
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.exporting import export_file
from chatloom.wire.chatloom import Imported, NewImport
from support.books import Books, books
from support.trees import Gardener

pytestmark = pytest.mark.anyio


def exported(database: Path, name: str | None = None) -> bytes:
    lines = export_file(database, name, None)
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


class Shelf:
    """A database file of its own, with one account."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SQLiteStore(path)

    async def books(self) -> Books:
        return await books(self.store)

    async def take(self, archive: bytes, *, as_new: bool = False) -> Imported:
        file, wanted = io.BytesIO(archive), NewImport(as_new=as_new)
        return await import_archive(self.store, file, wanted, by="a test")

    async def check(self) -> None:
        assert (await self.store.check()).problems == []

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


@pytest.fixture
async def shelves(tmp_path: Path) -> AsyncIterator[list[Shelf]]:
    """Two databases: one to export from, one to import into."""
    made = [Shelf(tmp_path / "one.db"), Shelf(tmp_path / "other.db")]
    yield made
    for shelf in made:
        await shelf.store.close()


def hashes(archive: bytes) -> list[str]:
    told = map(msgspec.json.decode, archive.splitlines())
    return [line["hash"] for line in told if "hash" in line]


@pytest.mark.parametrize("seed", range(25))
async def test_what_is_exported_comes_back_the_same(shelves: list[Shelf], seed: int) -> None:
    one, other = shelves
    gardener = Gardener(await one.books(), Random(seed))
    await gardener.plant(seed * 3)
    await gardener.plant(5)
    archive = exported(one.path)
    await one.check()
    await other.books()
    done = await other.take(archive)
    assert exported(other.path) == archive
    await other.check()
    assert (len(done.conversations), done.messages) == (2, len(hashes(archive)))
    anew = await other.take(archive, as_new=True)
    await other.check()
    again = b"".join(exported(other.path, id) for id in anew.conversations)
    assert hashes(again) == hashes(archive)
    assert not set(anew.conversations) & set(done.conversations)


async def test_an_imported_conversation_can_be_gone_on_with(shelves: list[Shelf]) -> None:
    one, other = shelves
    await Gardener(await one.books(), Random(7)).plant(30)
    own = await other.books()
    (id,) = (await other.take(exported(one.path))).conversations
    await Gardener(own, Random(8), id).go_on(20)
    await other.check()
    conversation = await other.store.conversation(own.account_id, id)
    assert conversation is not None
    assert conversation.cost > 0
    took = conversation.metadata["chatloom.imported"]
    assert isinstance(took, dict)
    told = msgspec.json.decode(exported(other.path).splitlines()[1])["took"]
    assert told["picodollars"] == conversation.cost + int(str(took["picodollars"]))


async def test_what_was_deleted_is_not_exported(shelves: list[Shelf]) -> None:
    one, _ = shelves
    own = await one.books()
    await own.talk("A secret?")
    opening = await own.talk("Deleted?")
    await one.store.delete_conversation(own.account_id, opening.conversation_id, 5)
    archive = exported(one.path)
    assert b"A secret?" in archive
    assert b"Deleted?" not in archive
    head = await own.head(await own.talk("Erased?"))
    await one.store.delete_message(own.account_id, head.parent_id or "", 5)
    assert b"Erased?" not in exported(one.path)


def lines_of(archive: bytes) -> list[Any]:
    return [msgspec.json.decode(line) for line in archive.splitlines()]


Damage = Callable[[list[Any]], None]


def last(lines: list[Any], kind: str) -> Any:
    return [line for line in lines if line.get("type") == kind][-1]


def first(lines: list[Any], kind: str) -> Any:
    return next(line for line in lines if line.get("type") == kind)


def say(line: Any, **fields: object) -> None:
    line.update(fields)


NOBODY = "01a22bbd-5164-7c1f-b3a0-9f50317f1ba5"

DAMAGE: dict[str, tuple[Damage, str]] = {
    "nothing": (lambda a: a.clear(), "line 0: the file is empty"),
    "another file": (lambda a: say(a[0], format="zip"), "line 1: this is no file that chatloom"),
    "a newer one": (lambda a: say(a[0], version=2), "line 1: it is of version 2"),
    "more promised": (lambda a: say(a[0], conversations=2), "after 1 of its 2 conversations"),
    "the end is missing": (lambda a: a.pop(), "has 0 checkpoints, and should have 1"),
    "twice": (lambda a: a.extend(a[1:]), "is there twice"),
    "other words": (
        lambda a: last(a, "message")["body"].update(content="x"),
        "does not match its hash",
    ),
    "another role": (lambda a: say(last(a, "message"), role="tool"), "role is not the one"),
    "written anew": (
        lambda a: say(last(a, "message"), body={"role": "assistant", "content": "Good day."}),
        "not written as it was",
    ),
    "unknown words": (
        lambda a: last(a, "message")["body"].update(colour="red"),
        "not written as it was",
    ),
    "another hash": (lambda a: say(last(a, "message"), hash="0" * 64), "does not match its hash"),
    "no hash": (lambda a: say(last(a, "message"), hash="0"), "$.hash"),
    "no parent": (lambda a: say(last(a, "message"), parent=NOBODY), "does not follow the message"),
    "no second parent": (
        lambda a: say(last(a, "message"), others=[NOBODY]),
        f"its second parent {NOBODY} is not among",
    ),
    "no branch": (lambda a: say(last(a, "message"), branch=NOBODY), "its branch"),
    "a message twice": (lambda a: a.insert(-1, last(a, "message")), "is there twice"),
    "a message too many": (
        lambda a: a.insert(-1, {**last(a, "message"), "id": NOBODY}),
        "does not follow",
    ),
    "the last message missing": (
        lambda a: a.remove(last(a, "message")),
        "has 7 messages, and should have 8",
    ),
    "the first message missing": (
        lambda a: a.remove(first(a, "message")),
        "does not follow",
    ),
    "deleted, with words": (lambda a: say(last(a, "message"), deleted_at=1), "has a body"),
    "an id that is none": (lambda a: say(last(a, "message"), id="me"), "$.id"),
    "a moment that is none": (lambda a: say(last(a, "message"), created_at=1e300), "created_at"),
    "an unknown field": (lambda a: say(last(a, "branch"), colour="red"), "colour"),
    "a branch too many": (
        lambda a: a.insert(3, {**last(a, "branch"), "id": NOBODY}),
        "has 3 branches, and should have 2",
    ),
    "no main branch": (
        lambda a: say(first(a, "branch"), main=False, parent=last(a, "branch")["id"]),
        "not one main branch",
    ),
    "two main branches": (
        lambda a: say(last(a, "branch"), main=True, parent=None, forked_from=None),
        "not one main branch",
    ),
    "a main branch with a parent": (
        lambda a: say(first(a, "branch"), parent=NOBODY),
        "a main branch is active, has no parent",
    ),
    "an orphan": (lambda a: say(last(a, "branch"), parent=None), "a branch has a parent"),
    "its own parent": (
        lambda a: say(last(a, "branch"), parent=last(a, "branch")["id"]),
        "descends from itself",
    ),
    "an unknown parent": (lambda a: say(last(a, "branch"), parent=NOBODY), "an unknown branch"),
    "another head": (
        lambda a: say(first(a, "branch"), head=first(a, "message")["id"]),
        "do not end at its head",
    ),
    "forked from nothing": (lambda a: say(last(a, "branch"), forked_from=None), "does not follow"),
    "half a merge": (lambda a: say(last(a, "branch"), merged_at=1), "half of a merge"),
    "merged by no merge": (
        lambda a: say(
            last(a, "branch"),
            merged_at=1,
            merged_into=first(a, "branch")["id"],
            merged_head=last(a, "message")["id"],
            merged_by=last(a, "message")["id"],
        ),
        "was merged by what is no merge",
    ),
    "no anchor": (lambda a: say(last(a, "checkpoint"), anchor=NOBODY), f"its anchor {NOBODY}"),
    "a branch too late": (lambda a: a.append(a.pop(3)), "has 1 branches, and should have 2"),
}


@pytest.fixture
async def archive(shelves: list[Shelf]) -> bytes:
    """Two branches and a checkpoint."""
    own = await shelves[0].books()
    gardener = Gardener(own, Random(1))
    await gardener.plant(0)
    for act in (gardener.fork, gardener.say, gardener.say, gardener.sum_up):
        await act()
    return exported(shelves[0].path)


@pytest.mark.parametrize(("damage", "told"), DAMAGE.values(), ids=DAMAGE)
async def test_a_damaged_archive_is_refused_and_nothing_is_stored(
    shelves: list[Shelf], archive: bytes, damage: Damage, told: str
) -> None:
    other = shelves[1]
    await other.books()
    lines = lines_of(archive)
    damage(lines)
    with pytest.raises(Refusal) as refused:
        await other.take(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    assert told in refused.value.message
    assert refused.value.message.startswith("line ")
    assert [other.count(one) for one in ("conversation", "branch", "message", "audit")] == [0] * 4


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
async def test_half_a_file_is_refused(shelves: list[Shelf], archive: bytes, share: float) -> None:
    other = shelves[1]
    await other.books()
    with pytest.raises(Refusal, match="line"):
        await other.take(archive[: int(len(archive) * share)])
    assert other.count("conversation") == 0


async def test_what_is_here_already_is_refused(shelves: list[Shelf], archive: bytes) -> None:
    other = shelves[1]
    own = await other.books()
    (id,) = (await other.take(archive)).conversations
    with pytest.raises(Refusal, match=f"the conversation {id} is here already"):
        await other.take(archive)
    await other.store.delete_conversation(own.account_id, id, 5)
    with pytest.raises(Refusal, match="was deleted here, and its ids are kept"):
        await other.take(archive)
    assert other.count("audit") == 1
    await other.check()


async def test_a_message_of_another_conversation_is_no_ones_else(
    shelves: list[Shelf], archive: bytes
) -> None:
    """Ids are the whole database's: a file that claims some of them gets nothing."""
    other = shelves[1]
    await other.books()
    (id,) = (await other.take(archive)).conversations
    with pytest.raises(Refusal, match=r"the message .* is here already"):
        await other.take(archive.replace(id.encode(), NOBODY.encode()))
    await other.check()
    assert other.count("conversation") == 1


async def test_the_only_account_is_meant_where_none_is_named(
    shelves: list[Shelf], archive: bytes
) -> None:
    other = shelves[1]
    with pytest.raises(Refusal, match="there is no account yet"):
        await other.take(archive)
    await other.books()
    second = await other.books()
    with pytest.raises(Refusal, match="there are several accounts; name one:\n  "):
        await other.take(archive)
    wanted = NewImport(account_id=second.account_id)
    done = await import_archive(other.store, io.BytesIO(archive), wanted, by="a test")
    assert await other.store.conversation(second.account_id, done.conversations[0]) is not None
    nobody = NewImport(account_id="nobody")
    with pytest.raises(Refusal, match="account"):
        await import_archive(other.store, io.BytesIO(archive), nobody, by="a test")


async def test_an_account_without_conversations_is_an_archive_too(shelves: list[Shelf]) -> None:
    for shelf in shelves:
        await shelf.books()
    archive = exported(shelves[0].path)
    assert msgspec.json.decode(archive, type=Header).conversations == 0
    assert (await shelves[1].take(archive)).conversations == []
