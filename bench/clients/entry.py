"""What a client needs to take part."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Protocol

import msgspec

from bench import canned

MODEL = "canned-model"


class Blocking(Protocol):
    """A client that blocks."""

    def ask(self) -> str:
        """Make a plain request; the answer's text."""
        ...

    def tell(self) -> Iterable[str]:
        """Ask for a stream; its texts as they come."""
        ...

    def close(self) -> None: ...


class Awaiting(Protocol):
    """A client that is awaited."""

    async def ask(self) -> str: ...
    def tell(self) -> AsyncIterable[str]: ...
    async def close(self) -> None: ...


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One client, in both modes."""

    name: str
    needs: str | None
    """The distribution it comes from; `None` for what is always there."""
    imports: str | None
    """The module whose import is measured."""
    first: tuple[str, str]
    """Whole programs, blocking and async, that print one answer; they know URL, MODEL, MESSAGES."""
    blocking: Callable[[str], Blocking]
    """Makes a client from the address of an API, without the ``/v1``."""
    awaiting: Callable[[str], Awaiting]
    is_ours: bool = False
    most_import_ms: float = 60
    """Of ours: what importing it may take, beyond Python itself."""
    least_first_gain: float = 8
    """Of ours: how many times less than openai's a first answer is to take."""


def program(text: str, url: str) -> str:
    """Give the program *text* the names it knows."""
    return f"URL = {url!r}\nMODEL = {MODEL!r}\nMESSAGES = {canned.MESSAGES!r}\n{text}"
