"""Research: questions answered from sources, with citations."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from chatloom.wire.chatloom import Money
from chatloom.wire.infinity.common import Given, Part, Told

Depth: TypeAlias = Literal["shallow", "medium", "deep"]


class ResearchRequest(Given):
    """A question; `sources` is how many are read at most. `topic` is another name for `query`."""

    query: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    topic: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    depth: Depth = "medium"
    sources: Annotated[int, Meta(ge=1, le=50)] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Source(Part):
    """Something that was read. `relevance` is from 0 to 1; `url` names an entry where it is known
    here: ``knowledge:ID``."""

    number: int
    title: str
    url: str
    summary: str
    relevance: float
    provider: str


class Citation(Part):
    """What a number in the summary stands for: `quote` is found in the source, word for word."""

    number: int
    source: int
    url: str
    quote: str


class Unread(Part):
    """Something that could not be read, and why."""

    url: str
    reason: str


class ResearchMetadata(Part):
    """How it was done; times are in milliseconds."""

    depth: Depth
    queries: list[str]
    providers: list[str]
    synthesis: Literal["model", "extract"]
    """Whether a model wrote the summary, or it consists of the sources' own sentences."""
    model: str
    tokens_used: int
    cost: Money | None
    processing_time: int
    unread: list[Unread]


class ResearchAnswer(Told):
    """An answer with its sources; numbers in brackets in the summary are its citations."""

    query: str
    results: list[Source]
    summary: str
    citations: list[Citation]
    metadata: ResearchMetadata
