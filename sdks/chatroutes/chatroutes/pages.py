"""Walks over lists that come in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from chatloom.core.pages import AsyncPages

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items, and what to ask the next ones for."""

    items: Sequence[T]
    following: str | int | None


def by_cursor(fetch: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncPages[T]:
    """Walk from cursor to cursor; the first page has none. One that comes again is the end."""
    seen: set[str | int | None] = set()

    async def turn(cursor: str | int) -> Page[T]:
        page = await fetch(str(cursor) or None)
        seen.add(cursor)
        return Page(page.items, None) if page.following in seen else page

    return AsyncPages(turn, "")


def by_number(
    fetch: Callable[[int], Awaitable[Page[T]]], name: Callable[[T], object]
) -> AsyncPages[T]:
    """Walk over numbered pages, and hand out nothing twice, told apart by *name*.

    What is new at the head of a list pushes what was seen onto the next page.
    """
    seen: set[object] = set()

    async def turn(number: str | int) -> Page[T]:
        page = await fetch(int(number))
        new = [item for item in page.items if name(item) not in seen]
        seen.update(map(name, new))
        return Page(new, page.following)

    return AsyncPages(turn, 1)
