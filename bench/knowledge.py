"""What a search in much knowledge takes, in CPU milliseconds: ``python -m bench.knowledge``.

Two accounts are given 100,000 passages each, of words that are as frequent as in English (Zipf's
law). Asked are queries such as people make, and such as are hard: of the most frequent words.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from itertools import accumulate, product
from pathlib import Path
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from chatloom.server.ids import milliseconds, new_id
from chatloom.server.knowledge.words import forms, sought
from chatloom.server.store.knowledge import Draft, Entry, EntryFilter, EntryType, Part
from chatloom.server.store.sqlite import SQLiteStore

_SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
_WORDS = ["".join(three) for three in product(_SYLLABLES, _SYLLABLES[:8], _SYLLABLES)][:39_200]
random.Random(3).shuffle(_WORDS)
_CHANCES = list(accumulate(1 / (rank + 3) for rank in range(len(_WORDS))))
_TYPES: Sequence[EntryType] = ("wisdom", "pattern", "gotcha", "document")
_PASSAGE = 150
"""Words of a passage."""


def _some(chance: random.Random, count: int) -> list[str]:
    return chance.choices(_WORDS, cum_weights=_CHANCES, k=count)


def _draft(chance: random.Random, account: str, passages: int) -> Draft:
    texts = [" ".join(_some(chance, _PASSAGE)) for _ in range(passages)]
    parts: list[Part] = []
    at = 0
    for text in texts:
        parts.append(Part(text, at, at, at + len(text), forms(text)))
        at += len(text)
    title = " ".join(_some(chance, 4))
    entry = Entry(
        id=new_id(),
        account_id=account,
        type=_TYPES[chance.randrange(4)],
        title=title,
        format="text",
        domain=f"domain {chance.randrange(8)}",
        tags=_some(chance, 2),
        confidence=chance.random(),
        source=None,
        passages=passages,
        characters=at,
        created_at=milliseconds(),
        updated_at=milliseconds(),
    )
    tags = [form for tag in entry.tags for form in forms(tag)]
    return Draft(entry=entry, title=forms(title), tags=tags, parts=parts)


async def _fill(store: SQLiteStore, accounts: Sequence[str], passages: int) -> float:
    """Keep so many passages of each account; CPU seconds that storing took."""
    chance = random.Random(7)
    spent = 0.0
    kept = 0
    for account in accounts:
        await store.account(account, "bench", dev=False, now=1)
    while kept < passages:
        count = min(passages - kept, chance.choice((1, 1, 1, 3, 10, 60, 400)))
        drafts = [_draft(chance, account, count) for account in accounts]
        before = time.process_time()
        for draft in drafts:
            await store.keep_entry(draft)
        spent += time.process_time() - before
        kept += count
    return spent


def _queries(chance: random.Random) -> dict[str, list[str]]:
    """Queries by their kind."""
    telling = _WORDS[200:5_000]
    frequent = _WORDS[:30]
    return {
        "a rare word": [chance.choice(_WORDS[5_000:]) for _ in range(100)],
        "a frequent word": [chance.choice(frequent) for _ in range(100)],
        "three words": [" ".join(_some(chance, 3)) for _ in range(100)],
        "six words": [" ".join(_some(chance, 6)) for _ in range(100)],
        "six telling words": [" ".join(chance.sample(telling, 6)) for _ in range(100)],
        "six of the 30 most frequent": [" ".join(chance.sample(frequent, 6)) for _ in range(100)],
        "16 words": [" ".join(_some(chance, 16)) for _ in range(50)],
    }


_FILTERS = {
    "": EntryFilter(),
    ", filtered": EntryFilter(
        types=["gotcha", "pattern"], domains=["domain 3"], min_confidence=0.25
    ),
}


async def _measure(store: SQLiteStore, account: str) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("asked for", "p50 ms", "p95 ms", "most ms", "entries"):
        table.add_column(column, justify="left" if column == "asked for" else "right")
    for kind, queries in _queries(random.Random(11)).items():
        for told, filter in _FILTERS.items():
            spent: list[float] = []
            totals: list[int] = []
            for query in queries:
                before = time.process_time()
                words = sought(query)
                findings = await store.search_entries(account, words, filter, limit=10)
                spent.append(1000 * (time.process_time() - before))
                totals.append(findings.total)
            cuts = quantiles(spent, n=20)
            figures = (f"{cuts[9]:.1f}", f"{cuts[18]:.1f}", f"{max(spent):.1f}")
            table.add_row(kind + told, *figures, f"{sum(totals) / len(totals):,.0f}")
    return table


async def _run(passages: int, folder: Path) -> None:
    console = Console(highlight=False)
    path = folder / "knowledge.db"
    store = SQLiteStore(path)
    try:
        spent = await _fill(store, ("bench", "other"), passages)
        await store._place.write(lambda _: None)  # pyright: ignore[reportPrivateUsage]
        console.print(
            f"2 accounts of {passages:,} passages: {1e3 * spent / passages / 2:.2f} ms of CPU each"
            f" to be stored, {path.stat().st_size / passages / 2:,.0f} bytes"
        )
        console.print(await _measure(store, "bench"))
    finally:
        await store.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser("python -m bench.knowledge")
    parser.add_argument("--passages", type=int, default=100_000)
    passages: int = parser.parse_args().passages
    with tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder:
        asyncio.run(_run(passages, Path(folder)))


if __name__ == "__main__":
    main()
