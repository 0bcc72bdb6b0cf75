"""What accounts know is kept whole or not at all, and seen by nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from chatloom.server.ids import milliseconds
from chatloom.server.store import knowledge
from chatloom.server.store.knowledge import EntryChanged, EntryFilter, KnowledgeFull
from chatloom.server.store.sqlite import SQLiteStore, drafts
from chatloom.server.store.trees import KeyReused, Repeatable
from support.books import Books
from support.knowledge import LONG, draft, find, is_well, keep

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("content", ["A loom.", LONG], ids=["short", "long"])
async def test_what_is_kept_is_told(own: Books, content: str) -> None:
    entry = await keep(own, content, tags=["Craft"], domain="weaving", confidence=0.4)
    assert (entry.tags, entry.domain, entry.confidence) == (["Craft"], "weaving", 0.4)
    assert await own.store.entry_text(entry) == content
    assert (await own.store.entry_text(entry, 5))[:5] == content[:5]
    assert await is_well(own.store)


@pytest.mark.parametrize("content", ["A loom.", LONG], ids=["short", "long"])
async def test_what_is_removed_is_gone_to_the_last_word(own: Books, content: str) -> None:
    entry = await keep(own, content)
    other = await keep(own, "Another loom.")
    assert await own.store.remove_entry(own.account_id, entry.id)
    assert not await own.store.remove_entry(own.account_id, entry.id)
    assert await own.store.entry(own.account_id, entry.id) is None
    for query in ("loom", "weaving", "shuttle"):
        found = await find(own.store, own.account_id, query)
        assert {one.entry_id for one in found.found} <= {other.id}
    assert await is_well(own.store)


async def test_a_place_is_in_the_text_that_was_kept(own: Books) -> None:
    await keep(own, LONG.replace("Part 217", "Part zweihundert"))
    (found,) = (await find(own.store, own.account_id, "zweihundert")).found
    text = await own.store.entry_text(found.entry)
    assert text[found.start : found.end] == found.text
    assert "zweihundert" in found.text


@pytest.mark.parametrize("content", ["A loom.", LONG], ids=["short", "long"])
async def test_another_version_takes_the_place_of_the_last(own: Books, content: str) -> None:
    first = await keep(own, content)
    await own.store.keep_entry(draft(own.account_id, "Only a spindle.", replaces=first))
    (found,) = (await find(own.store, own.account_id, "spindle")).found
    assert (found.entry.id, found.entry.created_at) == (first.id, first.created_at)
    assert (await find(own.store, own.account_id, "shuttle loom")).found == []
    again = replace(draft(own.account_id, LONG, replaces=found.entry), parts=None)
    again = replace(again, entry=replace(again.entry, passages=1, characters=15, title="Spun"))
    await own.store.keep_entry(replace(again, title=["spun"]))
    entry = (await find(own.store, own.account_id, "spun")).found[0].entry
    assert await own.store.entry_text(entry) == "Only a spindle."
    assert await is_well(own.store)


async def test_who_changes_an_older_version_changes_nothing(own: Books) -> None:
    first = await keep(own)
    await own.store.keep_entry(draft(own.account_id, "Second.", replaces=first))
    for content in ("Third.", LONG):
        with pytest.raises(EntryChanged):
            await own.store.keep_entry(draft(own.account_id, content, replaces=first))
    assert (await find(own.store, own.account_id, "second")).total == 1
    assert (await find(own.store, own.account_id, "third shuttle")).total == 0
    assert await is_well(own.store)


async def test_two_at_once_leave_one(own: Books) -> None:
    first = await keep(own)
    drafts = [draft(own.account_id, f"{LONG} word{n}", replaces=first) for n in range(2)]
    ended = await asyncio.gather(*map(own.store.keep_entry, drafts), return_exceptions=True)
    assert [type(one) for one in ended if not isinstance(one, str)] == [EntryChanged]
    assert await is_well(own.store)


@pytest.mark.parametrize("content", ["A loom.", LONG], ids=["short", "long"])
async def test_what_is_asked_again_is_made_once(own: Books, content: str) -> None:
    by = Repeatable(account_id=own.account_id, key_digest=b"k", body_digest=b"b", expires_at=2**50)
    first = await own.store.keep_entry(draft(own.account_id, content), by)
    assert await own.store.keep_entry(draft(own.account_id, content), by) == first
    with pytest.raises(KeyReused):
        await own.store.keep_entry(draft(own.account_id, content), replace(by, body_digest=b"c"))
    _, total = await own.store.entries(own.account_id, EntryFilter(), before=None, limit=9)
    assert total == 1
    assert await is_well(own.store)


@pytest.mark.parametrize("content", ["A loom.", LONG], ids=["short", "long"])
async def test_who_knows_too_much_learns_nothing(
    own: Books, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(own)
    monkeypatch.setattr(drafts, "MOST_ENTRIES", 1)
    with pytest.raises(KnowledgeFull):
        await own.store.keep_entry(draft(own.account_id, content))
    monkeypatch.setattr(drafts, "MOST_ENTRIES", knowledge.MOST_ENTRIES)
    monkeypatch.setattr(drafts, "MOST_CHARACTERS", 25)
    with pytest.raises(KnowledgeFull):
        await own.store.keep_entry(draft(own.account_id, content))
    assert (await find(own.store, own.account_id, "loom weaving shuttle")).total == 1
    assert await is_well(own.store)


async def test_what_a_crash_left_is_taken_away(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "store.db")
    await store.account("a", "test", dev=False, now=1)
    made = draft("a", LONG)
    number = await store._place.write(lambda it: drafts.begin(it, made))  # pyright: ignore[reportPrivateUsage]
    await store._place.write(drafts.adding(made, number, 0))  # pyright: ignore[reportPrivateUsage]
    assert (await find(store, "a", "shuttle")).total == 0
    assert await store.entries("a", EntryFilter(), before=None, limit=9) == ([], 0)
    health = await store.check()
    assert (health.problems, [note.check for note in health.notes]) == ([], ["entry"])
    assert await store.forget_drafts(milliseconds()) == 0
    assert await store.forget_drafts(milliseconds() + 3_600_001) == 1
    assert await is_well(store)
    await store.close()


async def test_an_account_sees_its_own(own: Books, foreign: Books) -> None:
    mine, theirs = await keep(own), await keep(foreign)
    store = own.store
    assert await store.entry(own.account_id, theirs.id) is None
    assert not await store.remove_entry(own.account_id, theirs.id)
    stolen = draft(own.account_id, "Mine now.", replaces=theirs)
    with pytest.raises(EntryChanged):
        await store.keep_entry(stolen)
    found = await find(store, own.account_id, "loom threads weaving")
    assert ([one.entry_id for one in found.found], found.total) == ([mine.id], 1)
    listed, total = await store.entries(own.account_id, EntryFilter(), before=None, limit=9)
    assert ([one.id for one in listed], total) == ([mine.id], 1)
