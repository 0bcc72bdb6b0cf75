"""How answers are read: strict about what makes them answers, lenient about all the rest.

No lenient reader fails, whatever value it is given; what is of no use is as good as missing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import UnionType

import msgspec

from chatloom.core.http import JSON
from chatloom.core.operations import typed

UNTOLD = datetime.min.replace(tzinfo=UTC)
"""Stands for a time that has to be there, and that nobody told."""

whole = typed(dict[str, JSON])
"""Read an object, whatever it holds."""


def holding(body: bytes, name: str, kind: type | UnionType) -> dict[str, JSON]:
    """Read an object that holds a *kind* of thing by this name, as an answer must.

    Raises one of `chatloom.core.http.UNREADABLE`.
    """
    answer = whole(body)
    if not isinstance(answer.get(name, ...), kind):
        raise msgspec.ValidationError(f"it holds no {name}")
    return answer


def text(value: JSON) -> str:
    """Text, or the text parts of a list of parts, joined."""
    if isinstance(value, str):
        return value
    return "".join(text(part.get("text")) for part in dicts(value))


def optional_text(value: JSON) -> str | None:
    """Text, if it is some."""
    return value if isinstance(value, str) else None


def identifier(value: JSON) -> str | None:
    """An id; some servers count."""
    return str(value) if isinstance(value, str | int) else None


def integer(value: JSON) -> int:
    """A whole number; 0 for what is none."""
    return int(value) if isinstance(value, int | float) else 0


def moment(value: JSON) -> datetime | None:
    """A time as ISO 8601 writes it, in UTC where it names no zone."""
    try:
        told = datetime.fromisoformat(optional_text(value) or "")
    except ValueError:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def mapping(value: JSON) -> dict[str, JSON]:
    """An object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def items(value: JSON) -> list[JSON]:
    """A list; an empty one for what is none."""
    return value if isinstance(value, list) else []


def dicts(value: JSON) -> list[dict[str, JSON]]:
    """The objects of a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def taken(data: dict[str, JSON], name: str, older: str) -> JSON:
    """Take out what *data* holds by this name; else see what an *older* server called it."""
    value = data.pop(name, None)
    return data.get(older) if value is None else value
