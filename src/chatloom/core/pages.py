"""Answers that come in pages."""

# Blocking pages are the async ones, seen from outside:
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, Self, TypeVar

from chatloom.core.inline import run_inline

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """Some items, and where the next ones are."""

    @property
    def items(self) -> Sequence[T_co]: ...
    @property
    def following(self) -> str | int | None:
        """What to ask for next; `None` on the last page."""
        ...


class AsyncPages(Generic[T]):
    """Items across pages; the next page is fetched when the last one runs out."""

    def __init__(
        self, fetch: Callable[[str | int], Awaitable[Page[T]]], start: str | int = 1
    ) -> None:
        self._fetch = fetch
        self._following: str | int | None = start
        self._items: deque[T] = deque()

    async def _fill(self) -> bool:
        while not self._items and self._following is not None:
            page = await self._fetch(self._following)
            self._items.extend(page.items)
            self._following = page.following
        return bool(self._items)

    async def collect(self) -> list[T]:
        """Fetch every page that is left and return all items not yet handed out."""
        return [item async for item in self]

    def settled(self) -> Pages[T]:
        """Offer the pages to a blocking caller."""
        return Pages(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not await self._fill():
            raise StopAsyncIteration
        return self._items.popleft()


class Pages(Generic[T]):
    """Items across pages; the next page is fetched when the last one runs out."""

    def __init__(self, source: AsyncPages[T]) -> None:
        self._source = source

    def collect(self) -> list[T]:
        """Fetch every page that is left and return all items not yet handed out."""
        return list(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not run_inline(self._source._fill()):
            raise StopIteration
        return self._source._items.popleft()
