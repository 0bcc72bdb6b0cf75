"""Where is searched: what the account knows, and search engines that are configured."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from html import unescape
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from chatloom.core.secret import Secret

T = TypeVar("T")


class Hit(msgspec.Struct, frozen=True):
    """Something that was found: where it is, and what it says of itself."""

    title: str
    url: str
    summary: str
    text: str | None = None
    """All of it that is to be read; `None` where its page has to be fetched."""


class Page(msgspec.Struct, frozen=True):
    """What was fetched."""

    url: str
    content_type: str
    body: bytes


class SourceError(Exception):
    """A source could not be searched, or read; its text says why, to whoever asked."""


class Fetch(Protocol):
    """Fetches what stands at an address, on somebody's word."""

    async def __call__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Page:
        """Fetch by GET, or where there is a *body* by POST. Raises `SourceError`."""
        ...


class SearchProvider(Protocol):
    """Something that is searched."""

    name: str

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Find *limit* things at most, the best first. Raises `SourceError`."""
        ...


class KnowledgeProvider:
    """What an account knows."""

    name = "knowledge"

    def __init__(self, search: Callable[[str, int], Awaitable[Sequence[Hit]]]) -> None:
        self._search = search

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Search the entries of the account."""
        return await self._search(query, limit)


class _Result(msgspec.Struct):
    """One result, as the three engines tell it between them."""

    url: str | None = None
    title: str | None = None
    content: str | None = None
    description: str | None = None


class _Results(msgspec.Struct):
    results: list[msgspec.Raw] | None = None


class _Web(msgspec.Struct):
    web: _Results | None = None


class SearxngProvider:
    """A SearXNG instance, whose JSON format must be switched on."""

    name = "searxng"

    def __init__(self, fetch: Fetch, base_url: str) -> None:
        self._fetch = fetch
        self._base_url = base_url.rstrip("/")

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Ask its ``/search``."""
        asked = urlencode({"q": query, "format": "json"})
        page = await self._fetch(f"{self._base_url}/search?{asked}")
        return _hits(_read(page, _Results), limit)


class BraveProvider:
    """Brave's search API."""

    name = "brave"

    def __init__(self, fetch: Fetch, key: Secret, base_url: str) -> None:
        self._fetch = fetch
        self._key = key
        self._base_url = base_url.rstrip("/")

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Ask its ``/res/v1/web/search``."""
        asked = urlencode({"q": query, "count": min(limit, 20)})
        page = await self._fetch(
            f"{self._base_url}/res/v1/web/search?{asked}",
            headers={"Accept": "application/json", "X-Subscription-Token": self._key.reveal()},
        )
        return _hits(_read(page, _Web).web or _Results(), limit)


class TavilyProvider:
    """Tavily's search API."""

    name = "tavily"

    def __init__(self, fetch: Fetch, key: Secret, base_url: str) -> None:
        self._fetch = fetch
        self._key = key
        self._base_url = base_url.rstrip("/")

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Ask its ``/search``."""
        page = await self._fetch(
            f"{self._base_url}/search",
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._key.reveal()}",
            },
            body=msgspec.json.encode({"query": query, "max_results": min(limit, 20)}),
        )
        return _hits(_read(page, _Results), limit)


def _read(page: Page, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(page.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError("the search engine answered something unreadable") from error


def _hits(found: _Results, limit: int) -> list[Hit]:
    hits: list[Hit] = []
    for raw in found.results or ():
        if len(hits) == limit:
            break
        if (hit := _hit(raw)) is not None:
            hits.append(hit)
    return hits


def _hit(raw: msgspec.Raw) -> Hit | None:
    """A result; `None` for one that is no page, or told in no way that we know."""
    try:
        told = msgspec.json.decode(raw, type=_Result)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    url = (told.url or "").strip()
    if len(url) > _LONGEST_URL or not url.lower().startswith(("http://", "https://")):
        return None
    return Hit(
        _plain(told.title, _LONGEST_TITLE) or url,
        url,
        _plain(told.content or told.description, _LONGEST_SUMMARY),
    )


def _plain(told: str | None, longest: int) -> str:
    """What an engine tells of a page, on one line, without its marks; it is a stranger's text."""
    text = unescape(_MARK.sub("", (told or "")[: 4 * longest]))
    return " ".join(text.split())[:longest].strip()


_MARK = re.compile(r"</?(?:b|em|i|mark|strong)>", re.I)
_LONGEST_TITLE = 200
_LONGEST_SUMMARY = 500
_LONGEST_URL = 2048
