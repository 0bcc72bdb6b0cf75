"""Trees read: paths, slices, what two paths share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from chatloom.server.store.contract import Node
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Making, Taken, TreeSlice

_SQL = "trees.sql"
_FEW = 50
"""Of rows that are looked up one by one, as many as may be on the event loop."""
_SHORT = 500
"""Messages that may be read on the event loop, about a millisecond's worth."""
_NO_DEPTH = 2**62


class Paths(Opened):
    """Reads trees."""

    async def path(self, head_id: str) -> list[Node]:
        return await self.path_slice(head_id)

    async def path_slice(
        self, head_id: str, *, first: int = 1, last: int | None = None, back: bool = False
    ) -> list[Node]:
        place = rows.one(self._reader, statements(_SQL)["place_of"], head_id)
        if place is None:
            return []

        def read() -> list[Node]:
            values = (head_id, first, _NO_DEPTH if last is None else last)
            found = self._reader.execute(statements(_SQL)["path_slice"], values)
            nodes = [rows.node(row) for row in found]
            return nodes[::-1] if back else nodes

        if place[1] - first <= _SHORT:
            return read()
        return await self._place.apart(read)

    async def path_start(self, node: Node, count: int) -> list[Node]:
        count = min(count, node.depth)
        nodes = await self._place.apart(lambda: _first_said(self._reader, node, count))
        if _is_start(nodes, count):
            return nodes
        return await self.path_slice(node.id, last=count)  # step by step, all the way

    async def others(self, conversation_id: str, node_id: str) -> list[str]:
        found = self._reader.execute(statements(_SQL)["others"], (conversation_id, node_id))
        return [id for (id,) in found.fetchall()]

    async def keeps(self, node: Node) -> bool:
        row = rows.one(self._reader, self._sql["branch"], node.conversation_id, node.branch_id)
        if row is not None and rows.branch(row).deleted_at is None:
            return True

        def read() -> bool:
            return is_kept(node, needed(self._reader, node.conversation_id))

        return await self._place.apart(read)

    async def nodes(self, account_id: str, ids: Sequence[str]) -> list[Node]:
        wanted = msgspec.json.encode(ids).decode()

        def read() -> list[Node]:
            found = self._reader.execute(statements(_SQL)["nodes"], (wanted, account_id))
            return [rows.node(row) for row in found]

        return read() if len(ids) <= _FEW else await self._place.apart(read)

    async def makings(self, turn_ids: Sequence[str]) -> dict[str, Making]:
        wanted = msgspec.json.encode(turn_ids).decode()

        def read() -> dict[str, Making]:
            found = self._reader.execute(statements(_SQL)["makings"], (wanted,))
            return {row[0]: _making(row) for row in found}

        return read() if len(turn_ids) <= _FEW else await self._place.apart(read)

    async def taken(self, head_id: str, first: int) -> Taken:
        def read() -> Taken:
            values = (head_id, first)
            return Taken(*self._reader.execute(statements(_SQL)["taken"], values).fetchone())

        return await self._place.apart(read)

    async def last_common(self, one: str, other: str) -> Node | None:
        def read() -> Node | None:
            climbs = [_Climb(self._reader, one), _Climb(self._reader, other)]
            while climbs[0].id != climbs[1].id:
                max(climbs, key=lambda climb: climb.depth).up()
            if climbs[0].id is None:
                return None
            found = self._reader.execute(statements(_SQL)["node_by_id"], (climbs[0].id,)).fetchone()
            return rows.node(found)

        return await self._place.apart(read)

    async def tree_slice(self, conversation_id: str, after: int, limit: int) -> TreeSlice:
        def read() -> TreeSlice:
            values = (conversation_id, after, limit + 1)
            found = self._reader.execute(statements(_SQL)["tree_slice"], values).fetchall()
            kept = needed(self._reader, conversation_id)
            nodes = [rows.node(row) for row in found[:limit]]
            return TreeSlice(
                nodes=[one for one in nodes if is_kept(one, kept)],
                last=rows.position(found[limit - 1]) if len(found) > limit else None,
            )

        return await self._place.apart(read)

    async def size(self, conversation_id: str) -> int:
        def read() -> int:
            kept = needed(self._reader, conversation_id)
            extents = self._reader.execute(statements(_SQL)["extents"], (conversation_id,))
            # A branch's own messages are a chain: nobody need count them.
            return sum(max(0, min(kept.get(id, head), head) - fork) for id, head, fork in extents)

        return await self._place.apart(read)

    async def deepest(self, conversation_id: str) -> int:
        def read() -> int:
            found = self._reader.execute(statements(_SQL)["deepest"], (conversation_id,))
            return int(found.fetchone()[0])

        return await self._place.apart(read)


def _first_said(reader: sqlite3.Connection, node: Node, count: int) -> list[Node]:
    """The path to *node* from the root on, found branch by branch, in one consistent view.

    A branch's own messages are a chain, so the first that were said on it are the first of it.
    """
    nodes: list[Node] = []
    reader.execute("BEGIN")
    try:
        for branch_id, last in reversed(_legs(reader, node)):
            wanted = min(count, last) - len(nodes)
            if wanted > 0:
                values = (node.conversation_id, branch_id, wanted)
                found = reader.execute(statements(_SQL)["first_said_on"], values)
                nodes += [rows.node(row) for row in found]
    finally:
        reader.execute("ROLLBACK")
    return nodes


def _legs(reader: sqlite3.Connection, node: Node) -> list[tuple[str | None, int]]:
    """The branches that the path to *node* is on, the last one first, each with how deep."""
    legs = [(node.branch_id, node.depth)]
    ground = statements(_SQL)["ground_of"]
    while found := rows.one(reader, ground, node.conversation_id, legs[-1][0]):
        if found[1] >= legs[-1][1]:
            break  # what cannot be, or there would be no end
        legs.append((found[0], found[1]))
    return legs


def _is_start(nodes: Sequence[Node], count: int) -> bool:
    """Whether *nodes* are a path from the root on, and so many."""
    parents = [None, *[node.id for node in nodes[:-1]]]
    return len(nodes) == count and [node.parent_id for node in nodes] == parents


class _Climb:
    """Somebody on the way from a message to the root."""

    def __init__(self, reader: sqlite3.Connection, id: str) -> None:
        self._reader = reader
        self._look(id)

    def up(self) -> None:
        """Go one message up; beyond the root there is `None`."""
        self._look(self._above)

    def _look(self, id: str | None) -> None:
        self.id = id
        row = rows.one(self._reader, statements(_SQL)["place_of"], id)
        self._above, self.depth = (None, 0) if row is None else row


def needed(reader: sqlite3.Connection, conversation_id: str) -> dict[str, int]:
    """The deleted branches of a conversation, and down to which depth something stands on them."""
    deleted = reader.execute(statements(_SQL)["deleted_branches"], (conversation_id,))
    kept = dict.fromkeys((id for (id,) in deleted), 0)
    if not kept:
        return kept
    stands = reader.execute(statements(_SQL)["stands_on"], (conversation_id,)).fetchall()
    grounds: dict[str, list[tuple[int, str, int]]] = {}
    for one, _, place, ground, depth in stands:
        grounds.setdefault(one, []).append((place, ground, depth))
    waiting = [one for one, is_deleted, *_ in stands if not is_deleted]
    while waiting:  # what is needed of a branch needs what it stands on, in turn
        one = waiting.pop()
        for place, ground, depth in grounds.get(one, ()):
            if place <= kept.get(one, place) and kept.get(ground, depth) < depth:
                kept[ground] = depth
                waiting.append(ground)
    return kept


def is_kept(node: Node, kept: dict[str, int]) -> bool:
    return node.branch_id not in kept or node.depth <= kept[node.branch_id]


def _making(row: rows.Row) -> Making:
    return Making(
        turn_id=row[0],
        protocol=row[1],
        model=row[2],
        served_model=row[3],
        outcome=row[4],
        usage=rows.usage(row[5]),
        cost=row[6],
        priced=bool(row[7]),
        started_at=row[8],
        ended_at=row[9],
        terms=row[10],
    )
