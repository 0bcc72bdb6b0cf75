"""A recording world that is proven, as it is closed, to play what it has heard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chatloom.core.errors import TransportError
from chatloom.core.http import UNREADABLE, Arriving, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Guarded, Outside
from chatloom.transports.recorded import Cassette, NotRecorded, recorded
from support.scripted import Scripted


@dataclass
class Heard:
    """What a caller was told."""

    request: Request
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    pieces: list[bytes] = field(default_factory=list[bytes])
    end: str = ""
    """An error's class and words; "whole"; or nothing, where the reader left."""


class Hearing:
    """A body on its way."""

    def __init__(self, beyond: Arriving, heard: Heard) -> None:
        self._beyond = beyond
        self._heard = heard
        self._is_over = False

    async def read(self) -> bytes:
        try:
            piece = await self._beyond.read()
        except TransportError as error:
            self._note("", told(error))
            raise
        self._note(piece, "whole")
        return piece

    async def close(self) -> None:
        self._is_over = True
        await self._beyond.close()

    async def finish(self) -> None:
        self._is_over = True
        await self._beyond.finish()

    def abandon(self) -> None:
        self._is_over = True
        self._beyond.abandon()

    def _note(self, piece: bytes | str, end: str) -> None:
        if isinstance(piece, bytes) and piece:
            self._heard.pieces.append(piece)
        elif not self._is_over and not self._heard.end:
            self._heard.end = end


class Taped(Guarded):
    """The outside world, recorded, and all that its callers were told."""

    def __init__(self, beyond: Outside, path: Path) -> None:
        super().__init__(self._hear, recorded(beyond, Cassette(path, "record")))
        self._path = path
        self._all: list[Heard] = []
        self._close_beyond = self.close
        self.close = self._close_and_prove

    async def _hear(self, request: Request, outside: Outside) -> Response:
        heard = Heard(request)
        try:
            response = await outside.send(request)
        except TransportError as error:
            heard.end = told(error)
            self._all.append(heard)
            raise
        self._all.append(heard)
        heard.status, heard.headers = response.status, {**response.headers}
        if response.arriving is None:
            heard.pieces, heard.end = [response.body], "whole"
        else:
            response.arriving = Hearing(response.arriving, heard)
        return response

    async def _close_and_prove(self) -> None:
        await self._close_beyond()
        if self._all:
            self._prove_in_time()

    def _prove_in_time(self) -> None:
        """Wait for threads that were reading, and are about to hear that it was closed."""
        patience = time.monotonic() + 10
        while time.monotonic() < patience:
            with suppress(AssertionError, NotRecorded):
                self._prove()
                return
            time.sleep(0.01)
        self._prove()

    def _prove(self) -> None:
        # Threads ask in no certain order.
        outside = recorded(Scripted(), Cassette(self._path, "replay", "lenient"))
        for heard in self._all:
            run_inline(prove(outside, heard))


async def prove(outside: Outside, heard: Heard) -> None:
    """Ask *outside* the same again; it must tell the same."""
    again = Heard(heard.request)
    try:
        response = await outside.send(heard.request)
    except TransportError as error:
        again.end = told(error)
    else:
        again.status, again.headers = response.status, response.headers
        if response.arriving is None:
            again.pieces, again.end = [response.body], "whole"
        else:
            again.pieces = [await response.arriving.read() for _ in heard.pieces]
            again.end = await end_of(response.arriving)
    assert (again.status, again.end) == (heard.status, heard.end)
    assert [*map(value, again.pieces)] == [*map(value, heard.pieces)]
    assert again.headers.items() <= heard.headers.items()
    assert {"content-type", "location"} & heard.headers.keys() <= again.headers.keys()


async def end_of(arriving: Arriving) -> str:
    try:
        rest = await arriving.read()
    except TransportError as error:
        return told(error)
    except NotRecorded:
        return ""
    return f"and more: {rest!r}" if rest else "whole"


def told(error: TransportError) -> str:
    return f"{type(error).__name__}: {error}"


def value(body: bytes) -> object:
    """What *body* says, however it is spaced out."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return body
