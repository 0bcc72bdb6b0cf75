"""Types of what is kept: knowledge, and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypeAlias, TypedDict

from chatloom.core.http import JSON

__all__ = [
    "KnowledgeEntry",
    "KnowledgeEntryResponse",
    "KnowledgeFilters",
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


class KnowledgeFilters(TypedDict, total=False):
    """What a search is limited to; `type` is ``wisdom``, ``pattern`` or ``gotcha``."""

    type: str
    domain: str
    tags: list[str]


class KnowledgeSearchRequest(TypedDict):
    """What to search for."""

    query: str
    limit: NotRequired[int]
    filters: NotRequired[KnowledgeFilters]


class KnowledgeUpdate(TypedDict, total=False):
    """What to change of an entry; `confidence` is from 0 to 1."""

    type: str
    title: str
    content: str
    domain: str
    tags: list[str]
    confidence: float


class KnowledgeRequest(TypedDict):
    """An entry to be added."""

    content: str
    type: NotRequired[str]
    title: NotRequired[str]
    domain: NotRequired[str]
    tags: NotRequired[list[str]]
    confidence: NotRequired[float]


class KnowledgeEntry(TypedDict):
    """Something that is known."""

    id: str
    type: str
    title: str
    content: str
    domain: NotRequired[str | None]
    tags: NotRequired[list[str]]
    confidence: NotRequired[float]
    createdAt: NotRequired[str]
    updatedAt: NotRequired[str]


KnowledgeResult: TypeAlias = KnowledgeEntry
"""One that was found; `confidence` is how well it fits."""


class KnowledgeSearchResponse(TypedDict):
    """What was found."""

    success: bool
    results: list[KnowledgeResult]
    total: int
    error: NotRequired[str | None]


class KnowledgeListResponse(TypedDict):
    """A page of what is known; `nextCursor` asks for the next one."""

    success: bool
    entries: list[KnowledgeEntry]
    nextCursor: str | None
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


class MemoryStoreResponse(TypedDict):
    """Whether it is kept."""

    success: bool
    stored: bool
    error: NotRequired[str | None]


class MemoryRetrieveRequest(TypedDict):
    """What to look for."""

    key: str


class MemoryRetrieveResponse(TypedDict):
    """What was kept, if it is there; what is kept may be `None` itself."""

    success: bool
    value: JSON
    found: bool
    error: NotRequired[str | None]


class MemoryEntry(TypedDict):
    """Something that is kept."""

    key: str
    value: NotRequired[JSON]
    createdAt: NotRequired[str]
    updatedAt: NotRequired[str]
    expiresAt: NotRequired[str | None]


class MemoryListResponse(TypedDict):
    """A page of what is kept; `nextCursor` asks for the next one."""

    success: bool
    entries: list[MemoryEntry]
    nextCursor: str | None
