"""What accounts know, as it is kept: entries, the passages they are searched in, what is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.server.store.administration import Deed
from chatloom.server.store.trees import Repeatable

EntryType: TypeAlias = Literal["wisdom", "pattern", "gotcha", "document"]
Format: TypeAlias = Literal["text", "markdown", "html", "pdf"]

MOST_ENTRIES = 100_000
"""Entries of an account."""
MOST_CHARACTERS = 1_000_000_000
"""Characters of all an account's entries."""
MOST_PASSAGES = 50_000
"""Passages of an entry."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something known, without its text."""

    id: str
    account_id: str
    type: EntryType
    title: str
    format: Format
    """What it was read from; its text is what was read."""
    domain: str | None
    tags: list[str]
    confidence: float
    source: str | None
    passages: int
    characters: int
    created_at: int
    updated_at: int
    version: int = 0
    """Names what is kept of it now; every change makes another one."""


class Part(msgspec.Struct, frozen=True):
    """A passage of an entry to be kept."""

    text: str
    """It and what is blank around it: an entry's parts, one behind the other, are its text."""
    at: int
    """Where in the entry's text that begins."""
    start: int
    end: int
    """Where in the entry's text the passage is."""
    words: list[str]
    """The forms of its words, in order."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry to be kept."""

    entry: Entry
    title: list[str]
    """The forms of the title's words."""
    tags: list[str]
    """The forms of the words of its tags."""
    parts: list[Part] | None
    """`None` keeps those that the version it replaces has."""
    replaces: int | None = None
    """The version that it takes the place of."""


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What entries must be; names of domains and tags are compared without regard to case."""

    types: Sequence[EntryType] | None = None
    domains: Sequence[str] | None = None
    tags: Sequence[str] = ()
    """All of them."""
    min_confidence: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """The best passage of an entry that was found."""

    entry: Entry
    text: str
    start: int
    end: int
    score: float

    @property
    def entry_id(self) -> str:
        """The entry's id."""
        return self.entry.id

    @property
    def title(self) -> str:
        """The entry's title."""
        return self.entry.title


class Findings(msgspec.Struct, frozen=True):
    """What was found, the best first, and how many entries match."""

    found: list[Found]
    total: int


class KnowledgeFull(Exception):
    """The account knows as much as it may; nothing of it was kept. Its text says what is full."""


class EntryChanged(Exception):
    """The version to be replaced is no longer what is kept; nothing was changed."""


class Knowledge(Protocol):
    """Keeps what accounts know. What is kept half is seen by nobody."""

    async def keep_entry(
        self, draft: Draft, by: Repeatable | None = None, deed: Deed | None = None
    ) -> str:
        """Keep an entry, or another version of one; its id.

        What *by* has made before is made no second time. *deed* is what the audit log is told, if
        anything. Raises `KnowledgeFull`, `EntryChanged`
        or `KeyReused`.
        """
        ...

    async def entry(self, account_id: str, id: str) -> Entry | None: ...

    async def entry_text(self, entry: Entry, first: int | None = None) -> str:
        """What an entry says; only about so many characters from its beginning, if so wished."""
        ...

    async def entries(
        self,
        account_id: str,
        filter: EntryFilter,
        *,
        before: str | None,
        limit: int,
    ) -> tuple[list[Entry], int]:
        """Entries older than the one with the id *before*, the newest first; how many in all."""
        ...

    async def remove_entry(self, account_id: str, id: str, deed: Deed | None = None) -> bool:
        """Forget an entry. Returns whether there was one."""
        ...

    async def search_entries(
        self, account_id: str, words: Sequence[str], filter: EntryFilter, *, limit: int
    ) -> Findings:
        """Find entries by the forms of words; ranked as `knowledge.ranking` has it."""
        ...

    async def forget_drafts(self, now: int) -> int:
        """Forget what was begun to be kept, or to be removed, and not ended. Returns how many."""
        ...
