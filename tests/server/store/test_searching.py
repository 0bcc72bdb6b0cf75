"""What is known is found by its words: the best of it, whatever was asked."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.ids import new_id
from chatloom.server.knowledge.words import forms, sought
from chatloom.server.store.contract import Store
from chatloom.server.store.knowledge import EntryFilter
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.connect import connect
from chatloom.server.store.sqlite.searching import Bounds, search
from support.books import Books
from support.knowledge import LONG, draft, find, is_well, keep

pytestmark = pytest.mark.anyio


async def test_what_others_know_changes_no_score(own: Books, foreign: Books) -> None:
    await keep(own, "A loom and a shuttle.")
    before = await find(own.store, own.account_id, "loom spindle")
    for number in range(20):
        await keep(foreign, f"loom spindle {number}")
    assert await find(own.store, own.account_id, "loom spindle") == before


FILTERS: dict[str, tuple[EntryFilter, set[str]]] = {
    "type": (EntryFilter(types=["gotcha"]), {"b"}),
    "types": (EntryFilter(types=["gotcha", "wisdom"]), {"a", "b", "d"}),
    "no type": (EntryFilter(types=[]), set()),
    "domain": (EntryFilter(domains=["weaving"]), {"a", "b"}),
    "a domain's spelling": (EntryFilter(domains=[" WEAVING"]), {"a", "b"}),
    "domains": (EntryFilter(domains=["weaving", "spinning"]), {"a", "b", "c"}),
    "an unknown domain": (EntryFilter(domains=["weav"]), set()),
    "tag": (EntryFilter(tags=["x"]), {"a", "c"}),
    "all tags": (EntryFilter(tags=["x", "Y z"]), {"c"}),
    "confidence": (EntryFilter(min_confidence=0.25), {"b", "c", "d"}),
    "confidence between tenths": (EntryFilter(min_confidence=0.32), {"c", "d"}),
    "certain": (EntryFilter(min_confidence=1), {"d"}),
    "all of it": (
        EntryFilter(types=["pattern"], domains=["spinning"], tags=["x"], min_confidence=0.3),
        {"c"},
    ),
}


@pytest.mark.parametrize(("filter", "titles"), FILTERS.values(), ids=FILTERS)
async def test_filters_hold_for_searches_and_lists(
    own: Books, filter: EntryFilter, titles: set[str]
) -> None:
    await keep(own, title="a", domain="Weaving", tags=["x"], confidence=0.2)
    await keep(own, title="b", domain="weaving", type="gotcha", tags=["y z"], confidence=0.3)
    await keep(
        own, title="c", domain="spinning", type="pattern", tags=["X", "y z"], confidence=0.35
    )
    await keep(own, title="d")
    found = await find(own.store, own.account_id, "loom", filter=filter)
    assert {one.title for one in found.found} == titles
    assert found.total == len(titles)
    listed, total = await own.store.entries(own.account_id, filter, before=None, limit=9)
    assert ({one.title for one in listed}, total) == (titles, len(titles))


async def test_lists_go_on_where_they_ended(own: Books) -> None:
    made = [await keep(own, title=f"{number}") for number in range(5)]
    first, total = await own.store.entries(own.account_id, EntryFilter(), before=None, limit=3)
    rest, _ = await own.store.entries(own.account_id, EntryFilter(), before=first[-1].id, limit=3)
    assert [one.id for one in (*first, *rest)] == [one.id for one in reversed(made)]
    assert total == 5


async def test_the_best_passage_of_an_entry_is_told_once(own: Books) -> None:
    content = LONG.replace("Part 9\n", "Part 9 of the selvedge\n")
    content = content.replace("Part 40\n", "Part 40: selvedge, selvedge, more selvedge\n")
    entry = await keep(own, content)
    found = await find(own.store, own.account_id, "selvedge")
    assert ([one.entry_id for one in found.found], found.total) == ([entry.id], 1)
    assert "Part 40" in found.found[0].text


async def test_a_query_of_plain_words_finds_them(own: Books) -> None:
    entry = await keep(own, "To be or not to be.")
    await keep(own, "Something else.")
    found = await find(own.store, own.account_id, "to be or not to be")
    assert found.found[0].entry_id == entry.id


async def test_plain_words_do_not_decide(own: Books) -> None:
    entry = await keep(own, "Warp the loom.", title="x")
    for number in range(20):
        await keep(own, "how do you do the thing that is to be of it and the", title=f"{number}")
    found = await find(own.store, own.account_id, "how is the loom to be warped")
    assert ([one.entry_id for one in found.found], found.total) == ([entry.id], 1)


async def test_scores_do_not_depend_on_limit_or_filter(own: Books) -> None:
    for number in range(12):
        await keep(own, f"loom {'warp ' * (number % 4)} {number}", title=f"{number}")
    every = (await find(own.store, own.account_id, "loom warp", limit=50)).found
    scores = {one.entry_id: one.score for one in every}
    assert sorted(scores.values(), reverse=True) == [one.score for one in every]
    for filter in (EntryFilter(), EntryFilter(types=["wisdom"], min_confidence=0.5)):
        some = await find(own.store, own.account_id, "loom warp", limit=2, filter=filter)
        assert {one.entry_id: one.score for one in some.found}.items() <= scores.items()
        assert some.total == 12


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_query_is_harmless(query: str) -> None:
    async def asked() -> None:
        store = SQLiteStore(None)
        await store.account("a", "test", dev=False, now=1)
        content = query if query.strip() and "\0" not in query else "A loom."
        if not content.lstrip("\ufeff \n\r\t").startswith("%PDF-"):
            await store.keep_entry(draft("a", content))
        found = await find(store, "a", query)
        assert found.total == int(not set(sought(query)).isdisjoint(forms(content)))
        assert await is_well(store)
        await store.close()

    asyncio.run(asked())


OPERATORS = [
    '"',
    "loom AND",
    "NOT loom",
    "NEAR(loom thread, 2)",
    "words:loom",
    "loom*",
    "^loom",
    "- loom",
    "{words} : loom",
    "(loom",
    "'; DROP TABLE entry; --",
    "§twisdom",
    "¶loo",
    "loom \ud83d\ude00",
]


@pytest.mark.parametrize("query", OPERATORS)
async def test_operators_are_words(own: Books, query: str) -> None:
    await keep(own)
    query = query.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found = await find(own.store, own.account_id, query)
    assert found.total == ("loom" in query)


async def test_nothing_is_known_of_nobody(store: Store) -> None:
    assert (await find(store, new_id(), "loom")).total == 0
    assert await store.entry(new_id(), new_id()) is None


SMALL = Bounds(counted=60, listed=15, asked=8, ranked=12, matching=1_000)
WORDS = [f"{first}{second}" for first in "bdfgklmnprstvz" for second in ("ato", "elu", "imon")]


async def test_looking_at_some_finds_what_looking_at_all_finds(tmp_path: Path) -> None:
    """Bounds as small against 600 passages as the real ones are against 20,000 or so."""
    chance = random.Random(5)
    frequent = [1 / (rank + 2) for rank in range(len(WORDS))]
    store = SQLiteStore(tmp_path / "store.db")
    await store.account("a", "test", dev=False, now=1)
    for number in range(600):
        words = chance.choices(WORDS, frequent, k=chance.randrange(5, 30))
        title = " ".join(chance.choices(WORDS, frequent, k=2))
        await store.keep_entry(draft("a", " ".join(words), title=f"{title} {number}"))
    await store.close()
    reached: list[float] = []
    with closing(connect(tmp_path / "store.db", read_only=True)) as connection:
        for size in (1, 2, 3, 4, 6) * 12:
            query = sought(" ".join(chance.choices(WORDS, frequent, k=size)))
            best = _scores(connection, query, Bounds(*[10**6] * 5))
            some = _scores(connection, query, SMALL)
            reached.append(sum(some) / sum(best))
    assert max(reached) <= 1.1  # how common a word is, is reckoned
    assert sum(reached) / len(reached) > 0.95
    assert min(reached) > 0.75


def _scores(connection: sqlite3.Connection, query: list[str], bounds: Bounds) -> list[float]:
    found = search(connection, "a", query, EntryFilter(), limit=5, bounds=bounds).found
    return [one.score for one in found]
