"""A conversation's tree, for people.

Each branch is a line downwards, in a colour of its own, with its messages on it::

    main  12 messages · 804 tokens · $0.0021
    ○ user       What is a river?                          99aabb0
    ├─╮ colder  2 messages · 300 tokens · $0.001
    │ ○ user       And a cold one?                         deadbee
    │ ● assistant  It freezes.                             a1b2c3d
    ┊ … 9 messages …
    ◆ merge      2 messages of “colder”                    c0ffee1
    ● assistant  Rivers are streams of water.              feedbac

``●`` is a branch's head, ``◆`` a merge, ``✗`` a message that was deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from chatloom.cli.shared import out, printable
from chatloom.wire.outline import Branch, Line, Outline, Rest

_WIDEST = 110
"""Columns that a line has at most: words and hash belong together."""
_PIPE = 100
"""Columns of a line where there is no terminal."""
_ROLE = 10
_HASH = 7
_WORDS = 16
"""Columns of words without which the hash is left out."""
_TEXT = 24
"""Columns that remain for a message, however deep its branch lies."""
_COLOURS = ("green", "cyan", "magenta", "yellow", "blue", "red")
_ROLES = {"user": "bold", "assistant": "", "merge": "bold"}

Piece = tuple[str, str]
"""Text, and its style."""
Pieces = list[Piece]


def draw(outline: Outline) -> None:
    """Print the tree, as wide as there is room; lines are never broken."""
    width = min(out.width, _WIDEST) if out.is_terminal else _PIPE
    for line in _Drawing(outline, width).lines():
        if out.is_terminal:
            out.print(Text.assemble(*line), soft_wrap=True)
        else:
            out.file.write("".join(text for text, _ in line).rstrip() + "\n")
    out.file.flush()


class _Drawing:
    """Draws one outline, line by line."""

    def __init__(self, outline: Outline, width: int) -> None:
        self._outline = outline
        self._width = width
        self._deepest = (width - _TEXT - _ROLE) // 2
        self._known = {branch.id: branch for branch in outline.branches}
        self._forks: dict[tuple[str | None, str | None], list[Branch]] = defaultdict(list)
        for branch in outline.branches:
            if not branch.is_main:
                self._forks[branch.parent_branch_id, branch.forked_from_id].append(branch)
        colours = (_COLOURS[number % len(_COLOURS)] for number in range(len(outline.branches)))
        self._colours = dict(zip(self._known, colours, strict=True))
        self._later: list[Branch] = []
        self._has_folds = False

    def lines(self) -> Iterator[Pieces]:
        """Every line, from the title to what is not drawn."""
        yield from self._title()
        self._later = [branch for branch in self._outline.branches if branch.is_main]
        while self._later:
            branch = self._later.pop(0)
            yield []
            yield from self._headline([], [], branch, *_whence(branch, self._known))
            yield from self._branch([], branch)
            if not self._later:  # what a damaged tree has nowhere
                self._later = [one for some in self._forks.values() for one in some]
                self._forks.clear()
        yield from self._rests()

    def _title(self) -> Iterator[Pieces]:
        told = self._outline
        title = " ".join((told.title or "untitled").split())
        yield [(_cut(printable(title), self._width), "bold")]
        yield [(_cut(told.id, self._width), "dim")]
        figures = _figures(told.message_count, told.tokens_in + told.tokens_out, str(told.cost))
        yield from self._fitted([], [_counted(told.branch_count, "branch", "branches"), *figures])

    def _rests(self) -> Iterator[Pieces]:
        folded, deleted = self._outline.folded, self._outline.deleted
        if folded.branches or deleted.branches or self._has_folds:
            yield []
        if folded.branches:
            more = _counted(folded.branches, "more branch", "more branches")
            yield from self._fitted([], [f"… {more}, used before", *_of_rest(folded)])
        if deleted.branches:
            gone = _counted(deleted.branches, "deleted branch", "deleted branches")
            yield from self._fitted([], [f"… {gone}", *_of_rest(deleted)])
        if folded.branches or self._has_folds:
            yield from self._fitted([], ["--all draws everything"])

    def _headline(
        self, before: Pieces, left: Pieces, branch: Branch, *notes: str
    ) -> Iterator[Pieces]:
        """A branch's name behind *before*, and what is to be said of it; one line where it fits.

        *left* is what stands left of the branch's own line.
        """
        style = f"bold {self._guide(branch)}"
        name = _cut(printable(branch.name), self._width - _length(before))
        told = [*notes, *_states(branch), *_own_figures(branch)]
        whole = f"  {' · '.join(told)}"
        if _length(before) + cell_len(name) + cell_len(whole) <= self._width:
            yield [*before, (name, style), (whole, "dim")]
            return
        yield [*before, (name, style)]
        own = "│ " if self._goes_on(branch) else "  "
        yield from self._fitted([*left, (own, self._guide(branch))], told)

    def _goes_on(self, branch: Branch) -> bool:
        """Whether anything is drawn below a branch's name."""
        return bool(branch.messages) or (branch.id, None) in self._forks

    def _branch(self, left: Pieces, branch: Branch) -> Iterator[Pieces]:
        """A branch's messages, and behind each the branches that leave it there."""
        yield from self._leaving(left, branch, None, ends=not branch.messages)
        for line, following in pairwise([*branch.messages, None]):
            assert line is not None
            yield self._message(left, branch, line)
            yield from self._leaving(left, branch, line.id, ends=following is None)
            hidden = following.depth - line.depth - 1 if following is not None else 0
            if hidden:
                self._has_folds = True
                told = _counted(hidden, "message", "messages")
                yield [*left, ("┊ ", self._guide(branch)), (f"… {told} …", "dim")]

    def _leaving(
        self, left: Pieces, branch: Branch, at: str | None, *, ends: bool
    ) -> Iterator[Pieces]:
        """The branches that leave *branch* at a message; if it *ends* there, its line does, too."""
        forks = self._forks.pop((branch.id, at), [])
        for number, fork in enumerate(forks, 1):
            is_last = ends and number == len(forks)
            guide = self._guide(branch)
            turn = "╰─" if is_last else "├─"
            inner = [*left, ("  " if is_last else "│ ", guide)]
            if len(inner) > self._deepest:
                self._later.append(fork)
                name = _cut(printable(fork.name), self._width - _length(inner) - 15)
                below = (", drawn below", "dim")
                yield [*left, (f"{turn} ", guide), (name, self._colours[fork.id]), below]
                continue
            bend = ("╮ " if self._goes_on(fork) else "╴ ", self._guide(fork))
            yield from self._headline([*left, (turn, guide), bend], inner, fork)
            yield from self._branch(inner, fork)

    def _message(self, left: Pieces, branch: Branch, line: Line) -> Pieces:
        is_head = line.id == branch.head_message_id
        role, words, style = line.role, printable(line.first_words), ""
        mark = "●" if is_head else "○"
        if line.deleted:
            mark, words, style = "✗", "deleted", "dim italic"
        elif line.merge is not None:
            what = _counted(line.merge.messages, "message", "messages")
            role, mark = "merge", "◆"
            words = f"{what} of “{printable(line.merge.branch or '?')}”"
            words = f"summary of {words}" if line.merge.summary else words
        role = _cut(printable(role), _ROLE - 1)
        room = self._width - _length(left) - 2 - _ROLE
        hashed = line.hash[:_HASH]
        if room - _HASH - 2 < _WORDS:
            hashed = ""
        else:
            room -= _HASH + 2
        return [
            *left,
            (f"{mark} ", self._guide(branch)),
            (f"{role:{_ROLE}}", _ROLES.get(role, "italic")),
            (set_cell_size(_cut(words, room), room) if hashed else _cut(words, room), style),
            (f"  {hashed}" if hashed else "", "yellow" if is_head else "dim"),
        ]

    def _guide(self, branch: Branch) -> str:
        return self._colours[branch.id]

    def _fitted(self, left: Pieces, told: list[str]) -> Iterator[Pieces]:
        """Facts, in as many lines as they need."""
        room, line = self._width - _length(left), ""
        for one in told:
            longer = f"{line} · {one}" if line else _cut(one, room)
            if line and cell_len(longer) > room:
                yield [*left, (line, "dim")]
                longer = _cut(one, room)
            line = longer
        yield [*left, (line, "dim")]


def _whence(branch: Branch, known: dict[str, Branch]) -> Iterator[str]:
    parent = known.get(branch.parent_branch_id or "")
    if parent is not None:
        yield f"forked from “{printable(parent.name)}”"


def _states(branch: Branch) -> Iterator[str]:
    if branch.is_deleted:
        yield "deleted, others stand on it"
    if not branch.is_active:
        yield "inactive"
    if branch.context_mode != "FULL":
        yield f"context {branch.context_mode.lower()}"
    if branch.merged_into is not None:
        yield f"merged into “{printable(branch.merged_into)}”"


def _own_figures(branch: Branch) -> list[str]:
    figures = _figures(branch.message_count, branch.tokens_in + branch.tokens_out, branch.cost)
    if branch.message_count:
        return figures
    return ["nothing of its own", *(figures[1:] if branch.tokens_in else ())]


def _figures(messages: int, tokens: int, cost: object) -> list[str]:
    counted = _counted(messages, "message", "messages")
    return [counted, _counted(tokens, "token", "tokens"), str(cost)]


def _of_rest(rest: Rest) -> list[str]:
    figures = _figures(rest.messages, rest.tokens_in + rest.tokens_out, rest.cost)
    return figures if rest.messages else figures[1:]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _length(pieces: Pieces) -> int:
    return sum(cell_len(text) for text, _ in pieces)


def _cut(text: str, width: int) -> str:
    """*text* in at most so many columns."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"
