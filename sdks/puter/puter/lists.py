"""What is given as a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

from chatloom.core.errors import SettingsError

__all__ = ["listed"]

T = TypeVar("T")


def listed(name: str, given: Iterable[T] | None) -> list[T]:
    """Give what may be left out as a list. Raises `SettingsError` for a single thing."""
    told = cast("object", given)
    if isinstance(told, str | bytes) or not isinstance(told, Iterable | None):
        raise SettingsError(f"{name} is a list, even of one, not {told!r:.80}")
    return list(given or ())
