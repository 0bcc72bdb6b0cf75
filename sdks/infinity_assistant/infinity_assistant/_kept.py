"""Types of what is kept: knowledge, and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

from chatloom.core.http import JSON

__all__ = [
    "KnowledgeEntry",
    "KnowledgeEntryResponse",
    "KnowledgeFilters",
    "KnowledgeFormat",
    "KnowledgeListResponse",
    "KnowledgeRequest",
    "KnowledgeResult",
    "KnowledgeSearchRequest",
    "KnowledgeSearchResponse",
    "KnowledgeUpdate",
    "MemoryEntry",
    "MemoryListResponse",
    "MemoryRetrieveRequest",
    "MemoryRetrieveResponse",
    "MemoryStoreRequest",
    "MemoryStoreResponse",
    "Storable",
]


KnowledgeFormat: TypeAlias = Literal["text", "markdown", "html", "pdf"]


class KnowledgeFilters(TypedDict, total=False):
    """What a search is limited to.

    `type` is ``wisdom``, ``pattern``, ``gotcha`` or ``document``, or several of them; what
    is found has all of the `tags`. The last two are one, in either spelling.
    """

    type: str | Sequence[str]
    domain: str | Sequence[str]
    tags: Sequence[str]
    min_confidence: float
    minConfidence: float


class KnowledgeSearchRequest(TypedDict):
    """What to search for."""

    query: str
    limit: NotRequired[int]
    filters: NotRequired[KnowledgeFilters]


class KnowledgeUpdate(TypedDict, total=False):
    """What to change of an entry; `confidence` is from 0 to 1.

    `None` takes it out of its `domain`, or forgets the `source`.
    """

    title: str
    content: str
    format: KnowledgeFormat
    domain: str | None
    tags: list[str]
    confidence: float
    source: str | None


class KnowledgeRequest(TypedDict):
    """An entry to be added; `source` is where it is from.

    `content` is text, or Base64 where its `format` is ``pdf``; `confidence` is from 0 to 1.
    """

    content: str
    type: NotRequired[str]
    title: NotRequired[str]
    format: NotRequired[KnowledgeFormat]
    domain: NotRequired[str]
    tags: NotRequired[list[str]]
    confidence: NotRequired[float]
    source: NotRequired[str | None]


class KnowledgeEntry(TypedDict):
    """Something that is known; `passages` counts the parts it is searched in."""

    id: str
    type: str
    title: str
    content: str
    domain: NotRequired[str | None]
    tags: NotRequired[list[str]]
    confidence: NotRequired[float]
    format: NotRequired[KnowledgeFormat]
    source: NotRequired[str | None]
    passages: NotRequired[int]
    createdAt: NotRequired[str]
    updatedAt: NotRequired[str]


class KnowledgeResult(KnowledgeEntry):
    """One that was found; `score` is how well it fits, from 0 to 1.

    A server that tells no score may say so in `confidence`. Where passages are searched,
    `content` is the best one, the entry's text from `passageStart` up to `passageEnd`, and
    `highlights` are pieces of it, with ``**`` around what was sought.
    """

    score: NotRequired[float]
    highlights: NotRequired[list[str]]
    passageStart: NotRequired[int]
    passageEnd: NotRequired[int]


class KnowledgeSearchResponse(TypedDict):
    """What was found."""

    success: bool
    results: list[KnowledgeResult]
    total: int
    query: NotRequired[str]
    error: NotRequired[str | None]


class KnowledgeListResponse(TypedDict):
    """A page of what is known; `nextCursor` asks for the next one."""

    success: bool
    entries: list[KnowledgeEntry]
    nextCursor: str | None
    hasNext: NotRequired[bool]
    total: NotRequired[int]


class KnowledgeEntryResponse(TypedDict):
    """An entry as it is now."""

    success: bool
    entry: KnowledgeEntry


Storable: TypeAlias = Mapping[str, object] | Sequence[object] | str | float | bool | None
"""Anything JSON can say."""


class MemoryStoreRequest(TypedDict):
    """What to keep; `ttl` is in seconds, and `None` keeps it for good."""

    key: str
    value: Storable
    ttl: NotRequired[int | None]
    userId: NotRequired[str]


class MemoryStoreResponse(TypedDict):
    """Whether it is kept."""

    success: bool
    stored: bool
    key: NotRequired[str]
    expiresAt: NotRequired[str | None]
    error: NotRequired[str | None]


class MemoryRetrieveRequest(TypedDict):
    """What to look for."""

    key: str
    userId: NotRequired[str]


class MemoryRetrieveResponse(TypedDict):
    """What was kept, if it is there; what is kept may be `None` itself."""

    success: bool
    value: JSON
    found: bool
    key: NotRequired[str]
    createdAt: NotRequired[str | None]
    updatedAt: NotRequired[str | None]
    expiresAt: NotRequired[str | None]
    error: NotRequired[str | None]


class MemoryEntry(TypedDict):
    """Something that is kept; `size` is in bytes."""

    key: str
    value: NotRequired[JSON]
    size: NotRequired[int]
    createdAt: NotRequired[str]
    updatedAt: NotRequired[str]
    expiresAt: NotRequired[str | None]


class MemoryListResponse(TypedDict):
    """A page of what is kept; `nextCursor` asks for the next one."""

    success: bool
    entries: list[MemoryEntry]
    nextCursor: str | None
    hasNext: NotRequired[bool]
