"""Trees as simple as can be, to hold the real ones against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from chatloom.server.chat.message import Message

Kind: TypeAlias = Literal["plain", "merge", "merge_summary"]


@dataclass
class Leaf:
    """A message, and what it cost."""

    id: str
    parent: str | None
    message: Message
    kind: Kind = "plain"
    others: Sequence[str] = ()
    """A merge node's second parent, then what it brings in."""
    is_deleted: bool = False
    cost: int = 0


@dataclass
class Bough:
    """A branch: its head, and the message it left the others at."""

    id: str
    head: str | None
    forked: str | None = None
    is_main: bool = False
    is_active: bool = True
    is_deleted: bool = False
    name: str = ""
    mode: str = "FULL"
    wasted: int = 0
    """What turns cost that said nothing there."""
    merged_into: str | None = None
    beside: str | None = None
    """The branch that it belongs under, where it was forked from no message."""


@dataclass
class Grove:
    """A conversation: every message that was ever said, in order, and every branch."""

    id: str
    leaves: dict[str, Leaf] = field(default_factory=dict[str, Leaf])
    boughs: dict[str, Bough] = field(default_factory=dict[str, Bough])
    checkpoints: dict[str, str] = field(default_factory=dict[str, str])
    """The message of each."""
    is_stored: bool = False
    """Whether it outlives its first turn."""
    is_deleted: bool = False

    @property
    def main(self) -> Bough:
        return next(one for one in self.boughs.values() if one.is_main)

    @property
    def alive(self) -> list[Bough]:
        """The branches that are not deleted, in the order they were made."""
        return [one for one in self.boughs.values() if not one.is_deleted]

    def path(self, head: str | None) -> list[Leaf]:
        """The messages from the root to *head*."""
        path: list[Leaf] = []
        while head is not None:
            path.append(self.leaves[head])
            head = path[-1].parent
        return path[::-1]

    def depth(self, id: str | None) -> int:
        return len(self.path(id))

    def own(self, bough: Bough) -> list[Leaf]:
        """What was said on a branch itself."""
        path = self.path(bough.head)
        assert bough.forked in {None, *(one.id for one in path)}
        return path[self.depth(bough.forked) :]

    def owner(self, id: str) -> Bough:
        """The one branch that a message was said on."""
        (owner,) = [one for one in self.boughs.values() if self.leaves[id] in self.own(one)]
        return owner

    def parent_of(self, bough: Bough) -> Bough | None:
        """The branch that it was forked from."""
        if bough.forked is not None:
            return self.owner(bough.forked)
        return self.boughs[bough.beside] if bough.beside is not None else None

    def visible(self) -> list[Leaf]:
        """What stands on a branch, or is stood on, in the order it was said."""
        seen: set[str] = set()
        waiting = [one.head for one in self.alive if one.head is not None]
        while waiting:
            leaf = self.leaves[waiting.pop()]
            if leaf.id not in seen:
                seen.add(leaf.id)
                waiting += [*leaf.others, *([leaf.parent] if leaf.parent else [])]
        return [one for one in self.leaves.values() if one.id in seen]

    def expanded(self, path: Sequence[Leaf]) -> list[Leaf]:
        """A path with the messages that merge nodes bring in, without what is deleted."""
        return [one for leaf in path for one in self._stood_for(leaf) if not one.is_deleted]

    def _stood_for(self, leaf: Leaf) -> Iterator[Leaf]:
        if leaf.kind == "merge" and not leaf.is_deleted:
            yield from (self.leaves[id] for id in leaf.others[1:])
        else:
            yield leaf

    def told(self, path: Sequence[Leaf], new: Message) -> list[Message]:
        """What a model is told of a whole path before *new*."""
        lines = [leaf.message for leaf in self.expanded(path)]
        told: list[Message] = []
        for line, behind in pairwise([*lines, new]):
            if line.role == "tool":
                called = told and _called(told[-1])
                told += [line] if line.tool_call_id == called else []
            elif _called(line) in {None, behind.tool_call_id}:
                told.append(line)
            elif line.text:
                told.append(Message(line.role, line.content))
        return told

    def held(self, path: Sequence[Leaf]) -> set[str]:
        """The messages of a path, and those that merges brought in or summed up, all the way."""
        held: set[str] = set()
        waiting = [one.id for one in path]
        while waiting:
            leaf = self.leaves[waiting.pop()]
            held.add(leaf.id)
            if not leaf.is_deleted:
                waiting += leaf.others[1:]
        return held

    def is_below(self, bough: Bough, above: Bough) -> bool:
        """Whether a branch was forked, in however many steps, from another."""
        parent = self.parent_of(bough)
        return parent is not None and (parent is above or self.is_below(parent, above))

    def apart(self, one: Bough, other: Bough) -> tuple[list[Leaf], list[Leaf]]:
        """What of two branches' paths they do not share."""
        first, second = self.path(one.head), self.path(other.head)
        return (
            [leaf for leaf in first if leaf not in second],
            [leaf for leaf in second if leaf not in first],
        )

    def unmerged(self, source: Bough, target: Bough) -> list[str]:
        """What merging a branch would bring in."""
        beyond, theirs = self.apart(source, target)
        held = self.held(theirs)
        return [leaf.id for leaf in self.expanded(beyond) if leaf.id not in held]

    def foreseen(self, source: Bough, target: Bough | None, picked: list[str] | None) -> str | None:
        """Why a merge is refused, or that it was done before; `None` where it makes sense."""
        if source.is_deleted:
            return "branch_deleted"
        if target is None and source.is_main:
            return "main_branch"
        target = target or self.parent_of(source)
        assert target is not None
        senseless = {
            "branch_deleted": target.is_deleted,
            "same_branch": target is source,
            "branch_inactive": not target.is_active,
            "ancestor": self.is_below(target, source),
            "nothing_to_merge": source.head is None,
        }
        for code, holds in senseless.items():
            if holds:
                return code
        return self._repeated(source, target, picked)

    def _repeated(self, source: Bough, target: Bough, picked: list[str] | None) -> str | None:
        beyond, theirs = self.apart(source, target)
        held, new = self.held(theirs), self.unmerged(source, target)
        wanted = picked or [leaf.id for leaf in self.expanded(beyond)]
        if set(wanted) <= held:
            is_brought = bool(set(wanted) - {leaf.id for leaf in theirs})
            known = is_brought or source.merged_into == target.id
            return "repeated" if known else "nothing_to_merge"
        if not new:
            return "nothing_to_merge"
        return None if set(wanted) <= set(new) or picked is None else "invalid_request"


def _called(message: Message) -> str | None:
    calls = message.tool_calls or ()
    return str(calls[0]["id"]) if calls else None
