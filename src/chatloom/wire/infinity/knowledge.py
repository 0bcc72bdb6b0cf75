"""What an account knows: entries and documents, found by their words."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.infinity.common import Cursor, Given, Id, Part, Told

EntryType: TypeAlias = Literal["wisdom", "pattern", "gotcha", "document"]
Title: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]
Domain: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Tag: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Tags: TypeAlias = Annotated[list[Tag], Meta(max_length=50)]
Confidence: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Content: TypeAlias = Annotated[str, Meta(min_length=1, max_length=10_000_000)]
Format: TypeAlias = Literal["text", "markdown", "html", "pdf"]


class NewEntry(Given):
    """Something to know. A document's `content` is text, or base64 where its format is pdf."""

    type: EntryType
    title: Title
    content: Content
    format: Format = "text"
    domain: Domain | None = None
    tags: Tags = msgspec.field(default_factory=list[str])
    confidence: Confidence = 1.0
    source: Annotated[str, Meta(max_length=2000)] | None = None
    """Where it is from: an address, a file's name."""


class EntryChange(Given):
    """What becomes of an entry; what is left out stays as it is."""

    title: Title | None = None
    content: Content | None = None
    format: Format | None = None
    """What the content is; what was read from HTML goes on as markdown, from pdf as text."""
    domain: Domain | UnsetType | None = UNSET
    """`null` takes it out of any."""
    tags: Tags | None = None
    confidence: Confidence | None = None
    source: Annotated[str, Meta(max_length=2000)] | UnsetType | None = UNSET


class EntryQuery(Given):
    """Which entry is meant."""

    id: Id


class EntryPage(Given):
    """Which entries are meant, the newest first, a page at a time; by its *id*, one alone."""

    id: Id | None = None
    type: EntryType | None = None
    domain: Domain | None = None
    tag: Tag | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class Entry(Part):
    """Something known; `passages` counts the parts it is searched in."""

    id: str
    type: EntryType
    title: str
    content: str
    format: Format
    domain: str | None
    tags: list[str]
    confidence: float
    source: str | None
    passages: int
    created_at: str
    updated_at: str


class HoldingEntry(Told):
    """An entry; its content is cut to 1,000 characters."""

    entry: Entry


class Entries(Told):
    """A page of entries; contents are cut to 1,000 characters, but for one asked for by its id."""

    entries: list[Entry]
    total: int
    has_next: bool
    next_cursor: str | None


class Filters(Given, forbid_unknown_fields=True):
    """What results must be."""

    type: EntryType | list[EntryType] | None = None
    domain: Domain | list[Domain] | None = None
    tags: Tags | None = None
    """All of them."""
    min_confidence: Confidence | None = None


class KnowledgeQuery(Given):
    """What is looked for: words, not all of which a result must have."""

    query: Annotated[str, Meta(min_length=1, max_length=500)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    filters: Filters | None = None


class Result(Part):
    """Something found: the best passage of an entry.

    `score` is how well it matches, from 0 to 1: the share of the query's words that it has, weighed
    by how rare each is in the account, and by where it stands: in the title, in tags, often in the
    text, beside its neighbour. It does not depend on what else was found. `confidence` is the
    entry's own.
    `highlights` are pieces of `content`, which is the passage, with ``**`` around what was sought.
    """

    id: str
    type: EntryType
    title: str
    content: str
    domain: str | None
    tags: list[str]
    confidence: float
    score: float
    highlights: list[str]
    source: str | None
    passage_start: int
    passage_end: int
    """Where in the entry's text it stands: characters from start up to and without end."""


class Results(Told):
    """What was found, the best first.

    `total` counts the entries that have any of the query's telling words; where more than
    10,000 passages do, those in the first 10,000.
    """

    results: list[Result]
    total: int
    query: str


class NativeSearch(Given):
    """What is looked for, as the service's own pages ask."""

    query: Annotated[str, Meta(min_length=1, max_length=500)]
    type: Literal["all", "wisdom", "patterns", "gotchas"] = "all"
    limit: Annotated[int, Meta(ge=1, le=50)] = 20
    domain: Domain | None = None
    tags: Tags | None = None


class NativeResults(Part):
    """What was found, by its type."""

    wisdom: list[Result]
    patterns: list[Result]
    gotchas: list[Result]


class NativeAnswer(Told):
    """What was found, as the service's own pages read it."""

    query: str
    results: NativeResults
    counts: dict[str, int]
    metadata: dict[str, JSON] | UnsetType = UNSET
