"""Walks over lists that come in pages, and grow at their head meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from chatloom.core.pages import AsyncPages


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


class Page(NamedTuple, Generic[T]):
    """Some items, and the number to ask the next ones for."""

    items: Sequence[T]
    following: int | None


def each_once(fetch: Callable[[int], Awaitable[Page[T]]], start: int) -> AsyncPages[T]:
    """Walk over pages, and hand out no item twice.

    What is new at the head of a list pushes what was seen onto the next page.
    """
    seen: set[str] = set()

    async def unseen(number: str | int) -> Page[T]:
        page = await fetch(int(number))
        new = [item for item in page.items if item.id not in seen]
        seen.update(item.id for item in new if item.id)
        return Page(new, page.following)

    return AsyncPages(unseen, start)
