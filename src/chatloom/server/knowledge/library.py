"""What an account knows: kept, changed, found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chatloom.server.ids import milliseconds, new_id
from chatloom.server.knowledge.formats import (
    KEPT_AS,
    NotInstalled,
    Unreadable,
    is_marked,
    text_of,
)
from chatloom.server.knowledge.splitting import split
from chatloom.server.knowledge.words import forms, sought
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.knowledge import (
    MOST_PASSAGES,
    Draft,
    Entry,
    EntryChanged,
    EntryFilter,
    EntryType,
    Findings,
    Format,
    Found,
    KnowledgeFull,
    Part,
)
from chatloom.server.store.trees import Repeatable

T = TypeVar("T")

_AT_ONCE = 2
"""Texts that are read at the same time; each has a thread of its own."""
_MOST_WAITING = 16
"""Texts that may wait for that."""
_SHORT = 20_000
"""Characters of a text that is read on the spot: changing threads costs more."""
_TRIES = 5
EVERYTHING = EntryFilter()


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """Something to know."""

    type: EntryType
    title: str
    content: str
    """Text, or Base64 where the format is pdf."""
    format: Format = "text"
    domain: str | None = None
    tags: list[str] = []
    confidence: float = 1.0
    source: str | None = None


class Rewriting(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of an entry; what is not said stays as it is."""

    title: str | None = None
    content: str | None = None
    format: Format | None = None
    domain: str | UnsetType | None = UNSET
    tags: list[str] | None = None
    confidence: float | None = None
    source: str | UnsetType | None = UNSET


class Knowledge:
    """Reads, keeps and finds what accounts know."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="chatloom-reading")
        self._waiting = 0

    def close(self) -> None:
        """Read nothing more; what is being read is read to its end, and dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def add(
        self,
        account_id: str,
        writing: Writing,
        by: Repeatable | None = None,
        deed: Callable[[str], Deed] | None = None,
    ) -> str:
        """Know something more; its id, or that of what *by* made before.

        *deed* is what the audit log is told of that id. Raises `Refusal` or `KeyReused`.
        """
        parts = await self._parts(writing.content, writing.format)
        now, id = milliseconds(), new_id()
        entry = Entry(
            id=id,
            account_id=account_id,
            type=writing.type,
            title=_checked("title", writing.title),
            format=writing.format,
            domain=_checked_domain(writing.domain),
            tags=_checked_tags(writing.tags),
            confidence=writing.confidence,
            source=_checked_source(writing.source),
            passages=len(parts),
            characters=_length(parts),
            created_at=now,
            updated_at=now,
        )
        return await self._keep(entry, parts, None, by, None if deed is None else deed(id))

    async def change(self, account_id: str, id: str, wanted: Rewriting) -> Entry | None:
        """Change an entry; it, or `None` where there is none. Raises `Refusal`."""
        if wanted.format is not None and wanted.content is None:
            raise invalid("a format is said of a content, and there is none", param="format")
        for _ in range(_TRIES):
            entry = await self._store.entry(account_id, id)
            if entry is None or wanted == Rewriting():
                return entry
            try:
                await self._replace(entry, wanted)
            except EntryChanged:
                continue
            return await self._store.entry(account_id, id)
        raise Refusal(
            "conflict", "others change this entry all the time", code="changed", repeatable=True
        )

    async def _replace(self, entry: Entry, wanted: Rewriting) -> None:
        parts: list[Part] | None = None
        changed = replace(
            entry,
            title=entry.title if wanted.title is None else _checked("title", wanted.title),
            domain=entry.domain if wanted.domain is UNSET else _checked_domain(wanted.domain),
            tags=entry.tags if wanted.tags is None else _checked_tags(wanted.tags),
            confidence=entry.confidence if wanted.confidence is None else wanted.confidence,
            source=entry.source if wanted.source is UNSET else _checked_source(wanted.source),
            updated_at=max(milliseconds(), entry.updated_at),
        )
        if wanted.content is not None:
            # What is told of a page or a file is text: so is what comes back, if nothing is said.
            format = wanted.format or KEPT_AS.get(entry.format, entry.format)
            parts = await self._parts(wanted.content, format)
            changed = replace(
                changed, format=format, passages=len(parts), characters=_length(parts)
            )
        await self._keep(changed, parts, entry.version)

    async def _keep(
        self,
        entry: Entry,
        parts: list[Part] | None,
        replaces: int | None,
        by: Repeatable | None = None,
        deed: Deed | None = None,
    ) -> str:
        draft = Draft(
            entry=entry,
            title=forms(entry.title),
            tags=[form for tag in entry.tags for form in forms(tag)],
            parts=parts,
            replaces=replaces,
        )
        try:
            return await self._store.keep_entry(draft, by, deed)
        except KnowledgeFull as full:
            raise Refusal("conflict", str(full), code="knowledge_full", repeatable=False) from full

    async def search(
        self, account_id: str, query: str, *, limit: int, filter: EntryFilter = EVERYTHING
    ) -> list[Found]:
        """Find what bears on a query, the best first; the query's text means words alone."""
        return (await self.findings(account_id, query, limit=limit, filter=filter)).found

    async def findings(
        self, account_id: str, query: str, *, limit: int, filter: EntryFilter = EVERYTHING
    ) -> Findings:
        """Find as `search` does, and count what matches."""
        return await self._store.search_entries(account_id, sought(query), filter, limit=limit)

    async def _parts(self, content: str, format: Format) -> list[Part]:
        """Read and split a text. Raises `Refusal`."""
        try:
            if len(content) <= _SHORT and format in {"text", "markdown"}:
                return parts_of(content, format)
            return await self._apart(lambda: parts_of(content, format))
        except Unreadable as error:
            raise invalid(f"content: {error}", param="content", code="unreadable") from error
        except NotInstalled as error:
            raise Refusal(
                "unavailable", str(error), code="not_installed", repeatable=False
            ) from error

    async def _apart(self, read: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING + _AT_ONCE:
            raise Refusal(
                "unavailable",
                "too many documents are being read; try again later",
                code="busy",
                retry_after=5,
                repeatable=True,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        finally:
            self._waiting -= 1


def parts_of(content: str, format: Format) -> list[Part]:
    """The passages of *content*, with their words. Raises `Unreadable` or `NotInstalled`."""
    text = text_of(content, format)
    passages = split(text, marked=is_marked(format))
    if len(passages) > MOST_PASSAGES:
        raise Unreadable(f"it has more than {MOST_PASSAGES:,} passages")
    begins = [0, *(passage.start for passage in passages[1:])]
    ends = [*begins[1:], len(text)]
    return [
        Part(text[at:until], at, passage.start, passage.end, forms(text[at:until]))
        for at, until, passage in zip(begins, ends, passages, strict=True)
    ]


def _length(parts: list[Part]) -> int:
    return parts[-1].at + len(parts[-1].text)


def _checked(name: str, text: str) -> str:
    told = text.strip()
    if not told or "\0" in told:
        raise invalid(f"{name}: there is nothing to be read in it", param=name)
    return told


def _checked_domain(domain: str | None) -> str | None:
    return None if domain is None else _checked("domain", domain)


def _checked_tags(tags: list[str]) -> list[str]:
    """Tags, each once, however it is spelled."""
    told = [_checked("tags", tag) for tag in tags]
    return list({tag.casefold(): tag for tag in reversed(told)}.values())[::-1]


def _checked_source(source: str | None) -> str | None:
    return None if source is None else _checked("source", source)
