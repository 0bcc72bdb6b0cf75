"""What was exported elsewhere, kept here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from chatloom.server.archive.lines import Record
from chatloom.server.store.administration import Deed


class AlreadyThere(Exception):
    """Something of this id is here already, maybe deleted; nothing is stored."""

    def __init__(self, what: str, *, deleted: bool = False) -> None:
        super().__init__(f"{what} is here already")
        self.what = what
        self.deleted = deleted


class Archive(Protocol):
    """Takes in whole conversations."""

    async def add_archive(
        self, account_id: str, read: Callable[[], Iterable[Record]], deed: Deed
    ) -> None:
        """Store all that *read* gives, or nothing where it raises; it may be called again.

        Raises `AlreadyThere`.
        """
        ...
