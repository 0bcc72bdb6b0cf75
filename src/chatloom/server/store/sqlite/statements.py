"""The SQL, read from the plain files beside this one."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_HERE = files(__package__ or __name__)


@cache
def statements(file: str = "queries.sql") -> dict[str, str]:
    """Every statement of *file*, by the name in the ``-- name:`` line above it."""
    text = (_HERE / file).read_text("utf-8")
    blocks = text.split("-- name: ")[1:]
    named = (block.partition("\n") for block in blocks)
    return {name.strip(): statement.strip().rstrip(";") for name, _, statement in named}


def migrations() -> list[tuple[int, str]]:
    """Every migration, numbered, in order."""
    found = [entry for entry in (_HERE / "migrations").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name[:4]), entry.read_text("utf-8")) for entry in found)
