"""Writes made together leave what they would have left alone, in any order and grouping."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.models.driver import Price
from chatloom.server.store.contract import Node, Opening, Repetition, Settlement
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.connect import connect
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.turns import Turns
from chatloom.server.store.sqlite.writer import Writer
from support.books import USAGE, Books, answered, books, failed

Step: TypeAlias = tuple[int, str]
"""A turn's number, and what is done with it."""

KINDS: tuple[str, ...] = ("new", "next", "beside", "keyed", "dear", "foreign")
ENDS = ("answered", "failed", "charged")


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[str], list[list[Step]]]:
    """Kinds of turns; then what is done with them, in groups that wait together.

    What is done with one turn is in order; only who opened it goes on with it.
    """
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
    todo = [
        ["open", *["append"] * draw(st.integers(0, 1)), *draw(st.lists(st.sampled_from(ENDS)))[:2]]
        for _ in kinds
    ]
    groups: list[list[Step]] = [[]]
    for at in draw(st.permutations([at for at, steps in enumerate(todo) for _ in steps])):
        if (at, "open") in groups[-1] or draw(st.integers(0, 3)) == 0:
            groups.append([])
        groups[-1].append((at, todo[at].pop(0)))
    return kinds, groups


@settings(max_examples=50, deadline=None)
@given(scripts())
def test_together_is_as_alone(script: tuple[list[str], list[list[Step]]]) -> None:
    kinds, groups = script
    with TemporaryDirectory() as folder:
        together, alone = Path(folder) / "together.db", Path(folder) / "alone.db"
        story = asyncio.run(_begin(together, kinds))
        shutil.copy(together, alone)
        first = asyncio.run(story.play(together, groups))
        second = asyncio.run(story.play(alone, [[step] for group in groups for step in group]))
        assert first == second
        assert _contents(together) == _contents(alone)
        assert asyncio.run(_problems(together)) == []


class _Story:
    """The turns that a script is about, the same in each database."""

    def __init__(self, openings: Sequence[Opening], parent: Node) -> None:
        self._openings = openings
        self._ends = [self._ends_of(one, parent if one.parent_id else None) for one in openings]

    def _ends_of(self, opening: Opening, parent: Node | None) -> dict[str, Settlement]:
        return {
            "answered": answered(opening, parent),
            "failed": failed(opening),
            "charged": failed(opening, "cancelled", usage=USAGE),
        }

    async def play(self, path: Path, groups: Sequence[Sequence[Step]]) -> list[str]:
        """Take the steps, each group in one transaction; what each came to."""
        balances, outbox = Balances(), Outbox()
        turns, writer = Turns(balances, outbox), Writer(partial(connect, path), balances, outbox)
        opened: set[int] = set()
        told: list[str] = []
        for group in groups:
            gate = threading.Event()
            held = writer.write(partial(_hold, gate))
            steps = [(at, step) for at, step in group if step == "open" or at in opened]
            waiting = [self._write(writer, turns, at, step) for at, step in steps]
            gate.set()
            await held
            results = await asyncio.gather(*waiting, return_exceptions=True)
            for (at, step), result in zip(steps, results, strict=True):
                told.append(f"{at} {step} {self._told(at, result)}")
                if step == "open" and not isinstance(result, BaseException):
                    opened.add(at)
        await asyncio.to_thread(writer.close)
        return told

    def _told(self, at: int, result: object) -> str:
        """A result; a branch that was made on the way has another id each time."""
        if isinstance(result, str) and result != self._openings[at].branch_id:
            return "on a branch of its own"
        return repr(result)

    def _write(self, writer: Writer, turns: Turns, at: int, step: str) -> Awaitable[object]:
        opening = self._openings[at]
        if step == "open":
            return writer.write_with_others(turns.open, opening)
        if step == "append":
            return writer.write_with_others(turns.append, (opening.turn_id, 1, b"[]"))
        return writer.write_with_others(turns.settle, self._ends[at][step], durable=True)


def _hold(gate: threading.Event, connection: sqlite3.Connection) -> None:
    """Keep the writer busy, so that what follows waits together."""
    gate.wait(10)


async def _begin(path: Path, kinds: Sequence[str]) -> _Story:
    """A talk to go on with, a conversation that only waits; and the turns."""
    store = SQLiteStore(path)
    own = await books(store)
    trunk = await own.talk("First?")
    waiting = await own.begin(own.opening())
    story = _Story(
        [await _opening(own, kind, trunk, waiting) for kind in kinds], await own.head(trunk)
    )
    await store.close()
    return story


async def _opening(own: Books, kind: str, trunk: Opening, waiting: Opening) -> Opening:
    if kind == "next":
        return await own.next(trunk)
    if kind == "beside":
        conversation, (main,) = await own.tree(waiting)
        return own.opening(conversation, main)
    if kind == "keyed":
        return own.opening(repetition=Repetition(b"k" * 32, b"b" * 32))
    if kind == "dear":
        return own.opening(price=Price(prompt=1000, completion=4000))
    return own.opening(key_id="nobody's" if kind == "foreign" else None)


def _contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row there is; branches that were made on the way go by their conversation and name.

    When a conversation began whose first turns ran side by side is told by the
    one of them that is stored first, and so is when its branches did.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    names = {
        row["id"]: (row["conversation_id"], row["name"])
        for row in rows["branch"]
        if not row["is_main"]
    }
    return {
        name: sorted((_content(name, row, names) for row in found), key=repr)
        for name, found in rows.items()
    }


def _content(table: str, row: sqlite3.Row, names: dict[str, tuple[str, str]]) -> tuple[object, ...]:
    return tuple(
        names.get(value, value) if isinstance(value, str) else value
        for column, value in zip(row.keys(), row, strict=True)
        if column not in _MOMENTS.get(table, ())
    )


_MOMENTS = {"conversation": ("created_at",), "branch": ("created_at", "updated_at")}


async def _problems(path: Path) -> list[object]:
    store = SQLiteStore(path)
    health = await store.check()
    await store.close()
    return list(health.problems)
