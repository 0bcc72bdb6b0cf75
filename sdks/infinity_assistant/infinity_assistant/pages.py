"""Pages of what is listed, as iterators want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items, and the cursor of the next ones."""

    items: Sequence[T]
    following: str | None


def page(items: Sequence[T], cursor: str | None, asked: str | int) -> Page[T]:
    """Make a page of *items*; a *cursor* that was *asked* with leads nowhere."""
    return Page(items, cursor if cursor and cursor != asked else None)
