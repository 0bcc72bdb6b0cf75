"""Types of research, and of what answers cost."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

__all__ = [
    "Money",
    "ResearchCitation",
    "ResearchDepth",
    "ResearchMetadata",
    "ResearchRequest",
    "ResearchResponse",
    "ResearchResult",
    "UnreadSource",
]

ResearchDepth: TypeAlias = Literal["shallow", "medium", "deep"]


class Money(TypedDict):
    """An amount, exactly: in pico-dollars, and in US dollars as decimal text."""

    picodollars: int
    usd: str


class ResearchRequest(TypedDict):
    """What to find out, how thoroughly, and from how many sources."""

    query: str
    depth: NotRequired[ResearchDepth]
    sources: NotRequired[int]
    model: NotRequired[str]


class ResearchResult(TypedDict):
    """A source; `relevance` is from 0 to 1, and `provider` is who found it.

    An entry of what is known has ``knowledge:`` and its id for a `url`.
    """

    title: str
    url: str
    summary: NotRequired[str]
    relevance: NotRequired[float]
    number: NotRequired[int]
    provider: NotRequired[str]


class ResearchCitation(TypedDict):
    """What a number in brackets in the summary stands for.

    `source` is the `number` of a result; `quote` is found there, word for word.
    """

    number: int
    source: int
    url: str
    quote: str


class UnreadSource(TypedDict):
    """Something that could not be read, and why."""

    url: str
    reason: str


class ResearchMetadata(TypedDict, total=False):
    """How something was found out; `processingTime` is in milliseconds.

    `synthesis` says whether a model wrote the summary, or it is the sources' own sentences.
    """

    depth: ResearchDepth
    queries: list[str]
    providers: list[str]
    synthesis: Literal["model", "extract"]
    model: str
    tokensUsed: int
    cost: Money | None
    processingTime: float
    unread: list[UnreadSource]


class ResearchResponse(TypedDict):
    """What was found out; a server that cites nothing has no `citations`."""

    success: bool
    results: list[ResearchResult]
    summary: str
    citations: list[ResearchCitation]
    metadata: ResearchMetadata
    query: NotRequired[str]
    error: NotRequired[str | None]
