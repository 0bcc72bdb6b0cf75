"""What is named by its id, or by the beginning of one."""

from __future__ import annotations

import re
import sqlite3

from chatloom.core.errors import ChatloomError

_SHOWN = 5
"""Ids told where a name fits several."""


class NothingNamedSo(ChatloomError):
    """Nothing, or more than one thing, has this name."""


def find_named(
    connection: sqlite3.Connection, sought: str, start: str, *, name: str, what: str
) -> str:
    """The one id that begins with *start*; *sought* is the SQL that lists some of those.

    *name* and *what* it names are for the error, `NothingNamedSo`.
    """
    begins = _start_of_id(start)
    named = connection.execute(sought, (begins, _SHOWN + 1)).fetchall() if begins else []
    found = [str(one[0]) for one in named]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NothingNamedSo(f"there is no {what} {name!r}")
    several = "".join(f"\n  {id}" for id in found[:_SHOWN])
    more = "\n  …" if len(found) > _SHOWN else ""
    raise NothingNamedSo(f"several {what}s begin with {name!r}:{several}{more}")


def _start_of_id(name: str) -> str | None:
    """What the ids begin with that *name* may mean; `None` for what begins none."""
    digits = name.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{1,32}", digits):
        return None
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part)
