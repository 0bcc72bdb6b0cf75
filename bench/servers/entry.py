"""What a server needs to take part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bench import canned
from bench.load import Question


class Place(msgspec.Struct, frozen=True):
    """Where a server is to run."""

    folder: Path
    """Its own, and empty."""
    port: int
    """Which it is to listen at."""
    upstream: int
    """The port of its provider."""
    python: Path
    """The one that has it."""

    @property
    def provider(self) -> str:
        """The address of its provider."""
        return f"http://127.0.0.1:{self.upstream}/burst-{canned.SERVER_EVENTS}/v1"


class Prepared(msgspec.Struct, frozen=True):
    """A server that could be started."""

    command: list[str]
    questions: Mapping[str, Question]
    """``request`` and ``stream`` go to its provider; ``local …`` it answers by itself."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One server."""

    name: str
    needs: str | None
    """The distribution it comes from; `None` for what is there, or found otherwise."""
    prepare: Callable[[Place], Prepared]
    is_ours: bool = False
    is_found: Callable[[], bool] = lambda: True
    """For what is no distribution."""
