"""One conversation of an archive, checked as it comes: it must make the tree that it was."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chatloom.server.archive.lines import Branch, Checkpoint, Conversation, Message, Record
from chatloom.server.chat import message as said
from chatloom.server.chat.tree import canonical, node_hash

_read_body = msgspec.json.Decoder(said.Message).decode


class Wrong(Exception):
    """Something that no tree has."""


class _Place(msgspec.Struct, frozen=True, gc=False):
    """Where a message stands."""

    hash: bytes
    depth: int
    branch_id: str


class Tree:
    """What is known of a conversation while its lines are read; not what its messages say."""

    def __init__(self, conversation: Conversation, *, hashes: bool) -> None:
        self._about = conversation
        self._hashes = hashes
        self._branches: dict[str, Branch] = {}
        self._places: dict[str, _Place] = {}
        self._tails: dict[str, str | None] = {}
        """The last message of each branch, or that it was forked from."""
        self._merges: set[str] = set()
        self._checkpoints: set[str] = set()
        self._is_branched = False

    def take(self, line: Branch | Message | Checkpoint) -> Record:
        """Take in a line. Raises `Wrong`."""
        if isinstance(line, Branch):
            return self._branch(line)
        if not self._is_branched:
            self._check_branches()
        if isinstance(line, Checkpoint):
            return self._checkpoint(line)
        return self._message(line)

    def _record(
        self, line: Branch | Message | Checkpoint, depth: int = 0, body: str = ""
    ) -> Record:
        return Record(line=line, conversation_id=self._about.id, depth=depth, body=body)

    def _branch(self, branch: Branch) -> Record:
        if self._is_branched:
            raise Wrong("a branch stands behind its conversation's messages")
        if branch.id in self._branches:
            raise Wrong(f"the branch {branch.id} is there twice")
        rules = (branch.parent, branch.forked_from, branch.deleted_at)
        if branch.main and (any(one is not None for one in rules) or not branch.active):
            raise Wrong("a main branch is active, has no parent and is forked from nothing")
        if not branch.main and branch.parent is None:
            raise Wrong("a branch has a parent, unless it is the main one")
        merged = (branch.merged_head, branch.merged_into, branch.merged_at)
        if len({one is None for one in merged}) > 1 or (branch.merged_by and not merged[0]):
            raise Wrong("half of a merge is told")
        self._branches[branch.id] = branch
        self._tails[branch.id] = branch.forked_from
        return self._record(branch)

    def _check_branches(self) -> None:
        self._is_branched = True
        _check_count("branches", len(self._branches), self._about.branches)
        if sum(branch.main for branch in self._branches.values()) != 1:
            raise Wrong("the conversation before has not one main branch")
        for branch in self._branches.values():
            for other in filter(None, (branch.parent, branch.merged_into)):
                if other not in self._branches:
                    raise Wrong(f"the branch {branch.id} names an unknown branch, {other}")
        roots = set[str]()
        for branch in self._branches.values():
            way = list(self._upwards(branch, roots))
            if len(way) > len(self._branches):
                raise Wrong(f"the branch {branch.id} descends from itself")
            roots |= {one.id for one in way}

    def _upwards(self, branch: Branch | None, known: set[str]) -> Iterator[Branch]:
        """*branch* and those it descends from, up to a *known* one; in a circle, one too many."""
        for _ in range(len(self._branches) + 1):
            if branch is None or branch.id in known:
                return
            yield branch
            branch = self._branches.get(branch.parent or "")

    def _message(self, line: Message) -> Record:
        if line.id in self._places:
            raise Wrong(f"the message {line.id} is there twice")
        if line.branch not in self._branches:
            raise Wrong(f"its branch {line.branch} is unknown")
        if line.parent != self._tails[line.branch]:
            raise Wrong("it does not follow the message before it on its branch")
        above = None if line.parent is None else self._place(line.parent, "parent")
        own = self._tails[line.branch] != self._branches[line.branch].forked_from
        if above is not None and not own:
            self._check_fork(self._branches[line.branch])
        parents = [] if above is None else [above.hash]
        parents += [self._place(other, "second parent").hash for other in line.others]
        depth, hash = (above.depth if above else 0) + 1, bytes.fromhex(line.hash)
        body = self._body(line, parents, hash)
        self._places[line.id] = _Place(hash, depth, line.branch)
        self._tails[line.branch] = line.id
        if line.others:
            self._merges.add(line.id)
        if len(self._places) > self._about.messages:
            raise Wrong(f"the conversation has more than its {self._about.messages:,} messages")
        return self._record(line, depth, body)

    def _body(self, line: Message, parents: list[bytes], hash: bytes) -> str:
        told = bytes(line.body)
        if line.deleted_at is not None:
            if told != b"{}":
                raise Wrong("it is deleted, and has a body")
            return "{}"
        if not self._hashes:
            return told.decode()
        message = _read_body(told)
        if message.role != line.role:
            raise Wrong("its role is not the one in its body")
        if canonical(message) != told:
            raise Wrong("its body is not written as it was: it was changed, or written anew")
        if node_hash(message, parents) != hash:
            raise Wrong("its content, or one before it, does not match its hash")
        return told.decode()

    def _place(self, id: str, what: str) -> _Place:
        if id not in self._places:
            raise Wrong(f"its {what} {id} is not among the messages before it")
        return self._places[id]

    def _check_fork(self, branch: Branch) -> None:
        if branch.forked_from is None:
            return
        place = self._places.get(branch.forked_from)
        if place is None or place.branch_id != branch.parent:
            raise Wrong(f"the branch {branch.id} is forked from no message of its parent")

    def _checkpoint(self, line: Checkpoint) -> Record:
        if line.id in self._checkpoints:
            raise Wrong(f"the checkpoint {line.id} is there twice")
        if line.branch not in self._branches:
            raise Wrong(f"its branch {line.branch} is unknown")
        self._checkpoints.add(line.id)
        return self._record(line, self._place(line.anchor, "anchor").depth)

    def end(self) -> None:
        """Check that all is there. Raises `Wrong`."""
        if not self._is_branched:
            self._check_branches()
        _check_count("messages", len(self._places), self._about.messages)
        _check_count("checkpoints", len(self._checkpoints), self._about.checkpoints)
        for branch in self._branches.values():
            self._check_fork(branch)
            if branch.head != self._tails[branch.id]:
                raise Wrong(f"the messages of the branch {branch.id} do not end at its head")
            if branch.merged_head is not None and branch.merged_head not in self._places:
                raise Wrong(f"the branch {branch.id} was merged with an unknown head")
            if branch.merged_by is not None and branch.merged_by not in self._merges:
                raise Wrong(f"the branch {branch.id} was merged by what is no merge")


def _check_count(what: str, found: int, told: int) -> None:
    if found != told:
        raise Wrong(f"the conversation before has {found:,} {what}, and should have {told:,}")
